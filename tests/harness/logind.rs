//! What logind says about its sessions, over the system bus.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fs;
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

/// logind, over one connection that lives as long as this value.
pub(super) struct Logind<'a> {
    guest: &'a Guest,
    bus: RefCell<Option<Bus>>,
}

impl Guest {
    pub(super) fn logind(&self) -> Logind<'_> {
        Logind { guest: self, bus: RefCell::default() }
    }

    /// All sessions that logind knows.
    ///
    /// # Panics
    /// When logind does not answer.
    #[must_use]
    pub fn sessions(&self) -> Vec<Session> {
        self.logind().sessions(|_| true)
    }

    /// One session; `None` once logind has removed it.
    ///
    /// # Panics
    /// When logind does not answer.
    #[must_use]
    pub fn session(&self, id: &str) -> Option<Session> {
        self.logind().session(id)
    }

    /// Whether logind is in the loop that [`hang_logind`](Self::hang_logind) describes.
    ///
    /// # Panics
    /// When it does not answer, but does not use the processor either.
    #[must_use]
    pub fn logind_hangs(&self) -> bool {
        let until = Instant::now() + secs(1);
        let logind = self.logind();
        let asked = logind.bus(until).and_then(|mut bus| bus.call::<Vec<Row>>(MANAGER, "ListSessions", &()));
        if !matches!(asked, Err(Problem::Late)) {
            return false;
        }
        let before = self.time_of_logind();
        sleep(Duration::from_millis(500));
        let spent = self.time_of_logind() - before;
        assert!(spent > 5, "logind does not answer, and has run for {spent} ticks in half a second");
        true
    }

    /// Makes logind hang forever, as a server can that is killed just when it takes control of its session.
    ///
    /// logind asks the bus whether the caller is alive (`sd_bus_track_add_name()`). If the caller has died since the
    /// previous such query, a track of nobody remains. Its handler, `on_bus_track()`, has nothing to do and returns 0,
    /// which asks to be called again. logind does that, and reads no more messages. Seen on 252, 257 and 262, about
    /// once in 900 servers that were killed in their first 60 ms.
    ///
    /// # Panics
    /// When logind still answers after a minute.
    pub fn hang_logind(&self, session: &str) {
        let rows: Vec<Row> = self.logind().ask(|bus| bus.call(MANAGER, "ListSessions", &()));
        let path = rows.iter().find(|row| row.0 == session).map(|row| row.4.clone()).expect("the session");
        let session = Target { service: SERVICE, path: path.as_str(), interface: "org.freedesktop.login1.Session" };
        let until = Instant::now() + secs(60);
        for microseconds in (0..1500).step_by(3).cycle() {
            let take = || self.logind().bus(until)?.say(session, "TakeControl", &(false,)).map(|_| Instant::now());
            let said = take().unwrap_or_else(|problem| panic!("control is not asked for: {problem}"));
            while said.elapsed() < Duration::from_micros(microseconds) {}
            if microseconds % 60 == 0 && self.logind_hangs() {
                return;
            }
            assert!(Instant::now() < until, "logind does not hang");
        }
    }

    /// The processor time of logind so far, in clock ticks (proc_pid_stat(5), `utime` and `stime`).
    fn time_of_logind(&self) -> u64 {
        let logind = self.processes(|process| process.name == "systemd-logind");
        let stat = logind.first().map(|process| self.outside(&format!("/proc/{}/stat", process.pid)));
        let stat = stat.and_then(|stat| fs::read_to_string(stat).ok()).unwrap_or_default();
        stat.split_whitespace().skip(13).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
    }
}

impl Logind<'_> {
    /// The session with this id.
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
                    // It has ended meanwhile.
                    Err(Problem::Refused(name, _))
                        if name.contains("UnknownObject") || name.contains("NoSuchSession") => {}
                    Err(problem) => return Err(problem),
                }
            }
            Ok(sessions)
        })
    }

    /// Ends all sessions, as `loginctl terminate-session` does.
    ///
    /// # Panics
    /// When logind does not answer.
    pub(super) fn terminate_sessions(&self) {
        self.ask(|bus| {
            let rows: Vec<Row> = bus.call(MANAGER, "ListSessions", &())?;
            for (id, ..) in rows {
                match bus.call::<()>(MANAGER, "TerminateSession", &(id,)) {
                    // It has ended meanwhile, or cannot be terminated.
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

/// The properties as `loginctl show-session` prints them. Of a structure, the first field: the seat's name.
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
