//! Who keeps the machine from what logind would do (org.freedesktop.login1(5), systemd-inhibit(1)).

use zbus::Connection;

use super::MANAGER;
use crate::dbus::{self, CallError};

/// One inhibitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inhibitor {
    /// Who has it, as it says itself.
    pub who: String,
    /// Why.
    pub why: String,
}

/// A row of `ListInhibitors`: what, who, why, mode, uid and pid.
type Row = (String, String, String, String, u32, u32);

/// Those that are in the way of idleness.
///
/// # Errors
/// logind does not answer.
pub async fn of_idleness(connection: &Connection) -> Result<Vec<Inhibitor>, CallError> {
    let reply = MANAGER.call(connection, "ListInhibitors", &()).await?;
    Ok(chosen(dbus::body("ListInhibitors", &reply)?))
}

fn chosen(rows: Vec<Row>) -> Vec<Inhibitor> {
    let blocks = |(what, _, _, mode, _, _): &Row| mode != "delay" && what.split(':').any(|one| one == "idle");
    rows.into_iter().filter(blocks).map(|(_, who, why, ..)| Inhibitor { who, why }).collect()
}

#[cfg(test)]
mod tests {
    use super::{Inhibitor, chosen};

    #[test]
    fn those_of_idleness_that_block() {
        let row =
            |what: &str, mode: &str| (what.to_owned(), "mpv".to_owned(), "film".to_owned(), mode.to_owned(), 1, 2);
        let mpv = || Inhibitor { who: "mpv".into(), why: "film".into() };
        for (what, mode, found) in [
            ("idle", "block", vec![mpv()]),
            ("sleep:idle", "block-weak", vec![mpv()]),
            ("sleep", "block", Vec::new()),
            ("handle-lid-switch:idleness", "block", Vec::new()),
            ("idle", "delay", Vec::new()),
        ] {
            assert_eq!(chosen(vec![row(what, mode)]), found, "{what} {mode}");
        }
    }
}
