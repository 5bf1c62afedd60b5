//! Whether a screen locker has a display: its windows cover every monitor, and keyboard and pointer are grabbed.
//!
//! All lockers do that: slock, i3lock, xsecurelock, xscreensaver. The window manager does not control their windows
//! (override-redirect). A menu or a game that covers everything and grabs both looks the same, and in fact locks.
//!
//! A locker that dies leaves the screen open to anybody. So if requested, there is a cover of ours below it: a black
//! window. Whenever no locker covers the display, it is shown and has keyboard and pointer.
//!
//! Nothing is polled while nothing happens: the server reports windows. It does not report grabs, so those are queried,
//! for a few seconds, when a window covers everything.

use std::collections::BTreeMap;

use nix::unistd::Pid;
use tokio::time::{Instant, sleep_until};
use x11rb_protocol::protocol::randr::{
    self, GetMonitorsReply, GetMonitorsRequest, QueryVersionReply, QueryVersionRequest,
};
use x11rb_protocol::protocol::xproto::{
    CONFIGURE_NOTIFY_EVENT, CREATE_NOTIFY_EVENT, ConfigureNotifyEvent, ConfigureWindowAux, ConfigureWindowRequest,
    CreateNotifyEvent, CreateWindowAux, CreateWindowRequest, DESTROY_NOTIFY_EVENT, DestroyNotifyEvent,
    DestroyWindowRequest, EventMask, ForceScreenSaverRequest, GetGeometryReply, GetGeometryRequest, GetInputFocusReply,
    GetInputFocusRequest, GetWindowAttributesReply, GetWindowAttributesRequest, GrabKeyboardReply, GrabKeyboardRequest,
    GrabMode, GrabPointerReply, GrabPointerRequest, GrabStatus, InputFocus, KillClientRequest, MAP_NOTIFY_EVENT,
    MapNotifyEvent, MapState, MapWindowRequest, QueryTreeReply, QueryTreeRequest, ScreenSaver, SetInputFocusRequest,
    StackMode, UNMAP_NOTIFY_EVENT, UngrabKeyboardRequest, UngrabPointerRequest, UngrabServerRequest, UnmapNotifyEvent,
    VISIBILITY_NOTIFY_EVENT, WindowClass,
};
use x11rb_protocol::x11_utils::TryParse;

use super::client::{Client, ClientError};
use super::clients::owner;
use super::cookie::Cookie;
use super::display::Display;
use super::managed::select;
use crate::deadline::{GIVES_UP, GRABBED, LOOK_FOR_GRAB, TAKES_OVER};

/// More windows of this kind than any display has.
const MAX_WINDOWS: usize = 4096;

/// A part of the root window, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Area {
    x: i32,
    y: i32,
    width: i32,
    height: i32,
}

impl Area {
    /// Whether it contains all of `other`.
    const fn covers(&self, other: &Self) -> bool {
        self.x <= other.x
            && self.y <= other.y
            && self.x + self.width >= other.x + other.width
            && self.y + self.height >= other.y + other.height
    }
}

/// Those of these windows that cover a monitor, if together they cover all monitors.
fn covering(monitors: &[Area], windows: &BTreeMap<u32, Area>) -> Vec<u32> {
    let all = monitors.iter().all(|monitor| windows.values().any(|area| area.covers(monitor)));
    let of_one = |area: &Area| monitors.iter().any(|monitor| area.covers(monitor));
    let covering = windows.iter().filter(|(_, area)| all && of_one(area));
    covering.map(|(window, _)| *window).collect()
}

/// What remains of the windows that locked after one of them has gone, and with it the grabs: those of other clients. A
/// locker that releases its grabs for a moment keeps all of its own.
fn left_behind(lockers: &[u32], covering: &[u32]) -> Vec<u32> {
    let is_left = |window: &&u32| covering.contains(window);
    let left: Vec<u32> = lockers.iter().filter(is_left).copied().collect();
    if left.len() < lockers.len() { left } else { Vec::new() }
}

/// An event of the server, or time to look again.
pub struct Happened(Option<Vec<u8>>);

/// Looks for lockers on one display.
pub struct LockerWatch {
    client: Client,
    root: u32,
    /// A window that is never shown: grabbing for it fails, and the error tells whether another client has the grab.
    probe: u32,
    /// The major opcode of RandR, if the server has monitors.
    randr: Option<u8>,
    /// The visible windows that no window manager controls.
    windows: BTreeMap<u32, Area>,
    monitors: Vec<Area>,
    /// Until when to look for grabs.
    grabbed_by: Option<Instant>,
    /// Windows that cover the display,
    covering: Vec<u32>,
    /// and those that lock it.
    lockers: Vec<u32>,
    /// Set while another program had keyboard or pointer before a locker was started; since when a window has covered
    /// the display without either being released.
    taken: Option<Option<Instant>>,
    /// Windows that were visible when the last locker ended without grabs. They are no lockers, and our cover is above
    /// them.
    bystanders: Vec<u32>,
    cover: Option<Cover>,
}

/// Our window below the locker.
struct Cover {
    window: u32,
    /// Whether it has taken the locker's place.
    stands_in: bool,
    /// Whether it has keyboard and pointer.
    grabs: bool,
    /// Until when it leaves them to a locker that grabs before it shows its window.
    yields: Option<Instant>,
    /// What had the focus before it.
    focus: Option<GetInputFocusReply>,
}

impl LockerWatch {
    /// Connects to a display and examines it.
    ///
    /// # Errors
    /// The display cannot be reached, or refuses us.
    pub async fn connect(display: Display, cookie: &Cookie) -> Result<Self, ClientError> {
        Self::over(Client::connect(display, cookie).await?).await
    }

    /// The same on a server that is yet to come, which serves no other client before it has our cover.
    ///
    /// # Errors
    /// The display cannot be reached, or refuses us.
    pub async fn connect_covering(display: Display, cookie: &Cookie) -> Result<Self, ClientError> {
        let mut watch = Self::over(Client::connect_alone(display, cookie).await?).await?;
        watch.cover().await?;
        watch.client.send(UngrabServerRequest.serialize()).await?;
        Ok(watch)
    }

    /// Whether our cover has keyboard and pointer, or a locker does.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.is_locked() || self.cover.as_ref().is_some_and(|cover| cover.grabs)
    }

    async fn over(mut client: Client) -> Result<Self, ClientError> {
        let root = client.root()?;
        let probe = client.new_id()?;
        let request = CreateWindowRequest {
            depth: 0,
            wid: probe,
            parent: root,
            x: 0,
            y: 0,
            width: 1,
            height: 1,
            border_width: 0,
            class: WindowClass::INPUT_ONLY,
            visual: 0,
            value_list: std::borrow::Cow::Owned(CreateWindowAux::new()),
        };
        client.send(request.serialize()).await?;
        // A change of the root window may be one of the monitors.
        select(&mut client, root, EventMask::SUBSTRUCTURE_NOTIFY | EventMask::STRUCTURE_NOTIFY).await?;
        let randr = Self::randr(&mut client).await?;
        let mut watch = Self {
            client,
            root,
            probe,
            randr,
            windows: BTreeMap::new(),
            monitors: Vec::new(),
            grabbed_by: None,
            covering: Vec::new(),
            lockers: Vec::new(),
            taken: None,
            bystanders: Vec::new(),
            cover: None,
        };
        // After selecting events, so that none is missed.
        let tree: Option<QueryTreeReply> = watch.client.request(QueryTreeRequest { window: root }.serialize()).await?;
        for window in tree.map(|tree| tree.children).unwrap_or_default() {
            watch.shown(window).await?;
        }
        watch.look(true).await?;
        Ok(watch)
    }

    /// Whether the server can be asked for monitors (RandR 1.5).
    async fn randr(client: &mut Client) -> Result<Option<u8>, ClientError> {
        let Some(opcode) = client.extension(randr::X11_EXTENSION_NAME).await? else { return Ok(None) };
        let request = QueryVersionRequest { major_version: 1, minor_version: 5 }.serialize(opcode);
        let version: Option<QueryVersionReply> = client.request(request).await?;
        Ok(version.filter(|found| (found.major_version, found.minor_version) >= (1, 5)).map(|_| opcode))
    }

    /// Whether a locker has the display, as last seen.
    #[must_use]
    pub const fn is_locked(&self) -> bool {
        !self.lockers.is_empty()
    }

    /// Waits for what may change that; pass it to [`LockerWatch::take`]. May be dropped while it waits.
    ///
    /// # Errors
    /// The connection broke: the server has ended.
    pub async fn next(&mut self) -> Result<Happened, ClientError> {
        let wants_grab = self.cover.as_ref().is_some_and(|cover| cover.stands_in && !cover.grabs);
        let again = (wants_grab || self.grabbed_by.is_some()).then(|| Instant::now() + LOOK_FOR_GRAB);
        tokio::select! {
            event = self.client.event() => event.map(|event| Happened(Some(event))),
            () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => Ok(Happened(None)),
        }
    }

    /// Handles what [`LockerWatch`] waited for.
    ///
    /// # Errors
    /// The connection broke: the server has ended.
    pub async fn take(&mut self, happened: Happened) -> Result<(), ClientError> {
        match happened.0 {
            Some(event) => self.event(&event).await,
            None if self.grabbed_by.is_some() => self.look(false).await,
            None => Ok(()),
        }?;
        self.tend_cover().await
    }

    /// Handles an event about a window.
    async fn event(&mut self, event: &[u8]) -> Result<(), ClientError> {
        let fresh = match event.first().map(|kind| kind & 0x7f) {
            Some(CREATE_NOTIFY_EVENT) => {
                if let Ok((event, _)) = CreateNotifyEvent::try_parse(event) {
                    self.made(&event).await?;
                }
                false
            }
            Some(MAP_NOTIFY_EVENT) => match MapNotifyEvent::try_parse(event) {
                Ok((event, _)) if event.override_redirect => self.shown(event.window).await?,
                _ => false,
            },
            Some(UNMAP_NOTIFY_EVENT) => {
                UnmapNotifyEvent::try_parse(event).is_ok_and(|(event, _)| self.gone(event.window))
            }
            Some(DESTROY_NOTIFY_EVENT) => {
                DestroyNotifyEvent::try_parse(event).is_ok_and(|(event, _)| self.gone(event.window))
            }
            Some(CONFIGURE_NOTIFY_EVENT) => match ConfigureNotifyEvent::try_parse(event) {
                Ok((event, _)) if event.window == self.root => {
                    self.resize_cover(event.width, event.height).await?;
                    true
                }
                Ok((event, _)) => {
                    let area = Area {
                        x: event.x.into(),
                        y: event.y.into(),
                        width: event.width.into(),
                        height: event.height.into(),
                    };
                    let known = self.windows.get_mut(&event.window);
                    known.is_some_and(|known| std::mem::replace(known, area) != area)
                }
                Err(_) => false,
            },
            // A window was placed above our cover.
            Some(VISIBILITY_NOTIFY_EVENT) => {
                if let Some(cover) = self.cover.as_ref().filter(|cover| cover.stands_in) {
                    let raise = ConfigureWindowAux::new().stack_mode(StackMode::ABOVE);
                    configure(&mut self.client, cover.window, raise).await?;
                }
                false
            }
            _ => false,
        };
        if fresh { self.look(true).await } else { Ok(()) }
    }

    /// A window was created. A locker may grab before it shows its window (xsecurelock, slock), so the grabs are
    /// released for it. What is typed meanwhile goes to the cover, which has the focus.
    async fn made(&mut self, event: &CreateNotifyEvent) -> Result<(), ClientError> {
        let (x, y) = (event.x.into(), event.y.into());
        let area = Area { x, y, width: event.width.into(), height: event.height.into() };
        let may_lock = event.override_redirect && self.monitors.iter().any(|monitor| area.covers(monitor));
        let Some(Cover { window, grabs: true, focus, .. }) = self.cover else { return Ok(()) };
        if !may_lock || window == event.window {
            return Ok(());
        }
        let before = match focus {
            Some(before) => Some(before),
            None => self.client.request(GetInputFocusRequest.serialize()).await?,
        };
        let request = SetInputFocusRequest { revert_to: InputFocus::POINTER_ROOT, focus: window, time: 0 };
        self.client.send(request.serialize()).await?;
        self.ungrab().await?;
        let until = Instant::now() + TAKES_OVER;
        self.cover = Some(Cover { window, stands_in: true, grabs: false, yields: Some(until), focus: before });
        Ok(())
    }

    /// A window is shown. Returns whether it could be a locker's.
    async fn shown(&mut self, window: u32) -> Result<bool, ClientError> {
        if self.cover.as_ref().is_some_and(|cover| cover.window == window) {
            return Ok(false);
        }
        let request = GetWindowAttributesRequest { window }.serialize();
        let attributes: Option<GetWindowAttributesReply> = self.client.request(request).await?;
        let counts = attributes.is_some_and(|found| {
            found.override_redirect && found.map_state == MapState::VIEWABLE && found.class == WindowClass::INPUT_OUTPUT
        });
        if !counts || self.windows.len() >= MAX_WINDOWS {
            return Ok(false);
        }
        let request = GetGeometryRequest { drawable: window }.serialize();
        let Some(found) = self.client.request::<GetGeometryReply, _>(request).await? else { return Ok(false) };
        let border = 2 * i32::from(found.border_width);
        let (width, height) = (i32::from(found.width) + border, i32::from(found.height) + border);
        self.windows.insert(window, Area { x: found.x.into(), y: found.y.into(), width, height });
        Ok(true)
    }

    /// A window is no longer shown. Returns whether it was one that counts.
    fn gone(&mut self, window: u32) -> bool {
        self.windows.remove(&window).is_some()
    }

    /// Checks whether they lock; `fresh` if windows or monitors have changed.
    async fn look(&mut self, fresh: bool) -> Result<(), ClientError> {
        if fresh {
            self.monitors = self.find_monitors().await?;
        }
        self.find_covering();
        // It cannot have grabbed what we have.
        self.release().await?;
        if self.covering.is_empty() {
            (self.lockers, self.grabbed_by) = (Vec::new(), None);
            self.taken = self.taken.map(|_| None);
        } else if self.is_grabbed().await? && !self.is_anothers() {
            (self.lockers, self.grabbed_by) = (self.covering.clone(), None);
        } else {
            if self.taken.is_some() && !self.is_grabbed().await? {
                // What grabs them from now on is the locker.
                self.taken = None;
            }
            let left = left_behind(&self.lockers, &self.covering);
            if self.cover.is_some() && !left.is_empty() {
                self.bystanders.extend(left);
                self.find_covering();
            }
            let now = Instant::now();
            let until = if fresh { now + GRABBED } else { self.grabbed_by.unwrap_or(now) };
            let is_one = !self.covering.is_empty();
            (self.lockers, self.grabbed_by) = (Vec::new(), Some(until).filter(|until| is_one && *until > now));
        }
        Ok(())
    }

    /// Finds the windows that may belong to a locker.
    fn find_covering(&mut self) {
        self.bystanders.retain(|window| self.windows.contains_key(window));
        let may_be = |window: &u32| !self.bystanders.contains(window);
        let windows = self.windows.iter().filter(|(window, _)| may_be(window));
        self.covering = covering(&self.monitors, &windows.map(|(window, area)| (*window, *area)).collect());
    }

    async fn find_monitors(&mut self) -> Result<Vec<Area>, ClientError> {
        if let Some(opcode) = self.randr {
            let request = GetMonitorsRequest { window: self.root, get_active: true }.serialize(opcode);
            let reply: Option<GetMonitorsReply> = self.client.request(request).await?;
            let monitors: Vec<Area> = reply
                .into_iter()
                .flat_map(|reply| reply.monitors)
                .map(|one| Area {
                    x: one.x.into(),
                    y: one.y.into(),
                    width: one.width.into(),
                    height: one.height.into(),
                })
                .filter(|area| area.width > 0 && area.height > 0)
                .collect();
            if !monitors.is_empty() {
                return Ok(monitors);
            }
        }
        let request = GetGeometryRequest { drawable: self.root }.serialize();
        let root: Option<GetGeometryReply> = self.client.request(request).await?;
        Ok(root
            .map(|root| Area { x: 0, y: 0, width: root.width.into(), height: root.height.into() })
            .into_iter()
            .collect())
    }

    /// Whether keyboard and pointer are grabbed by another client.
    ///
    /// We never get either: a grab needs a visible window, and ours is not. Servers check first whether another client
    /// has the grab (xserver, dix/events.c, `GrabDevice`), so the error answers the question, and no client notices.
    async fn is_grabbed(&mut self) -> Result<bool, ClientError> {
        let taken = Some(GrabStatus::ALREADY_GRABBED);
        Ok(self.grab_keyboard(self.probe).await? == taken && self.grab_pointer(self.probe).await? == taken)
    }

    /// Whether the grabs may be those of a program that had them before the locker came: the server does not name the
    /// owner of a grab. A locker that cannot have them gives up.
    fn is_anothers(&mut self) -> bool {
        let Some(since) = &mut self.taken else { return false };
        let waits = since.get_or_insert_with(Instant::now).elapsed() < GIVES_UP;
        if !waits {
            self.taken = None;
        }
        waits
    }

    /// Looks whether another program has keyboard or pointer, before a locker is started.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn look_for_grabs(&mut self) -> Result<(), ClientError> {
        let taken = Some(GrabStatus::ALREADY_GRABBED);
        let is_one = self.grab_keyboard(self.probe).await? == taken || self.grab_pointer(self.probe).await? == taken;
        self.taken = (is_one && !self.is_locked()).then_some(None);
        Ok(())
    }

    /// Puts our cover below the locker, or in its place if there is none.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn cover(&mut self) -> Result<(), ClientError> {
        if self.cover.is_some() {
            return Ok(());
        }
        let request = GetGeometryRequest { drawable: self.root }.serialize();
        let root: Option<GetGeometryReply> = self.client.request(request).await?;
        let (width, height) = root.map_or((u16::MAX >> 1, u16::MAX >> 1), |root| (root.width, root.height));
        let window = self.client.new_id()?;
        let black = self.client.setup.roots.first().map_or(0, |screen| screen.black_pixel);
        let values = CreateWindowAux::new()
            .background_pixel(black)
            .border_pixel(black)
            .override_redirect(1)
            .event_mask(EventMask::VISIBILITY_CHANGE);
        let request = CreateWindowRequest {
            depth: 0,
            wid: window,
            parent: self.root,
            x: 0,
            y: 0,
            width,
            height,
            border_width: 0,
            class: WindowClass::INPUT_OUTPUT,
            visual: 0,
            value_list: std::borrow::Cow::Owned(values),
        };
        self.client.send(request.serialize()).await?;
        self.cover = Some(Cover { window, stands_in: false, grabs: false, yields: None, focus: None });
        self.put_below(window).await?;
        self.client.send(MapWindowRequest { window }.serialize()).await?;
        self.tend_cover().await
    }

    /// Takes our cover away.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn uncover(&mut self) -> Result<(), ClientError> {
        self.bystanders.clear();
        let Some(cover) = self.cover.take() else { return Ok(()) };
        if cover.stands_in {
            self.ungrab().await?;
        }
        if let Some(before) = cover.focus {
            let now: Option<GetInputFocusReply> = self.client.request(GetInputFocusRequest.serialize()).await?;
            // Unless a window manager has given it to another window meanwhile. A window that is gone only causes an
            // error.
            if now.is_some_and(|now| now.focus == cover.window) {
                let request = SetInputFocusRequest { revert_to: before.revert_to, focus: before.focus, time: 0 };
                self.client.send(request.serialize()).await?;
            }
        }
        self.client.send(DestroyWindowRequest { window: cover.window }.serialize()).await
    }

    /// Puts a window of ours below the locker's.
    async fn put_below(&mut self, window: u32) -> Result<(), ClientError> {
        let Some(&sibling) = self.covering.first() else { return Ok(()) };
        let below = ConfigureWindowAux::new().sibling(sibling).stack_mode(StackMode::BELOW);
        configure(&mut self.client, window, below).await
    }

    async fn resize_cover(&mut self, width: u16, height: u16) -> Result<(), ClientError> {
        let Some(cover) = &self.cover else { return Ok(()) };
        let size = ConfigureWindowAux::new().width(u32::from(width)).height(u32::from(height));
        configure(&mut self.client, cover.window, size).await
    }

    /// Shows the cover exactly while no locker covers the display.
    async fn tend_cover(&mut self) -> Result<(), ClientError> {
        let is_alone = self.covering.is_empty();
        let Some(Cover { window, stands_in, grabs, yields, focus }) = self.cover else { return Ok(()) };
        if is_alone && !stands_in {
            configure(&mut self.client, window, ConfigureWindowAux::new().stack_mode(StackMode::ABOVE)).await?;
        } else if !is_alone && stands_in {
            self.put_below(window).await?;
        }
        let yields = yields.filter(|until| is_alone && *until > Instant::now());
        let grabs = grabs || (is_alone && yields.is_none() && self.grab(window).await?);
        self.cover = Some(Cover { window, stands_in: is_alone, grabs, yields, focus });
        Ok(())
    }

    /// Releases keyboard and pointer if there is a locker to grab them.
    async fn release(&mut self) -> Result<(), ClientError> {
        if let Some(cover) = self.cover.as_mut().filter(|cover| cover.stands_in && !self.covering.is_empty()) {
            cover.grabs = false;
            self.ungrab().await?;
        }
        Ok(())
    }

    /// Takes keyboard and pointer. Returns whether it has got both.
    async fn grab(&mut self, window: u32) -> Result<bool, ClientError> {
        let keyboard = self.grab_keyboard(window).await?;
        let pointer = self.grab_pointer(window).await?;
        Ok(keyboard == Some(GrabStatus::SUCCESS) && pointer == Some(GrabStatus::SUCCESS))
    }

    async fn ungrab(&mut self) -> Result<(), ClientError> {
        self.client.send(UngrabPointerRequest { time: 0 }.serialize()).await?;
        self.client.send(UngrabKeyboardRequest { time: 0 }.serialize()).await
    }

    async fn grab_keyboard(&mut self, window: u32) -> Result<Option<GrabStatus>, ClientError> {
        let request = GrabKeyboardRequest {
            owner_events: false,
            grab_window: window,
            time: 0,
            pointer_mode: GrabMode::ASYNC,
            keyboard_mode: GrabMode::ASYNC,
        };
        let reply: Option<GrabKeyboardReply> = self.client.request(request.serialize()).await?;
        Ok(reply.map(|reply| reply.status))
    }

    async fn grab_pointer(&mut self, window: u32) -> Result<Option<GrabStatus>, ClientError> {
        let request = GrabPointerRequest {
            owner_events: false,
            grab_window: window,
            event_mask: EventMask::NO_EVENT,
            pointer_mode: GrabMode::ASYNC,
            keyboard_mode: GrabMode::ASYNC,
            confine_to: 0,
            cursor: 0,
            time: 0,
        };
        let reply: Option<GrabPointerReply> = self.client.request(request.serialize()).await?;
        Ok(reply.map(|reply| reply.status))
    }

    /// Shows the server's screen saver (X Window System Protocol, ForceScreenSaver), as `xset s activate` does.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn show_screen_saver(&mut self) -> Result<(), ClientError> {
        self.client.send(ForceScreenSaverRequest { mode: ScreenSaver::ACTIVE }.serialize()).await
    }

    /// The windows that lock, each with the process that created it, if the server knows. That process may be gone: a
    /// locker that goes into the background forks.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn lockers(&mut self) -> Result<Vec<(u32, Option<Pid>)>, ClientError> {
        let mut lockers = Vec::new();
        for window in self.lockers.clone() {
            lockers.push((window, owner(&mut self.client, window).await?));
        }
        Ok(lockers)
    }

    /// Closes the connection of the client that created this window.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn disconnect(&mut self, window: u32) -> Result<(), ClientError> {
        self.client.send(KillClientRequest { resource: window }.serialize()).await
    }
}

async fn configure(client: &mut Client, window: u32, values: ConfigureWindowAux) -> Result<(), ClientError> {
    let value_list = std::borrow::Cow::Owned(values);
    client.send(ConfigureWindowRequest { window, value_list }.serialize()).await
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Area, covering, left_behind};

    const fn area(x: i32, y: i32, width: i32, height: i32) -> Area {
        Area { x, y, width, height }
    }

    #[test]
    fn windows_of_others_are_left_when_a_locker_goes() {
        let cases: [(&[u32], &[u32], &[u32]); 6] = [
            (&[], &[1], &[]),
            (&[1], &[1], &[]),
            (&[1, 2], &[1, 2], &[]),
            (&[1, 2], &[1], &[1]),
            // The next locker is there already.
            (&[1, 2], &[1, 3], &[1]),
            (&[2], &[3], &[]),
        ];
        for (lockers, covering, left) in cases {
            assert_eq!(left_behind(lockers, covering), left, "{lockers:?} {covering:?}");
        }
    }

    #[test]
    fn every_monitor_has_to_be_covered() {
        let (left, right) = (area(0, 0, 1920, 1080), area(1920, 200, 1280, 720));
        let cases: [(&[Area], &[Area], &[u32]); 9] = [
            (&[left], &[], &[]),
            (&[left], &[left], &[0]),
            (&[left], &[area(-1, -1, 1922, 1082)], &[0]),
            (&[left], &[area(1, 0, 1920, 1080)], &[]),
            (&[left], &[area(0, 0, 1920, 1079)], &[]),
            (&[left, right], &[left], &[]),
            (&[left, right], &[area(0, 0, 3200, 1080)], &[0]),
            (&[left, right], &[left, area(5, 5, 20, 20), right], &[0, 2]),
            // Each half of a monitor: together they do not lock.
            (&[left], &[area(0, 0, 960, 1080), area(960, 0, 960, 1080)], &[]),
        ];
        for (monitors, windows, expected) in cases {
            let windows: BTreeMap<u32, Area> = (0..).zip(windows.iter().copied()).collect();
            assert_eq!(covering(monitors, &windows), expected, "{monitors:?} {windows:?}");
        }
    }
}
