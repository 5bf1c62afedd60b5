//! Environment files: where they are, what they change, and what happens when one fails.

use crate::harness::{Case, Guest, SOON};
use crate::scenario::Desk;

/// The system's files; they are removed again, since cases share a guest.
const SYSTEM: [&str; 4] =
    ["/usr/share/startxd/env", "/usr/local/share/startxd/env", "/etc/xdg/startxd/env", "/etc/startxd/env.d/50-site"];

/// Ada's own file.
fn writes(case: &Case, name: &str, text: &str) {
    case.write_as("ada", &format!("~/.config/startxd/{name}"), text);
}

#[test]
fn files_are_read_in_order_and_the_session_has_the_result() {
    let case = Guest::get();
    for path in SYSTEM {
        case.write(path, &format!("export ORDER=\"$ORDER:{path}\"\n"));
    }
    case.write_profile("ada", "export FROM_LOGIN=1 ALSO_LOGIN=1 TERM=linux\n");
    writes(
        &case,
        "env",
        "ORDER=\"$ORDER:env\"; export PATH=\"$HOME/bin:$PATH\" SEEN=\"$XDG_CURRENT_DESKTOP:$FROM_MANAGER\"\n",
    );
    writes(&case, "env.d/20", "ORDER=\"$ORDER:20\"; unset FROM_MANAGER FROM_LOGIN\n");
    writes(&case, "env.d/10", "ORDER=\"$ORDER:10\"; unset ORDER_OF_OTHERS; export STAYS=secret TERM=x DISPLAY=:77\n");
    writes(&case, "env-i3", "ORDER=\"$ORDER:env-i3\"; XDG_CURRENT_DESKTOP=\"$XDG_CURRENT_DESKTOP:Mine\"\n");
    writes(&case, "env-i3.d/x", "export ORDER=\"$ORDER:env-i3.d\"\n");
    writes(&case, "env-openbox", "export ORDER=wrong\n");
    writes(&case, "startxd.toml", "[environment]\nnever = [\"STAYS\"]\n");
    let mut desk = Desk::at_prompt_in(case);
    desk.user("ada", "systemctl --user set-environment FROM_MANAGER=m").ok();
    desk.settles();
    let before = desk.environment();

    desk.starts("i3");
    let during = desk.environment();
    let order = format!(":{}:env:10:20:env-i3:env-i3.d", SYSTEM.join(":"));
    assert_eq!(during.get("ORDER"), Some(order.as_str()));
    assert_eq!(during.get("SEEN"), Some("i3:m"));
    assert!(during.get("PATH").is_some_and(|path| path.starts_with("/home/ada/bin:/")), "{during:?}");
    assert_eq!(during.values(["XDG_CURRENT_DESKTOP", "XDG_SESSION_DESKTOP"]), [Some("i3:Mine"), Some("i3")]);
    assert_eq!(during.values(["DISPLAY", "ALSO_LOGIN"]), [Some(":0"), Some("1")]);
    assert_eq!(during.has(&["FROM_MANAGER", "FROM_LOGIN", "STAYS"]), [""; 0]);
    assert_eq!(during.get("TERM"), before.get("TERM"));
    let programs = desk.run("env").ok().stdout;
    assert!(programs.contains("SEEN=i3:m") && !programs.contains("FROM_MANAGER"), "{programs}");
    desk.quits("i3-msg exit");
    desk.ended(0);
    assert_eq!(desk.environment(), before);
    for path in SYSTEM {
        desk.root(&format!("rm {path}; rmdir --ignore-fail-on-non-empty -p $(dirname {path}); true")).ok();
    }
}

#[test]
fn a_file_that_fails_or_hangs_is_named_and_locks_nobody_out() {
    let case = Guest::get();
    writes(&case, "startxd.toml", "[deadlines]\nenvironment_files = 1\n");
    writes(&case, "env", "export GOOD=1\n");
    let desk = Desk::at_prompt_in(case);
    for (bad, words) in [
        ("export BAD=1; exit 7", ["env.d/1 ends the shell with status 7", "it is ignored", "sh -x"]),
        ("if true; then export BAD=1", ["env.d/1 ends the shell with status 2", "it is ignored", "sh -x"]),
        ("export BAD=1; sleep 1000", ["env.d/1 has not ended within 1 s", "deadlines.environment_files", "sh -x"]),
    ] {
        writes(&desk, "env.d/1", bad);
        writes(&desk, "env.d/2", "export LATER=1\n");
        for aside in ["broken", "disabled", "bak", "dpkg-dist"] {
            writes(&desk, &format!("env.d/1.{aside}"), "export BAD=1\nexit 1\n");
        }
        desk.starts("-- openbox --sm-disable");
        let during = desk.environment();
        assert_eq!(during.values(["GOOD", "BAD", "LATER"]), [Some("1"), None, Some("1")], "{bad}");
        assert_eq!(desk.root("pgrep -x sleep").stdout, "", "{bad}");
        desk.quits_openbox();
        desk.ended(0).says(&words);
    }
}

#[test]
fn a_background_process_of_a_file_delays_nothing() {
    let case = Guest::get();
    writes(&case, "env", "sleep 1000 &\nexport AGENT=$!; echo said by the file; read -r nothing\n");
    let desk = Desk::at_prompt_in(case);
    desk.starts("-- openbox --sm-disable");
    let pid = desk.environment().get("AGENT").expect("the agent's pid").to_owned();
    desk.root(&format!("kill -0 {pid} && kill {pid}")).ok();
    desk.quits_openbox();
    let screen = desk.comes_back(0, SOON);
    screen.says(&["said by the file"]);
    desk.is_clean();
}
