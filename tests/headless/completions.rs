//! What bash, zsh and fish complete after `startxd start`: the sessions that exist, with the installed scripts.

use crate::harness::{Case, Guest, SOON, wait_until};

/// A name that a shell would split, and one that it would execute.
const NAMES: [&str; 2] = ["zebra crossing", "zoo$(touch ran)"];

fn guest() -> Case {
    let case = Guest::headless();
    for name in NAMES {
        let entry = format!("[Desktop Entry]\nType=Application\nName={name}\nExec=openbox\n");
        case.shell_as("ada", &format!("mkdir -p .local/share/xsessions; cat >'.local/share/xsessions/{name}.desktop'"))
            .stdin(entry)
            .run()
            .ok();
    }
    case
}

#[test]
fn bash_completes_sessions() {
    let case = guest();
    let complete = |word: &str| {
        let script = format!(
            "source /usr/share/bash-completion/completions/startxd; COMP_WORDS=(startxd start {word}); COMP_CWORD=2; \
             _startxd_and_sessions startxd {word} start; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        case.user("ada", &script).text()
    };
    assert_eq!(complete("zeb"), "zebra\\ crossing");
    assert_eq!(complete("zoo"), "zoo\\$\\(touch\\ ran\\)");
    assert!(complete("openb").lines().any(|line| line == "openbox"));
    let script = "source /usr/share/bash-completion/completions/startxd; COMP_WORDS=(startxd enable wm ope); COMP_CWORD=3; \
                  _startxd_and_sessions startxd ope wm; printf '%s\\n' \"${COMPREPLY[@]}\"";
    assert_eq!(case.user("ada", script).text(), "openbox");
}

#[test]
fn fish_completes_sessions() {
    let case = guest();
    let complete = |word: &str| case.user("ada", &format!("fish -c 'complete -C \"startxd start {word}\"'")).text();
    assert_eq!(complete("zeb"), "zebra crossing\tSession");
    assert_eq!(complete("zoo"), "zoo$(touch ran)\tSession");
    assert!(complete("openb").lines().any(|line| line.starts_with("openbox\t")));
    let complete = case.user("ada", "fish -c 'complete -C \"startxd enable wm ope\"'").text();
    assert_eq!(complete, "openbox\tWindow manager");
}

/// The real zsh, on a terminal of its own, with a person typing.
#[test]
fn zsh_completes_sessions_and_commands() {
    let case = guest();
    // Debian's zsh uses its packages' directory instead.
    let setup = "PROMPT= RPROMPT=\nfpath=(/usr/share/zsh/site-functions $fpath)\nautoload -Uz compinit && compinit -u -D\n\
        report() { print -r -- \"$BUFFER\" >>~/typed; BUFFER= }; zle -N report; bindkey '^X' report\n\
        print -r -- ready >>~/typed\n";
    case.write_as("ada", "~/.zshrc", setup);
    let terminal = "import pty,sys; pty.spawn(sys.argv[1:])";
    let typing = case.spawn("ada", &format!("mkfifo keys; exec python3 -c '{terminal}' zsh -i <>keys >seen"));
    let lines = |count: usize| {
        wait_until(&format!("{count} lines"), SOON, || {
            let typed = case.user("ada", "cat typed").stdout;
            let lines: Vec<String> = typed.lines().map(str::to_owned).collect();
            if lines.len() == count { Ok(lines) } else { Err(format!("{typed}{}", case.user("ada", "cat seen"))) }
        })
    };
    lines(1);
    // A tab completes, and then the line is recorded.
    for (index, (keys, line)) in [
        ("startxd start zeb", "startxd start zebra\\ crossing "),
        ("startxd start zoo", "startxd start zoo\\$\\(touch\\ ran\\) "),
        ("startxd start --dpi 96 zeb", "startxd start --dpi 96 zebra\\ crossing "),
        ("startxd start -- xdpyin", "startxd start -- xdpyinfo "),
        ("startxd start cat .zshr", "startxd start cat .zshrc "),
        ("startxd start xdpyin", "startxd start xdpyinfo "),
        ("startxd doc", "startxd doctor "),
        ("startxd enable wm ope", "startxd enable wm openbox "),
    ]
    .into_iter()
    .enumerate()
    {
        case.shell_as("ada", "cat >keys").stdin(format!("{keys}\t\x18")).run().ok();
        let lines = lines(index + 2);
        assert_eq!(lines[index + 1], line, "{keys}: {}", case.user("ada", "cat seen"));
    }
    drop(typing);
    case.user("ada", "ls ran").fails();
}
