//! Setting up an autologin where no systemd is running: in the file system of an image that is being built.

use crate::harness::{Case, Guest};
use crate::hostile::Told;

/// The guest's own file system in another place, with empty directories for /run, /proc, /dev and /tmp, unlike a
/// running system. Mounted for one command that root runs there.
const IN_IMAGE: &str = "mkdir -p /srv/image && unshare --mount --propagation private sh -ec 'mount --bind / /srv/image; \
    exec chroot /srv/image env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \"$@\"' sh";

/// Everything of the administrator's units and of a home, with contents.
const PICTURE: &str = "cd /; find etc/systemd home/ada -printf '%M %u %p -> %l\\n' -type f -exec sha256sum {} + | sort";

fn in_image(case: &Case, command: &str) -> Told {
    case.root(&format!("{IN_IMAGE} {command}")).into()
}

#[test]
fn autologin_is_set_up_and_undone_in_an_image() {
    let mut case = Guest::headless();
    case.discard();
    let before = case.root(PICTURE).stdout;
    in_image(&case, "ls -d /run/systemd").says(2, &["No such file"]);
    for (shell, profile) in [
        ("/bin/bash", "/home/ada/.profile"),
        ("/usr/bin/zsh", "/home/ada/.zprofile"),
        ("/usr/bin/fish", "/home/ada/.config/fish/config.fish"),
    ] {
        case.root(&format!("usermod -s {shell} ada")).ok();
        let told = in_image(&case, "startxd enable autologin ada --vt 3 --profile");
        told.says(0, &["ada will be logged in on tty3 at every boot", profile]);
        assert!(!told.has("at once") && !told.has("startxd:"), "there is nothing that could be restarted: {told}");

        let drop_in = case.read("/etc/systemd/system/getty@tty3.service.d/startxd-autologin.conf");
        assert!(drop_in.contains("XDG_SESSION_TYPE=x11") && drop_in.contains("--autologin ada "), "{drop_in}");
        let link = case.root("readlink -f /etc/systemd/system/getty.target.wants/getty@tty3.service").text();
        assert!(link.ends_with("/lib/systemd/system/getty@.service"), "{link}");
        let line = case.read(profile);
        assert!(line.contains("startxd check may-start --activate && startxd start --login --activate"), "{line}");
        assert_eq!(case.root(&format!("stat -c %U:%G {profile}")).text(), "ada:ada");
        // What was written is what systemd reads: the running one, after a reload.
        case.root("systemctl daemon-reload").ok();
        let wanted = case.root("systemctl show -P Wants getty.target").text();
        assert!(wanted.split(' ').any(|unit| unit == "getty@tty3.service"), "{wanted}");
        assert!(case.root("systemctl show -P ExecStart getty@tty3").text().contains("--autologin ada"));

        in_image(&case, "startxd disable autologin").says(0, &["ada is no longer logged in on tty3 at boot"]);
        assert_eq!(case.root(PICTURE).stdout, before, "{shell}: as it was before");
    }
    in_image(&case, "startxd disable autologin").says(31, &["startxd has not set up an autologin"]);
}
