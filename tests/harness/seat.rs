//! A second seat. logind learns of seats from udev's database, and a guest has no udevd: so what udev would write is
//! written by hand, that /dev/null, of all devices, makes seat1. The dummy driver needs none.

use super::guest::Guest;

/// For systemd-tmpfiles, which runs before logind does. The fields are those that sd-device reads
/// (`device_read_db_internal`).
const SEAT1: &str = "d /run/udev/data 0755\nd /run/udev/tags/seat 0755\nd /run/udev/tags/seat1 0755\n\
    d /run/udev/tags/master-of-seat 0755\n\
    f /run/udev/data/c1:3 0644 - - - I:1\\nE:ID_SEAT=seat1\\nG:seat\\nG:master-of-seat\\nG:seat1\\nQ:seat\\n\
    Q:master-of-seat\\nQ:seat1\\nV:1\\n\n\
    f /run/udev/tags/seat/c1:3\nf /run/udev/tags/seat1/c1:3\nf /run/udev/tags/master-of-seat/c1:3\n";

impl Guest {
    /// There is a seat1 from the next boot on.
    ///
    /// # Panics
    /// When that cannot be written.
    pub fn has_second_seat(&self) {
        self.write("/etc/tmpfiles.d/seat1.conf", SEAT1);
    }

    /// A seat1 appears. logind is restarted for it.
    ///
    /// # Panics
    /// When it does not.
    pub fn plug_in_second_seat(&self) {
        self.has_second_seat();
        self.root("systemd-tmpfiles --create seat1.conf && systemctl restart systemd-logind").ok();
        self.root("loginctl seat-status seat1").ok();
    }
}
