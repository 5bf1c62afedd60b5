//! An autologin of ada by a getty: set up by one command, followed from the boot to the desktop, the logout and the
//! next login, and undone without a trace.

use std::path::PathBuf;
use std::time::Duration;

use crate::harness::{Autologin, Case, Guest, Login, Mode, Options, SOON, Vt, secs, wait_until};
use crate::hostile::{Told, logs_out_of_openbox, wait_up};
use crate::scenario::Desk;

/// The tree of the tests has an autologin of its own.
const AS_SHIPPED: &str = "rm -r /etc/systemd/system/getty@tty1.service.d && systemctl daemon-reload";

/// Everything among the administrator's units and profiles, with contents.
const PICTURE: &str = "cd /; find etc/systemd home/ada/.profile home/ada/.bash_profile home/ada/.zprofile \
    home/ada/.config/fish/config.fish -printf '%M %u %p -> %l\\n' -type f -exec sha256sum {} + 2>/dev/null | sort";

fn run(case: &Case, command: &str) -> Told {
    case.root(command).into()
}

/// A guest of its own with a directory that outlives a boot.
fn guest(name: &str) -> (Case, PathBuf) {
    let upper = std::env::temp_dir().join(format!("startxd-autologin-{name}-{}", std::process::id()));
    let case = Guest::exclusive(Options { upper: Some(upper.clone()), ..Options::default() });
    case.root(AS_SHIPPED).ok();
    (case, upper)
}

/// Waits until ada is logged in on terminal `vt` in another session than `earlier`, and her desktop is up there.
fn desktop(case: &Case, vt: u8, earlier: &str) -> Login {
    let vt = case.vt(vt);
    let login = wait_until("another login", SOON, || {
        let login = case.wait_session("ada", &vt, SOON);
        if login.session == earlier { Err(login.session) } else { Ok(login) }
    });
    wait_up(case, "ada");
    login.vt.wait_mode(Mode::Graphics, SOON);
    let session = case.session(&login.session).expect("the login session");
    assert_eq!(["Type", "Class", "Active"].map(|key| session[key].as_str()), ["x11", "user", "yes"]);
    login
}

#[test]
fn each_shell_goes_from_boot_to_desktop_to_logout_to_the_next_login() {
    let (mut case, upper) = guest("shells");
    case.write_as("ada", "~/.xinitrc", "exec openbox --sm-disable\n");
    for (shell, profile) in [
        ("/bin/bash", "/home/ada/.profile"),
        ("/usr/bin/zsh", "/home/ada/.zprofile"),
        ("/usr/bin/fish", "/home/ada/.config/fish/config.fish"),
    ] {
        case.root(&format!("usermod -s {shell} ada")).ok();
        let before = case.root(PICTURE).stdout;
        let told = run(&case, "startxd enable autologin ada --profile");
        told.says(0, &["ada will be logged in on tty1 at every boot", profile]);
        case.reboot();

        let login = desktop(&case, 1, "");
        logs_out_of_openbox(&case, "ada", &login.session);
        let next = desktop(&case, 1, &login.session);

        run(&case, "startxd disable autologin ada")
            .says(0, &["no longer logged in on tty1", "a login that is up stays"]);
        assert_eq!(case.root(PICTURE).stdout, before, "{shell}: as it was before");
        assert_eq!(case.session(&next.session).expect("the session stays")["State"], "active");
        assert!(!case.root("systemctl cat getty@tty1").stdout.contains("--autologin"), "systemd has read its files");
        case.root("loginctl terminate-session $(loginctl show-user ada -p Sessions --value)").ok();
        case.log_everybody_out();
    }
    drop(case);
    std::fs::remove_dir_all(&upper).expect("the guest no longer uses its directory");
}

#[test]
fn a_terminal_in_the_background_comes_to_the_foreground() {
    let mut case = Guest::get();
    case.discard();
    case.write_as("ada", "~/.xinitrc", "exec openbox --sm-disable\n");
    run(&case, "startxd enable autologin ada --vt 4 --profile").says(0, &["tty4"]);
    case.vt(1).switch();
    case.root("systemctl start getty@tty4").ok();
    let login = desktop(&case, 4, "");
    run(&case, "startxd disable autologin --vt 4").says(0, &["ada is no longer logged in on tty4"]);
    logs_out_of_openbox(&case, "ada", &login.session);
}

#[test]
fn a_session_that_cannot_start_leaves_a_prompt() {
    let mut case = Guest::get();
    case.discard();
    case.root(AS_SHIPPED).ok();
    case.write_as("ada", "~/.xinitrc", "exit 3\n");
    run(&case, "startxd enable autologin ada --profile").says(0, &[]);
    case.vt(1).switch();
    case.root("systemctl start getty@tty1").ok();
    let login = case.wait_session("ada", &case.vt(1), SOON);
    login.vt.wait_text("exited with status 3", SOON);
    login.vt.wait_prompt(SOON);
    assert_eq!(case.session(&login.session).expect("the same login")["State"], "active");
}

/// A `~/.xinitrc` that ends half a second after a window manager manages the display.
const BRIEF: &str = "date >>attempts\nopenbox --sm-disable &\n\
    until xprop -root _NET_SUPPORTING_WM_CHECK | grep -q 0x; do sleep 0.1; done\nsleep 0.5\n";

/// Waits until the terminal shows these words, which may be broken anywhere.
fn shows(vt: &Vt, words: &str, deadline: Duration) {
    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    wait_until(words, deadline, || {
        if squeezed(&vt.screen()).contains(&squeezed(words)) { Ok(()) } else { Err(vt.to_string()) }
    });
}

/// The lines in profiles: the current one, and the one of an earlier version.
const LINES: [&str; 2] = [
    "startxd check may-start && startxd start --login && exit\n",
    "startxd check may-start && startxd start && exit\n",
];

#[test]
fn a_session_that_ends_before_the_display_is_managed_leaves_a_prompt() {
    for line in LINES {
        let case = Guest::get();
        case.write_as("ada", "~/.xinitrc", "date >>attempts\nopenbox &\n");
        case.write_profile("ada", line);
        let login = case.login(&Autologin::default());
        shows(&login.vt, "before a window manager managed the display", SOON);
        login.vt.wait_prompt(SOON);
        assert_eq!(case.session(&login.session).expect("the same login")["State"], "active");
        assert_eq!(case.read("/home/ada/attempts").lines().count(), 1);
    }
}

#[test]
fn a_session_that_ends_as_soon_as_it_is_up_starts_three_times_and_leaves_a_prompt() {
    for line in LINES {
        let case = Guest::get();
        case.write_as("ada", "~/.xinitrc", BRIEF);
        case.write_profile("ada", line);
        let first = case.login(&Autologin::default());
        shows(&first.vt, "so this login does not start another", secs(40));
        first.vt.wait_prompt(SOON);
        assert_eq!(case.read("/home/ada/attempts").lines().count(), 3);
        // A person gets one.
        case.write_as("ada", "~/.xinitrc", "exec openbox --sm-disable\n");
        first.vt.type_line("startxd start");
        wait_up(&case, "ada");
        case.user("ada", "startxd stop").ok();
        first.vt.wait_prompt(SOON);
    }
}

#[test]
fn a_command_from_the_command_line_may_end_at_once() {
    let desk = Desk::at_prompt();
    desk.types("startxd start -- xterm -e true");
    desk.ended(0);
    desk.write_as("ada", "~/.xinitrc", "openbox &\n");
    desk.types("startxd start");
    desk.ended(1).says(&[
        ".xinitrc",
        "exited with status 0",
        "before a window manager managed the display",
        "exec openbox",
    ]);
}

#[test]
fn an_autologin_that_cannot_be_set_up_is_refused_and_nothing_is_changed() {
    let mut case = Guest::get();
    case.discard();
    let before = case.root(PICTURE).stdout;
    let own = "/etc/systemd/system/getty@tty1.service.d/autologin.conf sets the start command";
    case.root("ln -s /usr/lib/systemd/system/greetd.service /etc/systemd/system/display-manager.service").ok();
    let cases = [
        ("startxd enable autologin adaa", 31, "there is no user adaa; did you mean ada?"),
        ("startxd enable autologin nobody-like-this", 31, "there is no user nobody-like-this; see"),
        ("startxd enable autologin root", 31, "startxd starts no desktop for root"),
        ("startxd enable autologin daemon", 31, "daemon cannot log in: the login shell is /usr/sbin/nologin"),
        ("startxd enable autologin ada", 31, own),
        ("startxd enable autologin ada --vt 7", 31, "tty7 belongs to greetd.service"),
        ("startxd enable autologin ada --vt 64", 2, "64 is not in 1..=63"),
        ("startxd enable autologin ada --vt 0", 2, "0 is not in 1..=63"),
        ("startxd enable autologin ada --vt x", 2, "invalid digit"),
        ("startxd enable autologin", 2, "<USER>"),
        ("startxd disable autologin", 31, "startxd has not set up an autologin"),
        ("setpriv --reuid 1000 --clear-groups startxd enable autologin ada --vt 2", 30, "needs root: sudo"),
        ("setpriv --reuid 1000 --clear-groups startxd disable autologin", 30, "needs root: sudo"),
    ];
    for (command, status, words) in cases {
        run(&case, command).says(status, &[words]);
    }
    let told = run(&case, "startxd enable autologin ada --vt 2 --profile --dry-run");
    told.says(
        0,
        &["would write /etc/systemd/system/getty@tty2.service.d/startxd-autologin.conf", "XDG_SESSION_TYPE=x11"],
    );
    told.says(
        0,
        &["would link /etc/systemd/system/getty.target.wants/getty@tty2.service", "add to /home/ada/.profile"],
    );
    case.root("rm /etc/systemd/system/display-manager.service").ok();
    assert_eq!(case.root(PICTURE).stdout, before);
}

#[test]
fn the_home_is_changed_with_its_owners_rights() {
    let mut case = Guest::get();
    case.discard();
    // Root would follow it.
    case.user("ada", "rm -f .profile; ln -s /etc/shadow .bash_profile").ok();
    let before = case.root("sha256sum /etc/shadow").stdout;
    let told = run(&case, "startxd enable autologin ada --vt 2 --profile");
    told.says(31, &["Permission denied", "nothing was changed"]);
    case.user("ada", "ln -sf ~/dotfiles .bash_profile; echo umask 022 >dotfiles; chmod 600 dotfiles").ok();
    run(&case, "startxd enable autologin ada --vt 2 --profile").says(0, &["/home/ada/.bash_profile"]);
    assert_eq!(case.root("stat -c '%U %G %a' /home/ada/dotfiles").text(), "ada ada 600");
    case.user("ada", "test -L .bash_profile && grep -q may-start dotfiles").ok();
    run(&case, "startxd enable autologin eve --vt 2").says(0, &["eve replaces ada on tty2"]);
    assert_eq!(case.read("/home/ada/dotfiles"), "umask 022\n");
    run(&case, "startxd disable autologin ada").says(31, &["it has set up: eve on tty2"]);
    run(&case, "startxd disable autologin eve").says(0, &[]);
    case.root("ls -d /etc/systemd/system/getty@tty2.service.d /etc/systemd/system/getty.target.wants").fails();
    assert_eq!(case.root("sha256sum /etc/shadow").stdout, before);
}
