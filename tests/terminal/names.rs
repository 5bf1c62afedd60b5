//! SESSION by the name of an entry: those of the installed window managers, a user's own, and broken ones.

use crate::harness::Case;
use crate::scenario::Desk;

const DESKTOP: [&str; 3] = ["XDG_CURRENT_DESKTOP", "XDG_SESSION_DESKTOP", "DESKTOP_SESSION"];

/// Where ada's own entries are.
const OWN: &str = "~/.local/share/xsessions";

/// A window manager that reports how it was started.
const TELLER: &str = "#!/bin/sh
{ pwd; for argument do echo \"<$argument>\"; done; } > ~/told
exec openbox --sm-disable
";

fn writes_entry(case: &Case, id: &str, lines: &str) {
    let text = format!("[Desktop Entry]\nType=Application\nName=Own {id}\n{lines}\n");
    case.write_as("ada", &format!("{OWN}/{id}.desktop"), &text);
}

/// Puts a program of ada's into her $PATH.
fn writes_teller(case: &Case) {
    case.write("/usr/local/bin/teller", TELLER);
    case.root("cd /usr/local/bin && chmod 755 teller && cp teller 'my wm'").ok();
}

#[test]
fn installed_window_managers_start_by_the_names_of_their_entries() {
    let desk = Desk::at_prompt();
    for (name, quit) in
        [("i3", "i3-msg exit"), ("openbox", "openbox --exit"), ("awesome.desktop", "awesome-client 'awesome.quit()'")]
    {
        desk.starts(name);
        let id = name.trim_end_matches(".desktop");
        assert_eq!(desk.state(&format!("startxd-wm@{id}.service")), "active");
        assert_eq!(desk.environment().values(DESKTOP), [Some(id); 3]);
        let list = desk.user("ada", "startxd list").ok().stdout;
        let running: Vec<&str> = list.lines().filter(|line| line.contains(", running")).collect();
        assert!(matches!(running.as_slice(), [line] if line.split_whitespace().next() == Some(id)), "{list}");
        desk.quits(quit);
        desk.ended(0);
        assert_eq!(desk.environment().values(DESKTOP), [None; 3]);
    }
}

#[test]
fn a_persons_entry_has_precedence_and_names_the_desktop() {
    let case = crate::harness::Guest::get();
    // Variables that a greeter sets if startxd itself was the session chosen there.
    case.write_profile(
        "ada",
        "export XDG_CURRENT_DESKTOP=greeter XDG_SESSION_DESKTOP=greeter DESKTOP_SESSION=greeter\n",
    );
    writes_teller(&case);
    let exec = r#"Exec="/usr/local/bin/my wm" "a  b" "\\$HOME \\"q\\" \\\\ 100%%" %U --name=%c"#;
    let lines = format!(
        "{exec}\nTryExec=teller\nPath=/srv\nDesktopNames=Mine;i3;\nActions=safe;\n\
         [Desktop Action safe]\nName=Safe\nExec=teller --safe"
    );
    writes_entry(&case, "i3", &lines);
    let desk = Desk::at_prompt_in(case);
    desk.starts("i3");
    assert_eq!(desk.environment().values(DESKTOP), [Some("Mine:i3"), Some("Mine"), Some("i3")]);
    let told = desk.user("ada", "cat told").ok().stdout;
    assert_eq!(told, "/srv\n<a  b>\n<$HOME \"q\" \\ 100%>\n<--name=Own i3>\n");
    desk.quits_openbox();
    desk.ended(0);

    desk.starts("i3:safe");
    assert_eq!(desk.user("ada", "cat told").ok().stdout, "/srv\n<--safe>\n");
    desk.user("ada", "startxd status | grep -F i3:safe").ok();
    desk.quits_openbox();
    desk.ended(0);

    // What follows -- is the command, and the login decides what the desktop is called.
    desk.starts("-- i3");
    assert_eq!(desk.environment().values(DESKTOP), [Some("greeter"); 3]);
    desk.quits("i3-msg exit");
    desk.ended(0);
}

#[test]
fn a_session_that_cannot_be_started_says_why() {
    let case = crate::harness::Guest::get();
    writes_entry(&case, "quotes", "Exec=sh -c 'exec openbox");
    writes_entry(&case, "i3", "Hidden=true");
    writes_entry(&case, "tried", "Exec=openbox\nTryExec=nosuchwm");
    writes_entry(&case, "program", "Exec=nosuchwm");
    writes_entry(&case, "one", "Exec=openbox\nName[de]=x");
    writes_entry(&case, "actions", "Exec=openbox\nActions=a;\n[Desktop Action a]\nName=A");
    case.write_as("ada", &format!("{OWN}/twin.desktop"), "[Desktop Entry]\nType=Application\nName=Own one\nExec=x\n");
    case.user("ada", "cd .local/share/xsessions; head -c 2000 /dev/urandom > noise.desktop; mkfifo pipe.desktop").ok();
    case.user("ada", "cd .local/share/xsessions; ln -s /dev/null null.desktop; touch empty.desktop").ok();
    let desk = Desk::at_prompt_in(case);
    desk.writes_unit("mywm.service", "[Service]\nExecStart=openbox\n[Install]\nWantedBy=wm.target\n");
    desk.user("ada", "systemctl --user enable mywm").ok();
    for (what, words) in [
        (
            "quotes",
            ["xsessions/quotes.desktop is not a usable", "line 4: Exec: a single quote", "startxd start -- COMMAND"],
        ),
        ("i3", ["the session i3 is hidden by", "/home/ada/.local/share/xsessions/i3.desktop", "remove that file"]),
        ("tried", ["the session tried of", "no program nosuchwm (TryExec)", "startxd list"]),
        ("program", ["the session program of", "no program nosuchwm (Exec)", "startxd list"]),
        ("actions:b", ["the session actions:b of", "no action b, only a", "startxd list"]),
        ("actions:a", ["the session actions:a of", "no Exec in [Desktop Action a]", "startxd list"]),
        ("noise", ["noise.desktop is not a usable", "line 1:", "correct it"]),
        ("pipe", ["pipe.desktop is not a usable", "not a regular file", "correct it"]),
        ("null", ["null.desktop is not a usable", "not a regular file", "correct it"]),
        ("empty", ["empty.desktop is not a usable", "no group [Desktop Entry]", "correct it"]),
        ("~/.xinitrc", ["/home/ada/.xinitrc cannot be run", "No such file", "check the path"]),
        ("awesome.service", ["awesome.service does not exist", "did you mean awesome?", "list-unit-files"]),
        ("mywn.service", ["mywn.service does not exist", "did you mean mywm.service?", "list-unit-files"]),
        ("awesom", ["no session entry awesom", "did you mean awesome?", "startxd list"]),
        ("'own ONE'", ["more than one session", "is called own ONE", "give one of these: one, twin"]),
    ] {
        desk.types(&format!("startxd start {what}"));
        desk.ended(23).says(&words);
    }
    // A session's command, and an entry that is hidden, can still be started by hand.
    desk.starts("-- i3");
    desk.quits("i3-msg exit");
    desk.ended(0);
}

#[test]
fn list_shows_every_session_and_its_state() {
    let case = crate::harness::Guest::get();
    writes_entry(&case, "awesome", "Exec='");
    writes_entry(&case, "i3", "Hidden=true");
    writes_entry(&case, "quiet", "Exec=openbox\nNoDisplay=true");
    writes_entry(&case, "tried", "Exec=openbox\nTryExec=nosuchwm");
    writes_entry(&case, "langs", "Exec=openbox\nName[de]=Deutsch\nName[de_AT]=Auf gut\\sösterreichisch\nActions=a;b;");
    let desk = Desk::at_prompt_in(case);
    let list = desk.user("ada", "LC_ALL=de_AT.UTF-8@euro startxd list").ok().stdout;
    let squeezed: Vec<String> =
        list.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in [
        "awesome broken /home/ada/.local/share/xsessions/awesome.desktop: line 4: Exec: a single quote",
        "i3 hidden by /home/ada/.local/share/xsessions/i3.desktop",
        "langs ready Auf gut österreichisch (actions: a, b)",
        "openbox ready Openbox: Log in using the Openbox window manager",
        "quiet not shown Own quiet",
        "tried missing /home/ada/.local/share/xsessions/tried.desktop: it is not installed: there is no program nosuchwm",
    ] {
        assert!(squeezed.iter().any(|found| found.starts_with(line)), "{line:?} is not in\n{list}");
    }
    let marked: Vec<&str> = list.lines().filter(|line| line.contains('*')).collect();
    assert!(matches!(marked[..], [line] if line.contains("Xsession")), "{list}");

    // The default is the first that applies.
    let default = || {
        let script = "startxd list --json | python3 -c 'import json, sys
print(*[o[\"session\"] + \" \" + o[\"kind\"] for o in json.load(sys.stdin) if o[\"default\"]])'";
        desk.user("ada", script).ok().stdout.trim().to_owned()
    };
    assert_eq!(default(), "/etc/X11/Xsession xsession");
    desk.write_as("ada", "~/.config/startxd/startxd.toml", "[session]\ndefault = \"openbox\"\n");
    assert_eq!(default(), "openbox entry");
    desk.write_as("ada", "~/.xinitrc", "exec openbox --sm-disable\n");
    assert_eq!(default(), "/home/ada/.xinitrc xinitrc");
    let unit = "[Unit]\nRequires=xorg.target\nAfter=xorg.target\n[Service]\nExecStart=openbox\n[Install]\nWantedBy=wm.target\n";
    desk.writes_unit("mywm.service", unit);
    desk.user("ada", "systemctl --user enable mywm").ok();
    assert_eq!(default(), "wm.target enabled");

    // Each can be requested where another one is the default.
    desk.starts("~/.xinitrc");
    assert_eq!(
        desk.states(&["startxd-wm@xinitrc.service", "mywm.service"]),
        ["startxd-wm@xinitrc.service active", "mywm.service inactive"]
    );
    desk.quits_openbox();
    desk.ended(0);
    desk.starts("wm.target");
    assert_eq!(desk.state("mywm.service"), "active");
    desk.quits_openbox();
    desk.ended(0);
}
