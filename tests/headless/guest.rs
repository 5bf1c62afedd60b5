//! Guests without virtual terminals are like a server without a screen.

use crate::harness::{Guest, Options};

#[test]
fn there_is_a_user_manager_and_no_terminal() {
    // A guest of its own: where a user has lingered whose file was then just removed, logind believes that the user is
    // still there.
    let guest = Guest::exclusive(Options { headless: true, ..Options::default() });
    assert!(!guest.vt(1).exists());
    guest.root("loginctl enable-linger ada").ok();
    guest.root("until systemctl is-active user@1000; do sleep 0.05; done").ok();
    guest.user("ada", "systemctl --user is-system-running --wait").ok();
    assert_eq!(guest.root("loginctl show-seat seat0 -P CanTTY").stdout.trim(), "no");
}
