//! What is typed on the machine's keyboard arrives where one sees it, and nowhere else.

use crate::machine::Case;

#[test]
fn arrives_in_the_terminal_and_not_in_the_shell_below() {
    let case = Case::desktop();
    let before = case.text(1);
    case.type_line("touch /home/ada/typed");
    case.until_root("the terminal's shell to do it", "[ -e /home/ada/typed ]");
    assert_eq!(case.root("stat -c %U /home/ada/typed").text(), "ada");
    assert_eq!(case.text(1), before, "the virtual terminal shows nothing of it");
    let server = case.server();
    case.root("rm /home/ada/typed").ok();
    case.type_line("openbox --exit");
    case.managed_after(&server);
    assert_eq!(case.root("ls /home/ada/typed").code(), 2, "nor has a shell on it done it again");
}

#[test]
fn during_a_crash_arrives_nowhere() {
    let case = Case::desktop();
    let mut server = case.server();
    let settings = "mkdir -p ~/.config/startxd && printf '[crash]\npause = 15\n' > ~/.config/startxd/startxd.toml";
    case.user("ada", settings).ok();
    case.type_line("openbox --exit");
    server = case.managed_after(&server);
    case.has_terminal();
    // The first time it comes back at once, the second time after a pause.
    case.root(&format!("kill -KILL {server}")).ok();
    server = case.managed_after(&server);
    let command = format!("kill -KILL {server}; until [ -z \"$(pgrep -x Xorg)\" ]; do :; done");
    case.root(&command).ok();
    let before = case.text(1);
    case.type_line("touch /home/ada/typed");
    case.type_line("secret");
    case.press("ctrl-c");
    let after = case.text(1);
    assert!(!after.contains("touch") && !after.contains("secret") && !after.contains("^C"), "{before}\n{after}");
    server = case.managed_after(&server);
    case.user("ada", "openbox --exit").ok();
    case.managed_after(&server);
    assert_eq!(case.root("ls /home/ada/typed").code(), 2);
}
