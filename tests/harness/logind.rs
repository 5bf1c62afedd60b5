//! What logind says of its sessions, over the system's bus.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::thread::sleep;
use std::time::{Duration, Instant};

use zbus::{OwnedObjectPath, OwnedVariant, Variant};

use super::bus::{Bus, Problem, Target};
use super::guest::Guest;
use super::wait::secs;

/// How long logind may be away: a case restarts it, or the bus, or both.
const DEADLINE: Duration = secs(10);

const SERVICE: &str = "org.freedesktop.login1";
const MANAGER: Target<'_> =
    Target { service: SERVICE, path: "/org/freedesktop/login1", interface: "org.freedesktop.login1.Manager" };

/// A session's properties, by logind's names: `Id`, `Name`, `VTNr`, `Type`, `State` …
pub type Session = BTreeMap<String, String>;

/// A row of `ListSessions` (org.freedesktop.login1(5)): id, uid, user, seat, object.
pub(super) type Row = (String, u32, String, String, OwnedObjectPath);

/// logind, asked over one connection for as long as this value lives.
pub(super) struct Logind<'a> {
    guest: &'a Guest,
    bus: RefCell<Option<Bus>>,
}

impl Guest {
    pub(super) fn logind(&self) -> Logind<'_> {
        Logind { guest: self, bus: RefCell::default() }
    }

    /// Every session that logind knows.
    ///
    /// # Panics
    /// When logind does not answer.
    #[must_use]
    pub fn sessions(&self) -> Vec<Session> {
        self.logind().sessions(|_| true)
    }

    /// One session; `None` once logind has forgotten it.
    ///
    /// # Panics
    /// When logind does not answer.
    #[must_use]
    pub fn session(&self, id: &str) -> Option<Session> {
        self.logind().session(id)
    }
}

impl Logind<'_> {
    /// The session of that id.
    pub(super) fn session(&self, id: &str) -> Option<Session> {
        self.sessions(|row| row.0 == id).pop()
    }

    /// The sessions whose rows are wanted.
    pub(super) fn sessions(&self, wanted: impl Fn(&Row) -> bool) -> Vec<Session> {
        self.ask(|bus| {
            let rows: Vec<Row> = bus.call(MANAGER, "ListSessions", &())?;
            let mut sessions = Vec::new();
            for row in rows.iter().filter(|row| wanted(row)) {
                let session =
                    Target { service: SERVICE, path: row.4.as_str(), interface: "org.freedesktop.DBus.Properties" };
                match bus.call(session, "GetAll", &("org.freedesktop.login1.Session",)) {
                    Ok(properties) => sessions.push(readable(properties)),
                    // It has ended since.
                    Err(Problem::Refused(name, _))
                        if name.contains("UnknownObject") || name.contains("NoSuchSession") => {}
                    Err(problem) => return Err(problem),
                }
            }
            Ok(sessions)
        })
    }

    /// Ends every session that there is, as `loginctl terminate-session` does.
    ///
    /// # Panics
    /// When logind does not answer.
    pub(super) fn terminate_sessions(&self) {
        self.ask(|bus| {
            let rows: Vec<Row> = bus.call(MANAGER, "ListSessions", &())?;
            for (id, ..) in rows {
                match bus.call::<()>(MANAGER, "TerminateSession", &(id,)) {
                    // It has ended since, or is one of those that cannot be terminated.
                    Ok(()) | Err(Problem::Refused(..)) => {}
                    Err(problem) => return Err(problem),
                }
            }
            Ok(())
        });
    }

    /// Asks until there is an answer.
    fn ask<T>(&self, question: impl Fn(&mut Bus) -> Result<T, Problem>) -> T {
        let until = Instant::now() + DEADLINE;
        loop {
            match self.bus(until).and_then(|mut bus| Ok((question(&mut bus)?, bus))) {
                Ok((answer, bus)) => {
                    self.bus.replace(Some(bus));
                    return answer;
                }
                Err(problem) => assert!(Instant::now() < until, "logind does not answer: {problem}"),
            }
            sleep(Duration::from_millis(10));
        }
    }

    fn bus(&self, until: Instant) -> Result<Bus, Problem> {
        if let Some(mut bus) = self.bus.take() {
            bus.until = until;
            return Ok(bus);
        }
        Bus::message_bus(self.guest.connect("/run/dbus/system_bus_socket").map_err(Problem::Nobody)?, until)
    }
}

/// The properties as `loginctl show-session` prints them. Of a structure that is its first field: the seat's name.
fn readable(properties: HashMap<String, OwnedVariant>) -> Session {
    properties.into_iter().map(|(name, value)| (name, text(&value))).collect()
}

fn text(value: &Variant<'_>) -> String {
    match value {
        Variant::Str(text) => text.to_string(),
        Variant::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Variant::U32(number) => number.to_string(),
        Variant::U64(number) => number.to_string(),
        Variant::Structure(fields) => fields.fields().first().map(text).unwrap_or_default(),
        other => format!("{other:?}"),
    }
}
