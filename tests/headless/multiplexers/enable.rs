//! `startxd enable multiplexer` and `disable`, and the boot in between.

use crate::harness::{Guest, Options, SOON, wait_until};
use crate::multiplexers::ada::Ada;

#[test]
fn enabled_by_the_user_and_undone_completely() {
    let mut ada = Ada::new();
    ada.discard();
    let _polkit = ada.has_polkit();
    // Without lingering and without a login the user manager would end.
    ada.has_ssh();
    let login = ada.spawn("ada", "ssh -T localhost 'echo in; exec sleep infinity'");
    wait_until("the login", SOON, || if login.stdout().contains("in") { Ok(()) } else { Err(login.stderr()) });
    let before = ada.settings();
    let dry = ada.does("startxd enable multiplexer tmux work --dry-run").ok();
    assert_eq!(ada.settings(), before, "{dry}");
    let told = ada.does("startxd enable multiplexer tmux work").ok();
    assert!(
        told.stdout.contains("to attach: tmux attach -t work") && told.stdout.contains("lingers from now on"),
        "{told}"
    );
    ada.does("tmux has-session -t work").ok();
    let set = ada.settings();
    for part in [
        "multiplexer.target.wants/tmux@work.service",
        "default.target.wants/multiplexer.target",
        "startxd/multiplexers.toml",
        "ada",
    ] {
        assert!(set.contains(part), "{part} is not in {set}");
    }
    // A second time, and another one beside it.
    ada.does("startxd enable multiplexer tmux work").ok();
    ada.does("startxd enable multiplexer screen").ok();
    let one = ada.does("startxd disable multiplexer screen").ok();
    assert!(one.stdout.contains("systemctl --user stop 'screen@main.service'"), "{one}");
    assert_eq!(ada.settings(), set);
    let told = ada.does("startxd disable multiplexer").ok();
    assert!(told.stdout.contains("no longer lingers"), "{told}");
    // Only directories were added, which settings() does not list.
    assert_eq!(ada.settings(), before);
    // What runs continues until it is told to end.
    ada.does("tmux has-session -t work").ok();
    let again = ada.does("startxd disable multiplexer");
    assert_eq!(again.code(), 31, "{again}");
    ada.does("systemctl --user stop tmux screen@main").ok();
    ada.root("pkill -u ada -x sleep").ok();
    drop(login);
}

#[test]
fn earlier_settings_are_kept() {
    let ada = Ada::new();
    ada.root("loginctl enable-linger ada").ok();
    ada.does("systemctl --user enable multiplexer.target").ok();
    let before = ada.settings();
    let told = ada.does("startxd enable multiplexer screen x").ok();
    assert!(told.stdout.contains("already lingers"), "{told}");
    ada.does("startxd disable multiplexer screen x; systemctl --user stop screen@x").ok();
    assert_eq!(ada.settings(), before);
}

#[test]
fn a_user_who_may_not_linger_is_told_so_and_nothing_is_changed() {
    let ada = Ada::new();
    let before = ada.settings();
    let told = ada.does("startxd enable multiplexer tmux");
    assert_eq!(told.code(), 31, "{told}");
    assert!(told.stderr.contains("may not linger") && told.stderr.contains("loginctl enable-linger ada"), "{told}");
    assert_eq!(told.stderr.lines().count(), 1, "{told}");
    assert_eq!(ada.settings(), before);
    ada.does("pgrep -u ada tmux").fails();
}

#[test]
fn impossible_requests_are_refused_before_anything_is_changed() {
    let ada = Ada::new();
    ada.root("loginctl enable-linger ada").ok();
    let before = ada.settings();
    let told = ada.does("startxd enable multiplexer zellij");
    assert!(told.code() == 31 && told.stderr.contains("zellij is not installed"), "{told}");
    let told = ada.root("startxd enable multiplexer tmux");
    assert_eq!(told.code(), 10, "{told}");
    let told = ada.does("startxd enable multiplexer byobu");
    assert_eq!(told.code(), 2, "{told}");
    // A start that fails is undone.
    ada.write_as(
        "ada",
        "~/.config/systemd/user/screen@.service.d/bad.conf",
        "[Service]\nExecStart=\nExecStart=false\n",
    );
    ada.does("systemctl --user daemon-reload").ok();
    let with_drop_in = ada.settings();
    let told = ada.does("startxd enable multiplexer screen");
    assert!(told.code() == 31 && told.stderr.contains("could not be started"), "{told}");
    assert_eq!(ada.settings(), with_drop_in);
    ada.does("rm -r .config/systemd; systemctl --user daemon-reload").ok();
    assert_eq!(ada.settings(), before);
    ada.does("pgrep -u ada screen").fails();
}

#[test]
fn it_is_up_after_a_boot_without_a_login() {
    let upper = std::env::temp_dir().join(format!("startxd-multiplexers-{}", std::process::id()));
    let case = Guest::exclusive(Options { upper: Some(upper.clone()), headless: true, ..Options::default() });
    let mut ada = Ada::in_guest(case);
    ada.root("systemctl enable ssh").ok();
    ada.has_ssh();
    ada.root("loginctl enable-linger ada").ok();
    ada.does("startxd enable multiplexer tmux work; startxd enable multiplexer screen").ok();
    let boot = ada.read("/proc/sys/kernel/random/boot_id");
    ada.reboot();
    assert_eq!(ada.read("/proc/sys/kernel/random/boot_id"), boot, "the guests share the kernel");
    ada.manager("ada").wait_active(&["tmux@work", "screen@main"]);
    assert_eq!(ada.root("loginctl list-sessions --no-legend | grep -v manager | wc -l").text(), "0");

    // A login finds them, and leaves them when it ends.
    let login = ada.on_terminal("tmux attach -t work");
    ada.becomes("tmux list-clients -F '#{session_name}'", "work");
    ada.does("tmux detach-client -s work").ok();
    wait_until("the end of the login", SOON, || {
        if login.stdout().contains("status 0") { Ok(()) } else { Err(login.stdout()) }
    });
    assert!(login.is_running());
    drop(login);
    let screen = ada.on_terminal("screen -r main");
    ada.becomes("screen -ls | grep -c Attached", "1");
    drop(screen);
    ada.does("tmux has-session -t work").ok();
    ada.becomes("screen -ls | grep -c Detached", "1");
    drop(ada);
    std::fs::remove_dir_all(&upper).expect("the guest no longer uses its directory");
}
