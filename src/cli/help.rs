//! `startxd --help`: the commands in groups, and first those that most people need.

use clap::{Command, CommandFactory};

use super::args::Args;

/// The groups, and the commands in each. A command that people type is in one of them.
const GROUPS: [(&str, &[&str]); 5] = [
    ("A session", &["start", "select", "stop", "restart", "lock", "unlock", "ready", "run", "env", "attach", "detach"]),
    ("Set-up", &["enable", "disable", "config", "list"]),
    ("Displays without a screen", &["display"]),
    ("Diagnosis", &["status", "doctor", "analyze", "check"]),
    ("Help", &["help"]),
];

/// What most people need, with what it does.
const FIRST: [(&str, &str); 2] = [
    ("startxd enable wm", "choose the window manager that sessions start"),
    ("startxd start", "start a session on this virtual terminal"),
];

/// The command line, with its help in groups.
#[must_use]
pub fn command() -> Command {
    let command = Args::command();
    let template = template(&command);
    command.help_template(template)
}

fn template(command: &Command) -> String {
    let mut text = String::from("{about-with-newline}\n{usage-heading} {usage}\n\nMost people need two commands:\n");
    text.extend(FIRST.iter().map(|(line, what)| format!("  {line:<20}{what}\n")));
    for (group, names) in GROUPS {
        let known = |name: &&&str| **name == "help" || command.find_subcommand(**name).is_some();
        text += &format!("\n{group}:\n");
        text.extend(names.iter().filter(known).map(|name| format!("  {name:<9} {}\n", about(command, name))));
    }
    text + "\nOptions:\n{options}\n\nThe manual: man startxd"
}

fn about(command: &Command, name: &str) -> String {
    let about = command.find_subcommand(name).and_then(Command::get_about).map(ToString::to_string);
    about.unwrap_or_else(|| "Show what a command does: startxd help start".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{FIRST, GROUPS, command};

    #[test]
    fn every_command_is_in_one_group() {
        let command = command();
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| *names).copied().collect();
        grouped.sort_unstable();
        let known = command.get_subcommands().filter(|command| !command.is_hide_set()).map(clap::Command::get_name);
        let mut known: Vec<&str> = known.chain(["help"]).collect();
        known.sort_unstable();
        assert_eq!(grouped, known, "src/cli/help.rs, GROUPS");
    }

    #[test]
    fn help_fits_a_terminal_and_begins_with_what_people_need() {
        let text = command().render_help().to_string();
        assert!(FIRST.iter().all(|(line, _)| text.contains(line)), "{text}");
        assert!(text.contains("\nDiagnosis:\n  status ") && text.contains("--version"), "{text}");
        let long: Vec<&str> = text.lines().filter(|line| line.len() > 120).collect();
        assert!(long.is_empty(), "{long:?}");
    }
}
