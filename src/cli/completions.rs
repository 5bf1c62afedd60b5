//! `startxd completions`: what shells complete, made from the command line's own definition when startxd is installed.

use std::io::Write;

use clap::{Command, CommandFactory, ValueHint};
use clap_complete::Shell;

use super::args::{Args, Completions};
use super::exit::Exit;
use super::list;
use crate::session::Surroundings;
use crate::session::offers::OfferState;
use crate::window_manager::enable::installed;

/// Added to what clap generates: the names of sessions, which are looked up at completion. Other people wrote these
/// names, so nothing here lets the shell evaluate them.
const SESSIONS_IN_BASH: &str = r#"
_startxd_and_sessions() {
    local name what word=${COMP_WORDS[COMP_CWORD]}
    _startxd "$@"
    case ${COMP_WORDS[1]},${COMP_WORDS[2]} in
        start,*) what=sessions ;;
        enable,wm) if ((COMP_CWORD > 2)); then what=window-managers; fi ;;
    esac
    if [[ $what && $word != -* ]]; then
        while IFS= read -r name; do
            printf -v name %q "$name"
            if [[ $name == "$word"* ]]; then COMPREPLY+=("$name"); fi
        done < <(startxd completions $what 2>/dev/null)
    fi
}
complete -F _startxd_and_sessions -o nosort -o bashdefault -o default startxd 2>/dev/null ||
    complete -F _startxd_and_sessions -o bashdefault -o default startxd
"#;
/// Replaces zsh's own completion for [`ZSH_WORDS`], which knows commands and their arguments.
const SESSIONS_IN_ZSH: &str = r#"
(( $+functions[_startxd_sessions] )) ||
_startxd_sessions() {
    if (( CURRENT > 1 )); then
        _cmdambivalent
        return
    fi
    local -a sessions
    sessions=(${(f)"$(_call_program sessions startxd completions sessions 2>/dev/null)"})
    _alternative 'sessions:session:compadd -a sessions' 'commands:command:_command_names -e'
}
(( $+functions[_startxd_window_managers] )) ||
_startxd_window_managers() {
    local -a names
    names=(${(f)"$(_call_program window-managers startxd completions window-managers 2>/dev/null)"})
    compadd -a names
}
"#;
/// How clap makes zsh complete the words of SESSION.
const ZSH_WORDS: &str = ":_cmdambivalent'";
/// How clap makes zsh complete the NAME of a window manager: no hint of clap fits, so it has one that nothing else
/// uses.
const ZSH_NAMES: &str = ":_hosts'";
const SESSIONS_IN_FISH: &str = r#"
complete -c startxd -n "__fish_startxd_using_subcommand start" -a "(startxd completions sessions 2>/dev/null)" -d Session
complete -c startxd -n "__fish_seen_subcommand_from enable; and __fish_seen_subcommand_from wm" -f \
    -a "(startxd completions window-managers 2>/dev/null)" -d "Window manager"
"#;

/// Prints the script for a shell, or the sessions that can be started.
pub async fn run(what: Completions) -> Exit {
    let text = match what {
        Completions::Sessions => sessions().await,
        Completions::WindowManagers => window_managers(),
        Completions::Bash => [script(Shell::Bash), SESSIONS_IN_BASH.into()].concat(),
        Completions::Zsh => zsh(),
        Completions::Fish => [script(Shell::Fish), SESSIONS_IN_FISH.into()].concat(),
    };
    match std::io::stdout().write_all(&text) {
        Ok(()) => Exit::Success,
        Err(_) => Exit::System,
    }
}

/// What `start` accepts now, one per line.
async fn sessions() -> Vec<u8> {
    let offers = list::gather(&super::configuration(), &Surroundings::from_env()).await;
    let ready = offers
        .into_iter()
        .filter(|offer| offer.state == OfferState::Ready && !offer.session.contains(char::is_control));
    ready.map(|offer| offer.session + "\n").collect::<String>().into_bytes()
}

/// What `enable wm` accepts now, one per line.
fn window_managers() -> Vec<u8> {
    let names = installed(&Surroundings::from_env());
    let names = names.into_iter().filter(|name| !name.contains(char::is_control));
    names.map(|name| name + "\n").collect::<String>().into_bytes()
}

/// zsh takes the first line for a directive, and the last line for the call.
fn zsh() -> Vec<u8> {
    let script = String::from_utf8(script(Shell::Zsh)).unwrap_or_default();
    let script = script.replacen(ZSH_WORDS, ":_startxd_sessions'", 1);
    let script = script.replacen(ZSH_NAMES, ":_startxd_window_managers'", 1);
    let (directive, functions) = script.split_once('\n').unwrap_or((&script, ""));
    [directive, "\n", SESSIONS_IN_ZSH, functions].concat().into_bytes()
}

fn script(shell: Shell) -> Vec<u8> {
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
    let command = command.mut_subcommand("start", |start| start.mut_arg("session", session));
    let name = |wm: Command| wm.mut_arg("name", |name| name.value_hint(ValueHint::Hostname));
    command.mut_subcommand("enable", |enable| enable.mut_subcommand("wm", name))
}

#[cfg(test)]
mod tests {
    use clap_complete::Shell;

    use super::{ZSH_NAMES, ZSH_WORDS, command, script, zsh};

    #[test]
    fn zsh_asks_for_sessions_in_one_place() {
        let script = |bytes| String::from_utf8(bytes).unwrap();
        let made = script(super::script(Shell::Zsh));
        assert_eq!([ZSH_WORDS, ZSH_NAMES].map(|words| made.matches(words).count()), [1, 1]);
        let zsh = script(zsh());
        assert!(zsh.starts_with("#compdef startxd\n") && zsh.ends_with("compdef _startxd startxd\nfi\n"), "{zsh}");
        assert!(zsh.contains(":_startxd_sessions'") && !zsh.contains(ZSH_WORDS), "{zsh}");
        assert!(zsh.contains(":_startxd_window_managers'") && !zsh.contains(ZSH_NAMES), "{zsh}");
    }

    #[test]
    fn each_shell_knows_every_command_and_option() {
        // This finds contradictions in the definition.
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
