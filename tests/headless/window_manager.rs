//! `startxd enable wm` and `startxd disable wm`: what they write and refuse, and that systemd understands it.

use crate::harness::{Case, Guest, Run};

/// ada, with her user manager up as after a login.
struct Ada(Case);

impl Ada {
    fn new() -> Self {
        let case = Guest::headless();
        case.start_manager("ada");
        Self(case)
    }

    fn does(&self, script: &str) -> Run {
        self.0.user("ada", script)
    }

    /// Everything that she has set up, including directories.
    fn settings(&self) -> String {
        self.0.root("cd /home/ada; find . -path '*startxd*' -o -path './.config/*' | sort").stdout
    }

    fn is_refused(&self, command: &str, status: i32, parts: &[&str]) {
        let before = self.settings();
        let told = self.does(command);
        assert_eq!(told.code(), status, "{command}: {told}");
        for part in parts {
            assert!(told.stderr.contains(part), "{command}: {part} is not in {told}");
        }
        assert_eq!(self.settings(), before, "{command}");
    }
}

/// The window managers in the guests' tree.
const ALL: &str = "awesome bspwm dwm fluxbox herbstluftwm i3 icewm-session jwm openbox twm";

const FILE: &str = ".config/systemd/user/i3.service";

#[test]
fn a_unit_is_written_and_enabled_and_removed() {
    let ada = Ada::new();
    let before = ada.settings();
    let dry = ada.does("startxd enable wm i3 --dry-run").ok();
    assert!(dry.stdout.contains("    Type=notify\n") && dry.stdout.contains("would enable i3.service"), "{dry}");
    assert_eq!(ada.settings(), before);
    let told = ada.does("umask 0; startxd enable wm i3").ok();
    assert!(told.stdout.contains("i3.service is written and enabled: sessions start i3 from now on"), "{told}");
    assert_eq!(ada.does(&format!("stat -c %a {FILE} .config/systemd")).text(), "600\n700");
    assert_eq!(ada.does("systemctl --user is-enabled i3").text(), "enabled");
    assert_eq!(ada.does("systemctl --user show -P WantedBy i3").text(), "wm.target");
    let first = ada.does(&format!("head -1 {FILE}")).text();
    assert_eq!(first, "# Written by: startxd enable wm i3");
    let (set, text) = (ada.settings(), ada.does(&format!("cat {FILE}")).text());
    let listed = ada.does("startxd list").ok();
    assert!(listed.stdout.lines().any(|line| line.starts_with("* wm.target")), "{listed}");

    let again = ada.does("startxd enable wm i3").ok();
    assert_eq!(again.text(), "i3.service is enabled already: sessions start i3");
    assert_eq!((ada.settings(), ada.does(&format!("cat {FILE}")).text()), (set, text));

    let dry = ada.does("startxd disable wm --dry-run").ok();
    assert!(dry.stdout.contains("would remove /home/ada/.config/systemd/user/i3.service"), "{dry}");
    ada.does("startxd disable wm").ok();
    // The directory of the record remains.
    let after = ada.settings();
    let rest: Vec<&str> = after.lines().filter(|line| !before.lines().any(|one| one == *line)).collect();
    assert_eq!(rest, ["./.local/state/startxd"]);
    ada.is_refused("startxd disable wm", 31, &["startxd has not enabled a window manager"]);
}

#[test]
fn another_one_takes_its_place() {
    let ada = Ada::new();
    ada.does("startxd enable wm i3").ok();
    let told = ada.does("startxd enable wm openbox").ok();
    assert!(told.stdout.contains("i3.service is no longer enabled"), "{told}");
    assert_eq!(
        ada.does("ls .config/systemd/user .config/systemd/user/wm.target.wants").text().matches("i3").count(),
        0
    );
    assert_eq!(ada.does("systemctl --user is-enabled openbox").text(), "enabled");
    ada.does("startxd disable wm").ok();
    ada.does("test -e .config/systemd/user").fails();
}

#[test]
fn one_that_runs_keeps_its_file_until_it_has_ended() {
    let ada = Ada::new();
    ada.does("startxd enable wm awesome").ok();
    // Without a display: this is about the file.
    ada.does(
        "mkdir .config/systemd/user/awesome.service.d; printf '%s\\n' '[Unit]' 'Requires=' '[Service]' Type=exec ExecStart= \
         'ExecStart=sleep infinity' >.config/systemd/user/awesome.service.d/x.conf; systemctl --user daemon-reload; \
         systemctl --user start awesome",
    )
    .ok();
    let told = ada.does("startxd disable wm").ok();
    assert!(told.stdout.contains("awesome.service runs until the session ends"), "{told}");
    assert_eq!(ada.does("systemctl --user is-active awesome").text(), "active");
    ada.does("test -e .config/systemd/user/awesome.service; systemctl --user is-enabled awesome").fails();
    ada.does("systemctl --user stop awesome; startxd disable wm").ok();
    ada.does("test -e .config/systemd/user/awesome.service").fails();
    ada.does("rm -r .config/systemd; systemctl --user daemon-reload").ok();
}

#[test]
fn what_a_person_wrote_is_never_touched() {
    let ada = Ada::new();
    ada.does(&format!("mkdir -p .config/systemd/user; echo '[Service]' >{FILE}")).ok();
    ada.is_refused(
        "startxd enable wm i3",
        31,
        &["was not written by startxd", "mv /home/ada/.config/systemd/user/i3.service"],
    );
    // The command from the message.
    ada.does(&format!("mv {FILE} {FILE}.old; startxd enable wm i3")).ok();
    ada.does(&format!("echo '# mine' >>{FILE}")).ok();
    ada.is_refused("startxd enable wm i3", 31, &["was edited since", "systemctl --user enable i3.service"]);
    let told = ada.does("startxd disable wm").ok();
    assert!(told.stdout.contains("was edited, so it stays"), "{told}");
    assert_eq!(ada.does(&format!("tail -1 {FILE}; systemctl --user is-enabled i3")).stdout, "# mine\ndisabled\n");
    ada.does(&format!("ln -sf /dev/null {FILE}; systemctl --user daemon-reload")).ok();
    ada.is_refused("startxd enable wm i3", 31, &["i3.service is masked", "systemctl --user unmask i3.service"]);
    ada.does(&format!("rm {FILE}; echo '[Service]' >dotfile; ln -s ~/dotfile {FILE}")).ok();
    ada.is_refused("startxd enable wm i3", 31, &["was not written by startxd"]);
    ada.does(&format!("rm {FILE}")).ok();

    let unit = "[Service]\nExecStart=openbox\n[Install]\nWantedBy=wm.target\n";
    ada.0.write_as("ada", "~/.config/systemd/user/openbox.service", unit);
    ada.does("systemctl --user enable openbox").ok();
    ada.is_refused(
        "startxd enable wm i3",
        31,
        &["openbox.service is already enabled", "systemctl --user disable openbox.service"],
    );
    ada.is_refused("startxd disable wm", 31, &["for openbox.service: systemctl --user disable openbox.service"]);
    // Units of other programs may stay beside it.
    ada.does("cd .config/systemd/user; systemctl --user disable openbox; mv openbox.service compositor.service").ok();
    ada.does("systemctl --user enable compositor && startxd enable wm i3 && startxd disable wm").ok();
    ada.does("systemctl --user disable compositor; rm -r .config/systemd; systemctl --user daemon-reload").ok();
}

#[test]
fn a_choice_has_the_command_for_each() {
    let ada = Ada::new();
    let told = ada.does("startxd enable wm");
    assert_eq!(told.code(), 31, "{told}");
    assert!(told.stderr.contains("more than one window manager is installed; choose one:"), "{told}");
    let commands: String = ALL.split(' ').map(|name| format!("    startxd enable wm {name}\n")).collect();
    assert_eq!(told.stdout, commands);
    let only = "mkdir -p only; ln -sf \"$(command -v i3)\" only/; XDG_DATA_HOME=$PWD/none";
    // The case that only one is found. The system's entries would be found too, so they are hidden.
    ada.does("mkdir -p .local/share/xsessions; for file in /usr/share/xsessions/*; do [ \"${file##*/}\" = i3.desktop ] || \
              printf '%s\\n' '[Desktop Entry]' Type=Application Hidden=true >.local/share/xsessions/\"${file##*/}\"; done")
        .ok();
    let told = ada
        .does(&format!(
            "{only}; unset XDG_DATA_HOME; startxd=$(command -v startxd); PATH=$PWD/only $startxd enable wm --dry-run"
        ))
        .ok();
    assert!(told.stdout.contains("Written by: startxd enable wm i3"), "{told}");
    ada.does("rm -r only .local/share/xsessions").ok();

    ada.is_refused("startxd enable wm opnbox", 23, &["did you mean openbox?"]);
    let told = ada.0.root("startxd enable wm i3");
    assert_eq!(told.code(), 10, "{told}");
}

/// Every known window manager, even one that is not installed, with stand-ins for the programs.
#[test]
fn systemd_understands_every_unit() {
    let ada = Ada::new();
    let known =
        "openbox i3 awesome bspwm bspc herbstluftwm herbstclient icewm fluxbox xmonad qtile dwm fvwm3 jwm spectrwm twm";
    ada.does(&format!(
        "mkdir -p programs units; cd programs; for name in {known}; do printf '#!/bin/sh\\n' >$name; chmod +x $name; done"
    ))
    .ok();
    for name in known.split(' ').filter(|name| !["bspc", "herbstclient"].contains(name)) {
        let unit = format!(
            "PATH=$PWD/programs:$PATH startxd enable wm {name} --dry-run | sed -n 's/^    //p;/^$/p' >units/{name}.service; \
             grep -c . units/{name}.service; systemd-analyze --user verify units/{name}.service"
        );
        let told = ada.does(&unit).ok();
        assert_eq!(told.stderr, "", "{name}: {told}");
        assert!(told.stdout.trim().parse::<u32>().is_ok_and(|lines| lines > 15), "{name}: {told}");
    }
    // And the installed ones.
    for name in ALL.split(' ') {
        let told = ada.does(&format!(
            "startxd enable wm {name} && systemd-analyze --user verify .config/systemd/user/{name}.service"
        ));
        assert_eq!(told.ok().stderr, "", "{name}");
    }
    ada.does("startxd disable wm; rm -r programs units").ok();
}

#[test]
fn an_autologin_says_which_session_will_start() {
    let ada = Ada::new();
    let says = |part: &str| {
        let told = ada.0.root("startxd enable autologin ada --vt 5 --dry-run").ok();
        assert!(told.stdout.contains(part), "{told}");
    };
    says("startxd enable wm");
    ada.does("startxd enable wm i3").ok();
    says("the session will be i3.service\n");
    let told = ada.0.root("startxd enable autologin ada --vt 5").ok();
    assert!(told.stdout.contains("the session will be i3.service\n"), "{told}");
    ada.0.root("startxd disable autologin").ok();
    ada.does("startxd disable wm").ok();
}
