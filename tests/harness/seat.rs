//! More seats. logind learns of seats from udev's database, and a guest has no udevd. So its entries are written by
//! hand: they say that /dev/null makes seat1, and /dev/zero seat2. The dummy driver needs no devices.

use super::guest::Guest;

/// The seats, and the devices that make them, as udev names them.
const SEATS: [(&str, &str); 2] = [("seat1", "c1:3"), ("seat2", "c1:5")];

/// An entry for systemd-tmpfiles, which runs before logind. The fields are those that sd-device reads
/// (`device_read_db_internal`).
fn entries(seat: &str, device: &str) -> String {
    let mut text = "d /run/udev/data 0755\n".to_owned();
    for tag in ["seat", seat, "master-of-seat"] {
        text += &format!("d /run/udev/tags/{tag} 0755\nf /run/udev/tags/{tag}/{device}\n");
    }
    let fields = format!(
        "I:1\\nE:ID_SEAT={seat}\\nG:seat\\nG:master-of-seat\\nG:{seat}\\nQ:seat\\nQ:master-of-seat\\nQ:{seat}\\nV:1\\n"
    );
    text + &format!("f /run/udev/data/{device} 0644 - - - {fields}\n")
}

impl Guest {
    /// From the next boot on there is a seat1.
    ///
    /// # Panics
    /// When that cannot be written.
    pub fn has_second_seat(&self) {
        let (seat, device) = SEATS[0];
        self.write(&format!("/etc/tmpfiles.d/{seat}.conf"), &entries(seat, device));
    }

    /// Adds seat1. Restarts logind for that.
    ///
    /// # Panics
    /// When seat1 does not appear.
    pub fn plug_in_second_seat(&self) {
        self.plug_in_seats(1);
    }

    /// Adds this many seats beside seat0, at most two. Restarts logind for that.
    ///
    /// # Panics
    /// When they do not appear.
    pub fn plug_in_seats(&self, count: usize) {
        let seats = &SEATS[..count];
        for (seat, device) in seats {
            self.write(&format!("/etc/tmpfiles.d/{seat}.conf"), &entries(seat, device));
            self.root(&format!("systemd-tmpfiles --create {seat}.conf")).ok();
        }
        self.root("systemctl restart systemd-logind").ok();
        for (seat, _) in seats {
            self.root(&format!("loginctl seat-status {seat}")).ok();
        }
    }
}
