//! `startxd enable wm` and `startxd disable wm`.

use super::exit::Exit;
use super::say;
use crate::session::Surroundings;
use crate::text::{one_line, path, shell_word};
use crate::window_manager::enable::{self as enabling, EnablePlan, NotEnabled, Undone};

/// Writes the unit of a window manager and enables it.
pub async fn enable(name: Option<&str>, dry_run: bool) -> Exit {
    let deadlines = super::configuration().deadlines;
    let plan = match enabling::plan(name, &Surroundings::from_env(), &deadlines).await {
        Ok(plan) if dry_run => {
            say(&would(&plan));
            return Exit::Success;
        }
        Ok(plan) => plan.apply().await,
        Err(error) => Err(error),
    };
    match plan {
        Ok(plan) => {
            say(&done(&plan));
            Exit::Success
        }
        Err(error) => refused(&error),
    }
}

/// Undoes that.
pub async fn disable(dry_run: bool) -> Exit {
    let deadlines = super::configuration().deadlines;
    match enabling::disable(dry_run, &Surroundings::from_env(), &deadlines).await {
        Ok(undone) => {
            say(&if dry_run { would_undo(&undone) } else { has_undone(&undone) });
            Exit::Success
        }
        Err(error) => refused(&error),
    }
}

fn refused(error: &NotEnabled) -> Exit {
    tracing::error!("{error}");
    if let NotEnabled::Several(names) = error {
        // This is the part that a person copies.
        say(&names.iter().map(|name| format!("    startxd enable wm {}\n", shell_word(name))).collect::<String>());
    }
    Exit::from(error)
}

/// What `--dry-run` shows.
fn would(plan: &EnablePlan) -> String {
    let mut text = String::new();
    if plan.write {
        text += &format!("would write {}:\n", path(&plan.path));
        text.extend(plan.unit.text.lines().map(|line| match line {
            "" => "\n".to_owned(),
            line => format!("    {}\n", one_line(line)),
        }));
    } else {
        text += &format!("{} is written already\n", path(&plan.path));
    }
    text.extend(plan.replaces.iter().map(|unit| format!("would disable {unit}\n")));
    text + &if plan.enable {
        format!("would enable {} for wm.target\n", plan.unit.name)
    } else {
        format!("{} is enabled already\n", plan.unit.name)
    }
}

/// The message after that.
fn done(plan: &EnablePlan) -> String {
    let (unit, session) = (&plan.unit.name, one_line(&plan.session));
    if !plan.write && !plan.enable && plan.replaces.is_empty() {
        return format!("{unit} is enabled already: sessions start {session}\n");
    }
    let mut text = format!("{unit} is written and enabled: sessions start {session} from now on\n");
    text.extend(plan.replaces.iter().map(|unit| format!("{unit} is no longer enabled\n")));
    text + &match (plan.runs, plan.replaces.is_empty()) {
        (true, _) => format!("to restart {session} with it: startxd restart wm\n"),
        (false, false) => "to use it now: startxd stop, then log in again\n".to_owned(),
        (false, true) => "to start a session, on a virtual terminal: startxd start\n".to_owned(),
    }
}

fn would_undo(undone: &Undone) -> String {
    let mut text = String::new();
    for (unit, file) in &undone.units {
        text += &format!("would disable {unit}\n");
        if !undone.edited.contains(file) {
            text += &format!("would remove {}\n", path(file));
        }
    }
    text
}

/// The message after undoing it.
fn has_undone(undone: &Undone) -> String {
    let mut text: String = undone.units.iter().map(|(unit, _)| format!("{unit} is no longer enabled\n")).collect();
    text.extend(undone.edited.iter().map(|file| format!("{} was edited, so it stays\n", path(file))));
    for unit in &undone.running {
        text += &format!("{unit} runs until the session ends; to remove its file then: startxd disable wm\n");
    }
    text
}
