//! What a display's session runs: startup files, scripts and entries as people have them.

use crate::displays::place::Place;
use crate::harness::{SOON, wait_until};

const XINITRC: &str = "~/.config/x11/xinitrc";

/// The kinds of startup files: mode and first line.
const KINDS: [(&str, &str); 4] = [("0644", ""), ("0644", "#!/bin/sh\n"), ("0755", ""), ("0755", "#!/bin/sh\n")];

fn writes(place: &Place, path: &str, mode: &str, text: &str) {
    place.write_as("ada", path, text);
    place.user("ada", &format!("chmod {mode} {path}")).ok();
}

#[test]
fn a_startup_file_runs_as_xinit_runs_it() {
    let place = Place::new();
    for (mode, first) in KINDS {
        let text =
            format!("{first}echo \"$# $1 <$XDG_CURRENT_DESKTOP$DESKTOP_SESSION>\" >>ran\nexec \"$1\" --sm-disable\n");
        writes(&place, XINITRC, mode, &text);
        place.line(&format!("startxd display start :7 --session \"$(echo {XINITRC}) openbox\""));
        assert_eq!(place.property("startxd-display-session@7.service", "ActiveState"), "active");
        let list = place.user("ada", "startxd display list").ok().stdout;
        assert!(list.contains("/home/ada/.config/x11/xinitrc openbox"), "{list}");
        assert_eq!(place.line("cat ran; rm ran"), "1 openbox <>", "{mode} {first:?}");
        place.user("ada", "startxd display stop :7").ok();
        place.is_clean();
    }
}

#[test]
fn a_startup_file_whose_last_command_fails_runs_once() {
    let place = Place::new();
    for (mode, first) in KINDS {
        writes(&place, XINITRC, mode, &format!("{first}echo \"$@\" >>ran\nexit 3\n"));
        place.user("ada", &format!("xinit {XINITRC} a 'b c' -- /usr/bin/Xvfb :9 >/dev/null 2>&1"));
        assert_eq!(place.line("cat ran; rm ran"), "a b c", "xinit: {mode} {first:?}");
        let ours = place.user("ada", &format!("startxd display start --session \"$(echo {XINITRC}) a b c\""));
        assert_ne!(ours.code(), 0);
        assert!(ours.stderr.contains("has failed (exit-code, status 3)"), "{ours}");
        assert_eq!(place.line("cat ran; rm ran"), "a b c", "{mode} {first:?}");
        place.becomes_clean();
    }
}

#[test]
fn a_command_without_an_interpreter_line_is_run_by_the_shell_and_comes_back_after_a_crash() {
    let place = Place::new();
    writes(&place, "~/bin/mywm", "0755", "echo \"$XDG_CURRENT_DESKTOP\" >>ran\nexec openbox \"$@\"\n");
    place.line("PATH=~/bin:$PATH startxd display start :7 --session 'mywm --sm-disable'");
    let pid = place.property("startxd-display-session@7.service", "MainPID");
    place.user("ada", &format!("kill -9 {pid}")).ok();
    wait_until("it to come back", SOON, || match place.user("ada", "cat ran").stdout {
        ran if ran == "mywm\nmywm\n" => Ok(()),
        ran => Err(ran),
    });
    place.user("ada", "startxd display stop :7").ok();
    place.is_clean();
}

#[test]
fn entries_start_as_display_managers_start_them() {
    let place = Place::new();
    let entry = |id: &str, lines: &str| {
        let text = format!("[Desktop Entry]\nType=Application\nName=N\n{lines}\n");
        place.write_as("ada", &format!("~/.local/share/xsessions/{id}.desktop"), &text);
    };
    entry("quoted", "Exec=sh -c 'exec openbox --sm-disable'");
    entry("lightdm-xsession", "Exec=default");
    entry("desktop", "Exec=startdesktop\nDesktopNames=Lab:GNOME");
    writes(&place, "~/bin/startdesktop", "0755", "#!/bin/sh\nexec openbox --sm-disable\n");
    for (session, said, names) in [
        ("quoted", "violates the Desktop Entry Specification, line 4: Exec: a single quote", "quoted quoted"),
        ("lightdm-xsession", "", " "),
        // A command in an entry is called as the entry says.
        ("startdesktop", "", "Lab:GNOME desktop"),
    ] {
        let start = format!("PATH=~/bin:$PATH startxd display start :7 --session '{session}'");
        let start = place.user("ada", &start).ok();
        assert!(start.stderr.contains(said) && start.stderr.is_empty() == said.is_empty(), "{start}");
        place.user("ada", "startxd display run :7 -- xprop -root _NET_SUPPORTING_WM_CHECK | grep 'window id'").ok();
        let pid = place.property("startxd-display-session@7.service", "MainPID");
        let seen = place.root(&format!(
            "tr '\\0' '\\n' </proc/{pid}/environ | sed -n 's/^XDG_CURRENT_DESKTOP=//p; s/^DESKTOP_SESSION=//p' | sort"
        ));
        assert_eq!(seen.stdout.lines().collect::<Vec<_>>().join(" "), names.trim(), "{session}");
        place.user("ada", "startxd display stop :7").ok();
        // Debian's Xsession exports these itself.
        place.user("ada", "systemctl --user unset-environment DISPLAY XAUTHORITY").ok();
        place.is_clean();
    }
    let list = place.user("ada", "startxd list").ok().stdout;
    let ready = |id: &str| list.lines().any(|line| line.split_whitespace().take(2).eq([id, "ready"]));
    assert!(ready("quoted") && ready("lightdm-xsession"), "{list}");
}

#[test]
fn the_server_is_found_in_the_list_of_processes() {
    let place = Place::new();
    place.line("startxd display start :7");
    // Programs that look for it, such as x11vnc -findauth, expect the path, the display and the cookie's file in this
    // order.
    let found =
        place.line("ps -ww -eo args | grep -E '^/[^ ]*/X[^ ]* :7 .*-auth /' | sed 's/.* -auth \\([^ ]*\\).*/\\1/'");
    assert_eq!(found, "/run/user/1000/xauth_startxd_7");
    place.user("ada", "startxd display stop :7").ok();
    place.is_clean();
}
