//! Other users on the machine, and sandboxes of the same user, beside a session and beside a display without a screen.
//!
//! The sessions are on seats of their own, so that two users can start at the same time; the results do not depend on
//! the seat.

use std::collections::BTreeSet;

use crate::displays::place::lingers;
use crate::harness::{Background, Case, Guest, SOON, secs, wait_until};
use crate::hostile::wait_up;

/// Opens this many connections without sending anything; prints what happened, and stays.
const KNOCKS: &str = r#"
import os, socket, sys, time
outcomes, kept = set(), []
for _ in range(256):
    client = socket.socket(socket.AF_UNIX)
    try:
        client.connect(sys.argv[1].replace("@", "\0"))
        outcomes.add("connected")
    except OSError as error:
        outcomes.add(os.strerror(error.errno))
    kept.append(client)
print(sorted(outcomes), flush=True)
time.sleep(600)
"#;

/// A guest with a seat for ada and one for eve.
pub fn with_seats() -> Case {
    let mut case = Guest::headless();
    // What makes the seats remains.
    case.discard();
    case.plug_in_seats(2);
    case
}

/// Types `startxd start` in a login session on a seat.
fn starts(case: &Case, user: &str, seat: &str, options: &str) -> Background {
    starts_session(case, user, seat, &format!("{options} -- openbox --sm-disable"))
}

/// The same, with options and a session.
pub fn starts_session(case: &Case, user: &str, seat: &str, session: &str) -> Background {
    let unit = format!(
        "systemd-run --quiet --collect --wait --pipe -p User={user} --working-directory=/home/{user} -p PAMName=startxd \
         -p Environment='XDG_SEAT={seat} XDG_SESSION_TYPE=x11 XDG_SESSION_CLASS=user'"
    );
    case.shell(&format!("{unit} startxd start {session}")).spawn()
}

/// Ada's session on seat1, up.
fn ada_starts(case: &Case) -> Background {
    let session = starts(case, "ada", "seat1", "");
    wait_up(case, "ada");
    session
}

fn display_of(case: &Case, user: &str) -> String {
    let environment = case.manager(user).environment();
    environment.iter().find_map(|variable| variable.strip_prefix("DISPLAY=")).unwrap_or_default().to_owned()
}

/// Ends a session, which leaves neither a lock nor a socket.
pub fn stops(case: &Case, user: &str, session: Background) {
    case.user(user, "startxd stop").ok();
    session.wait(SOON).ok();
}

fn nothing_is_left(case: &Case) {
    assert_eq!(
        case.root("ls -A /tmp/.X11-unix; ls /tmp/.X*-lock 2> /dev/null; grep X11-unix /proc/net/unix").stdout,
        ""
    );
}

#[test]
fn two_users_start_at_the_same_moment_on_two_seats() {
    let case = with_seats();
    for round in 0..12 {
        let (ada, eve) = (starts(&case, "ada", "seat1", ""), starts(&case, "eve", "seat2", ""));
        for user in ["ada", "eve"] {
            wait_until(&format!("{user}'s session in round {round}"), SOON, || {
                let up = case.user(user, "startxd status");
                if up.code() == 0 { Ok(()) } else { Err(format!("{up}\n{}{}", ada.stderr(), eve.stderr())) }
            });
        }
        let displays = ["ada", "eve"].map(|user| display_of(&case, user));
        assert_eq!(BTreeSet::from(displays), BTreeSet::from([":0", ":1"].map(str::to_owned)), "round {round}");
        stops(&case, "ada", ada);
        stops(&case, "eve", eve);
    }
    nothing_is_left(&case);
}

#[test]
fn two_users_request_one_number_and_the_second_is_told_who_has_it() {
    let case = with_seats();
    let session = ada_starts(&case);
    let refused = starts(&case, "eve", "seat2", "--display :0").wait(SOON);
    assert_eq!(refused.code(), 24, "{refused}");
    let words = "display :0 is taken: a process of user 1000 listens on its socket";
    assert!(case.journal("-o cat").contains(words), "{}", case.journal("-o cat"));
    stops(&case, "ada", session);
    // Something has the name, but nothing else that a server has.
    let names = "import socket, time; s = socket.socket(socket.AF_UNIX); s.bind('\\0/tmp/.X11-unix/X0'); \
        print('here', flush=True); time.sleep(600)";
    let names = case.spawn("eve", &format!("exec python3 -c \"{names}\""));
    wait_until("eve's name", SOON, || if names.stdout() == "here\n" { Ok(()) } else { Err(names.stderr()) });
    let refused = starts(&case, "ada", "seat1", "--display :0").wait(SOON);
    assert_eq!(refused.code(), 24, "{refused}");
    let words = "display :0 is taken: a process of user 1001 has the abstract name of its socket";
    assert!(case.journal("-o cat").contains(words), "{}", case.journal("-o cat"));
    let session = ada_starts(&case);
    assert_eq!(display_of(&case, "ada"), ":1");
    stops(&case, "ada", session);
}

#[test]
fn a_socket_unit_that_fails_says_which_and_why() {
    let case = with_seats();
    // As in units that users wrote for the first version: the host has the name.
    let own = "[Socket]\nListenStream=@/tmp/.X11-unix/X%i\n";
    case.write_as("ada", "~/.config/systemd/user/xorg@.socket.d/own.conf", own);
    let failed = starts(&case, "ada", "seat1", "").wait(SOON);
    assert_eq!(failed.code(), 3, "{failed}");
    let words = "xorg@0.socket failed (resources), so nobody listens on /tmp/.X11-unix/X0; see: journalctl";
    assert!(failed.stderr.contains(words), "{failed}");
    case.write_as("ada", "~/.config/systemd/user/startxd-display@.socket.d/own.conf", own);
    lingers(&case, "ada");
    let failed = case.user("ada", "startxd display start :7").fails();
    let words =
        "startxd-display@7.socket did not start (resources); see: systemctl --user status startxd-display@7.socket";
    assert!(failed.stderr.contains(words), "{failed}");
    nothing_is_left(&case);
}

#[test]
fn another_user_opens_256_connections_to_the_abstract_name() {
    let case = with_seats();
    case.write("/run/knocks.py", KNOCKS);
    lingers(&case, "ada");
    let session = ada_starts(&case);
    case.user("ada", "startxd display start :7").ok();
    for (number, environment) in [(0, "xauth_startxd_0"), (7, "xauth_startxd_7")] {
        let knocks = |address: &str| case.spawn("eve", &format!("exec python3 /run/knocks.py '{address}'"));
        let said = |knocks: &Background, what: &str| {
            wait_until("what eve is told", SOON, || match knocks.stdout() {
                said if said == format!("['{what}']\n") => Ok(()),
                said => Err(format!("{said}{}", knocks.stderr())),
            });
        };
        let by_name = knocks(&format!("@/tmp/.X11-unix/X{number}"));
        said(&by_name, "Connection refused");
        let by_path = knocks(&format!("/tmp/.X11-unix/X{number}"));
        said(&by_path, "Permission denied");
        case.user("ada", &format!("DISPLAY=:{number} XAUTHORITY=/run/user/1000/{environment} xdpyinfo")).ok();
    }
    case.user("ada", "startxd display stop :7").ok();
    stops(&case, "ada", session);
    nothing_is_left(&case);
}

#[test]
fn fifty_clients_at_once_still_connect() {
    let case = with_seats();
    let session = ada_starts(&case);
    // Each client stays, and prints what it sees as soon as it is served.
    let clients = "export DISPLAY=:0 XAUTHORITY=$XDG_RUNTIME_DIR/xauth_startxd_0; \
        for i in $(seq 50); do xprop -root -spy > client.$i & done; \
        until [ $(find . -name 'client.*' -size +0 | wc -l) = 50 ]; do sleep 0.02; done; \
        [ $(pgrep -xc xprop) = 50 ] && echo all; kill $(jobs -p)";
    let run = case.shell_as("ada", clients).deadline(secs(60)).run();
    assert_eq!(run.stdout, "all\n", "{run}");
    stops(&case, "ada", session);
}

#[test]
fn a_sandbox_that_shares_the_network_cannot_connect_by_an_abstract_name() {
    let case = with_seats();
    let session = ada_starts(&case);
    let doctor = || case.in_unit("ada", "startxd doctor").stdout;
    assert!(!doctor().contains("[display."), "{}", doctor());
    // As Debian's default session does: from now on her processes do not need the cookie.
    case.in_unit("ada", "xhost +si:localuser:ada").ok();
    let found = doctor();
    for words in
        ["[display.host-access]", "display :0 accepts connections without its cookie from every program of yours (ada)"]
    {
        assert!(found.contains(words), "{found}");
    }
    case.user("ada", "env -u XAUTHORITY DISPLAY=:0 xdpyinfo").ok();
    let sandbox = |mounts: &str| {
        let inside = format!("{mounts} env -u XAUTHORITY DISPLAY=:0 xdpyinfo");
        case.user("ada", &format!("unshare -Urm sh -c '{inside}'"))
    };
    // It would with the socket's directory; without that, there is only the abstract name.
    sandbox("").ok();
    let refused = sandbox("mount -t tmpfs private /tmp && mount -t tmpfs private /run &&").fails();
    assert!(refused.stderr.contains("unable to open display"), "{refused}");
    // The doctor's remedy works.
    case.in_unit("ada", "xhost -si:localuser:ada").ok();
    case.in_unit("ada", "xhost +").ok();
    assert!(doctor().contains("[display.open]"), "{}", doctor());
    case.in_unit("ada", "xhost -").ok();
    assert!(!doctor().contains("[display."), "{}", doctor());
    // Nor can anybody connect without a cookie; there is one in her home as well.
    case.user("ada", "env -u XAUTHORITY HOME=/nonexistent DISPLAY=:0 xdpyinfo").fails();
    stops(&case, "ada", session);
}

/// Gives a user the cookie of ada's display, as the manual describes.
fn gives_cookie(case: &Case, number: u32, user: &str) {
    let extract = format!("xauth -f /run/user/1000/xauth_startxd_{number} extract - :{number}");
    let merge = format!("runuser -u {user} -- env HOME=/home/{user} xauth merge -");
    case.root(&format!("runuser -u ada -- {extract} | {merge}")).ok();
}

/// `contain COMMAND...`: runs it in a container like a rootless one: with its own namespaces, its own user ids (4711 is 104711
/// outside), and nothing of the machine's /tmp and /run except the directory with the sockets.
const CONTAIN: &str = r#"set -e
unshare --user sleep infinity &
holder=$!
trap 'kill $holder' EXIT
until [ "$(readlink /proc/$holder/ns/user)" != "$(readlink /proc/self/ns/user)" ]; do sleep 0.01; done
echo 0 100000 65536 > /proc/$holder/uid_map
echo 0 100000 65536 > /proc/$holder/gid_map
mkdir -p /srv/image
nsenter --user=/proc/$holder/ns/user -S 0 -G 0 unshare --mount --net --ipc --uts --pid --fork sh -ec '
  mount --rbind / /srv/image
  mount -t tmpfs -o mode=1777 tmp /srv/image/tmp
  mkdir /srv/image/tmp/.X11-unix
  mount --rbind /tmp/.X11-unix /srv/image/tmp/.X11-unix
  mount -t tmpfs run /srv/image/run
  exec chroot /srv/image setpriv --reuid 4711 --regid 4711 --clear-groups "$@"
' sh "$@"
"#;

#[test]
fn another_user_with_the_cookie_needs_server_others() {
    let case = with_seats();
    lingers(&case, "ada");
    case.write("/run/contain", CONTAIN);
    // As after sudo -u eve.
    let looks = |number: u32| case.root(&format!("runuser -u eve -- env HOME=/home/eve DISPLAY=:{number} xdpyinfo"));
    let session = ada_starts(&case);
    gives_cookie(&case, 0, "eve");
    let refused = looks(0).fails();
    assert!(refused.stderr.contains("unable to open display"), "{refused}");
    case.root("install -m 644 /home/eve/.Xauthority /srv/hers").ok();
    let refused = case.root("sh /run/contain env XAUTHORITY=/srv/hers DISPLAY=:0 xdpyinfo").fails();
    assert!(refused.stderr.contains("unable to open display"), "{refused}");
    stops(&case, "ada", session);

    case.write_as("ada", "~/.config/startxd/startxd.toml", "[server]\nothers = true\n");
    let session = ada_starts(&case);
    case.user("ada", "startxd display start :7").ok();
    // A cookie of another session does not help.
    let refused = looks(0).fails();
    assert!(refused.stderr.contains("Authorization required") || refused.stderr.contains("Invalid MIT"), "{refused}");
    for number in [0, 7] {
        assert_eq!(case.root(&format!("stat -c '%U %a' /tmp/.X11-unix/X{number}")).text(), "ada 666");
        looks(number).fails();
        gives_cookie(&case, number, "eve");
        looks(number).ok();
        case.root("install -m 644 /home/eve/.Xauthority /srv/hers").ok();
        case.root(&format!("sh /run/contain env XAUTHORITY=/srv/hers DISPLAY=:{number} xdpyinfo")).ok();
        case.root(&format!("sh /run/contain env DISPLAY=:{number} xdpyinfo")).fails();
    }
    let run = case.user("ada", "startxd display run -- sh -c 'stat -c %a /tmp/.X11-unix/X${DISPLAY#:}'");
    assert_eq!(run.stdout, "666\n", "{run}");
    // Another server of the same session is open in the same way.
    let server = case.root("pgrep -u ada -x Xorg").text();
    case.root(&format!("kill -KILL {server}")).ok();
    wait_until("another server", SOON, || match looks(0) {
        run if run.status.success() && case.root("pgrep -u ada -x Xorg").stdout.trim() != server => Ok(()),
        run => Err(run.to_string()),
    });
    case.user("ada", "startxd display stop :7").ok();
    stops(&case, "ada", session);
    nothing_is_left(&case);
}

#[test]
fn the_lock_is_kept_across_the_gap_after_a_crash() {
    let case = with_seats();
    // Longer than all of eve's attempts.
    case.write_as("ada", "~/.config/startxd/startxd.toml", "[crash]\npause = 5\n");
    let session = ada_starts(&case);
    let lock = || case.root("stat -c '%U %a' /tmp/.X0-lock; cat /tmp/.X0-lock").text();
    let before = lock();
    let host = case.root("pgrep -u ada -f '^/usr/bin/startxd start'").text();
    assert_eq!(before, format!("ada 444\n{host:>10}"));
    for signal in ["SEGV", "KILL"] {
        let server = case.root("pgrep -u ada -x Xorg").text();
        case.root(&format!("kill -{signal} {server}; while [ -e /proc/{server} ]; do sleep 0.01; done")).ok();
        assert_eq!(lock(), before, "after {signal}");
        let takes = case.user("eve", "rm -f /tmp/.X0-lock; timeout 5 Xvfb :0").fails();
        assert!(takes.stderr.contains("Server is already active for display 0"), "{takes}");
        wait_until("another server", SOON, || match case.root("pgrep -u ada -x Xorg").stdout.trim().to_owned() {
            now if !now.is_empty() && now != server => Ok(()),
            now => Err(now),
        });
        wait_up(&case, "ada");
        assert_eq!((lock(), display_of(&case, "ada")), (before.clone(), ":0".to_owned()));
    }
    // As without -displayfd, with which the server would use its pid in the name.
    assert_eq!(case.user("ada", "ls .local/share/xorg").text(), "Xorg.0.log\nXorg.0.log.old");
    stops(&case, "ada", session);
    nothing_is_left(&case);
}

#[test]
fn a_lock_of_a_host_that_was_killed_is_removed_with_the_rest() {
    let case = with_seats();
    let session = ada_starts(&case);
    case.root("pkill -KILL -u ada -f '^/usr/bin/startxd (start|serve) '").ok();
    session.wait(SOON).fails();
    wait_until("the repair", SOON, || match case.root("ls /tmp/.X0-lock /tmp/.X11-unix/X0 2> /dev/null").stdout {
        left if left.is_empty() => Ok(()),
        left => Err(left),
    });
    let session = ada_starts(&case);
    assert_eq!(display_of(&case, "ada"), ":0");
    stops(&case, "ada", session);
    nothing_is_left(&case);
}

/// Takes the abstract name of display 0 and prints that.
const TAKES_NAME: &str = "import socket; socket.socket(socket.AF_UNIX).bind('\\0/tmp/.X11-unix/X0'); print('has it')";

#[test]
fn nobody_gets_the_name_of_a_session_that_ends_without_its_host() {
    let case = with_seats();
    let session = ada_starts(&case);
    case.user("ada", "mkfifo go").ok();
    let slow = "systemd-run --user --quiet --collect --unit=slow -p PartOf=graphical-session.target \
        -p After=graphical-session.target -p ExecStop='/bin/sh -c \"read _ < /home/ada/go\"' sleep infinity";
    case.user("ada", slow).ok();
    case.root("pkill -KILL -u ada -f '^/usr/bin/startxd start '").ok();
    session.wait(SOON).fails();
    let manager = case.manager("ada");
    wait_until("the session to go down", SOON, || match manager.property("slow.service", "ActiveState") {
        state if state == "deactivating" => Ok(()),
        state => Err(state),
    });
    let takes = || case.user("eve", &format!("python3 -c \"{TAKES_NAME}\""));
    let refused = takes().fails();
    assert!(refused.stderr.contains("Address already in use"), "{refused}");
    case.user("ada", "echo > go").ok();
    wait_until("the name to be free", SOON, || match takes() {
        took if took.status.success() => Ok(()),
        took => Err(took.to_string()),
    });
    wait_until("nothing to be left", SOON, || {
        match case.root("ls /tmp/.X0-lock /tmp/.X11-unix/X0 2> /dev/null").stdout {
            left if left.is_empty() => Ok(()),
            left => Err(left),
        }
    });
}

#[test]
fn where_nothing_can_be_written_the_mount_is_named() {
    let case = with_seats();
    lingers(&case, "ada");
    case.root("mount -o remount,ro /tmp").ok();
    let refused = starts(&case, "ada", "seat1", "").wait(SOON);
    assert_eq!(refused.code(), 24, "{refused}");
    assert!(
        refused.stderr.contains("read-only") && refused.stderr.trim_end().ends_with("remount,rw /tmp"),
        "{refused}"
    );
    for command in ["startxd display start", "startxd display run -- true"] {
        let refused = case.user("ada", command).fails();
        assert!(
            refused.stderr.contains("read-only") && refused.stderr.trim_end().ends_with("remount,rw /tmp"),
            "{refused}"
        );
    }
    case.root("mount -o remount,rw /tmp").ok();
    nothing_is_left(&case);
}

#[test]
fn displays_of_two_users_at_once_never_share_a_number() {
    let case = Guest::headless();
    for user in ["ada", "eve"] {
        lingers(&case, user);
    }
    let script = "for i in $(seq 6); do startxd display start & done; wait";
    let (ada, eve) = (case.spawn("ada", script), case.spawn("eve", script));
    let (ada, eve) = (ada.wait(secs(60)).ok(), eve.wait(secs(60)).ok());
    let numbers: BTreeSet<&str> = ada.stdout.lines().chain(eve.stdout.lines()).collect();
    assert_eq!(numbers.len(), 12, "{ada}\n{eve}");
    for user in ["ada", "eve"] {
        let list = case.user(user, "startxd display list").ok().stdout;
        assert_eq!(list.matches(" ready ").count(), 6, "{list}");
        case.user(user, "startxd display stop --all").ok();
    }
    nothing_is_left(&case);
}

#[test]
fn displays_without_a_screen_have_name_and_lock_from_start_to_stop() {
    let case = Guest::headless();
    lingers(&case, "ada");
    let holder = |number: u32| {
        let lock = case.root(&format!("cat /tmp/.X{number}-lock")).text();
        case.root(&format!("cat /proc/{}/cmdline", lock.trim())).text().replace('\0', " ")
    };
    let name = |number: u32| case.root(&format!("grep -c '@/tmp/.X11-unix/X{number}$' /proc/net/unix")).stdout;
    case.user("ada", "startxd display start :7").ok();
    assert_eq!((holder(7), name(7).as_str()), ("/usr/bin/startxd serve-display 7 ".to_owned(), "1\n"));
    let run = case.spawn("ada", "startxd display run -- sh -c 'xdpyinfo > /dev/null; echo $DISPLAY; sleep 600'");
    wait_until("the command", SOON, || if run.stdout() == ":100\n" { Ok(()) } else { Err(run.stderr()) });
    assert!(holder(100).starts_with("startxd display run "), "{}", holder(100));
    assert_eq!(name(100), "1\n");
    let taken = case.user("eve", "timeout 5 Xvfb :7; timeout 5 Xvfb :100").fails().stderr;
    assert_eq!(taken.matches("Server is already active for display").count(), 2, "{taken}");
    // Its janitor, which looks the same, keeps both after the supervisor was killed, until everything is gone.
    case.root("kill -KILL $(cat /tmp/.X100-lock)").ok();
    run.wait(SOON).fails();
    case.user("ada", "startxd display stop :7").ok();
    wait_until("nothing to be left", SOON, || {
        match case.root("ls -A /tmp/.X11-unix; ls /tmp/.X*-lock 2> /dev/null; grep X11-unix /proc/net/unix").stdout {
            left if left.is_empty() => Ok(()),
            left => Err(left),
        }
    });
}
