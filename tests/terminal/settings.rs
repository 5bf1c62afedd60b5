//! Keys of the configuration on the command line, and the sources that `config show` names.

use crate::scenario::Desk;

const FILE: &str = "[server]\ndpi = 75\nargs = [\"-s\", \"5\"]\n[select]\ntimeout = 3\n";

#[test]
fn options_override_files_and_config_show_says_so() {
    let desk = Desk::at_prompt();
    desk.write_as("ada", "~/.config/startxd/startxd.toml", FILE);
    let shown = desk.user("ada", "startxd config show --dpi 96 --deadline stop=50").ok().stdout;
    for line in [
        "display = \"\"  # default",
        "server.dpi = 96  # command line",
        "server.args = [\"-s\", \"5\"]  # /home/ada/.config/startxd/startxd.toml",
        "select.timeout = 3.0  # /home/ada/.config/startxd/startxd.toml",
        "deadlines.stop = 50.0  # command line",
    ] {
        assert!(shown.lines().any(|found| found == line), "{line:?} is not in\n{shown}");
    }
    let script = "startxd config show --json | python3 -c 'import json, sys
print(*[k[\"value\"] for k in json.load(sys.stdin) if k[\"key\"] in (\"server.dpi\", \"server.args\")])'";
    assert_eq!(desk.user("ada", script).ok().stdout, "['-s', '5'] 75\n");

    desk.starts(
        "--display :3 --dpi 96 --ardelay 300 --arinterval 40 --server-arg -background --server-arg none \
         --ready started -- openbox --sm-disable",
    );
    let line = desk.root("ps -ww -o args= -C Xorg").ok().stdout;
    assert!(line.starts_with("/usr/lib/xorg/Xorg :3 vt1 "), "{line}");
    assert!(line.trim_end().ends_with(" -dpi 96 -ardelay 300 -arinterval 40 -background none"), "{line}");
    desk.with_display("xdpyinfo | grep -F 'resolution:    96x96 dots per inch'").ok();
    desk.quits_openbox();
    desk.ended(0);
}

#[test]
fn a_wrong_option_is_refused_before_anything_happens() {
    let desk = Desk::at_prompt();
    for (options, words) in [
        ("--dpi many", ["--dpi: server.dpi", "a whole number"]),
        ("--server-arg -auth", ["--server-arg: server.args", "not possible here"]),
        ("--ready soon", ["--ready: session.ready", "\"managed\", \"started\" or \"notified\""]),
        ("--deadline stpo=3", ["--deadline: there is no key", "did you mean deadlines.stop?"]),
    ] {
        desk.types(&format!("startxd start {options} -- openbox"));
        desk.ended(2).says(&words);
    }
}
