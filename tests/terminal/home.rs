//! A home that is read-only or full, and one with a name that is not text.

use crate::harness::{Guest, SOON};
use crate::hostile::{at, prompt, start, stop, type_at};

#[test]
fn a_read_only_or_full_home() {
    let mut guest = Guest::get();
    guest.discard();
    let login = prompt(&mut guest);
    let faults = [
        ("mount --bind /home/ada /home/ada && mount -o remount,bind,ro /home/ada", "Read-only file system"),
        (
            "mount -t tmpfs -o size=64k,mode=755,uid=1000,gid=1000 none /home/ada; yes > /home/ada/full 2>/dev/null; true",
            "No space left on device",
        ),
        (
            "mkdir -p /home/ada/.local/share/xorg && chattr +i /home/ada/.local/share/xorg || chown root /home/ada/.local/share/xorg",
            "",
        ),
    ];
    for (make, why) in faults {
        guest.root(make).ok();
        let doctor = guest.user("ada", "startxd doctor");
        assert!(doctor.stdout.contains("[server.log]"), "{doctor}");
        let session = start(&guest, &login);
        // The journal has what would be in the log.
        let journal = guest.user("ada", "journalctl --user -b -o cat -u 'xorg@*'").text();
        assert!(journal.contains("(II)") && journal.contains("(==) Using"), "{journal}");
        stop(&guest, &login, &session).says(0, &["cannot write its log to /home/ada/.local/share/xorg", why]);
        guest
            .root("umount -l /home/ada; chattr -i /home/ada/.local/share/xorg; chown -R ada: /home/ada/.local; true")
            .ok();
    }
    // If the home can be written to, the log is where people look for it.
    let session = start(&guest, &login);
    guest.user("ada", "grep -q '(II)' .local/share/xorg/Xorg.0.log").ok();
    assert_eq!(stop(&guest, &login, &session).says(0, &[]).text, "");
}

#[test]
fn a_home_whose_name_is_not_text_is_refused() {
    let mut guest = Guest::get();
    let login = prompt(&mut guest);
    at(&login, "mkdir $'ad\\xff'; export HOME=$PWD/$'ad\\xff'").says(0, &[]);
    at(&login, "startxd start -- openbox").says(26, &["is not text in UTF-8"]);
    at(&login, "startxd check may-start -v").says(26, &["is not text in UTF-8"]);
    at(&login, "export HOME=/home/ada").says(0, &[]);
    // The same for a program.
    at(&login, "cp /bin/true $'ad\\xff/wm'; PATH=$PWD/$'ad\\xff':$PATH startxd start -- wm").says(23, &["wm"]);
    let session = type_at(&login, "startxd start -- openbox --sm-disable");
    crate::hostile::wait_up(&guest, "ada");
    stop(&guest, &login, &session).says(0, &[]);
    login.vt.wait_prompt(SOON);
}
