//! `docs/zoo.md`.

use std::fmt::Write as _;

use crate::life::{Column, Row};

/// The table's heading, in the order of [`Column::ALL`].
const HEAD: &str = "| | up | autostart once | killed | `restart xorg` | server killed | its logout | `stop` | nothing left | `enable wm` |\n\
                    |---|---|---|---|---|---|---|---|---|---|\n";

/// A release's table, followed by what is wrong.
pub fn text(suite: &str, rows: &[Row]) -> String {
    let mut text = format!("## {suite}\n\n{HEAD}");
    rows.iter().for_each(|row| text += &line(row));
    let notes: String = rows.iter().map(notes).collect();
    if !notes.is_empty() {
        let _ = write!(text, "\n{notes}");
    }
    text
}

/// What is wrong with one, one line each.
pub fn notes(row: &Row) -> String {
    let note = |(column, why)| {
        let why = row.animal.reason(column).unwrap_or(why);
        format!("- {}, {}: {why}\n", row.animal.name, title(column))
    };
    row.faults().into_iter().map(note).collect()
}

/// One line of it.
pub fn line(row: &Row) -> String {
    let cells = Column::ALL.map(|column| match row.seen.get(&column) {
        Some(Ok(words)) if words.is_empty() => "yes".to_owned(),
        Some(Ok(words)) => words.clone(),
        Some(Err(_)) => "**no**".to_owned(),
        None => "–".to_owned(),
    });
    format!("| {} | {} |\n", row.animal.name, cells.join(" | "))
}

fn title(column: Column) -> &'static str {
    let head = HEAD.lines().next().unwrap_or_default();
    head.split('|').nth(column as usize + 2).unwrap_or_default().trim()
}
