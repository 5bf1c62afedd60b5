//! Where a session may not start: each case gets one sentence with the remedy and its own exit status, and nothing is
//! changed.

use std::fs;

use crate::harness::{Guest, SOON, wait_until};
use crate::hostile::*;

#[test]
fn root_is_refused_everywhere() {
    let guest = Guest::get();
    refuses(&guest, 10, &["never runs as root", "log in as yourself"], |command| {
        guest.shell(&format!("exec 2>&1; {command}")).run().into()
    });
    let login = log_in_second(&guest, "root");
    refuses(&guest, 10, &["never runs as root"], |command| at(&login, command));
    guest.assert_clean();
}

#[test]
fn a_directory_of_ours_that_others_can_enter_is_refused() {
    let mut guest = Guest::get();
    let login = prompt(&mut guest);
    for make in ["mkdir -m 755", "ln -s /tmp", "touch"] {
        guest.user("ada", &format!("{make} $XDG_RUNTIME_DIR/startxd")).ok();
        let words =
            ["/run/user/1000/startxd", "not a directory that only you can enter", "ls -ld /run/user/1000/startxd"];
        at(&login, START).says(11, &words).in_journal(&guest);
        guest.user("ada", "rm -d $XDG_RUNTIME_DIR/startxd").ok();
        guest.assert_clean();
    }
}

#[test]
fn a_greeters_session_is_not_a_users() {
    let guest = Guest::get();
    let login = log_in_second_with(&guest, "Environment=XDG_SESSION_CLASS=greeter", "-p");
    refuses(&guest, 13, &["class \"greeter\"", "only a person's login", "log in"], |command| at(&login, command));
}

#[test]
fn a_session_without_a_seat_has_no_screen() {
    let mut guest = Guest::get();
    prompt(&mut guest);
    let logged_in =
        "systemd-run --quiet --collect --pipe --wait -p User=ada -p PAMName=login -E XDG_SESSION_CLASS=user";
    refuses(&guest, 15, &["is on no seat", "log in on a virtual terminal"], |command| {
        guest.shell(&format!("{logged_in} {command}")).run().into()
    });
    guest.assert_clean();
}

#[test]
fn a_terminal_inside_of_the_terminal_is_not_the_vt() {
    let mut guest = Guest::get();
    let login = prompt(&mut guest);
    let words = ["not on tty1 itself", "multiplexer", "run startxd start from the login shell on tty1"];
    let pty = "import os,pty,sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    refuses(&guest, 16, &words, |command| at(&login, &format!("python3 -c '{pty}' {command}")));
    refuses(&guest, 16, &words, |command| at(&login, &format!("setsid -w {command}")));
    // Since 3.4 tmux has systemd move its panes out of the session, and before 3.6 it does not wait for that: meanwhile
    // the pane is still in the session.
    let outlives = ["not in a login session", "in a multiplexer that outlives logins"];
    let (is_moved, status, words) = match guest.suite() {
        "bookworm" => ("true", 16, &words[..]),
        _ => ("grep -q tmux-spawn /proc/self/cgroup", 12, &outlives[..]),
    };
    refuses(&guest, status, words, |command| {
        let pane = format!("tmux new 'exec 2>s; until {is_moved}; do :; done; {command}; echo $? >>s' >/dev/null");
        at(&login, &format!("{pane}; clear; head -n-1 s; (exit $(tail -n1 s))"))
    });
    guest.wait_ended(&["tmux"]);
    // The manager learns of the end of a scope after its processes are gone.
    let scopes = guest.outside("/run/user/1000/systemd/transient");
    wait_until("the end of tmux's scopes", SOON, || match fs::read_dir(&scopes).into_iter().flatten().count() {
        0 => Ok(()),
        count => Err(format!("{count} are there")),
    });
    guest.assert_clean();
}

#[test]
fn a_vt_that_comes_to_the_foreground_late_is_waited_for() {
    let mut guest = Guest::get();
    let first = prompt(&mut guest);
    let login = log_in_second(&guest, "ada");
    first.vt.switch();
    let session = type_at(&login, START);
    wait_process(&guest, "ada", "startxd");
    login.vt.switch();
    wait_up(&guest, "ada");
    assert_eq!(stop(&guest, &login, &session).says(0, &[]).text, "");
    guest.logout(&login);
    guest.assert_clean();
}

#[test]
fn without_logind_nothing_is_known() {
    let mut guest = Guest::get();
    configure(&guest, "deadlines.user_manager = 0.5\n");
    let login = prompt(&mut guest);
    let words = ["systemd-logind does not answer", "systemctl status systemd-logind dbus", "no answer within 0.5 s"];
    let bus = "env DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent";
    refuses(&guest, 21, &words[..2], |command| at(&login, &format!("{bus} {command}")));
    guest.root("pkill -STOP -x systemd-logind").ok();
    refuses(&guest, 21, &words, |command| at(&login, command));
    guest.root("pkill -CONT -x systemd-logind").ok();
    guest.assert_clean();
}

#[test]
fn without_the_users_bus_nothing_starts() {
    let mut guest = Guest::get();
    let login = prompt(&mut guest);
    guest.user("ada", "systemctl --user stop dbus.socket dbus.service").ok();
    let words = ["message bus does not answer", "systemctl --user status dbus.socket dbus"];
    refuses(&guest, 18, &words, |command| at(&login, command));
    guest.user("ada", "systemctl --user start dbus.socket").ok();
    a_session_works(&guest, &login);
    guest.assert_clean();

    guest.root("systemctl stop user@1000").ok();
    let words = ["the user manager does not answer", "systemctl start user@1000"];
    refuses(&guest, 18, &words, |command| at(&login, command));
    guest.root("systemctl start user@1000").ok();
    wake_bus(&mut guest);
    a_session_works(&guest, &login);
    guest.assert_clean();
}

#[test]
fn a_bus_or_a_manager_that_hangs_is_given_up_after_its_deadline() {
    let mut guest = Guest::get();
    configure(&guest, "deadlines.user_manager = 0.5\n");
    let login = prompt(&mut guest);
    let late = "no answer within 0.5 s";
    let bus = "pkill -u ada --signal {} dbus-daemon";
    let manager = "kill -{} $(systemctl show --value -p MainPID user@1000)";
    for (kill, words) in [
        (bus, ["message bus does not answer", late, "systemctl --user status dbus"]),
        (manager, ["the user manager does not answer", late, "systemctl start user@1000"]),
    ] {
        guest.root(&kill.replace("{}", "STOP")).ok();
        refuses(&guest, 18, &words, |command| at(&login, command));
        guest.root(&kill.replace("{}", "CONT")).ok();
        guest.assert_clean();
    }
    a_session_works(&guest, &login);
}

#[test]
fn a_second_start_is_told_where_the_first_is() {
    let mut guest = Guest::get();
    let login = prompt(&mut guest);
    let session = start(&guest, &login);
    let second = log_in_second(&guest, "ada");
    let (before, pids) = (guest.snapshot(), guest.root("pgrep -u ada").stdout);
    let words = ["up already, on tty1, display :0", "end it first: startxd stop"];
    refuses(&guest, 19, &words, |command| at(&second, command));
    at(&second, "startxd start --display :1 -- openbox").says(19, &words).in_journal(&guest);
    guest.in_unit("ada", "xterm -e sh -c 'exec 2>said; startxd check may-start -v; echo $? >&2'").ok();
    let said = guest.user("ada", "cat said").text();
    assert!(said.contains("but in a graphical one (a terminal window") && said.ends_with("\n12"), "{said}");
    guest.assert_as(&before);
    assert_eq!(guest.root("pgrep -u ada").stdout, pids, "the session goes on with the same processes");
    guest.logout(&second);
    login.vt.switch();
    assert_eq!(stop(&guest, &login, &session).says(0, &[]).text, "");
    guest.assert_clean();
}

#[test]
fn another_programs_graphical_session_blocks_a_start_until_the_remedy_is_run() {
    let mut guest = Guest::get();
    // A unit of type exec is active when its program runs, not when the process is still to execute it.
    let unit = "[Unit]\nBindsTo=graphical-session.target\n[Service]\nType=exec\nExecStart=sleep infinity\n";
    guest.write_as("ada", "~/.config/systemd/user/kiosk.service", unit);
    let login = prompt(&mut guest);
    guest.user("ada", "systemctl --user start kiosk").ok();
    let before = guest.snapshot();
    let remedy = "systemctl --user stop graphical-session.target";
    let words = ["a graphical session of yours is up already", "graphical-session.target is active", remedy];
    refuses(&guest, 19, &words, |command| at(&login, command));
    guest.assert_as(&before);
    guest.user("ada", remedy).ok();
    a_session_works(&guest, &login);
    guest.assert_clean();
}

#[test]
fn a_session_that_is_still_going_down_is_waited_for() {
    let mut guest = Guest::get();
    guest.write_as("ada", "~/.config/systemd/user/slow.service", SLOW);
    guest.user("ada", "mkfifo pipe").ok();
    let login = prompt(&mut guest);
    let session = start(&guest, &login);
    guest.user("ada", "systemctl --user start slow").ok();
    let second = log_in_second(&guest, "ada");
    let stopping = guest.spawn("ada", "startxd stop");
    wait_job(&guest, "slow.service stop running");

    configure(&guest, "deadlines.going_down = 0.5\n");
    let words = ["still going down (waited 0.5 s", "is deactivating", "systemctl --user list-jobs"];
    refuses(&guest, 20, &words[..1], |command| at(&second, command));
    configure(&guest, "");
    let next = type_at(&second, START);
    wait_hosts(&guest, 2);
    guest.user("ada", "cat pipe").ok();

    assert_eq!(session.end(SOON).says(0, &[]).text, "");
    assert_eq!(stopping.wait(SOON).code(), 0);
    wait_up(&guest, "ada");
    assert_eq!(stop(&guest, &second, &next).says(0, &[]).text, "");
    guest.logout(&second);
    guest.assert_clean();
}

#[test]
fn units_that_are_missing_or_masked_are_named() {
    let mut guest = Guest::get();
    let login = prompt(&mut guest);
    let units = "/usr/lib/systemd/user";
    for (take, give, words) in [
        ("mv {}/wm.target /root", "mv /root/wm.target {}", ["wm.target", "not installed", "make install"]),
        ("mv {}/xorg@.service /root", "mv /root/xorg@.service {}", ["xorg@", "not installed", "make install"]),
        (
            "ln -s /dev/null /etc/systemd/user/wm.target",
            "rm /etc/systemd/user/wm.target",
            ["wm.target", "masked", "unmask"],
        ),
    ] {
        guest.root(&take.replace("{}", units)).ok();
        guest.manager("ada").reload();
        at(&login, START).says(23, &words).in_journal(&guest);
        guest.root(&give.replace("{}", units)).ok();
        guest.manager("ada").reload();
        guest.assert_clean();
    }
}

#[test]
fn of_several_starts_at_once_one_wins() {
    let mut guest = Guest::get();
    let login = prompt(&mut guest);
    let all = "for i in 1 2 3 4; do (startxd start -- openbox 2>said$i; echo $?>>said$i)& done 2>/dev/null; wait";
    let session = type_at(&login, all);
    wait_up(&guest, "ada");
    wait_until("the others to give up", SOON, || {
        let said = guest.user("ada", "tail -qn1 said*").stdout;
        if said == "19\n19\n19\n" { Ok(()) } else { Err(said) }
    });
    // The service that reads the dotfiles may still be running.
    let both = "pgrep -u ada -f '^(startxd start|/usr/bin/startxd serve)'";
    assert_eq!(guest.root(both).stdout.lines().count(), 2, "one host, one supervisor");
    stop(&guest, &login, &session);
    assert_eq!(guest.user("ada", "tail -qn1 said* | sort").text(), "0\n19\n19\n19");
    guest.assert_clean();
}
