//! The server: when it may be launched, what its end means, and which clients ended with it. Pure.

use std::time::{Duration, Instant};

use super::event::{Action, ClientId, Control, ServerSeen};
use super::orders::Purpose;
use super::survivor::Step;
use super::{Session, Stage};
use crate::config::Crash;
use crate::deadline::OUTLIVES_SERVER;
use crate::host::why::Why;
use crate::launch::{Ending, Reply};
use crate::manager::names;
use crate::session::dotfiles::DotfilesTime;
use crate::x11::display::Display;

/// When something crashed, as far as it counts.
#[derive(Debug, Default)]
pub(super) struct Crashes {
    times: Vec<Instant>,
}

impl Crashes {
    /// Adds one at `now`. Returns how many count: those within the last `window`.
    pub(super) fn add(&mut self, now: Instant, window: Duration) -> u32 {
        self.times.retain(|&time| now.duration_since(time) < window);
        self.times.push(now);
        self.count()
    }

    /// How many counted when the last was added.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.times.len()).unwrap_or(u32::MAX)
    }
}

/// How long to wait before a server that crashed for the `count`th time is started again: not at all the first time,
/// because a person sits in front of it, then `pause`, then twice as long each time. `None` if it is not started again.
fn pause(crash: &Crash, count: u32) -> Option<Duration> {
    if count > crash.limit {
        return None;
    }
    let doublings = count.checked_sub(2);
    Some(doublings.map_or(Duration::ZERO, |doublings| {
        // A pause never exceeds the time for which a crash counts.
        crash.pause.saturating_mul(2_u32.saturating_pow(doublings)).min(crash.window)
    }))
}

/// What becomes of a request for a server.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// The server is forked now.
    Fork,
    /// The request waits until a server may come.
    Hold,
    /// The request is refused, for this reason.
    Refuse(String),
}

/// What a server's end means for the session.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The supervisor's last words decide; wait for them.
    Undecided,
    /// The server comes back with the window manager, after an end like this.
    ComesBack(Ending),
    /// The session ends.
    Over(Why),
}

/// What the supervisor's last words are needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Because {
    /// The server ended like this.
    Ended(Ending),
    /// The start job of its unit has failed.
    JobFailed,
}

/// The display's server, its supervisor, and its devices.
#[derive(Debug, Default)]
pub(super) struct Server {
    /// Whether it runs.
    runs: bool,
    /// Whether it is being forked.
    is_being_forked: bool,
    /// The supervisor that asked for the server.
    supervisor: Option<ClientId>,
    /// Whether a supervisor has failed, so that systemd has started the repair.
    supervisor_failed: bool,
    /// A request that waits.
    held: Option<ClientId>,
    /// When servers have crashed.
    crashes: Crashes,
    /// No server is launched before this time.
    not_before: Option<Instant>,
    /// What the supervisor said about a server that it gave up.
    last_words: Option<String>,
    /// Whether the server ended with 0 although its supervisor was not told to stop it.
    has_left: bool,
    /// Why last words are awaited, and until when.
    awaited: Option<(Because, Instant)>,
    /// Whether any server of this session ever answered.
    has_served: bool,
    /// How many servers there have been, which is the number of the last one.
    launched: u32,
    /// Whether a server launched now would get no devices.
    devices_withheld: bool,
    /// Whether the current server has lost its devices and has to be replaced.
    wants_replacement: bool,
}

impl Server {
    /// Decides on a supervisor's request. `other` says that it is for another display, and `problem` what is wrong with
    /// the descriptors that it sent.
    ///
    /// A server that may not start yet is held back here, because everything that wants the display back after a crash
    /// comes this way: the window manager, and every other client that is started again. Meanwhile they wait in the
    /// socket's backlog.
    pub(super) fn ask(
        &mut self,
        now: Instant,
        client: ClientId,
        other: Option<String>,
        problem: Option<String>,
    ) -> Gate {
        let refusal = match other {
            Some(other) => Some(other),
            None if self.runs || self.is_being_forked => Some("its server runs already".to_owned()),
            None if self.held.is_some() => Some("another supervisor waits for the server already".to_owned()),
            None => problem,
        };
        if let Some(reason) = refusal {
            // That makes its unit fail, and systemd starts the repair.
            self.supervisor_failed = true;
            return Gate::Refuse(reason);
        }
        if self.devices_withheld || self.not_before.is_some_and(|not_before| now < not_before) {
            self.held = Some(client);
            return Gate::Hold;
        }
        self.is_being_forked = true;
        Gate::Fork
    }

    /// When to launch the server that is held back; `None` as long as that depends on something else.
    fn held_due(&self, now: Instant) -> Option<Instant> {
        (self.held.is_some() && !self.devices_withheld).then(|| self.not_before.unwrap_or(now))
    }

    /// Takes the request that is held back, if its time has come.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<ClientId> {
        let due =
            self.held.take_if(|_| !self.devices_withheld && self.not_before.is_none_or(|not_before| not_before <= now));
        self.is_being_forked |= due.is_some();
        due
    }

    /// Takes the request that is held back, because no server is launched any more. The refused supervisor fails.
    pub(super) fn take_held(&mut self) -> Option<ClientId> {
        let held = self.held.take();
        self.supervisor_failed |= held.is_some();
        held
    }

    /// A supervisor was refused while the session ends.
    pub(super) const fn refused(&mut self) {
        self.supervisor_failed = true;
    }

    /// The server was forked for this supervisor.
    pub(super) fn forked(&mut self, supervisor: ClientId) {
        (self.runs, self.is_being_forked) = (true, false);
        self.supervisor = Some(supervisor);
        self.launched += 1;
        (self.last_words, self.has_left) = (None, false);
    }

    /// The program could not be executed. The refused supervisor's unit fails; this is the reason that a person reads.
    pub(super) fn not_forked(&mut self, reason: String) {
        self.is_being_forked = false;
        self.supervisor_failed = true;
        self.last_words = Some(reason);
    }

    /// One of our clients was answered.
    pub(super) const fn served(&mut self) {
        self.has_served = true;
    }

    /// The server has ended and was reaped. While the session lives, [`Server::fate`] says what follows.
    pub(super) fn ended(&mut self, now: Instant, ending: Ending, patience: Duration) {
        self.runs = false;
        self.wants_replacement = false;
        // Unless the server was told to end, its supervisor fails.
        self.supervisor_failed |= ending != Ending::Code(0);
        self.awaited = Some((Because::Ended(ending), now + patience));
    }

    /// The start job of the server's unit has failed, for this reason if known. [`Server::fate`] says what follows.
    pub(super) fn job_failed(&mut self, now: Instant, patience: Duration, reason: Option<String>) {
        if reason.is_some() {
            self.last_words = reason;
        }
        self.awaited = Some((Because::JobFailed, now + patience));
    }

    /// What the end that is being decided means. The supervisor's last words have the server's own messages, so they
    /// are awaited as long as the supervisor lives and is quick.
    ///
    /// A server that has answered comes back by itself: its clients die with it, the window manager's unit is started
    /// again, and connecting starts a server.
    pub(super) fn fate(&mut self, now: Instant, policy: &Crash) -> Option<Fate> {
        let (because, until) = self.awaited?;
        if self.supervisor.is_some() && self.last_words.is_none() && now < until {
            return Some(Fate::Undecided);
        }
        self.awaited = None;
        let Because::Ended(ending) = because else {
            return Some(Fate::Over(Why::ServerFailed { ending: None, words: self.take_words() }));
        };
        // Ctrl+Alt+Backspace, or a SIGTERM from elsewhere than its supervisor: as with startx, this ends the session.
        // The server exits with 0 in both cases, so they cannot be told apart.
        if self.has_left && self.has_served && ending == Ending::Code(0) {
            self.supervisor_failed = true;
            return Some(Fate::Over(Why::Zapped));
        }
        // It exits with 0 when its supervisor told it to: somebody restarts its unit. Then the supervisor sends no last
        // words, unlike for a server that it gave up.
        let told = ending == Ending::Code(0) && self.last_words.is_none();
        self.supervisor_failed |= !told;
        if !self.has_served || !(told || self.comes_back(now, ending, policy)) {
            return Some(Fate::Over(Why::ServerFailed { ending: Some(ending), words: self.take_words() }));
        }
        if told {
            self.not_before = None;
            tracing::info!("the X server was stopped; it comes back with the window manager");
        }
        // Not before it would get its devices, which may be gone by now, or while the session is in the background. We
        // ask while the window manager comes back, so normally nothing waits for the answer.
        self.devices_withheld = true;
        Some(Fate::ComesBack(ending))
    }

    /// Counts a crash. Returns whether a server may come back after it, and reports it.
    fn comes_back(&mut self, now: Instant, ending: Ending, policy: &Crash) -> bool {
        let count = self.crashes.add(now, policy.window);
        let Some(pause) = pause(policy, count) else { return false };
        self.not_before = (!pause.is_zero()).then(|| now + pause);
        let when = if pause.is_zero() { String::new() } else { format!(" in {} s", pause.as_secs_f32()) };
        let limit = policy.limit;
        tracing::warn!("the X server {ending}; it comes back with the window manager{when} ({count} of {limit})");
        true
    }

    fn take_words(&mut self) -> String {
        self.last_words.take().unwrap_or_default()
    }

    /// Whether what the server's end means is still open.
    pub(super) const fn is_undecided(&self) -> bool {
        self.awaited.is_some()
    }

    /// The session ends: nothing is awaited any more.
    pub(super) fn end_begins(&mut self) {
        self.awaited = None;
    }

    /// A supervisor's last words. Returns whether it is the supervisor of this server.
    pub(super) fn says(&mut self, client: ClientId, text: String) -> bool {
        let own = self.supervisor == Some(client);
        if own {
            self.last_words = Some(text);
        }
        own
    }

    /// Its supervisor has given up a server that runs and never served. [`Server::fate`] ends the session at once: a window
    /// manager that has found the server nevertheless fails when it ends, and that is not the reason.
    pub(super) fn gave_up(&mut self, now: Instant) {
        if self.runs && !self.has_served && self.last_words.is_some() && self.awaited.is_none() {
            self.supervisor_failed = true;
            self.awaited = Some((Because::JobFailed, now));
        }
    }

    /// A supervisor reports that its server ended although nobody stopped the unit.
    pub(super) fn left(&mut self, client: ClientId) {
        self.has_left |= self.supervisor == Some(client);
    }

    /// A client is gone. Returns whether to end the server: without its supervisor nothing owns it. Its end is then
    /// handled like any other.
    pub(super) fn client_gone(&mut self, client: ClientId) -> bool {
        self.held.take_if(|held| *held == client);
        if self.supervisor != Some(client) {
            return false;
        }
        self.supervisor = None;
        self.supervisor_failed |= self.runs;
        self.runs
    }

    /// The control of the login session has changed. Returns whether to restart the server's unit.
    pub(super) fn control(&mut self, control: &Control) -> bool {
        match control {
            Control::Lost(why) => {
                tracing::error!("{why}: the X server has lost its screen, keyboard and mouse, and is started again");
                self.devices_withheld = true;
                self.wants_replacement = self.runs;
                false
            }
            Control::Possible => {
                self.devices_withheld = false;
                self.take_replacement()
            }
            Control::Gone(_) => false,
        }
    }

    /// Whether to replace the server now; true once. A server that is still starting may have been early enough or not:
    /// it is replaced once it answers.
    pub(super) fn take_replacement(&mut self) -> bool {
        let now = self.wants_replacement && !self.devices_withheld && self.has_served;
        if now {
            self.wants_replacement = false;
        }
        now
    }

    /// Which server took down a client of this session; `None` if the client ended by itself. `failed` says that it did
    /// not exit with 0, and `seen` the state of the server when that was noticed.
    ///
    /// The kernel marks a server that dies before its clients can notice. A server that is told to end (SIGTERM, or
    /// Ctrl+Alt+Backspace) drops its clients first (xserver, dix/dispatch.c, `KillAllClients` at the end of
    /// `Dispatch`), then its devices, and exits milliseconds later: by then a client's unit has failed. But it no
    /// longer answers, so the driver asks it. A server that neither answers nor ends hangs, and its clients with it.
    ///
    /// On a busy machine, another client may notice the end before the window manager does and start the next server,
    /// so that the window manager fails while the next server already runs. This counts only if it fails: what exits
    /// with 0 while there is a display was left by its user.
    pub(super) fn lost_with(&self, seen: Option<ServerSeen>, failed: bool) -> Option<u32> {
        if let Some(seen) = seen.filter(|seen| seen.is_ending) {
            return Some(seen.number);
        }
        if !self.runs && self.has_served {
            return Some(self.launched);
        }
        (failed && self.launched > 1).then(|| self.launched - 1)
    }

    /// The number of the current server, or of the last one.
    pub(super) const fn last(&self) -> u32 {
        self.launched
    }

    /// The number of the current server, if there is one.
    pub(super) fn running(&self) -> Option<u32> {
        self.runs.then_some(self.launched)
    }

    /// Whether it is not known yet what the last server's end means.
    pub(super) const fn may_end(&self) -> bool {
        self.runs || self.is_undecided()
    }

    /// Whether a server is to come back and has not yet.
    pub(super) const fn is_awaited(&self) -> bool {
        !self.runs && self.has_served && self.awaited.is_none()
    }

    /// Whether there is a display: a server runs, and a server of this session has answered.
    pub(super) const fn has_display(&self) -> bool {
        self.runs && self.has_served
    }

    /// Whether a server runs.
    pub(super) const fn runs(&self) -> bool {
        self.runs
    }

    /// Whether a supervisor's request waits or is being answered.
    pub(super) const fn is_requested(&self) -> bool {
        self.held.is_some() || self.is_being_forked
    }

    /// Whether a server is being forked.
    pub(super) const fn is_being_forked(&self) -> bool {
        self.is_being_forked
    }

    /// The supervisor, if it is connected.
    pub(super) const fn supervisor(&self) -> Option<ClientId> {
        self.supervisor
    }

    /// Whether a supervisor has failed, so that systemd has started the repair.
    pub(super) const fn has_failed_supervisor(&self) -> bool {
        self.supervisor_failed
    }

    /// When something of this is due.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let words = self.awaited.map(|(_, until)| until);
        words.into_iter().chain(self.held_due(now)).min()
    }
}

/// Why this display cannot be served; `None` if it is the session's.
pub(super) fn other_display(ours: Display, asked: Display) -> Option<String> {
    (ours != asked).then(|| format!("this session's display is {ours}, not {asked}"))
}

impl Session {
    pub(super) fn launch_asked(&mut self, now: Instant, client: ClientId, asked: Display, problem: Option<String>) {
        let other = self.display.and_then(|ours| other_display(ours, asked));
        match self.server.ask(now, client, other, problem) {
            Gate::Fork => {
                self.relock_asked();
                self.act(Action::Fork(client));
            }
            Gate::Hold => {
                self.relock_asked();
                self.act(Action::Reply(client, Reply::Later));
            }
            Gate::Refuse(reason) => {
                tracing::warn!("refused to launch a server: {reason}");
                self.act(Action::Refuse(client, reason));
            }
        }
    }

    /// Forks the server that is held back, if its time has come.
    pub(super) fn fork_if_due(&mut self, now: Instant) {
        if matches!(self.stage, Stage::Up)
            && let Some(client) = self.server.take_due(now)
        {
            self.act(Action::Fork(client));
        }
    }

    pub(super) fn forked(&mut self, now: Instant, client: ClientId, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => {
                self.server.forked(client);
                self.relock_forked(now);
                // Not earlier: until the supervisor came with the socket nobody knew that it was bound, and a connect
                // would have failed. From now on it waits in the backlog, like every other client's.
                self.act(Action::Watch);
                self.starting.forked = true;
                self.go_on_starting();
            }
            Err(reason) => {
                tracing::warn!("refused to launch a server: {reason}");
                self.server.not_forked(reason.clone());
                self.act(Action::Refuse(client, reason));
            }
        }
    }

    /// The server's supervisor is told of its end, in every stage.
    pub(super) fn server_ended(&mut self, ending: Ending) {
        if let Some(supervisor) = self.server.supervisor() {
            self.act(Action::Reply(supervisor, Reply::Exited(ending)));
        }
    }

    pub(super) fn last_words(&mut self, client: ClientId, text: String) {
        if !self.server.says(client, text) {
            let reason = "only the supervisor of the server can tell of its end".to_owned();
            self.act(Action::Refuse(client, reason));
        }
    }

    pub(super) fn client_gone(&mut self, client: ClientId) {
        if self.server.client_gone(client) {
            self.act(Action::TerminateServer);
        }
    }

    /// Acts on a server's end, once its meaning is known.
    pub(super) fn decide_fate(&mut self, now: Instant) {
        match self.server.fate(now, &self.setup.policy.crash) {
            None | Some(Fate::Undecided) => {}
            // Killing the server of a locked screen must not open the shell below it.
            Some(Fate::Over(Why::Zapped)) if self.screen_lock.is_locked() => {
                self.end(now, Why::Closed(Some(Ending::Code(0))));
            }
            Some(Fate::Over(why)) => self.end(now, why),
            Some(Fate::ComesBack(ending)) if self.screen_lock.is_locked() && !self.can_relock() => {
                self.end(now, Why::Closed(Some(ending)));
            }
            Some(Fate::ComesBack(_)) => {
                if self.screen_lock.is_locked() {
                    self.relock(now);
                }
                self.act(Action::AskForDevices);
                // At once: a window manager that systemd starts again must find this queued.
                self.read_dotfiles(DotfilesTime::First, self.server.last() + 1);
                if self.units.server_lost(now, self.server.last()) {
                    let order = self.jobs.ask(Purpose::ReadyDown);
                    self.act(Action::Stop { order, unit: names::WM_READY_TARGET.to_owned() });
                }
                self.server_comes_back();
                self.look();
            }
        }
    }

    /// Replaces the server that has lost its devices.
    ///
    /// A race: the screen may have been locked between the loss and the moment when another server would get the
    /// devices.
    pub(super) fn replace_server(&mut self, now: Instant) {
        if self.screen_lock.is_locked() && !self.can_relock() {
            return self.end(now, Why::Closed(None));
        }
        self.act(Action::ReplaceServer);
    }

    /// Ends a window manager that has outlived its server, if its time has come.
    pub(super) fn end_survivor(&mut self, now: Instant) {
        if !matches!(self.stage, Stage::Up) {
            return;
        }
        match self.units.take_due(now) {
            Some(Step::Tell) => {
                tracing::warn!(
                    "the window manager is still there {} s after its X server ended; telling it to end",
                    OUTLIVES_SERVER.as_secs()
                );
                self.act(Action::EndWindowManager { kill: false });
            }
            Some(Step::Kill) => {
                tracing::warn!("the window manager does not end; killing it");
                self.act(Action::EndWindowManager { kill: true });
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Crashes, pause};
    use crate::config::Crash;

    #[test]
    fn pauses_grow_and_end() {
        let crash =
            Crash { limit: 5, pause: Duration::from_secs(2), window: Duration::from_secs(10), ..Crash::default() };
        let seconds: Vec<_> = (1..=7).map(|count| pause(&crash, count).map(|pause| pause.as_secs())).collect();
        assert_eq!(seconds, [Some(0), Some(2), Some(4), Some(8), Some(10), None, None]);
        let never = Crash { limit: 0, ..Crash::default() };
        assert_eq!(pause(&never, 1), None);
        let often = Crash { limit: u32::MAX, pause: Duration::MAX, ..crash };
        assert_eq!(pause(&often, u32::MAX), Some(often.window));
    }

    #[test]
    fn only_recent_crashes_count() {
        let (begin, mut crashes) = (Instant::now(), Crashes::default());
        let counts = [0, 9, 12, 13, 30].map(|second| {
            let now = begin + Duration::from_secs(second);
            crashes.add(now, Duration::from_secs(10))
        });
        assert_eq!(counts, [1, 2, 2, 3, 1]);
    }
}
