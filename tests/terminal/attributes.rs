//! `umask 077`, `ulimit -n`, `nice` and the like in the login shell: startx passes them on to `~/.xinitrc`, and so does
//! startxd. Process attributes are environment, too.

use crate::harness::{Case, Guest};
use crate::scenario::Desk;

/// The attributes of a process, as the kernel reports them, one per line.
fn attributes(case: &Case, pid: i32) -> String {
    let script = format!(
        "cd /proc/{pid}; grep -E '^(Umask|Cpus_allowed|NoNewPrivs):' status; cut -d' ' -f19 stat; cat timerslack_ns \
         oom_score_adj; ionice -p {pid}; grep -E 'open files|core file|processes|stack|locked' limits"
    );
    // Only root can read the timer slack of another user's process.
    case.root(&script).ok().stdout
}

#[test]
fn the_session_inherits_umask_limits_and_niceness_of_the_login_shell() {
    let mut desk = Desk::at_prompt();
    let settings = "umask 077; ulimit -Sn 500; ulimit -Hn 4000; ulimit -c 0; ulimit -Su 900; ulimit -l 48; renice -n 5 $$; \
        taskset -pc 0 $$; ionice -c 3 -p $$; choom -n 700 -p $$; clear";
    desk.write_as("ada", "~/.xinitrc", "exec openbox --sm-disable\n");
    desk.vt().type_line(settings);
    desk.vt().wait_prompt(crate::harness::SOON);
    for (args, restarts) in [("-- openbox --sm-disable", true), ("", false), ("openbox", true)] {
        desk.starts(args);
        let named = |name: &str| desk.named("ada", name).pop().expect("a process").pid;
        let (host, manager) = (named("startxd"), named("openbox"));
        let host =
            desk.processes_of("ada").iter().find(|it| it.args.starts_with("startxd start")).map_or(host, |it| it.pid);
        let login = attributes(&desk, host);
        assert!(login.contains("Umask:\t0077") && login.contains("idle") && login.contains("700"), "{login}");
        assert_eq!(attributes(&desk, manager), login, "{args:?}");
        // So does one that was started again after a crash.
        if restarts {
            desk.root(&format!("kill -SEGV {manager}")).ok();
            let next = desk.another("ada", "openbox", &manager.to_string());
            assert_eq!(attributes(&desk, next.trim().parse().expect("a pid")), login, "{args:?}");
        }
        desk.is_up();
        desk.quits_openbox();
        desk.ended(0);
    }
    desk.settles();
}

/// Which process the kernel kills when memory runs out (proc_pid_oom_score_adj(5)): a lower value is safer.
fn oom_score_adjust(case: &Case, pid: i32) -> i32 {
    case.root(&format!("cat /proc/{pid}/oom_score_adj")).ok().stdout.trim().parse().expect("a number")
}

#[test]
fn a_desktop_is_neither_killed_first_nor_limited_like_one_program() {
    let desk = Desk::at_prompt();
    desk.starts("-- openbox --sm-disable");
    let property = |unit: &str, name: &str| desk.manager("ada").property(unit, name);
    for unit in ["xorg@0.service", "startxd-wm@openbox.service"] {
        assert_eq!(property(unit, "OOMPolicy"), "continue", "{unit}");
        assert_eq!(property(unit, "ManagedOOMPreference"), "avoid", "{unit}");
    }
    let tasks = desk.user("ada", "systemctl --user show --value -p TasksMax startxd-wm@openbox.service").ok().stdout;
    assert_eq!(tasks.trim(), "infinity");
    let score = |name: &str| oom_score_adjust(&desk, desk.named("ada", name).pop().expect("a process").pid);
    let host = desk.processes_of("ada").into_iter().find(|it| it.args.starts_with("startxd start")).expect("the host");
    let manager = score("openbox");
    assert!(score("Xorg") < manager && oom_score_adjust(&desk, host.pid) < manager);
    desk.quits_openbox();
    desk.ended(0);
}

#[test]
fn programs_on_a_display_without_a_screen_are_killed_before_its_server() {
    let guest = Guest::get();
    guest.start_manager("ada");
    guest.user("ada", "startxd display start :7 --session openbox").ok();
    let score = |name: &str| oom_score_adjust(&guest, crate::hostile::wait_process(&guest, "ada", name));
    assert!(score("Xvfb") < score("openbox"));
    guest.user("ada", "startxd display stop :7").ok();
}

#[test]
fn programs_on_a_display_without_a_screen_inherit_them_too() {
    let guest = Guest::get();
    guest.start_manager("ada");
    guest.user("ada", "umask 027; ulimit -Sn 321; startxd display start :7 --session openbox").ok();
    let pid = crate::hostile::wait_process(&guest, "ada", "openbox");
    let has = attributes(&guest, pid);
    assert!(has.contains("Umask:\t0027") && has.contains("321"), "{has}");
    guest.user("ada", "startxd display stop :7").ok();
}
