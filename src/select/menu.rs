//! What the menu shows and what a key does; pure.

use std::time::Duration;

use super::keys::PressedKey;

/// A line of the menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its name; one line.
    pub name: String,
    /// A comment; one line, may be empty.
    pub comment: String,
}

/// The menu.
#[derive(Debug, Clone)]
pub struct Menu {
    items: Vec<Item>,
    at: usize,
    typed: usize,
}

/// The result of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The menu stays.
    Stay,
    /// The item with this index was chosen.
    Chosen(usize),
    /// Cancelled.
    Cancelled,
}

/// A line on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MenuLine {
    /// Its text, cut to the screen.
    pub text: String,
    /// Whether it is the selected item.
    pub is_at: bool,
}

/// Above and below the items: the question, how many more items there are above, how many below, the keys, and the time
/// that is left. The cursor is below all of it: with as many lines as the screen has, the question would scroll away.
const AROUND: usize = 6;
/// The widest that names may make the first column.
const NAME_WIDTH: usize = 30;

impl Menu {
    /// A menu on which the item `at` is selected.
    #[must_use]
    pub fn new(items: Vec<Item>, at: usize) -> Self {
        let at = at.min(items.len().saturating_sub(1));
        Self { items, at, typed: 0 }
    }

    /// The selected item.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// Keys were pressed.
    pub fn press(&mut self, keys: Vec<PressedKey>) -> Step {
        for key in keys {
            let last = self.items.len().saturating_sub(1);
            let typed = std::mem::take(&mut self.typed);
            match key {
                PressedKey::Up => self.at = self.at.checked_sub(1).unwrap_or(last),
                PressedKey::Down => self.at = if self.at == last { 0 } else { self.at + 1 },
                PressedKey::First => self.at = 0,
                PressedKey::Last => self.at = last,
                PressedKey::Digit(digit) => self.type_digit(typed, usize::from(digit)),
                PressedKey::Enter => return Step::Chosen(self.at),
                PressedKey::Quit => return Step::Cancelled,
                PressedKey::Other => {}
            }
        }
        Step::Stay
    }

    /// Digits make a number for as long as there is an item with it; then the next number begins.
    fn type_digit(&mut self, typed: usize, digit: usize) {
        let longer = typed * 10 + digit;
        let number = if longer <= self.items.len() { longer } else { digit };
        if (1..=self.items.len()).contains(&number) {
            self.at = number - 1;
            self.typed = number;
        }
    }

    /// The menu as lines on a screen of `columns` and `rows`, always as many of them: what does not fit scrolls.
    #[must_use]
    pub fn lines(&self, left: Option<Duration>, (columns, rows): (usize, usize)) -> Vec<MenuLine> {
        // The last column stays empty: a terminal would wrap the line after it.
        let columns = columns.saturating_sub(1);
        let room = rows.saturating_sub(AROUND).clamp(1, self.items.len().max(1));
        let first = (self.at + 1).saturating_sub(room).max((self.at).saturating_sub(room / 2));
        let first = first.min(self.items.len().saturating_sub(room));
        let end = (first + room).min(self.items.len());
        let plain = |text: &str| MenuLine { text: cut(text, columns), is_at: false };
        let more = |count: usize, side: &str| match count {
            0 => plain(""),
            count => plain(&format!("       … {count} more {side}")),
        };
        let mut lines = vec![plain("Which session?"), more(first, "above")];
        lines.extend((first..end).map(|index| {
            let is_at = index == self.at;
            MenuLine { text: cut(&self.item(index, if is_at { '>' } else { ' ' }), columns), is_at }
        }));
        lines.push(more(self.items.len() - end, "below"));
        lines.push(plain("Arrows or its number, Enter to start, q to leave."));
        lines.push(plain(&left.map(|left| self.countdown(left)).unwrap_or_default()));
        lines
    }

    fn countdown(&self, left: Duration) -> String {
        let name = self.items.get(self.at).map_or("", |item| item.name.as_str());
        format!("{name} starts in {} s. Any key stops that.", left.as_millis().div_ceil(1000))
    }

    fn item(&self, index: usize, mark: char) -> String {
        let item = &self.items[index];
        let widest = self.items.iter().map(|item| width(&item.name)).max().unwrap_or_default().min(NAME_WIDTH);
        let name = cut(&item.name, NAME_WIDTH);
        let pad = " ".repeat(widest.saturating_sub(width(&name)));
        format!("{mark} {:2}  {name}{pad}  {}", index + 1, item.comment).trim_end().to_owned()
    }

    /// The menu as a text with a prompt at its end, for a terminal that can only print.
    #[must_use]
    pub fn numbered(&self, left: Option<Duration>) -> String {
        let mut text = String::from("Which session?\n\n");
        for index in 0..self.items.len() {
            text.push_str(&self.item(index, if index == self.at { '*' } else { ' ' }));
            text.push('\n');
        }
        text.push('\n');
        if let Some(left) = left {
            let name = self.items.get(self.at).map_or("", |item| item.name.as_str());
            text.push_str(&format!("{name} starts in {} s if nothing is typed.\n", left.as_millis().div_ceil(1000)));
        }
        text.push_str(&self.prompt());
        text
    }

    /// The prompt again, after an invalid answer.
    #[must_use]
    pub fn again(&self) -> String {
        format!("Type a number from 1 to {}, or q to leave.\n{}", self.items.len(), self.prompt())
    }

    fn prompt(&self) -> String {
        format!("Number, or q to leave [{}]: ", self.at + 1)
    }

    /// A line was typed at the prompt.
    #[must_use]
    pub fn answer(&self, line: &str) -> Step {
        match line.trim() {
            "" => Step::Chosen(self.at),
            "q" | "Q" => Step::Cancelled,
            text => match text.parse::<usize>() {
                Ok(number) if (1..=self.items.len()).contains(&number) => Step::Chosen(number - 1),
                _ => Step::Stay,
            },
        }
    }
}

/// How many columns a text takes. From the Hangul letters on, characters are mostly wide; one too many does no harm.
fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

fn char_width(character: char) -> usize {
    if character >= '\u{1100}' { 2 } else { 1 }
}

/// The beginning of a text that fits.
fn cut(text: &str, columns: usize) -> String {
    let mut taken = 0;
    let fits = |character: &char| {
        taken += char_width(*character);
        taken <= columns
    };
    text.chars().take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::PressedKey::{Digit, Down, Enter, First, Last, Other, Quit, Up};
    use super::*;

    fn menu(count: usize, at: usize) -> Menu {
        let item = |index: usize| Item { name: format!("wm{}", index + 1), comment: "C".repeat(index) };
        Menu::new((0..count).map(item).collect(), at)
    }

    #[test]
    fn keys_move_and_choose() {
        let cases: [(usize, &[PressedKey], usize); 12] = [
            (1, &[Up], 0),
            (0, &[Up], 2),
            (2, &[Down], 0),
            (1, &[First], 0),
            (1, &[Last], 2),
            (0, &[Digit(3)], 2),
            (0, &[Digit(4)], 0),
            (1, &[Digit(0)], 1),
            (0, &[Digit(2), Digit(1)], 0),
            (0, &[Digit(1), Digit(0)], 0),
            (1, &[Other], 1),
            (0, &[Digit(2), Up, Digit(1)], 0),
        ];
        for (at, keys, expected) in cases {
            let mut menu = menu(3, at);
            assert_eq!(menu.press(keys.to_vec()), Step::Stay);
            assert_eq!(menu.at(), expected, "{at} {keys:?}");
        }
        let mut long = menu(12, 0);
        assert_eq!(long.press(vec![Digit(1), Digit(2), Enter]), Step::Chosen(11));
        assert_eq!(long.press(vec![Digit(1), Digit(3), Enter]), Step::Chosen(2));
        assert_eq!(menu(3, 1).press(vec![Quit, Enter]), Step::Cancelled);
        assert_eq!(menu(3, 7).press(vec![Enter, Quit]), Step::Chosen(2));
    }

    #[test]
    fn the_selected_item_the_question_and_the_keys_are_shown() {
        let items = [("i3", "tiles"), ("Opénbox", "a long comment that does not fit at all"), ("日本", "wide")];
        let items = items.map(|(name, comment)| Item { name: name.into(), comment: comment.into() });
        let menu = Menu::new(items.into(), 1);
        let text = |left: Option<u64>, size| {
            let lines = menu.lines(left.map(Duration::from_millis), size);
            lines.iter().map(|line| format!("{}\n", line.text)).collect::<String>()
        };
        let expected = "Which session?\n\n   1  i3       tiles\n>  2  Opénbox  a long comme\n   3  日本     wide\n\n\
                        Arrows or its number, Enter\nOpénbox starts in 3 s. Any \n";
        assert_eq!(text(Some(2001), (28, 25)), expected);
        assert!(text(None, (80, 25)).ends_with("q to leave.\n\n"));
        // If not all items fit, the selected one is shown, and how many there are above and below.
        let small = text(None, (80, 6));
        assert!(small.starts_with("Which session?\n       … 1 more above\n>  2  Op"), "{small}");
        assert!(small.contains("\n       … 1 more below\nArrows") && small.lines().count() == 6, "{small}");
        let numbered = menu.numbered(None);
        assert!(
            numbered.contains("\n*  2  Opénbox  a long comment") && numbered.ends_with("leave [2]: "),
            "{numbered}"
        );
    }

    #[test]
    fn answers_at_the_prompt_are_understood() {
        for (line, step) in [
            ("\n", Step::Chosen(1)),
            ("3\n", Step::Chosen(2)),
            (" 1 \n", Step::Chosen(0)),
            ("q\n", Step::Cancelled),
            ("0\n", Step::Stay),
            ("4\n", Step::Stay),
            ("-1\n", Step::Stay),
            ("i3\n", Step::Stay),
        ] {
            assert_eq!(menu(3, 1).answer(line), step, "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn it_always_fits_and_shows_the_selected_item(count in 1_usize..40, at in 0_usize..40, columns in 0_usize..100, rows in 0_usize..60) {
            let lines = menu(count, at).lines(Some(Duration::from_secs(1)), (columns, rows));
            prop_assert!(lines.len() < rows.max(AROUND + 1));
            prop_assert_eq!(lines.iter().filter(|line| line.is_at).count(), 1);
            prop_assert!(lines.iter().all(|line| width(&line.text) < columns.max(1)));
        }
    }
}
