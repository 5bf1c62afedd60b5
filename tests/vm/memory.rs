//! Memory that runs out, on a kernel with a memory controller.

use crate::machine::{Case, DESK, Machine, Options};

/// The unit of ada's only process with that name.
pub fn unit_of(machine: &Machine, program: &str) -> String {
    machine.root(&format!("sed -n 's,^0::.*/,,p' /proc/$(pgrep -u ada -x {program})/cgroup")).text()
}

/// Limits the memory of one of ada's units.
fn bounds(machine: &Machine, unit: &str) {
    machine.user("ada", &format!("systemctl --user set-property --runtime {unit} MemoryMax=100M MemorySwapMax=0")).ok();
}

/// Limits one of ada's units, and runs a program in it that takes all available memory: that program is killed, and no
/// other.
pub fn eats_in(machine: &Machine, unit: &str) {
    let show = |what: &str| machine.user("ada", &format!("systemctl --user show --value -p {what} {unit}")).text();
    bounds(machine, unit);
    let (group, before) = (show("ControlGroup"), show("InvocationID"));
    let eater = format!(
        "echo $$ > /sys/fs/cgroup{group}/cgroup.procs && exec setpriv --reuid ada --regid ada --init-groups tail /dev/zero"
    );
    let eater = machine.root(&eater);
    assert_eq!(eater.code(), 137, "{unit}: {eater}");
    // Its manager reacts at once, and answers after that.
    assert_eq!((show("ActiveState").as_str(), show("InvocationID")), ("active", before), "{unit}");
    assert_ne!(machine.root(&format!("sed -n 's/^oom_kill //p' /sys/fs/cgroup{group}/memory.events")).text(), "0");
}

/// Types the command in the terminal; the shell there continues afterwards.
fn eats(machine: &Machine) {
    machine.type_line("tail /dev/zero; touch /home/ada/after");
    machine.until_root("the shell to go on", "[ -e /home/ada/after ]");
}

/// Ada has the same server and window manager as before, and status says what was killed.
fn lives(machine: &Machine, server: &str, manager: &str) {
    machine.is_managed();
    assert_eq!(machine.server(), server, "the server lives");
    assert_eq!(machine.root("pgrep -x openbox").text(), manager, "the window manager lives");
    let status = machine.user("ada", "startxd status").text();
    assert!(status.contains("by the kernel, for lack of memory"), "{status}");
}

#[test]
fn of_one_unit_kills_only_the_greedy_program() {
    let case = Case::desktop();
    let (server, manager) = (case.server(), case.root("pgrep -x openbox").text());
    bounds(&case, "openbox.service");
    // The window manager's control group is that of the terminal that it started.
    let group = "/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/$(pgrep -x xterm)/cgroup)";
    assert_eq!(case.root(&format!("cat {group}/memory.max")).text(), "104857600");
    eats(&case);
    lives(&case, &server, &manager);
}

/// The start of every kind of openbox: the colour that identifies the desktop, and a terminal.
const BEGIN: &str = "#!/bin/sh\nxsetroot -solid '#3b4d61'\nxterm -T desk -geometry 80x24+30+40 &\n";

#[test]
#[ignore = "make vm-check runs it"]
fn of_a_session_without_a_unit_of_its_own_kills_only_the_greedy_program() {
    let case = Case::desktop();
    let begin = format!(
        "systemctl --user --quiet disable openbox.service
         mkdir -p ~/.config/openbox ~/.config/startxd
         cat > ~/.config/openbox/autostart << 'END'\n{BEGIN}END
         chmod +x ~/.config/openbox/autostart"
    );
    case.user("ada", &begin).ok();
    for (kind, set_up) in [
        ("an entry", "printf '[session]\\ndefault = \"openbox\"\\n' > ~/.config/startxd/startxd.toml"),
        (
            "a command",
            "printf '[session]\\ndefault = \"openbox --startup %s\"\\n' ~/.config/openbox/autostart \
             > ~/.config/startxd/startxd.toml",
        ),
        ("a startup file", "echo 'exec openbox --startup ~/.config/openbox/autostart' > ~/.xinitrc"),
    ] {
        case.user("ada", &format!("rm -f after; {set_up}")).ok();
        let server = case.server();
        case.type_line("openbox --exit");
        let server_now = case.managed_after(&server);
        case.has_terminal();
        let manager = case.root("pgrep -u ada -x openbox").text();
        let unit = unit_of(&case, "openbox");
        assert!(unit.starts_with("startxd-wm@"), "{kind}: {unit}");
        bounds(&case, &unit);
        eats(&case);
        lives(&case, &server_now, &manager);
    }
}

#[test]
#[ignore = "make vm-check runs it"]
fn of_a_multiplexer_or_a_display_without_a_screen_kills_only_the_greedy_program() {
    let case = Case::desktop();
    case.user("ada", "systemctl --user start tmux@work screen@work; startxd display start :7 --session openbox").ok();
    let windows = "tmux list-panes -a -F '#{pane_pid}'; screen -ls | grep -c work; pgrep -x Xvfb; pgrep -x openbox";
    let before = case.user("ada", windows).text();
    for unit in
        ["tmux.service", "screen@work.service", "startxd-display@7.service", "startxd-display-session@7.service"]
    {
        eats_in(&case, unit);
        assert_eq!(case.user("ada", windows).text(), before, "{unit}");
    }
    case.user("ada", "startxd display stop :7; systemctl --user stop tmux screen@work").ok();
    assert!(case.screen().shows(DESK));
}

#[test]
#[ignore = "make vm-check runs it"]
fn of_the_machine_kills_only_the_greedy_program() {
    let case = Case::exclusive(&Options { memory: 448, ..Options::default() });
    case.is_at_login();
    case.has_terminal();
    let (server, manager) = (case.server(), case.root("pgrep -x openbox").text());
    // Before it kills, a kernel may read the same pages of programs from the disk again and again, which takes an emulated one
    // minutes. Told to keep those that were used within the last second, it kills (its documentation, admin-guide/mm/multigen_lru).
    case.root("cd /sys/kernel/mm/lru_gen && echo y > enabled && echo 1000 > min_ttl_ms").ok();
    eats(&case);
    lives(&case, &server, &manager);
}
