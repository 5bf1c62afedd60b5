//! `KillUserProcesses=yes`, lingering on, an ssh session of the same user at the same time: as documented; the right
//! session is used; the ssh session's processes are left alone.

use crate::faults::{another, manages};
use crate::harness::{Guest, Mode, SOON, active_vt, wait_until};
use crate::hostile::{START, log_in_second, stop, type_at, wait_up};
use crate::scenario::{Desk, OPENBOX};

/// Logs ada in by ssh on her own machine, and runs a command there that stays.
fn ssh(desk: &mut Desk) -> crate::harness::Background {
    desk.root("mkdir -p /run/sshd; systemctl start ssh").ok();
    let key = "mkdir -pm 700 .ssh; ssh-keygen -qt ed25519 -N '' -f .ssh/id_ed25519; \
               cp .ssh/id_ed25519.pub .ssh/authorized_keys; echo 'StrictHostKeyChecking no' > .ssh/config";
    desk.user("ada", key).ok();
    let ssh = desk.spawn("ada", "ssh -T localhost 'echo in; exec sleep 1234'");
    wait_until("the ssh session", SOON, || if ssh.stdout().contains("in") { Ok(()) } else { Err(ssh.stderr()) });
    // The shell that printed this executes it only then.
    desk.runs("sleep");
    desk.settles();
    ssh
}

#[test]
fn an_ssh_session_at_the_same_time_is_neither_used_nor_affected() {
    let mut desk = Desk::at_prompt();
    let ssh = ssh(&mut desk);
    let sessions = desk.sessions().len();
    let refused = desk.user("ada", "ssh -T localhost startxd start -- openbox");
    assert_eq!(refused.code(), 14, "{refused}");

    desk.starts(OPENBOX);
    assert!(
        desk.read("/run/user/1000/startxd/session.toml").contains(&format!("session = \"{}\"", desk.login.session))
    );
    // It can be inspected and ended from there.
    desk.user("ada", "ssh -T localhost startxd status").ok();
    desk.user("ada", "ssh -T localhost startxd stop").ok();
    // Those logins end a moment after the clients.
    wait_until("the end of the other logins by ssh", SOON, || match desk.sessions() {
        now if now.len() == sessions => Ok(()),
        now => Err(format!("{now:?}")),
    });
    desk.ended(0);
    assert!(ssh.is_running(), "{}", ssh.stderr());
    desk.root("pgrep -u ada -x sleep").ok();
    desk.starts_again();
    desk.root("pkill -u ada -x sleep").ok();
}

#[test]
fn somebody_else_on_the_next_terminal_is_not_disturbed() {
    let desk = Desk::at_prompt();
    desk.starts(OPENBOX);
    let server = desk.server();
    let eve = log_in_second(&desk, "eve");
    let session = type_at(&eve, START);
    wait_up(&desk, "eve");
    eve.vt.wait_mode(Mode::Graphics, SOON);
    assert!(desk.user("eve", "startxd status").text().contains("display  :1, "));
    let servers = desk.root("pgrep -u eve -x Xorg").text();
    assert_eq!(desk.server(), server);

    // Whatever happens to the one in the background, the terminal in the foreground stays there.
    desk.root(&format!("kill -KILL {}", server.pid)).ok();
    desk.reads("tty1 is in the background");
    desk.unit_becomes("xorg@0.service", "activating");
    assert_eq!(active_vt(), 2);
    desk.vt().switch();
    another(&desk, "Xorg", &server.pid);
    manages(&desk);
    desk.is_up();
    eve.vt.switch();
    desk.user("ada", "startxd stop").ok();
    desk.comes_back(0, SOON);
    assert_eq!((active_vt(), eve.vt.mode()), (2, Mode::Graphics));
    assert_eq!(desk.root("pgrep -u eve -x Xorg").text(), servers);
    stop(&desk, &eve, &session).says(0, &[]);
    desk.logout(&eve);
    desk.vt().switch();
    desk.starts_again();
}

#[test]
fn kill_user_processes_takes_the_login_and_what_lingers_stays() {
    let mut case = Guest::get();
    case.discard();
    case.write("/etc/systemd/logind.conf.d/kill.conf", "[Login]\nKillUserProcesses=yes\n");
    case.root("systemctl restart systemd-logind; loginctl enable-linger ada").ok();
    let mut desk = Desk::at_prompt_in(case);
    // A unit of type exec is active when its program runs, not when the process is still to execute it.
    let unit = "[Service]\nType=exec\nExecStart=sleep infinity\n[Install]\nWantedBy=multiplexer.target\n";
    desk.writes_unit("mux.service", unit);
    desk.user("ada", "systemctl --user enable mux; systemctl --user start multiplexer.target").ok();
    desk.unit_becomes("mux.service", "active");
    desk.settles();
    let pid = desk.unit("mux.service", "MainPID");
    desk.types(&format!("sleep 1234 & startxd start {OPENBOX}"));
    desk.is_up();
    desk.root(&format!("loginctl terminate-session {}", desk.login.session)).ok();
    desk.is_logged_out();
    desk.root("pgrep -u ada -f 'sleep 1234'").fails();
    assert_eq!(desk.unit("mux.service", "MainPID"), pid);
    assert_eq!(desk.environment().has(&["DISPLAY", "XAUTHORITY"]), [""; 0]);
    desk.logs_in();
    desk.starts_again();
}

#[test]
fn with_lingering_the_logout_leaves_the_manager_as_before() {
    let case = Guest::get();
    case.root("loginctl enable-linger ada").ok();
    let mut desk = Desk::at_prompt_in(case);
    for _ in 0..2 {
        desk.starts(OPENBOX);
        desk.root(&format!("loginctl terminate-session {}", desk.login.session)).ok();
        desk.is_logged_out();
        assert_eq!(desk.environment().has(&["DISPLAY", "XAUTHORITY", "XDG_VTNR"]), [""; 0]);
        desk.logs_in();
    }
    desk.starts_again();
}
