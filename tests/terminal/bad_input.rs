//! What is malformed, does not exist or misbehaves: each ends in a clear message on the VT and in the journal, within
//! its deadline, and leaves nothing behind.

use std::time::Instant;

use crate::harness::{Case, Guest, Login, secs};
use crate::hostile::*;

#[test]
fn a_name_that_is_not_a_display_is_explained() {
    let mut guest = Guest::get();
    guest.start_manager("ada");
    wake_bus(&mut guest);
    for (given, words) in [
        (":0.7", ["\":0.7\"", "names a screen", "as in :0"]),
        (":99999", ["\":99999\"", "too high", "the highest is :59535"]),
        (":99999999999999999999999", ["999\"", "too high", "the highest is :59535"]),
        ("host:0", ["\"host:0\"", "names a host", "only this machine"]),
        ("unix:0", ["\"unix:0\"", "names a host", "as in :0"]),
        ("::1", ["\"::1\"", "not a display", "as in :0"]),
        ("", ["the display is empty", "write a number", "such as :0"]),
        (":", ["the display is empty", "write a number", "such as :0"]),
        ("abc", ["\"abc\"", "not a display", "a colon and a number"]),
        ("-1", ["\"-1\"", "not a display", "a colon and a number"]),
        (":+1", ["\":+1\"", "not a display", "a colon and a number"]),
        (":０", ["\":０\"", "not a display", "a colon and a number"]),
        ("$'\\x1b[2J'", ["not a display", "a colon and a number", "\\u{1b}[2J"]),
    ] {
        let command = match given {
            "" => "startxd start --display '' -- openbox".to_owned(),
            _ => format!("startxd start --display {given} -- openbox"),
        };
        outside(&guest, "ada", &command).says(2, &words).in_one_message().in_journal(&guest);
    }
    guest.assert_clean();
}

/// A session comes up in spite of a bad configuration, and one warning contains all of `words`.
#[track_caller]
fn starts_all_the_same(guest: &Case, login: &Login, words: &[&str]) {
    let session = start(guest, login);
    let told = stop(guest, login, &session);
    told.says(0, words).in_journal(guest);
}

const FILE: &str = "/home/ada/.config/startxd/startxd.toml";

#[test]
fn a_key_that_is_wrong_is_named_with_its_line_and_keeps_its_default() {
    let mut guest = Guest::get();
    let login = prompt(&mut guest);
    for (text, words) in [
        ("\n[deadlines]\nstopp = 5\n", ["startxd.toml:3:", "no key deadlines.stopp", "did you mean deadlines.stop?"]),
        ("[severs]\nbinary = \"/bin/true\"\n", ["startxd.toml:1:", "no table [severs]", "did you mean [server]?"]),
        ("display = true\n", ["startxd.toml:1:", "display", "instead of true or false"]),
        ("deadlines.server_ready = 0\n", ["startxd.toml:1:", "deadlines.server_ready", "above 0"]),
        ("display = \":0.7\"\n", ["startxd.toml:1:", "display", "names a screen"]),
        ("[server]\nargs = [\"-ac\"]\n", ["startxd.toml:2:", "server.args", "every local user could use the display"]),
        ("[server]\nbinary = \"Xorg\"\n", ["startxd.toml:2:", "server.binary", "an absolute path"]),
        ("[server]\nbinary = \"/bin/true\n", ["startxd.toml:2:", "server.binary", "invalid basic string"]),
        ("]][[ = = \\0\n", ["startxd.toml:1:", "startxd.toml", "expected"]),
    ] {
        configure(&guest, text);
        starts_all_the_same(&guest, &login, &words);
        guest.assert_clean();
    }
}

#[test]
fn a_file_that_cannot_be_read_is_reported_and_ignored() {
    let mut guest = Guest::get();
    let login = prompt(&mut guest);
    for (make, words) in [
        ("printf 'display = \":1\"\\n\\xff\\xfe = 1\\n' >", ["startxd.toml:2:", "UTF-8"]),
        ("head -c 2000000 /dev/zero | tr '\\0' '#' >", ["is ignored", "larger than 1 MiB"]),
        ("mkdir", ["is ignored", "not a regular file"]),
        ("mkfifo", ["is ignored", "not a regular file"]),
        ("ln -s /nonexistent", ["is ignored", "No such file"]),
        ("ln -s /dev/null", ["is ignored", "not a regular file"]),
        ("install -m 0 /dev/null", ["is ignored", "Permission denied"]),
    ] {
        guest.user("ada", &format!("mkdir -p .config/startxd && {make} {FILE}")).ok();
        starts_all_the_same(&guest, &login, &words);
        guest.user("ada", &format!("rm -df {FILE}")).ok();
        guest.assert_clean();
    }
}

#[test]
fn a_bad_file_of_the_system_locks_nobody_out() {
    let mut guest = Guest::get();
    let login = prompt(&mut guest);
    guest.write("/etc/startxd/startxd.toml", "nonsense\ndisplay = \":99999\"\n");
    configure(&guest, "deadlines = 5\n");
    let words = [
        "/etc/startxd/startxd.toml:1:",
        "/etc/startxd/startxd.toml:2:",
        "too high",
        "ada/.config/startxd/startxd.toml:1:",
    ];
    let session = start(&guest, &login);
    stop(&guest, &login, &session).says(0, &words);
    guest.root("rm -r /etc/startxd").ok();
    guest.assert_clean();
}

#[test]
fn a_session_that_does_not_exist_is_explained() {
    let mut guest = Guest::get();
    let units = "~/.config/systemd/user";
    guest.write_as("ada", &format!("{units}/broken.service"), "[Service]\nType=nonsense\n");
    guest.user("ada", &format!("ln -s /dev/null {units}/masked.service; install -m 755 /dev/null empty")).ok();
    // What Debian would start if nothing is set up.
    guest.root("chmod -x /etc/X11/Xsession").ok();
    let login = prompt(&mut guest);
    for (what, words) in [
        ("nosuchwm", ["no command nosuchwm", "$PATH", "check the spelling"]),
        ("-- /nonexistent/wm --flag", ["/nonexistent/wm", "No such file", "check the path"]),
        ("/etc", ["/etc", "is a directory", "path"]),
        // A readable text is run by the shell, as with startx.
        ("/etc/shadow", ["/etc/shadow", "not executable", "chmod"]),
        ("''", ["the session's name is empty", "give a command or a unit", "or omit it"]),
        ("nosuch.service", ["nosuch.service", "does not exist", "list-unit-files"]),
        ("masked.service", ["masked.service", "masked", "unmask"]),
        ("broken.service", ["broken.service", "cannot be used", "list-unit-files"]),
        ("'no unit.service'", ["no unit.service", "does not exist", "list-unit-files"]),
        ("", ["no session to start", "/home/ada/.xinitrc does not exist", "installed: openbox, i3, awesome"]),
    ] {
        at(&login, &format!("startxd start {what}")).says(23, &words).in_one_message().in_journal(&guest);
        guest.assert_clean();
    }
    guest.root("chmod +x /etc/X11/Xsession").ok();
}

#[test]
fn a_session_that_does_not_run_ends_with_a_reason() {
    let mut guest = Guest::get();
    let login = prompt(&mut guest);
    guest.user("ada", "echo garbage > garbage; chmod 755 garbage").ok();
    for (what, words) in [
        ("./garbage", ["startxd-wm@garbage.service", "it exited with status 127); it said:", "garbage: not found"]),
        ("false", ["startxd-wm@false.service", "exited with status 1", "journalctl --user -b -u"]),
        ("sh -c 'kill -SEGV $$'", ["startxd-wm@sh.service", "SIGSEGV", "journalctl --user -b -u"]),
    ] {
        let told = at(&login, &format!("startxd start -- {what}"));
        told.says(1, &words);
        guest.assert_clean();
    }
    a_session_works(&guest, &login);
}

#[test]
fn a_server_that_cannot_be_run_is_named_with_its_remedy() {
    let mut guest = Guest::get();
    let login = prompt(&mut guest);
    for (binary, problem) in [
        ("/nonexistent", "does not exist"),
        ("/etc", "is not a program"),
        ("/etc/passwd", "is not a program"),
        ("/usr/bin/Xorg", "is a script"),
        ("/usr/lib/xorg/Xorg.wrap", "is setuid"),
        ("/usr/bin/su", "is setuid"),
    ] {
        let words = ["the configured X server", binary, problem, "correct server.binary in startxd.toml"];
        at(&login, &format!("startxd start --server {binary} -- true")).says(22, &words).in_journal(&guest);
        guest.assert_clean();
    }
    // In a file it locks nobody out: the default server starts, and file and line are named.
    configure(&guest, "server.binary = \"/etc/passwd\"\n");
    let words = ["/home/ada/.config/startxd/startxd.toml:1: ", "/etc/passwd is not a program"];
    at(&login, "startxd start -- true").says(0, &words).in_journal(&guest);
    guest.assert_clean();
    // Nor does it hide what else is wrong.
    let words = ["startxd.toml:1: ", "no session entry awesom", "did you mean awesome?"];
    at(&login, "startxd start awesom").says(23, &words).in_journal(&guest);
    guest.assert_clean();
    guest.user("ada", "printf '\\177ELF of another machine' > elf; chmod 755 elf").ok();
    configure(&guest, "server.binary = \"/home/ada/elf\"\n");
    at(&login, START).says(3, &["/home/ada/elf cannot be executed", "Exec format error"]).in_journal(&guest);
    guest.assert_clean();
    configure(&guest, "");
    guest.root("mv /usr/lib/xorg/Xorg /usr/lib/xorg/Xorg.away").ok();
    let words = ["no X server found", "/usr/lib/xorg/Xorg", "apt install xserver-xorg-core", "server.binary"];
    at(&login, START).says(22, &words).in_journal(&guest);
    guest.root("mv /usr/lib/xorg/Xorg.away /usr/lib/xorg/Xorg").ok();
    guest.assert_clean();
}

/// With the server `name` of `servers.c` a start fails by itself, with `words` on the VT and in the journal, leaves
/// nothing behind, and does not prevent the next one.
#[track_caller]
fn fails_with_server(guest: &Case, login: &Login, name: &str, words: &[&str]) -> Told {
    let binary = servers::install(guest, name);
    configure(guest, &format!("server.binary = {binary:?}\n[deadlines]\nserver_ready = 1\nserver_stop = 1\n"));
    let began = Instant::now();
    let told = at(login, START);
    told.says(3, words).in_one_message().in_journal(guest);
    assert!(began.elapsed() < secs(5), "it took {:?} to give up on {name}", began.elapsed());
    guest.assert_clean();
    configure(guest, "");
    a_session_works(guest, login);
    guest.assert_clean();
    told
}

#[test]
fn a_server_that_was_built_without_socket_activation_is_named_by_its_build_option() {
    let mut guest = Guest::get();
    let login = prompt(&mut guest);
    let words = ["it does not use the socket that it is given", "-Dsystemd_notify=true, as XLibre is by default"];
    let told = fails_with_server(&guest, &login, "without-activation", &words);
    assert!(!told.has("already running"), "{told}");
}

#[test]
fn the_last_lines_of_a_server_that_exits_at_once_are_shown() {
    let mut guest = Guest::get();
    let login = prompt(&mut guest);
    let words =
        ["the X server exited with status 3 before it was ready", "its last lines:", "fake line 9", "fake line 20"];
    let told = fails_with_server(&guest, &login, "exits", &words);
    assert!(!told.has("fake line 8"), "{told}");
    // Not by its unit: journald finds that by the process, which is gone.
    let all = guest.journal("-t startxd -o cat");
    assert!(all.contains("fake line 1\n"), "the journal has the first line as well:\n{all}");

    let words =
        ["exited with status 1 before it was ready", "it said nothing", "journalctl --user -b -u xorg@0.service"];
    fails_with_server(&guest, &login, "says-nothing", &words);
    fails_with_server(&guest, &login, "exits-well", &["exited with status 0 before it was ready"]);
    fails_with_server(&guest, &login, "crashes", &["was ended by SIGSEGV before it was ready", "about to crash"]);
    // Its child is in no unit yet; it has the server's output and sockets, and does not end by itself.
    fails_with_server(&guest, &login, "leaves-a-child", &["exited with status 7 before", "the parent goes"]);
}

#[test]
fn a_server_that_does_not_serve_is_given_up_within_its_deadline() {
    let mut guest = Guest::get();
    let login = prompt(&mut guest);
    let silent = ["did not answer within 1 s", "raise deadlines.server_ready in startxd.toml"];
    for name in ["never-accepts", "never-answers", "answers-a-byte", "promises-too-much"] {
        fails_with_server(&guest, &login, name, &silent);
    }
    for (name, word) in [
        ("answers-garbage", "it said nothing"),
        ("refuses", "Authorization required, but no authorization protocol specified"),
        ("asks-for-more", "one more question"),
        ("closes", "it said nothing"),
    ] {
        fails_with_server(&guest, &login, name, &["the X server does not serve us", word]);
    }
}

#[test]
fn what_a_server_says_cannot_harm_the_terminal() {
    let mut guest = Guest::get();
    let login = prompt(&mut guest);
    fails_with_server(&guest, &login, "noise", &["exited with status 5", "?c?[2J?[31m?]0;mine", "noise"]);
    fails_with_server(&guest, &login, "refuses-rudely", &["does not serve us", "?c?[31mrude", "and wide"]);
    fails_with_server(&guest, &login, "floods", &["exited with status 4", "fake line 49989", "fake line 50000"]);
    fails_with_server(&guest, &login, "one-long-line", &["exited with status 6"]);
}

#[test]
fn a_server_that_ignores_sigterm_is_killed_after_its_deadline() {
    let mut guest = Guest::get();
    let login = prompt(&mut guest);
    let binary = servers::install(&guest, "ignores-sigterm");
    configure(&guest, &format!("server.binary = {binary:?}\ndeadlines.server_stop = 0.5\n"));
    let session = start(&guest, &login);
    stop(&guest, &login, &session).says(0, &[]);
    let journal = guest.journal("-t startxd -o cat");
    assert!(journal.contains("does not end within 0.5 s; killing it"), "{journal}");
    guest.assert_clean();
    configure(&guest, "");
    a_session_works(&guest, &login);
}
