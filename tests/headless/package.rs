//! The Debian package: installed by apt while a user manager is running, upgraded while a session is up, removed and
//! purged. Built by `scripts/make-deb` and `scripts/make-deb --next`.

use std::path::PathBuf;
use std::{env, fs};

use crate::harness::{Case, Guest, Options, Run, SOON, secs, wait_until};
use crate::hostile::wait_up;

/// Everything that a package could leave behind, with the contents of configuration files.
const FILES: &str = "find /usr /var/lib/systemd /var/spool /opt -xdev ! -path '/usr/share/doc*' ! -path /var/lib/systemd \
    ! -path '/var/lib/systemd/*timers*' -printf '%p %l %m\\n' | sort; find /etc -xdev -type f -exec sha256sum {} + | sort -k2";

/// The package, or the one that it is upgraded to, as a path in the guest.
fn package(guest: &Guest, next: bool) -> String {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let mut directory = env::var_os("STARTXD_DEBS").map_or_else(|| target.join("deb"), PathBuf::from);
    if next {
        directory.push("next");
    }
    let paths = fs::read_dir(&directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut packages = paths.filter(|path| path.extension().is_some_and(|extension| extension == "deb"));
    let package = packages.next().unwrap_or_else(|| {
        panic!("no package in {}: scripts/make-deb and scripts/make-deb --next build them", directory.display())
    });
    assert_eq!(packages.next(), None, "more than one package in {}", directory.display());
    let path = format!("/var/tmp/{}.deb", if next { "next" } else { "first" });
    fs::copy(&package, guest.outside(&path)).unwrap_or_else(|e| panic!("{}: {e}", package.display()));
    path
}

fn apt(guest: &Guest, what: &str) -> Run {
    let script = format!("apt-get -q -y {what} 2>&1");
    guest.shell(&script).env("DEBIAN_FRONTEND", "noninteractive").deadline(secs(60)).run().ok()
}

/// Waits until ada's manager, which was running before, has loaded or unloaded one of our units.
fn wait_unit(case: &Case, load: &str) {
    wait_until(&format!("wm.target to be {load}"), SOON, || {
        match case.manager("ada").property("wm.target", "LoadState") {
            now if now == load => Ok(()),
            now => Err(now),
        }
    });
}

/// Each shell finds its completions where the package puts them, and completes session names.
fn completes(case: &Case) {
    let fish = case.user("ada", "fish -c 'complete -C \"startxd start openb\"; complete -C \"startxd doc\"'").text();
    assert!(fish.contains("openbox") && fish.contains("doctor"), "{fish}");
    let bash = "source /usr/share/bash-completion/completions/startxd; COMP_WORDS=(startxd start openb); COMP_CWORD=2; \
        _startxd_and_sessions startxd openb start; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let bash = case.user("ada", bash).text();
    assert!(bash.lines().any(|line| line == "openbox"), "{bash}");
    let zsh = "zsh -fc 'autoload -Uz compinit && compinit -u -D && echo $_comps[startxd]'";
    assert_eq!(case.user("ada", zsh).text(), "_startxd");
}

#[test]
fn from_the_installation_to_the_purge() {
    // With the package's files instead of those of `make install`; a session on a second seat needs no terminal.
    let mut case = Guest::exclusive(Options { install: None, headless: true, ..Options::default() });
    case.root("! command -v startxd").ok();
    case.plug_in_second_seat();
    // Her manager is up before the package is installed, and after the session.
    case.root("loginctl enable-linger ada").ok();
    case.start_manager("ada");
    let (first, next) = (package(&case, false), package(&case, true));
    let pristine = case.root(FILES).ok().stdout;
    case.write_as("ada", "~/.xinitrc", "exec openbox --sm-disable\n");
    case.user("ada", "busctl --user list").ok();
    case.set_baseline();

    // Offline: the dependencies are installed, under the names that the package uses.
    apt(&case, &format!("install {first}"));
    let verified = case.root("dpkg --verify startxd | grep -v ' /usr/share/\\(doc\\|man\\)/'").stdout;
    assert_eq!(verified, "", "what is installed is not what the package has");
    wait_unit(&case, "loaded");
    assert_eq!(case.root("systemctl --global is-enabled multiplexer.target").stdout.trim(), "disabled");
    completes(&case);
    case.root("systemctl start startxd-seat@ada").ok();
    wait_up(&case, "ada");
    // The service that reads the dotfiles comes and goes.
    let processes = "pgrep -u ada -x 'startxd|Xorg|openbox' -a | grep -v dotfiles";
    let before = case.root(processes).text();
    assert_eq!(before.lines().count(), 4, "host, supervisor, server, window manager: {before}");

    // An administrator's changes survive the upgrade, and the session continues.
    let configuration = case.root("dpkg-query -f '${Conffiles}\\n' -W startxd | awk '{ print $1 }' | grep .").stdout;
    assert!(configuration.lines().any(|file| file == "/etc/pam.d/startxd"), "{configuration}");
    assert_eq!(case.root("systemctl show --value -p LoadState startxd@ada").text(), "loaded");
    for file in configuration.lines() {
        case.root(&format!("echo '# by the administrator' >> {file}")).ok();
    }
    apt(&case, &format!("install {next}"));
    assert!(case.root("dpkg-query -f '${Version}' -W startxd").text().ends_with("+next"));
    assert_eq!(case.root(processes).text(), before, "the session goes on with the same processes");
    for file in configuration.lines() {
        assert!(case.read(file).ends_with("# by the administrator\n"), "{file}");
    }
    case.user("ada", "startxd status").ok();
    // Old and new parts of startxd understand each other.
    let server = case.root("pgrep -u ada -x Xorg").text();
    case.user("ada", "startxd restart xorg").ok();
    case.another("ada", "Xorg", &server);
    // The targets stay up while a server is started again: only the display tells that the window manager is back.
    wait_until("startxd status to find nothing wrong", SOON, || {
        let status = case.user("ada", "startxd status");
        if status.status.success() { Ok(()) } else { Err(status.to_string()) }
    });
    case.root("systemctl stop startxd-seat@ada").ok();
    assert_eq!(case.system().property("startxd-seat@ada.service", "Result"), "success");

    // What was enabled is removed by the purge, too.
    case.root("systemctl enable startxd@eve && startxd enable autologin eve --vt 5").ok();
    apt(&case, "remove startxd");
    case.root("! command -v startxd").ok();
    for file in configuration.lines() {
        case.root(&format!("test -f {file}")).ok();
    }
    wait_unit(&case, "not-found");
    apt(&case, "purge startxd");
    let left = case.root(FILES).ok().stdout;
    let difference =
        |a: &str, b: &str| a.lines().filter(|line| !b.lines().any(|l| l == *line)).collect::<Vec<_>>().join("\n");
    assert_eq!((difference(&left, &pristine), difference(&pristine, &left)), (String::new(), String::new()));
    case.assert_clean();
}

/// What removal must undo and what it must leave, with a session up.
#[test]
fn a_removal_undoes_what_enable_did_and_leaves_the_session_intact() {
    let mut case = Guest::exclusive(Options { install: None, headless: true, ..Options::default() });
    case.plug_in_second_seat();
    case.root("loginctl enable-linger ada").ok();
    case.start_manager("ada");
    let (first, next) = (package(&case, false), package(&case, true));
    case.write_as("ada", "~/.xinitrc", "exec openbox --sm-disable\n");
    let picture = "cd /; find etc/systemd home/eve -printf '%M %u %p -> %l\\n' -type f -exec sha256sum {} + | sort";
    let pristine = case.root(picture).ok().stdout;
    case.set_baseline();
    for (purge, again) in [(false, true), (true, false)] {
        apt(&case, &format!("install {first}"));
        case.root("startxd enable autologin eve --vt 5 --profile && systemctl enable startxd@eve").ok();
        case.root("systemctl start startxd-seat@ada").ok();
        wait_up(&case, "ada");
        let environment = case.manager("ada").environment();
        let application =
            "systemd-run --user --quiet -p Type=exec -p PartOf=graphical-session.target --unit=lab-app sleep infinity";
        case.user("ada", application).ok();
        // The service that reads the dotfiles comes and goes.
        let processes = "pgrep -u ada -x 'startxd|Xorg|openbox|sleep' -a | grep -v dotfiles";
        let before = case.root(processes).text();
        assert_eq!(before.lines().count(), 5, "{before}");

        apt(&case, &format!("{} startxd", if purge { "purge" } else { "remove" }));
        assert_eq!(case.root(picture).ok().stdout, pristine, "links and lines are removed");
        assert_eq!(case.root(processes).text(), before, "the session goes on, and its programs");
        for target in ["xorg.target", "wm-ready.target", "graphical-session.target"] {
            assert_eq!(case.manager("ada").property(target, "ActiveState"), "active", "{target}");
        }
        case.user("ada", "systemctl --user daemon-reload").ok();
        if again {
            apt(&case, &format!("install {next}"));
            case.root("! ls /run/startxd-removed /run/systemd/user/xorg.target").ok();
            case.user("ada", "startxd status").ok();
            apt(&case, "remove startxd");
        }
        assert_eq!(case.root(processes).text(), before);
        case.root("systemctl stop startxd-seat@ada").ok();
        case.root(&format!("! {processes}")).ok();
        assert_eq!(case.manager("ada").property("xorg.target", "ActiveState"), "inactive");
        assert_ne!(case.manager("ada").environment(), environment);
        let journal = case.root("journalctl -b -o cat -t startxd").stdout;
        assert!(!journal.contains("did not go down"), "{journal}");
        case.root("rm -f /run/startxd-removed /run/systemd/*/startxd* /run/systemd/user/*; systemctl daemon-reload")
            .ok();
        case.user("ada", "systemctl --user daemon-reload").ok();
    }
}

/// The package's scripts run while a manager starts and stops, again and again.
#[test]
fn a_user_manager_that_is_just_starting_is_left_alone() {
    let case = Guest::exclusive(Options { install: None, headless: true, ..Options::default() });
    apt(&case, &format!("install {}", package(&case, false)));
    let script = "for i in {1..40}; do systemctl stop user@1001; systemctl start --no-block user@1001; \
        sleep 0.0$((i % 10))$((i / 10)); /var/lib/dpkg/info/startxd.postinst configure || exit; \
        until s=$(systemctl is-active user@1001) || [ $s = failed ]; do sleep 0.02; done; echo $s; done | sort | uniq -c";
    let said = case.shell(script).deadline(secs(120)).run().ok().stdout;
    assert_eq!(said.trim(), "40 active");
}
