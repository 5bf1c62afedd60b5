//! Who may connect to the display without a cookie.

use std::path::Path;

use x11rb_protocol::protocol::xproto::{AccessControl, Family, Host, ListHostsReply, ListHostsRequest};

use super::Finding;
use super::catalogue::{DISPLAY_HOST_ACCESS, DISPLAY_OPEN};
use super::machine::Machine;
use crate::manager::names;
use crate::x11::client::{Client, ClientError, readable};
use crate::x11::display::Display;
use crate::x11::occupied::{self, Taken};
use crate::x11::xauthority;

/// What the server says.
#[derive(Debug)]
struct HostAccessFacts {
    display: Display,
    /// The user who asks.
    user: Option<String>,
    /// Whether the list is used; if not, everybody may connect.
    is_enabled: bool,
    /// The list.
    entries: Vec<AccessEntry>,
}

/// An entry of the list.
#[derive(Debug, PartialEq, Eq)]
enum AccessEntry {
    /// As "localuser" and a name (`SI` of xhost(1)).
    Interpreted(String, String),
    /// An address, by its kind.
    Address(&'static str),
}

/// Reads the list of the display that this process, or the user manager, has.
pub async fn examine(machine: &Machine) -> Vec<Finding> {
    match gather(machine).await {
        Some(facts) => judge(&facts),
        None => Vec::new(),
    }
}

async fn gather(machine: &Machine) -> Option<HostAccessFacts> {
    let get = |name: &str| {
        let ours = std::env::var(name).ok().filter(|value| !value.is_empty());
        ours.or_else(|| machine.environment.as_ref()?.get(name).cloned())
    };
    if machine.is_root() {
        return None;
    }
    let name = get("DISPLAY")?;
    let display = Display::parse(name.split_once('.').map_or(name.as_str(), |(name, _)| name)).ok()?;
    let cookie = xauthority::cookie_in(Path::new(&get("XAUTHORITY")?), display)?;
    if !matches!(occupied::look(display), Ok(Taken::Bound { .. })) {
        return None;
    }
    // A connection to a socket of ours that has no server would start one.
    if let Some(manager) = &machine.manager {
        let units = [names::xorg_socket(display), names::xorg_service(display)];
        let states = machine.ask(manager.states(&[&units[0], &units[1]])).await?;
        if states[0].active == "active" && states[1].active != "active" {
            return None;
        }
    }
    let asked = async {
        let mut client = Client::connect(display, &cookie).await?;
        client.request::<ListHostsReply, _>(ListHostsRequest.serialize()).await
    };
    let reply: Option<ListHostsReply> = machine.ask::<_, ClientError>(asked).await?;
    let reply = reply?;
    Some(HostAccessFacts {
        display,
        user: machine.user.clone(),
        is_enabled: reply.mode == AccessControl::ENABLE,
        entries: reply.hosts.iter().map(entry).collect(),
    })
}

fn entry(host: &Host) -> AccessEntry {
    match host.family {
        Family::SERVER_INTERPRETED => {
            let mut parts = host.address.splitn(2, |&byte| byte == 0).map(readable);
            AccessEntry::Interpreted(parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
        }
        Family::INTERNET | Family::INTERNET6 => AccessEntry::Address("an Internet address"),
        _ => AccessEntry::Address("everybody on this machine"),
    }
}

fn judge(facts: &HostAccessFacts) -> Vec<Finding> {
    let display = facts.display;
    if !facts.is_enabled {
        let what = format!("the access control of display {display} is off: whoever reaches its socket may connect");
        return vec![DISPLAY_OPEN.found(what, "xhost -")];
    }
    let finding = |entry: &AccessEntry| {
        let (who, remedy) = match entry {
            AccessEntry::Interpreted(kind, name) => {
                let plain = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
                let remedy = match kind.chars().chain(name.chars()).all(plain) {
                    true => format!("xhost -si:{kind}:{name}"),
                    false => "see the list, and remove it: xhost".to_owned(),
                };
                match kind.as_str() {
                    "localuser" if facts.user.as_deref() == Some(name) => {
                        (format!("every program of yours ({name})"), remedy)
                    }
                    "localuser" => (format!("every program of user {name}"), remedy),
                    "localgroup" => (format!("every program of group {name}"), remedy),
                    _ => (format!("{kind} {name}"), remedy),
                }
            }
            AccessEntry::Address(what) => ((*what).to_owned(), "see the list, and remove it: xhost".to_owned()),
        };
        DISPLAY_HOST_ACCESS
            .found(format!("display {display} accepts connections without its cookie from {who}"), remedy)
    };
    facts.entries.iter().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::{AccessEntry, Display, Family, Host, HostAccessFacts, entry, judge};

    #[test]
    fn each_entry_is_found() {
        let cases: [(Family, &[u8], &str, &str); 6] = [
            (Family::SERVER_INTERPRETED, b"localuser\0ada", "every program of yours (ada)", "xhost -si:localuser:ada"),
            (Family::SERVER_INTERPRETED, b"localuser\0eve", "every program of user eve", "xhost -si:localuser:eve"),
            (Family::SERVER_INTERPRETED, b"localgroup\0wheel", "of group wheel", "xhost -si:localgroup:wheel"),
            (Family::SERVER_INTERPRETED, b"localuser\0$(x)", "of user $(x)", "see the list"),
            (Family::INTERNET, &[127, 0, 0, 1], "an Internet address", "see the list"),
            (Family::from(252_u8), b"", "everybody on this machine", "see the list"),
        ];
        for (family, address, who, remedy) in cases {
            let entries = vec![entry(&Host { family, address: address.to_vec() })];
            let display = Display::new(3).unwrap();
            let facts =
                |is_enabled, entries| HostAccessFacts { display, user: Some("ada".into()), is_enabled, entries };
            let [finding] = &judge(&facts(true, entries))[..] else { panic!("{who}") };
            assert!(finding.what.contains(who) && finding.remedy.starts_with(remedy), "{finding:?}");
            assert!(judge(&facts(true, Vec::new())).is_empty());
            let open = judge(&facts(false, vec![AccessEntry::Address("")]));
            assert_eq!(open.iter().map(|finding| finding.kind.id).collect::<Vec<_>>(), ["display.open"]);
        }
    }
}
