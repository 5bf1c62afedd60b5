//! The X server: whether one is installed, and whether it can run without root here.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Group, getgroups};

use super::catalogue::{
    SERVER_DEVICE_GROUP, SERVER_LOG, SERVER_MISSING, SERVER_NO_GRAPHICS_SEAT, SERVER_NO_INPUT_DRIVER,
    SERVER_NO_KEYBOARD, SERVER_NO_KMS, SERVER_SETUID, SERVER_UNTRIED, SERVER_WRAPPER, SERVER_WRAPPER_ROOT,
    SERVER_XSERVERRC,
};
use super::machine::Machine;
use super::{Finding, described, files};
use crate::logind;
use crate::session::{Surroundings, xserverrc};
use crate::text;
use crate::x11::server::{self, NoServer, USUAL_PLACES, find};

/// The wrapper's configuration (Xwrapper.config(5)).
const WRAPPER_CONFIG: &str = "/etc/X11/Xwrapper.config";

/// Deletes only the line itself, wherever it is, and not other lines that mention the setting.
const WRAPPER_REMEDY: &str = "sed -i --follow-symlinks -E '/^\\s*needs_root_rights\\s*=\\s*yes\\s*$/d'";

/// Paths of the wrapper: Debian, Arch, Fedora.
const WRAPPERS: [&str; 3] = ["/usr/lib/xorg/Xorg.wrap", "/usr/lib/Xorg.wrap", "/usr/libexec/Xorg.wrap"];

/// Directories of drivers for input devices: Debian and Arch, Fedora, Debian's other architectures.
const INPUT_DRIVERS: [&str; 2] = ["/usr/lib/xorg/modules/input", "/usr/lib64/xorg/modules/input"];

/// Drivers for keyboards.
const REAL_INPUT: [&str; 2] = ["libinput_drv.so", "evdev_drv.so"];

/// Groups that own the devices; recipes for an X server without logind add people to them.
const DEVICE_GROUPS: [&str; 3] = ["input", "video", "tty"];

/// Directories of the server's configuration (xorg.conf(5), xorg.conf.d(5)).
const CONFIGURATION: [&str; 3] =
    ["/etc/X11/xorg.conf.d", "/usr/share/X11/xorg.conf.d", "/usr/local/etc/X11/xorg.conf.d"];

/// What there is.
#[derive(Debug, Default)]
struct ServerFacts {
    /// The server that startxd would run, or why none can be run.
    server: Option<Result<PathBuf, NoServer>>,
    /// An `~/.xserverrc` that cannot be followed, and why.
    xserverrc: Option<(PathBuf, String)>,
    /// Servers that are setuid or setgid.
    setuid: Vec<PathBuf>,
    /// A wrapper that is setuid.
    wrapper: Option<PathBuf>,
    /// Whether the wrapper's configuration makes the server root.
    root_rights: bool,
    /// Why a server could not write its log.
    log: Option<String>,
    /// Whether a driver for keyboards is installed.
    input: bool,
    /// Graphics devices with mode setting.
    cards: Vec<String>,
    /// Their drivers, as far as the kernel names them.
    drivers: Vec<String>,
    /// Whether udev knows input devices, and no keyboard among them.
    no_keyboard: bool,
    /// Whether the kernel was told to do without.
    nomodeset: bool,
    /// Whether the server's configuration names a driver that needs no device.
    dummy: bool,
    /// `CanGraphical` of the seat, and its name.
    graphical: Option<(String, bool)>,
    /// The groups of [`DEVICE_GROUPS`] that this process is in.
    groups: Vec<&'static str>,
}

/// Examines the server.
pub async fn examine(machine: &Machine) -> Vec<Finding> {
    judge(&gather(machine).await)
}

async fn gather(machine: &Machine) -> ServerFacts {
    let seat = machine.session.as_ref().and_then(|session| session.seat.clone()).unwrap_or_else(|| "seat0".into());
    let graphical = match &machine.system {
        Some(system) => machine.ask(logind::can_graphical(system, &seat)).await.map(|can| (seat, can)),
        None => None,
    };
    let cards = files::entries(Path::new("/dev/dri"));
    let cards = cards.iter().map(|path| files::name(path)).filter(|name| name.starts_with("card")).map(str::to_owned);
    let groups = if machine.is_root() { Vec::new() } else { getgroups().unwrap_or_default() };
    let named = |name: &&str| Group::from_name(name).ok().flatten().is_some_and(|group| groups.contains(&group.gid));
    let inputs = described::inputs(Path::new("/sys/class/input"), Path::new("/run/udev/data"));
    let drivers = described::cards(Path::new("/sys/class/drm")).into_iter().filter_map(|card| card.driver);
    // A container has the kernel's devices in /sys, and no udev that knows them.
    let udev_knows =
        files::entries(Path::new("/run/udev/data")).iter().any(|path| files::name(path).starts_with("c13:"));
    ServerFacts {
        server: Some(find(machine.config.server.binary.as_deref())),
        xserverrc: xserverrc(machine),
        setuid: USUAL_PLACES.iter().map(PathBuf::from).filter(|path| is_setuid(path)).collect(),
        wrapper: WRAPPERS.iter().map(PathBuf::from).find(|path| is_setuid(path)),
        root_rights: files::text(Path::new(WRAPPER_CONFIG)).is_some_and(|text| needs_root_rights(&text)),
        input: INPUT_DRIVERS.iter().any(|dir| REAL_INPUT.iter().any(|driver| Path::new(dir).join(driver).exists())),
        cards: cards.collect(),
        drivers: drivers.collect(),
        no_keyboard: udev_knows && !inputs.iter().any(described::Input::is_keyboard),
        log: server::log_directory().filter(|_| !machine.is_root()).and_then(|path| server::log_obstacle(&path)),
        nomodeset: files::text(Path::new("/proc/cmdline"))
            .is_some_and(|line| line.split_ascii_whitespace().any(|word| word == "nomodeset")),
        dummy: configuration().any(|text| names_deviceless_driver(&text)),
        graphical,
        groups: DEVICE_GROUPS.into_iter().filter(named).collect(),
    }
}

/// The file that cannot be followed, unless the configuration says not to follow it or sets the arguments itself.
fn xserverrc(machine: &Machine) -> Option<(PathBuf, String)> {
    if machine.is_root() || !machine.config.server.follows_xserverrc() {
        return None;
    }
    let (path, found) = xserverrc::read(&Surroundings::from_env().home?)?;
    Some((path, found.err()?.to_string()))
}

fn is_setuid(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|facts| facts.is_file() && facts.mode() & 0o6000 != 0)
}

/// The texts of the server's configuration files.
fn configuration() -> impl Iterator<Item = String> {
    let snippets = CONFIGURATION.iter().flat_map(|directory| files::entries(Path::new(directory)));
    let snippets = snippets.filter(|path| path.extension().is_some_and(|extension| extension == "conf"));
    snippets.chain([PathBuf::from("/etc/X11/xorg.conf")]).filter_map(|path| files::text(&path))
}

/// `needs_root_rights = yes`, as Xwrapper.config(5) has it; the default `auto` looks for mode setting.
#[must_use]
pub fn needs_root_rights(text: &str) -> bool {
    text.lines().any(|line| {
        line.split_once('=').is_some_and(|(key, value)| key.trim() == "needs_root_rights" && value.trim() == "yes")
    })
}

/// `Driver "dummy"` and the like: they draw into memory.
#[must_use]
pub fn names_deviceless_driver(text: &str) -> bool {
    text.lines().filter_map(|line| line.trim().split_once(char::is_whitespace)).any(|(key, value)| {
        key.eq_ignore_ascii_case("driver") && matches!(value.trim().trim_matches('"'), "dummy" | "vnc" | "xrdpdev")
    })
}

fn judge(facts: &ServerFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    match &facts.server {
        Some(Err(NoServer::Missing { places })) => findings.push(SERVER_MISSING.found(
            format!("no X server was found (looked for {places})"),
            "Debian: sudo apt install xserver-xorg-core, Arch: sudo pacman -S xorg-server, Fedora: sudo dnf install \
             xorg-x11-server-Xorg; or set server.binary in startxd.toml",
        )),
        Some(Err(NoServer::Unusable { path, problem })) => findings.push(SERVER_MISSING.found(
            format!("the configured X server {} {problem}", path.display()),
            "correct server.binary in startxd.toml",
        )),
        _ => {}
    }
    findings.extend(facts.xserverrc.iter().map(|(path, why)| {
        SERVER_XSERVERRC.found(
            format!("{} cannot be followed: {why}", text::path(path)),
            "in startxd.toml, under [server], set args = [\"-dpi\", \"144\"], with your arguments, or set xserverrc = \
             false",
        )
    }));
    findings.extend(facts.setuid.iter().map(|path| {
        let path = path.display();
        SERVER_SETUID.found(format!("the X server {path} is setuid or setgid"), format!("sudo chmod ug-s {path}"))
    }));
    // Drivers matter only to an Xorg.
    let xorg = matches!(&facts.server, Some(Ok(path)) if files::name(path) == "Xorg");
    if xorg && !facts.input {
        findings.push(SERVER_NO_INPUT_DRIVER.found(
            "no driver for keyboard and mouse is installed",
            "Debian: sudo apt install xserver-xorg-input-libinput, Arch: sudo pacman -S xf86-input-libinput, Fedora: \
             sudo dnf install xorg-x11-drv-libinput",
        ));
    }
    if xorg && !facts.dummy {
        findings.extend(devices(facts));
        findings.extend(untried(facts));
        if facts.no_keyboard {
            findings.push(
                SERVER_NO_KEYBOARD.found("there is no keyboard", "plug one in; a session that is up takes it at once"),
            );
        }
    }
    if facts.root_rights {
        findings.push(SERVER_WRAPPER_ROOT.found(
            format!("{WRAPPER_CONFIG} says needs_root_rights=yes"),
            format!("sudo {WRAPPER_REMEDY} {WRAPPER_CONFIG}"),
        ));
    }
    if let Some(wrapper) = &facts.wrapper {
        findings.push(SERVER_WRAPPER.found(
            format!("the setuid wrapper {} is installed", wrapper.display()),
            "if you do not use startx: on Debian sudo apt remove xserver-xorg-legacy",
        ));
    }
    if xorg && let Some(why) = &facts.log {
        findings.push(SERVER_LOG.found(
            format!("Xorg cannot write its log ({why})"),
            "make room, or see why it cannot be written: df -h ~; df -i ~; findmnt -T ~; until then the log is in the \
             journal: journalctl --user -b -u 'xorg@*'",
        ));
    }
    if !facts.groups.is_empty() {
        let groups = facts.groups.join(", ");
        findings.push(SERVER_DEVICE_GROUP.found(
            format!("you are in a group that owns devices ({groups})"),
            format!("if nothing else needs it: sudo gpasswd -d $USER {}", facts.groups[0]),
        ));
    }
    findings
}

/// A graphics device of a kind that no test has met.
fn untried(facts: &ServerFacts) -> Option<Finding> {
    let untried: Vec<&str> =
        facts.drivers.iter().map(String::as_str).filter(|it| !described::SEEN.contains(it)).collect();
    if facts.cards.is_empty() || untried.is_empty() {
        return None;
    }
    Some(SERVER_UNTRIED.found(
        format!("startxd was not tried with this graphics driver yet: {}", untried.join(", ")),
        "report how it went; all that a report needs is in: startxd doctor --json",
    ))
}

/// What is wrong with the graphics devices.
fn devices(facts: &ServerFacts) -> Option<Finding> {
    if facts.cards.is_empty() {
        let (why, remedy) = if facts.nomodeset {
            (", and the kernel was started with nomodeset", "remove nomodeset from the kernel's command line")
        } else {
            ("", "load the kernel's driver of your graphics card: lspci -k shows its name, modprobe loads it")
        };
        return Some(SERVER_NO_KMS.found(format!("there is no graphics device (/dev/dri/card*){why}"), remedy));
    }
    match &facts.graphical {
        Some((seat, false)) => Some(SERVER_NO_GRAPHICS_SEAT.found(
            format!("logind knows no graphics device on {seat}, although /dev/dri/{} exists", facts.cards[0]),
            "sudo udevadm trigger --subsystem-match=drm, then: loginctl seat-status",
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{NoServer, ServerFacts, WRAPPER_REMEDY, judge, names_deviceless_driver, needs_root_rights};
    use crate::test_dir::TestDir;

    fn healthy() -> ServerFacts {
        ServerFacts {
            server: Some(Ok("/usr/lib/xorg/Xorg".into())),
            input: true,
            cards: vec!["card0".into()],
            graphical: Some(("seat0".into(), true)),
            ..ServerFacts::default()
        }
    }

    #[test]
    fn each_fault_is_found() {
        type Fault = fn(&mut ServerFacts);
        let faults: [(Fault, &[&str]); 18] = [
            (|_| {}, &[]),
            (|f| f.server = Some(Err(NoServer::Missing { places: "/a".into() })), &["server.missing"]),
            (
                |f| f.server = Some(Err(NoServer::Unusable { path: "/a".into(), problem: "is not a program" })),
                &["server.missing"],
            ),
            (|f| f.setuid = vec!["/usr/bin/Xorg".into()], &["server.setuid"]),
            (|f| f.input = false, &["server.no-input-driver"]),
            (|f| f.cards.clear(), &["server.no-kms"]),
            (|f| (f.nomodeset, f.cards) = (true, Vec::new()), &["server.no-kms"]),
            (|f| (f.dummy, f.cards) = (true, Vec::new()), &[]),
            (|f| f.graphical = Some(("seat0".into(), false)), &["server.no-graphics-seat"]),
            (|f| f.graphical = None, &[]),
            (|f| f.no_keyboard = true, &["server.no-keyboard"]),
            (|f| f.drivers = vec!["bochs-drm".into()], &[]),
            (|f| f.drivers = vec!["i915".into()], &["server.untried"]),
            (|f| f.root_rights = true, &["server.wrapper-root"]),
            (|f| f.log = Some("/home/ada: read-only".into()), &["server.log"]),
            (|f| f.wrapper = Some("/usr/lib/xorg/Xorg.wrap".into()), &["server.wrapper"]),
            (|f| f.groups = vec!["input", "tty"], &["server.device-group"]),
            // Other servers need no such drivers.
            (|f| (f.server, f.input, f.cards) = (Some(Ok("/usr/bin/Xvfb".into())), false, Vec::new()), &[]),
        ];
        for (index, (fault, expected)) in faults.into_iter().enumerate() {
            let mut facts = healthy();
            fault(&mut facts);
            let ids: Vec<&str> = judge(&facts).iter().map(|finding| finding.kind.id).collect();
            assert_eq!(ids, expected, "case {index}");
        }
    }

    #[test]
    fn the_remedy_for_the_wrapper_deletes_one_line() {
        let file = TestDir::new();
        let path = file.path("Xwrapper.config");
        std::fs::write(&path, "# needs_root_rights=yes\nneeds_root_rights = yes\nallowed_users=anybody\n").unwrap();
        let command = format!("{WRAPPER_REMEDY} {}", path.display());
        assert!(Command::new("sh").arg("-c").arg(command).status().unwrap().success());
        assert_eq!(std::fs::read_to_string(path).unwrap(), "# needs_root_rights=yes\nallowed_users=anybody\n");
    }

    #[test]
    fn the_configuration_of_the_wrapper_and_the_server_is_read() {
        assert!(needs_root_rights("# a\nallowed_users=console\n needs_root_rights = yes\n"));
        for text in ["", "needs_root_rights=no", "needs_root_rights=auto", "#needs_root_rights=yes"] {
            assert!(!needs_root_rights(text), "{text}");
        }
        assert!(names_deviceless_driver("Section \"Device\"\n  Driver\t\"dummy\"\nEndSection"));
        for text in ["", "# Driver \"dummy\"", "Driver \"modesetting\"", "Driver"] {
            assert!(!names_deviceless_driver(text), "{text}");
        }
    }
}
