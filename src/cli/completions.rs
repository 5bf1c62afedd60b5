//! `startxd completions`: what shells complete, made from the command line's own definition when startxd is installed.

use std::io::Write;

use clap::{Command, CommandFactory, ValueHint};

use super::args::{Args, Shell};
use super::exit::Exit;

/// Prints the script for a shell.
pub fn run(shell: Shell) -> Exit {
    match std::io::stdout().write_all(&script(shell)) {
        Ok(()) => Exit::Success,
        Err(_) => Exit::System,
    }
}

fn script(shell: Shell) -> Vec<u8> {
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "startxd", &mut script);
    script
}

/// The command line as a person types it: without the commands that only units and installations use.
fn command() -> Command {
    let whole = Args::command();
    let commands = whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let command = Command::new("startxd").disable_help_subcommand(true).version(env!("CARGO_PKG_VERSION"));
    let command = command.args(whole.get_arguments().cloned()).subcommands(commands);
    let session = |argument: clap::Arg| argument.value_hint(ValueHint::CommandWithArguments);
    command.mut_subcommand("start", |start| start.mut_arg("session", session))
}

#[cfg(test)]
mod tests {
    use super::{Shell, command, script};

    #[test]
    fn each_shell_knows_every_command_and_option() {
        // What the definition contradicts itself in is found by this.
        command().debug_assert();
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = String::from_utf8(script(shell)).unwrap();
            for word in
                ["start", "stop", "restart", "status", "doctor", "may-start", "xorg", "display", "json", "verbose"]
            {
                assert!(script.contains(word), "{shell:?} does not know {word}");
            }
            let hidden = ["main process of", "for installations"].iter().any(|words| script.contains(words));
            assert!(!hidden && !script.contains("__serve"), "{shell:?} knows what is hidden");
        }
    }
}
