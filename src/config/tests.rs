use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use nix::sys::stat::Mode;

use super::*;
use crate::test_dir::TestDir;

/// Loads one file with this content. Returns the configuration and the complaints as `LINE: TEXT`.
fn load_text(content: impl AsRef<[u8]>) -> (Config, Vec<String>) {
    let dir = TestDir::new();
    fs::write(dir.path(FILE_NAME), content).unwrap();
    let loaded = load(&Places { directories: vec![dir.path("")] });
    let line = |complaint: &Complaint| complaint.line.map_or(String::new(), |line| line.to_string());
    (loaded.config, loaded.complaints.iter().map(|one| format!("{}: {}", line(one), one.text)).collect())
}

/// `tests/fixtures/config/CASE/{share,etc,home}` in, `tests/fixtures/config/CASE/expected` out.
#[test]
fn fixtures() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config");
    let mut count = 0;
    for case in fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()) {
        let directories = ["share", "etc", "home"].map(|layer| case.join(layer)).into();
        let loaded = load(&Places { directories });
        let relative = |text: String| text.replace(&format!("{}/", case.display()), "");
        let mut found = String::new();
        for key in keys() {
            let origin = &loaded.origins[key.name];
            if *origin != Origin::Default {
                found += &format!("{} = {} # {origin}\n", key.name, key.show(&loaded.config));
            }
        }
        for complaint in &loaded.complaints {
            found += &format!("{complaint}\n");
        }
        let expected = fs::read_to_string(case.join("expected")).unwrap_or_default();
        assert_eq!(relative(found), expected, "{}", case.display());
        count += 1;
    }
    assert!(count >= 4, "the fixtures are missing");
}

#[test]
fn without_files_the_defaults_are_used() {
    let dir = TestDir::new();
    let loaded = load(&Places { directories: vec![dir.path("a"), dir.path("b/c")] });
    assert_eq!((loaded.config, loaded.complaints), (Config::default(), vec![]));
    assert_eq!(loaded.origins.len(), keys().count());
}

#[test]
fn what_is_not_a_regular_file_is_ignored_at_once() {
    type Prepare = fn(&Path);
    let cases: [(&str, Prepare); 5] = [
        ("not a regular file", |path| fs::create_dir(path).unwrap()),
        ("not a regular file", |path| nix::unistd::mkfifo(path, Mode::S_IRWXU).unwrap()),
        ("symbolic links", |path| symlink(path, path).unwrap()),
        ("No such file", |path| symlink("nowhere", path).unwrap()),
        ("larger than 1 MiB", |path| fs::write(path, vec![b'#'; 1024 * 1024 + 1]).unwrap()),
    ];
    for (part, prepare) in cases {
        let dir = TestDir::new();
        prepare(&dir.path(FILE_NAME));
        let loaded = load(&Places { directories: vec![dir.path("")] });
        assert_eq!(loaded.config, Config::default());
        let [complaint] = loaded.complaints.as_slice() else { panic!("{part}: {:?}", loaded.complaints) };
        assert!(complaint.line.is_none() && complaint.text.contains(part), "{complaint}");
    }
}

/// Each text has one mistake. The first column is reported, and the two keys below it are still used.
#[test]
fn one_fault_leaves_the_rest_alone() {
    let below = "[session]\nready = \"started\"\n[deadlines]\nstop = 7\n";
    let cases = [
        ("1: display: string values must be quoted", "display = :1\n"),
        ("1: display: \"host:0\" names a host", "display = \"host:0\"\n"),
        ("1: key with no value", "display\n"),
        ("1: key with no value", "what is this\n"),
        ("2: the key is set twice", "display = \":1\"\ndisplay = \":2\"\n"),
        ("1: there is no key dispaly; did you mean display?", "dispaly = \":1\"\n"),
        ("2: there is no key server.colour", "[server]\ncolour = 1\n"),
        ("2: there is no key server.ready; did you mean session.ready?", "[server]\nready = 1\n"),
        ("1: there is no table [sever]; did you mean [server]?", "[sever]\nargs = []\n"),
        ("1: server is a table; write [server]", "server = 1\n"),
        ("1: server is a table; write [server]", "[[server]]\nargs = []\n"),
        ("1: unclosed table", "[server\nargs = [\"-dpi\"]\n"),
        ("2: server.args: unclosed array", "[server]\nargs = [\"-dpi\"\n"),
        ("4: server.args: string values must be quoted", "[server]\nargs = [\n\"-dpi\",\n96x\n]\n"),
        ("2: server.binary: invalid basic string", "[server]\nbinary = \"/usr\n"),
        ("2: server.binary: invalid multi-line basic string", "[server]\nbinary = \"\"\"/usr\n"),
        ("2: server.args: \"-auth\" is not possible here", "[server]\nargs = [\"-auth\", \"x\"]\n"),
        ("1: missing table open", "]]]\n"),
    ];
    for (expected, fault) in cases {
        let (config, complaints) = load_text(format!("{fault}{below}"));
        assert_eq!(config.session.ready, Ready::Started, "{fault:?}: {complaints:?}");
        assert_eq!(config.deadlines.stop, Duration::from_secs(7), "{fault:?}: {complaints:?}");
        assert!(config.server == ServerConfig::default(), "{fault:?}: {:?}", config.server);
        let [complaint] = complaints.as_slice() else { panic!("{fault:?}: {complaints:?}") };
        assert!(complaint.starts_with(expected), "{fault:?}: {complaint}");
    }
}

#[test]
fn both_parts_of_a_table_in_two_places_are_used() {
    let (config, complaints) = load_text("[server]\nbinary = \"/x\"\n[session]\n[server]\nargs = [\"-s\"]\n");
    assert_eq!((config.server.binary, config.server.args), (Some("/x".into()), vec!["-s".to_owned()]));
    assert_eq!(complaints, ["4: the table appears twice; put all its keys in one place"]);
}

#[test]
fn a_line_in_another_encoding_is_one_complaint() {
    let (config, complaints) = load_text(b"# caf\xe9\ndisplay = \":2\"\n[session]\ndefault = \"caf\xe9\"\n");
    assert_eq!(config.display, Display::new(2));
    assert_eq!(config.session.default, None);
    let expected = ["1: the line is not UTF-8", "4: the line is not UTF-8"];
    assert!(complaints.iter().zip(expected).all(|(one, start)| one.starts_with(start)), "{complaints:?}");
    assert_eq!(complaints.len(), 2);
}

#[test]
fn crlf_and_a_byte_order_mark_are_fine() {
    let (config, complaints) = load_text("\u{feff}display = \":2\"\r\n[session]\r\nready = \"started\"\r\n");
    assert_eq!((config.display, config.session.ready, complaints), (Display::new(2), Ready::Started, vec![]));
}

#[test]
fn a_large_invalid_file_gets_a_few_complaints_soon() {
    for line in ["[[[[\n", "a = x y\n", "=\n", "x\n", "\0\u{1}\n", "\"\"\"\n", "a.b.c = {\n"] {
        let (config, complaints) = load_text(line.repeat(500));
        assert_eq!(config, Config::default());
        assert!((1..=33).contains(&complaints.len()), "{line:?}: {}", complaints.len());
    }
    let (_, complaints) = load_text((0..2000).map(|n| format!("key{n} = 1\n")).collect::<String>());
    assert_eq!(complaints.last().unwrap(), ": 1968 more lines cannot be used");
}

#[test]
fn a_complaint_is_one_line() {
    let text = "there is no key a\nb\u{1b}[2J é".to_owned();
    let complaint = Complaint { file: "/etc/x".into(), line: Some(3), text };
    assert_eq!(complaint.to_string(), "/etc/x:3: there is no key a\\nb\\u{1b}[2J é");
}

#[test]
fn the_command_line_overrides_the_files() {
    let dir = TestDir::new();
    fs::write(dir.path(FILE_NAME), "[server]\ndpi = 75\nargs = [\"-s\", \"0\"]\nardelay = 200\n").unwrap();
    let load = || load(&Places { directories: vec![dir.path("")] });
    let over = |key: &str, value: toml::Value| Override { option: "--x", key: key.into(), value };
    let loaded = load().over(&[over("server.dpi", 96.into()), over("session.ready", "started".into())]).unwrap();
    assert_eq!(loaded.config.server.arguments(), ["-dpi", "96", "-ardelay", "200", "-s", "0"]);
    let origin = |key: &str| loaded.origins[key].to_string().rsplit('/').next().map(str::to_owned).unwrap();
    let origins = ["server.dpi", "session.ready", "server.args", "display"].map(origin);
    assert_eq!(origins, ["command line", "command line", FILE_NAME, "default"]);
    for (key, value, part) in [
        ("server.dpi", toml::Value::from("x"), "--x: server.dpi: write a whole number instead of a string"),
        ("session.ready", "soon".into(), "--x: session.ready: write"),
        ("deadlines.stpo", 1.into(), "--x: there is no key deadlines.stpo; did you mean deadlines.stop?"),
    ] {
        let error = load().over(&[over(key, value)]).unwrap_err();
        assert!(error.starts_with(part), "{error}");
    }
}

#[test]
fn places() {
    let last = |config_home: Option<&str>, home: Option<&str>| {
        let variable = |name: &str| if name == "HOME" { home } else { config_home }.map(OsString::from);
        Places::of(variable).directories.pop().unwrap()
    };
    assert_eq!(last(Some("/c"), Some("/home/a")), Path::new("/c/startxd"));
    assert_eq!(last(Some("c"), Some("/home/a")), Path::new("/home/a/.config/startxd"));
    assert_eq!(last(Some(""), Some("/home/a")), Path::new("/home/a/.config/startxd"));
    assert_eq!(last(None, None), Path::new("/etc/startxd"));
    assert_eq!(last(None, Some("")), Path::new("/etc/startxd"));
}
