//! The screen lock: who asks for it, what locks, and when it counts as locked. Pure.
//!
//! A request comes from logind (`Lock`, sent by `loginctl lock-session`, the lid and `IdleAction=`) or from `startxd
//! lock`. It starts `startxd-lock.target` and `lock.command`. If there is neither a unit nor a command, the server is
//! asked for its screen saver, which xss-lock waits for. The screen is *locked* while one of these is true:
//!
//! - a window of a locker covers every monitor, and keyboard and pointer are grabbed;
//! - the command runs and has closed the descriptor that it was handed;
//! - a unit of the target with `Type=notify` is active.
//!
//! A locker that was started for a request may die. How it ends tells that apart from an unlocking: a locker that a
//! person has unlocked exits with 0. After any other end the screen stays locked: a cover of ours takes the locker's
//! place until the locker, which is started again, locks. If it dies too often or does not come back, the session and
//! its login end.

use std::time::Instant;

use super::display::Crashes;
use super::event::{Action, CallFailure, ClientId, Event, LockerUnit};
use super::{Purpose, Session, Stage};
use crate::deadline::LOCKER_ENDS;
use crate::host::why::Why;
use crate::launch::{Ending, Reply};
use crate::manager::{Mode, names};

/// What a request waits for.
#[derive(Debug)]
struct Request {
    until: Instant,
    clients: Vec<ClientId>,
}

/// A request that has to wait for the opposite one, which is under way.
#[derive(Debug)]
struct Queued {
    /// Whether it locks.
    locks: bool,
    /// Those who made it; `None` for logind and for us.
    clients: Vec<Option<ClientId>>,
}

/// The lock of the screen.
#[derive(Debug, Default)]
pub(super) struct Locking {
    /// Whether the display is watched.
    watched: bool,
    /// Whether a locker's window covers it, with the keyboard grabbed.
    covered: bool,
    /// Whether the command runs.
    command_runs: bool,
    /// Whether it has closed its descriptor.
    released: bool,
    /// The units of the target.
    units: Vec<LockerUnit>,
    /// Whether those are being queried, and whether something has changed meanwhile.
    asking: bool,
    again: bool,
    /// Whether the target was started.
    target: bool,
    /// Whether the server was asked for its screen saver for this request.
    saver: bool,
    /// Whether it was locked at the last report.
    locked: bool,
    /// Whether our cover is below the locker.
    cover: bool,
    /// When lockers died.
    deaths: Crashes,
    /// Until when a locker that died has to be back, and what is known of it.
    lost: Option<(Instant, String)>,
    /// Whether the start of its unit is over.
    restarted: bool,
    /// Until when a locker whose window is gone has to end, to count as dead or as unlocked; or until when one that
    /// went into the background has to show its window.
    vanished: Option<Instant>,
    /// Whether the state of its unit, which is being queried, decides that.
    deciding: bool,
    /// Whether the server ended while the screen was locked, so that it has to be locked on the next one.
    returning: bool,
    /// Requests that wait until it is locked,
    locks: Option<Request>,
    /// or until it is open: there are never both.
    unlocks: Option<Request>,
    /// Whether those have ended a locker that was not seen to lock yet, so that only its end shows that it will not.
    ends_unseen: bool,
    /// The opposite request, which is next.
    next: Option<Queued>,
}

impl Locking {
    /// Whether the screen is seen to be locked.
    fn is_seen(&self) -> bool {
        let is_held = self.returning || self.lost.is_some() || self.vanished.is_some() || self.deciding;
        is_held || self.covered || (self.command_runs && self.released) || self.units.iter().any(LockerUnit::is_ready)
    }

    /// Whether the screen is locked, as last reported.
    pub(super) const fn is_locked(&self) -> bool {
        self.locked
    }

    /// Whether it has a locker that was started for a request.
    fn has_own(&self) -> bool {
        self.command_runs || self.units.iter().any(LockerUnit::is_up)
    }

    /// Whether units of the target lock.
    pub(super) const fn has_units(&self) -> bool {
        !self.units.is_empty()
    }

    /// Whether the command runs.
    pub(super) const fn command_runs(&self) -> bool {
        self.command_runs
    }

    /// The server ended while the screen was locked: the lock stays in force until the next server is locked.
    pub(super) fn returns(&mut self) {
        (self.returning, self.watched, self.cover) = (true, true, true);
    }

    /// The next server is covered, and a locker has to appear by `until`.
    pub(super) fn awaits_locker(&mut self, until: Instant) {
        (self.returning, self.restarted, self.target) = (false, false, true);
        self.lost = Some((until, "the screen locker was ended by the end of its X server".to_owned()));
    }

    /// When a request, or a locker that is missing, is given up.
    pub(super) fn due(&self) -> Option<Instant> {
        let requests = self.locks.iter().chain(&self.unlocks).map(|request| request.until);
        requests.chain(self.lost.iter().map(|(until, _)| *until)).chain(self.vanished).min()
    }

    /// The server has ended, and every locker's window with it. That does not count as an unlocking.
    pub(super) fn server_ended(&mut self) {
        (self.watched, self.covered, self.cover) = (false, false, false);
        if self.locked {
            self.returning = true;
            (self.lost, self.vanished, self.deciding) = (None, None, false);
        }
    }
}

/// Adds a client to the request.
fn wait(request: &mut Option<Request>, until: Instant, client: Option<ClientId>) -> bool {
    let is_new = request.is_none();
    request.get_or_insert_with(|| Request { until, clients: Vec::new() }).clients.extend(client);
    is_new
}

impl Session {
    /// Handles what concerns the lock; returns any other event.
    pub(super) fn about_lock(&mut self, now: Instant, event: Event) -> Result<(), Event> {
        match event {
            Event::LockAsked(client) => self.lock_asked(now, client),
            Event::UnlockAsked(client) => self.unlock_asked(now, client),
            // What was seen on the old server says nothing about the next one.
            Event::Covered(_) if self.is_blank() => {}
            Event::Covered(covered) => self.covered(now, covered),
            Event::CoveredFirst => self.covered_first(now),
            Event::LockerStarted(Ok(())) => (self.locking.command_runs, self.locking.released) = (true, false),
            Event::LockerStarted(Err(why)) => {
                let why = format!("lock.command cannot be run: {why}");
                match self.locking.lost.take() {
                    Some(_) => self.end(now, Why::LockerLost(why)),
                    None => self.not_locked(&why),
                }
            }
            Event::LockerLocks if self.is_blank() => {}
            Event::LockerLocks => {
                (self.locking.released, self.locking.lost) = (true, None);
                self.lock_seen(now);
            }
            Event::LockerEnded(ending) => self.locker_ended(now, ending),
            Event::Lockers(found) => self.lockers(now, found),
            event => return Err(event),
        }
        Ok(())
    }

    /// Whether the screen is seen to be locked.
    pub(super) fn is_seen_locked(&self) -> bool {
        self.locking.is_seen()
    }

    /// Whether the screen is seen to be locked, and nobody has asked for it to be opened.
    pub(super) fn stays_locked(&self) -> bool {
        self.locking.is_seen() && self.locking.unlocks.is_none()
    }

    /// Whether a request to lock is under way.
    pub(super) fn is_lock_awaited(&self) -> bool {
        self.locking.locks.is_some() || self.locking.next.as_ref().is_some_and(|next| next.locks)
    }

    /// Watches the display for lockers, once for each server, when the start is done with it.
    pub(super) fn watch_screen(&mut self) {
        if self.server.runs() && !std::mem::replace(&mut self.locking.watched, true) {
            self.act(Action::WatchScreen);
        }
    }

    fn answer(&mut self, request: Option<Request>, reply: &Reply) {
        for client in request.into_iter().flat_map(|request| request.clients) {
            self.act(Action::Reply(client, reply.clone()));
        }
    }

    pub(super) fn lock_asked(&mut self, now: Instant, client: Option<ClientId>) {
        let refusal = match &self.stage {
            Stage::Up if self.server.has_display() => None,
            Stage::Up => Some("the display is not there"),
            _ => Some("the session is going down"),
        };
        if let Some(refusal) = refusal {
            return match client {
                Some(client) => self.act(Action::Refuse(client, refusal.to_owned())),
                None => tracing::warn!("the screen cannot be locked: {refusal}"),
            };
        }
        if self.locking.unlocks.is_some() {
            return self.queue(true, client);
        }
        self.withdraw_next();
        if self.locking.is_seen() {
            return client.into_iter().for_each(|client| self.act(Action::Reply(client, Reply::Locked)));
        }
        self.watch_screen();
        let until = now + self.setup.deadlines.lock;
        if !wait(&mut self.locking.locks, until, client) {
            return;
        }
        self.locking.saver = false;
        self.act(Action::LookForGrabs);
        if self.setup.has_lock_command && !self.locking.command_runs {
            self.act(Action::StartLocker);
        }
        self.locking.target = true;
        self.start(Purpose::Lock, names::LOCK_TARGET, Mode::Replace);
        self.ask_for_lockers();
    }

    fn unlock_asked(&mut self, now: Instant, client: Option<ClientId>) {
        if self.relocks() || (self.is_blank() && self.locking.is_seen()) {
            let refusal = "the X server is being started again";
            return client.into_iter().for_each(|client| self.act(Action::Refuse(client, refusal.to_owned())));
        }
        if self.locking.locks.is_some() {
            return self.queue(false, client);
        }
        self.withdraw_next();
        let is_seen = self.locking.is_seen();
        if !matches!(self.stage, Stage::Up) || !(is_seen || self.locking.target && self.locking.has_own()) {
            return client.into_iter().for_each(|client| self.act(Action::Reply(client, Reply::Unlocked)));
        }
        self.locking.ends_unseen |= !is_seen;
        if !wait(&mut self.locking.unlocks, now + self.setup.deadlines.lock, client) {
            return;
        }
        // The target stops its units. Other lockers are told here.
        self.stop_lock_target();
        if !self.locking.units.iter().any(LockerUnit::is_up) {
            self.act(Action::EndLocker);
        }
    }

    /// Has a request wait until the opposite one, which is under way, is over.
    ///
    /// A race: a locker that was started may lock at any moment, and one that was told to end may do so at any moment.
    /// Answered by what is seen meanwhile, `startxd unlock` would report an open screen that is locked a moment
    /// later, and `startxd lock` a locked one that opens.
    fn queue(&mut self, locks: bool, client: Option<ClientId>) {
        self.locking.next.get_or_insert_with(|| Queued { locks, clients: Vec::new() }).clients.push(client);
    }

    /// A request joins the one that is under way, so what was to come after that is outdated.
    fn withdraw_next(&mut self) {
        let Some(Queued { locks, clients }) = self.locking.next.take() else { return };
        let does = if locks { "opens" } else { "locks" };
        for client in clients.into_iter().flatten() {
            self.act(Action::Refuse(client, format!("a later request {does} the screen")));
        }
        if locks {
            self.lock_is_settled();
        }
    }

    /// Handles the queued request once the one before it is over.
    pub(super) fn go_on_locking(&mut self, now: Instant) {
        if self.locking.locks.is_some() || self.locking.unlocks.is_some() {
            return;
        }
        let Some(Queued { locks, clients }) = self.locking.next.take() else { return };
        for client in clients {
            if locks { self.lock_asked(now, client) } else { self.unlock_asked(now, client) }
        }
        if locks && !self.is_lock_awaited() {
            self.lock_is_settled();
        }
    }

    fn stop_lock_target(&mut self) {
        if std::mem::take(&mut self.locking.target) {
            self.start(Purpose::Lock, names::UNLOCK_TARGET, Mode::Replace);
        }
    }

    pub(super) fn ask_for_lockers(&mut self) {
        let locking = &mut self.locking;
        if std::mem::replace(&mut locking.asking, true) {
            locking.again = true;
        } else {
            self.act(Action::AskForLockers);
        }
    }

    /// A unit has changed: is it a locker?
    pub(super) fn locker_changed(&mut self, unit: &str) {
        if self.locking.units.iter().any(|locker| locker.unit == unit) {
            self.ask_for_lockers();
        }
    }

    /// The start of the target is over, and with it the start of its units.
    pub(super) fn lock_target_reached(&mut self) {
        self.locking.restarted = self.locking.lost.is_some();
        if self.locking.locks.is_some() || self.locking.restarted {
            self.ask_for_lockers();
        }
    }

    /// A locker's window has appeared or gone.
    fn covered(&mut self, now: Instant, covered: bool) {
        let locking = &mut self.locking;
        let is_ours = locking.command_runs || (locking.target && !locking.units.is_empty());
        locking.covered = covered;
        if covered {
            (locking.lost, locking.vanished) = (None, None);
            if locking.unlocks.is_some() {
                // A race: it was told to end before its window was there, in the background.
                self.act(Action::EndLocker);
            }
        } else if locking.locked && locking.lost.is_none() && is_ours {
            locking.vanished = Some(now + LOCKER_ENDS);
            if !locking.units.is_empty() {
                self.ask_for_lockers();
            }
        }
        self.lock_seen(now);
    }

    /// A locker has died: start it again, behind the cover.
    fn locker_lost(&mut self, now: Instant, what: String, unit: Option<LockerUnit>) {
        let crash = &self.setup.policy.crash;
        let count = self.locking.deaths.add(now, crash.window);
        if count > crash.limit {
            return self.end(now, Why::LockerLost(what));
        }
        tracing::error!("{what} while the screen was locked; it is started again ({count} of {})", crash.limit);
        let locking = &mut self.locking;
        (locking.lost, locking.vanished) = (Some((now + self.setup.deadlines.lock, what)), None);
        locking.restarted = false;
        match unit {
            // Its own policy is starting it again.
            Some(dead) if dead.active == "activating" => {}
            Some(dead) => self.start(Purpose::Lock, &dead.unit, Mode::Replace),
            None => self.act(Action::StartLocker),
        }
    }

    fn lockers(&mut self, now: Instant, found: Result<Vec<LockerUnit>, CallFailure>) {
        if self.is_blank() {
            return self.lockers_of_nothing(found);
        }
        let is_open = self.locking.unlocks.is_some() || !self.locking.locked;
        // An answer to an older question says nothing about now.
        let decided = !self.locking.again && std::mem::take(&mut self.locking.deciding);
        self.locking.asking = false;
        match found {
            Ok(units) => {
                let before = std::mem::replace(&mut self.locking.units, units);
                let ran = |unit: &str| before.iter().any(|locker| locker.unit == unit && locker.active == "active");
                // It may live and die between two looks; its vanished window shows that too.
                let vanished = match self.locking.lost {
                    Some(_) => self.locking.restarted && !self.locking.again,
                    None => decided || self.locking.vanished.is_some(),
                };
                let is_dead = |locker: &&LockerUnit| {
                    matches!(locker.active.as_str(), "failed" | "activating") && (vanished || ran(&locker.unit))
                };
                if let Some(dead) = self.locking.units.iter().find(is_dead).filter(|_| !is_open).cloned() {
                    self.locker_lost(now, format!("{} failed", dead.unit), Some(dead));
                }
                // It will soon end, and that says more.
                self.locking.deciding |= decided && self.locking.units.iter().any(|one| one.active == "deactivating");
                if self.locking.units.iter().any(LockerUnit::is_ready) {
                    self.locking.lost = None;
                }
                if self.locking.units.iter().all(|locker| locker.active == "inactive") && !self.locking.command_runs {
                    self.locking.vanished = None;
                }
            }
            Err(failure) if decided => {
                let what = format!("the screen locker's unit cannot be looked at ({})", failure.text);
                return self.end(now, Why::LockerLost(what));
            }
            Err(failure) => tracing::debug!("the screen lockers' units cannot be looked at: {}", failure.text),
        }
        if std::mem::take(&mut self.locking.again) {
            self.ask_for_lockers();
        }
        self.lockers_known_for_sleep(now, !self.locking.units.is_empty());
        let locking = &mut self.locking;
        let nobody = !self.setup.has_lock_command && locking.units.is_empty();
        if locking.locks.is_some() && nobody && !std::mem::replace(&mut locking.saver, true) {
            self.act(Action::AskForScreenSaver);
        }
        self.lock_seen(now);
    }

    /// The lockers while there is no screen to lock: follow their state.
    fn lockers_of_nothing(&mut self, found: Result<Vec<LockerUnit>, CallFailure>) {
        self.locking.asking = false;
        if let Ok(units) = found {
            self.locking.units = units;
        }
        if std::mem::take(&mut self.locking.again) {
            self.ask_for_lockers();
        }
    }

    fn locker_ended(&mut self, now: Instant, ending: Ending) {
        let locking = &mut self.locking;
        if !std::mem::take(&mut locking.command_runs) {
            return;
        }
        let locked = std::mem::take(&mut locking.released);
        if self.is_blank() {
            // It ended with its server. It is started again on the next one.
            return;
        }
        let locking = &mut self.locking;
        let is_clean = ending == Ending::Code(0) || locking.unlocks.is_some();
        if locking.locked && !is_clean {
            return self.locker_lost(now, format!("the screen locker {ending}"), None);
        }
        if !locking.units.iter().any(LockerUnit::is_up) {
            // A race: a locker that goes into the background (i3lock without --nofork) reports that it locks and ends
            // at once, before we learn of the window that it shows. Taken for an unlocking, that would remove our
            // cover.
            let hides = locked && ending == Ending::Code(0) && !locking.covered && locking.vanished.is_none();
            locking.vanished = hides.then(|| now + LOCKER_ENDS);
            // It was never seen to lock, so it has let nobody in: it may have forked and lock from the background.
            locking.lost.take_if(|_| locking.unlocks.is_some());
        }
        if locking.locks.is_some() && !locking.is_seen() && ending != Ending::Code(0) {
            self.not_locked(&format!("the screen locker {ending}"));
        }
        self.lock_seen(now);
    }

    /// Tells the clients that wait that the screen will not be locked.
    fn not_locked(&mut self, why: &str) {
        let Some(request) = self.locking.locks.take() else { return };
        tracing::error!("the screen is not locked: {why}");
        for client in request.clients {
            self.act(Action::Refuse(client, why.to_owned()));
        }
        self.lock_is_settled();
    }

    /// Something that locks has appeared or gone.
    pub(super) fn lock_seen(&mut self, now: Instant) {
        let locked = self.locking.is_seen();
        if std::mem::replace(&mut self.locking.locked, locked) != locked {
            tracing::info!("the screen is {}", if locked { "locked" } else { "open" });
            self.act(Action::SetLockedHint(locked));
            if locked && !self.can_relock() {
                // To know whether there is a locker to start if the server ends.
                self.ask_for_lockers();
            }
            if locked && self.locking.has_own() {
                self.locking.cover = true;
                self.act(Action::Cover);
            }
            if !locked && std::mem::take(&mut self.locking.cover) {
                self.act(Action::Uncover);
            }
            // Told directly, not through logind, which may be down.
            self.locked_hint(now, locked);
        }
        if self.awaits_locker() && self.locking.lost.is_none() && locked {
            self.relocked();
        }
        if locked {
            let request = self.locking.locks.take();
            self.answer(request, &Reply::Locked);
            if self.locking.unlocks.is_none() {
                self.lock_is_settled();
            }
        } else if self.locking.locks.is_none() {
            self.stop_lock_target();
            if !(self.locking.ends_unseen && self.locking.has_own()) {
                self.locking.ends_unseen = false;
                let request = self.locking.unlocks.take();
                self.answer(request, &Reply::Unlocked);
            }
        }
    }

    /// The session ends, and its lockers before the other clients of the display: the cover takes their place.
    pub(super) fn cover_for_end(&mut self) {
        if self.locking.locked && !std::mem::replace(&mut self.locking.cover, true) {
            self.act(Action::Cover);
        }
    }

    /// logind was restarted and has forgotten what it was told.
    pub(super) fn tell_logind_of_lock(&mut self) {
        if self.locking.locked {
            self.act(Action::SetLockedHint(true));
        }
    }

    /// Gives up requests that are past their deadline.
    pub(super) fn lock_overdue(&mut self, now: Instant) {
        if !matches!(self.stage, Stage::Up) {
            return;
        }
        if let Some((_, what)) = self.locking.lost.take_if(|(until, _)| *until <= now) {
            return self.end(now, Why::LockerLost(what));
        }
        if self.locking.vanished.take_if(|until| *until <= now).is_some() {
            // It lives, so a person has unlocked it. Of a unit that has to be queried first.
            self.locking.deciding = !self.locking.units.is_empty();
            if self.locking.deciding {
                self.ask_for_lockers();
            }
            self.lock_seen(now);
        }
        let is_over = |request: &mut Request| request.until <= now;
        if self.locking.locks.as_mut().is_some_and(is_over) {
            let seconds = self.setup.deadlines.lock.as_secs_f32();
            let who = match self.locking.units.as_slice() {
                _ if self.setup.has_lock_command => "lock.command".to_owned(),
                [] => {
                    self.not_locked(&format!(
                        "nothing has answered the X server's screen saver request within {seconds} s, as xss-lock would; \
                         set lock.command in startxd.toml, or enable a unit for startxd-lock.target; see: man startxd-lock"
                    ));
                    return;
                }
                units => units.iter().map(|locker| locker.unit.as_str()).collect::<Vec<_>>().join(", "),
            };
            self.not_locked(&format!("{who} has not locked it within {seconds} s"));
        }
        if let Some(request) = self.locking.unlocks.take_if(|request| is_over(request)) {
            self.locking.ends_unseen = false;
            let why = "the screen locker does not end";
            tracing::error!("the screen is not unlocked: {why}");
            for client in request.clients {
                self.act(Action::Refuse(client, why.to_owned()));
            }
        }
    }
}
