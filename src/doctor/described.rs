//! What a report about a machine needs beside the findings: versions, drivers, and what logind knows. Nothing in it
//! tells whose machine it is: no names of users, hosts or files, no addresses, no serial numbers.

use std::collections::BTreeSet;
use std::path::Path;

use super::files;
use super::machine::Machine;
use super::versions::{VersionFacts, server_line};
use crate::json::Json;
use crate::logind::{self, LoginSession};
use crate::x11::server;

/// Drivers of graphics devices with which a session was seen to start, to switch terminals and to sleep and wake, by the
/// tests in virtual machines.
pub const SEEN: [&str; 1] = ["bochs-drm"];

/// A graphics device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Card {
    /// `card0`.
    pub name: String,
    /// The kernel's driver.
    pub driver: Option<String>,
    /// Its outputs, each with the kernel's word for whether a monitor is there.
    pub outputs: Vec<(String, String)>,
}

/// An input device, by what the kernel's driver knows it for; its name may be a person's choice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Input {
    driver: Option<String>,
    /// Bus, vendor and product, as `0003:0627:0001`.
    id: String,
    /// What udev takes it for.
    kinds: Vec<&'static str>,
}

/// A machine, as a report needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Description {
    distribution: Option<String>,
    hardware: Option<String>,
    kernel: Option<String>,
    systemd: Option<String>,
    server: Option<String>,
    modules: Vec<String>,
    cards: Vec<Card>,
    inputs: Vec<Input>,
    seat: Option<(String, Option<bool>)>,
    login: Option<LoginSession>,
}

/// Gathers it.
pub async fn describe(machine: &Machine, versions: &VersionFacts) -> Description {
    let seat = match machine.session.as_ref().and_then(|session| session.seat.clone()) {
        Some(seat) => {
            let graphical = match &machine.system {
                Some(system) => machine.ask(logind::can_graphical(system, &seat)).await,
                None => None,
            };
            Some((seat, graphical))
        }
        None => None,
    };
    let line = versions.server.as_deref().and_then(server_line);
    let log = server::log_directory().filter(|_| !machine.is_root());
    let log = log.and_then(|directory| files::text(&directory.join("Xorg.0.log")));
    Description {
        distribution: files::text(Path::new("/etc/os-release")).as_deref().and_then(pretty_name),
        hardware: hardware(Path::new("/sys/class/dmi/id")),
        kernel: versions.kernel.clone(),
        systemd: versions.systemd.clone(),
        server: line.map(|(line, _)| line.to_owned()),
        modules: log.as_deref().map(modules).unwrap_or_default(),
        cards: cards(Path::new("/sys/class/drm")),
        inputs: inputs(Path::new("/sys/class/input"), Path::new("/run/udev/data")),
        seat,
        login: machine.session.clone(),
    }
}

impl Description {
    /// Its members, for programs.
    pub fn json(&self) -> Json {
        let (seat, graphical) = self.seat.clone().map_or((None, None), |(seat, graphical)| (Some(seat), graphical));
        let login = self.login.as_ref().map_or(Json::Null, |login| {
            Json::Object(vec![
                ("vt", login.vt.map_or(Json::Null, |vt| Json::Number(vt.into()))),
                ("type", Json::text(&login.kind)),
                ("class", Json::text(&login.class)),
                ("state", Json::text(&login.state)),
                ("remote", Json::Bool(login.remote)),
            ])
        });
        Json::Object(vec![
            ("distribution", Json::optional(self.distribution.as_ref())),
            ("hardware", Json::optional(self.hardware.as_ref())),
            ("kernel", Json::optional(self.kernel.as_ref())),
            ("systemd", Json::optional(self.systemd.as_ref())),
            ("server", Json::optional(self.server.as_ref())),
            ("modules", Json::List(self.modules.iter().map(Json::text).collect())),
            ("graphics", Json::List(self.cards.iter().map(Card::json).collect())),
            ("input", Json::List(self.inputs.iter().map(Input::json).collect())),
            ("seat", Json::optional(seat)),
            ("can_graphical", graphical.map_or(Json::Null, Json::Bool)),
            ("login", login),
        ])
    }
}

impl Card {
    fn json(&self) -> Json {
        let output = |(name, status): &(String, String)| {
            Json::Object(vec![("name", Json::text(name)), ("status", Json::text(status))])
        };
        Json::Object(vec![
            ("card", Json::text(&self.name)),
            ("driver", Json::optional(self.driver.as_ref())),
            ("outputs", Json::List(self.outputs.iter().map(output).collect())),
        ])
    }
}

impl Input {
    fn json(&self) -> Json {
        Json::Object(vec![
            ("driver", Json::optional(self.driver.as_ref())),
            ("id", Json::text(&self.id)),
            ("kinds", Json::List(self.kinds.iter().copied().map(Json::text).collect())),
        ])
    }
}

/// `PRETTY_NAME` of os-release(5).
fn pretty_name(text: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(value.trim_matches(['"', '\'']).to_owned())
}

/// Who made the machine, and what it is.
fn hardware(directory: &Path) -> Option<String> {
    let words = ["sys_vendor", "product_name"].map(|name| line(&directory.join(name)));
    let words: Vec<String> = words.into_iter().flatten().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// The text of a file of one line.
fn line(path: &Path) -> Option<String> {
    Some(files::text(path)?.trim().to_owned()).filter(|text| !text.is_empty())
}

/// What Xorg has loaded, by the log of its last start.
fn modules(log: &str) -> Vec<String> {
    let name = |line: &str| Some(line.split_once("LoadModule: \"")?.1.split('"').next()?.to_owned());
    log.lines().filter_map(name).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The name of a link's target.
fn target(link: &Path) -> Option<String> {
    let target = std::fs::read_link(link).ok()?;
    Some(files::name(&target).to_owned())
}

/// The graphics devices in `/sys/class/drm`: `card0` is one, and `card0-HDMI-A-1` an output of it.
pub fn cards(class: &Path) -> Vec<Card> {
    let all = files::entries(class);
    let names: Vec<&str> = all.iter().map(|path| files::name(path)).collect();
    let number = |name: &&&str| name.strip_prefix("card").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
    let outputs = |card: &str| {
        let output = |name: &&str| {
            let output = name.strip_prefix(card)?.strip_prefix('-')?.to_owned();
            Some((output, line(&class.join(name).join("status"))?))
        };
        names.iter().filter_map(output).collect()
    };
    let card = |name: &&str| Card {
        name: (*name).to_owned(),
        driver: target(&class.join(name).join("device/driver")),
        outputs: outputs(name),
    };
    names.iter().filter(number).map(card).collect()
}

/// What udev says of a device that a person types or points with.
const KINDS: [(&str, &str); 5] = [
    ("ID_INPUT_KEYBOARD", "keyboard"),
    ("ID_INPUT_MOUSE", "mouse"),
    ("ID_INPUT_TOUCHPAD", "touchpad"),
    ("ID_INPUT_TABLET", "tablet"),
    ("ID_INPUT_TOUCHSCREEN", "touchscreen"),
];

/// The input devices in `/sys/class/input`, as udev's database knows them.
pub fn inputs(class: &Path, database: &Path) -> Vec<Input> {
    let events = files::entries(class).into_iter().filter(|path| files::name(path).starts_with("event"));
    let input = |path: std::path::PathBuf| {
        let number = line(&path.join("dev"))?;
        let known = files::text(&database.join(format!("c{number}"))).unwrap_or_default();
        let is = |key: &str| known.lines().any(|line| line.strip_prefix("E:") == Some(&format!("{key}=1")));
        let id = ["bustype", "vendor", "product"].map(|name| line(&path.join("device/id").join(name)));
        Some(Input {
            driver: target(&path.join("device/device/driver")),
            id: id.map(Option::unwrap_or_default).join(":"),
            kinds: KINDS.into_iter().filter(|(key, _)| is(key)).map(|(_, kind)| kind).collect(),
        })
    };
    events.filter_map(input).collect()
}

impl Input {
    /// Whether somebody can type with it.
    pub fn is_keyboard(&self) -> bool {
        self.kinds.contains(&"keyboard")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::{Description, cards, hardware, inputs, modules, pretty_name};
    use crate::logind::LoginSession;
    use crate::test_dir::TestDir;

    #[test]
    fn devices_are_read_as_the_kernel_shows_them() {
        let directory = TestDir::new();
        let write = |path: &str, text: &str| {
            let path = directory.path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("drm/card0/dev", "226:0\n");
        write("drm/card0-Virtual-1/status", "connected\n");
        write("drm/card0-Virtual-2/status", "disconnected\n");
        write("drm/version", "drm 1.1.0\n");
        write("drm/renderD128/dev", "226:128\n");
        write("drivers/virtio_gpu/bind", "");
        fs::create_dir_all(directory.path("drm/card0/device")).unwrap();
        symlink(directory.path("drivers/virtio_gpu"), directory.path("drm/card0/device/driver")).unwrap();
        let found = cards(&directory.path("drm"));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].name.as_str(), found[0].driver.as_deref()), ("card0", Some("virtio_gpu")));
        let output = |name: &str, status: &str| (name.to_owned(), status.to_owned());
        assert_eq!(found[0].outputs, [output("Virtual-1", "connected"), output("Virtual-2", "disconnected")]);

        write("input/event0/dev", "13:64\n");
        for (name, value) in [("bustype", "0011"), ("vendor", "0001"), ("product", "0001")] {
            write(&format!("input/event0/device/id/{name}"), &format!("{value}\n"));
        }
        write("input/event0/device/name", "Ada's keyboard\n");
        write("input/event1/dev", "13:65\n");
        write("input/mice/dev", "13:63\n");
        write("udev/c13:64", "I:1\nE:ID_INPUT=1\nE:ID_INPUT_KEYBOARD=1\nE:ID_SERIAL=secret\n");
        let found = inputs(&directory.path("input"), &directory.path("udev"));
        assert_eq!(found.iter().map(super::Input::is_keyboard).collect::<Vec<_>>(), [true, false]);
        assert_eq!(found[0].json().to_string(), r#"{"driver":null,"id":"0011:0001:0001","kinds":["keyboard"]}"#);

        write("dmi/sys_vendor", "QEMU\n");
        write("dmi/product_name", "Standard PC\n");
        write("dmi/product_serial", "secret\n");
        assert_eq!(hardware(&directory.path("dmi")).as_deref(), Some("QEMU Standard PC"));
        assert_eq!(hardware(&directory.path("none")), None);
    }

    #[test]
    fn texts_are_read() {
        assert_eq!(pretty_name("NAME=a\nPRETTY_NAME=\"Debian 13\"\n").as_deref(), Some("Debian 13"));
        let log = "(II) LoadModule: \"modesetting\"\n(II) LoadModule: \"glx\"\n(II) LoadModule: \"modesetting\"\nx";
        assert_eq!(modules(log), ["glx", "modesetting"]);
    }

    #[test]
    fn a_machine_reads_like_this() {
        let login = LoginSession::on_tty1();
        let seat = Some(("seat0".into(), Some(true)));
        let text = Description { seat, login: Some(login), ..Description::default() }.json().to_string();
        assert!(text.starts_with(r#"{"distribution":null,"hardware":null,"kernel":null,"#), "{text}");
        let end = r#""seat":"seat0","can_graphical":true,"login":{"vt":1,"type":"x11","class":"user","state":"active","remote":false}}"#;
        assert!(text.ends_with(end), "{text}");
    }
}
