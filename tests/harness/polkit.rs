//! A stand-in for polkit, which the guests do not have: it lets users linger and delay a sleep, as the standard policy
//! does.

use super::wait::wait_until;
use super::{Background, Guest, SOON};

impl Guest {
    /// Starts it; it ends when the returned value is dropped.
    pub fn has_polkit(&self) -> Background {
        let policy = "<busconfig><policy user=\"root\"><allow own=\"org.freedesktop.PolicyKit1\"/></policy>\
            <policy context=\"default\"><allow send_destination=\"org.freedesktop.PolicyKit1\"/></policy></busconfig>\n";
        self.write("/etc/dbus-1/system.d/polkit.conf", policy);
        self.write("/run/polkit.py", concat!(include_str!("dbus.py"), include_str!("polkit.py")));
        let bus = "org.freedesktop.DBus";
        self.root(&format!("busctl call {bus} /org/freedesktop/DBus {bus} ReloadConfig")).ok();
        let polkit = self.shell("exec python3 /run/polkit.py").spawn();
        wait_until("polkit", SOON, || if polkit.stdout().contains("ready") { Ok(()) } else { Err(polkit.stderr()) });
        polkit
    }
}
