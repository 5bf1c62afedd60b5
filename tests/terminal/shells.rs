//! Shells that are not on a virtual terminal: what startxd says there, and that the line in the profile, which every
//! login reads, does nothing there and prints nothing.

use crate::harness::{Guest, SOON, wait_until};
use crate::hostile::{Told, at, prompt};

/// The line for profiles, and a mark that the shell continued.
const PROFILE: &str = "startxd check may-start && startxd start && exit\necho went on\n";

#[test]
fn ssh_is_recognised_and_the_line_in_the_profile_ignores_it() {
    let guest = Guest::get();
    guest.write_profile("ada", PROFILE);
    guest.root("ssh-keygen -A && systemctl start ssh").ok();
    guest
        .user(
            "ada",
            "mkdir -m 700 .ssh; ssh-keygen -qt ed25519 -N '' -f .ssh/id && cp .ssh/id.pub .ssh/authorized_keys",
        )
        .ok();
    let ssh = "ssh -qi .ssh/id -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null ada@localhost";
    wait_until("the ssh server", SOON, || {
        let run = guest.user("ada", &format!("{ssh} true"));
        if run.status.success() { Ok(()) } else { Err(run.to_string()) }
    });
    for command in ["startxd check may-start -v", "startxd start"] {
        let told: Told = guest.user("ada", &format!("exec 2>&1; {ssh} {command}")).into();
        told.says(14, &["comes from another machine", "no screen here", "log in on a virtual terminal", "ssh -X"]);
    }
    let login = guest.shell_as("ada", &format!("{ssh} -tt")).stdin("exit\n").run().ok().stdout;
    assert!(login.contains("went on") && !login.contains("startxd:"), "{login}");
    guest.root("systemctl stop ssh; pkill -u ada sshd; true").ok();
}

#[test]
fn the_line_in_the_profile_ignores_shells_inside_the_login() {
    let mut guest = Guest::get();
    let login = prompt(&mut guest);
    guest.write_profile("ada", PROFILE);
    let pty = "import os,pty,sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    for shell in [
        "su - ada -c true".to_owned(),
        "env -u XDG_RUNTIME_DIR bash -lc true".to_owned(),
        format!("python3 -c '{pty}' bash -lc true"),
        "tmux new 'bash -lc true >said' >/dev/null; clear; cat said".to_owned(),
    ] {
        let told = at(&login, &shell);
        assert!(told.status == 0 && told.has("went on") && !told.has("startxd:"), "{shell}: {told}");
    }
    guest.wait_ended(&["tmux"]);
}
