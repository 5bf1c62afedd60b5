//! Memory that runs out, on a kernel with a memory controller.

use crate::machine::{Case, Machine, Options};

/// Types it in the terminal; the terminal's shell goes on afterwards.
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
    assert!(status.contains("by the kernel, for want of memory"), "{status}");
}

#[test]
fn of_one_unit_kills_what_is_greedy_and_no_more() {
    let case = Case::desktop();
    let (server, manager) = (case.server(), case.root("pgrep -x openbox").text());
    let limit = "systemctl --user set-property --runtime openbox.service MemoryMax=100M MemorySwapMax=0";
    case.user("ada", limit).ok();
    // The group of the window manager is that of the terminal which it has started.
    let group = "/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/$(pgrep -x xterm)/cgroup)";
    assert_eq!(case.root(&format!("cat {group}/memory.max")).text(), "104857600");
    eats(&case);
    lives(&case, &server, &manager);
}

#[test]
#[ignore = "make vm-check runs it"]
fn of_the_machine_kills_what_is_greedy_and_no_more() {
    let case = Case::exclusive(&Options { memory: 448, ..Options::default() });
    case.is_at_login();
    case.has_terminal();
    let (server, manager) = (case.server(), case.root("pgrep -x openbox").text());
    eats(&case);
    lives(&case, &server, &manager);
}
