//! Values of startxd.toml that name something the machine does not have.

use crate::harness::Guest;

const FILE: &str = "/home/ada/.config/startxd/startxd.toml";

#[test]
fn config_show_and_doctor_report_values_that_name_nothing() {
    let case = Guest::headless();
    case.start_manager("ada");
    case.write_as("ada", "~/.config/systemd/user/mine.service", "[Service]\nExecStart=sleep 9\n");
    case.user("ada", "systemctl --user daemon-reload").ok();
    for (line, part) in [
        ("server.binary = '/usr/bin/Xnone'", "the configured X server /usr/bin/Xnone does not exist"),
        ("session.default = 'i33'", "no session entry i33, and no command i33 in $PATH; did you mean i3?"),
        ("session.default = 'mime.service'", "the user unit mime.service does not exist"),
        ("lock.command = ['i3loc']", "the program i3loc is not installed"),
        ("crash.rescue = ['xtrem']", "the program xtrem is not installed"),
        ("displays.server = '/usr/bin/Xnone'", "the server /usr/bin/Xnone does not exist"),
    ] {
        case.write_as("ada", FILE, &format!("# mine\n{line}\n"));
        let told = case.user("ada", "startxd config show");
        let key = line.split(' ').next().unwrap_or_default();
        assert_eq!(told.code(), 40, "{line}: {told}");
        let said = told.stderr.lines().filter(|said| said.contains(&format!("{FILE}:2: {key}: "))).collect::<Vec<_>>();
        assert!(said.len() == 1 && said[0].contains(part), "{line}: {told}");
        let doctor = case.user("ada", "startxd doctor");
        let id = match key {
            "server.binary" => "server.missing",
            "lock.command" => "lock.missing",
            _ => "config.value",
        };
        assert!(doctor.stdout.contains(id), "{line}: {doctor}");
    }
    for line in ["session.default = 'i3'", "session.default = 'mine.service'", "lock.command = ['i3lock', '--nofork']"]
    {
        case.write_as("ada", FILE, &format!("{line}\n"));
        let told = case.user("ada", "startxd config show");
        assert_eq!((told.code(), told.stderr.as_str()), (0, ""), "{line}: {told}");
    }
    // Without a user manager nothing can be said of a unit, and nothing is waited for.
    case.write_as("ada", FILE, "session.default = 'mime.service'\n");
    let told = case.user("ada", "env -u XDG_RUNTIME_DIR startxd config show");
    assert_eq!((told.code(), told.stderr.as_str()), (0, ""), "{told}");
}
