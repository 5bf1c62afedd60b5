//! Whether a screen locker has a display: its window covers every monitor, and keyboard and pointer are grabbed.
//!
//! Every locker does that: slock, i3lock, xsecurelock, xscreensaver. Their windows are none of the window manager's
//! (override-redirect). A menu or a game that covers everything and grabs both looks the same, and locks in fact.
//!
//! Nothing is polled while nothing happens: the server tells of windows. It does not tell of a grab, so that is asked for,
//! for some seconds, if a window covers everything.

use std::collections::BTreeMap;

use nix::unistd::Pid;
use tokio::time::{Instant, sleep_until};
use x11rb_protocol::protocol::randr::{
    self, GetMonitorsReply, GetMonitorsRequest, QueryVersionReply, QueryVersionRequest,
};
use x11rb_protocol::protocol::xproto::{
    CONFIGURE_NOTIFY_EVENT, ConfigureNotifyEvent, CreateWindowAux, CreateWindowRequest, DESTROY_NOTIFY_EVENT,
    DestroyNotifyEvent, EventMask, ForceScreenSaverRequest, GetGeometryReply, GetGeometryRequest,
    GetWindowAttributesReply, GetWindowAttributesRequest, GrabKeyboardReply, GrabKeyboardRequest, GrabMode,
    GrabPointerReply, GrabPointerRequest, GrabStatus, KillClientRequest, MAP_NOTIFY_EVENT, MapNotifyEvent, MapState,
    QueryTreeReply, QueryTreeRequest, ScreenSaver, UNMAP_NOTIFY_EVENT, UnmapNotifyEvent, WindowClass,
};
use x11rb_protocol::x11_utils::TryParse;

use super::client::{Client, ClientError};
use super::cookie::Cookie;
use super::display::Display;
use super::managed::{owner, select};
use crate::deadline::{GRABBED, LOOK_FOR_GRAB};

/// No display has so many windows of this kind.
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
    /// Whether all of `other` is in it.
    const fn covers(&self, other: &Self) -> bool {
        self.x <= other.x
            && self.y <= other.y
            && self.x + self.width >= other.x + other.width
            && self.y + self.height >= other.y + other.height
    }
}

/// The windows, of these, that cover monitors, if together they cover all of them.
fn covering(monitors: &[Area], windows: &BTreeMap<u32, Area>) -> Vec<u32> {
    let all = monitors.iter().all(|monitor| windows.values().any(|area| area.covers(monitor)));
    let of_one = |area: &Area| monitors.iter().any(|monitor| area.covers(monitor));
    let covering = windows.iter().filter(|(_, area)| all && of_one(area));
    covering.map(|(window, _)| *window).collect()
}

/// An event of the server, or the time to look again.
pub struct Happened(Option<Vec<u8>>);

/// Looks for lockers on one display.
pub struct LockerWatch {
    client: Client,
    root: u32,
    /// A window that is never shown: to grab something for it fails, and the error tells whether somebody else has.
    probe: u32,
    /// The opcode of RandR, if it knows monitors.
    randr: Option<u8>,
    /// The windows that are shown and none of the window manager's.
    windows: BTreeMap<u32, Area>,
    monitors: Vec<Area>,
    /// Until when a grab is looked for.
    grabbed_by: Option<Instant>,
    /// Those that lock.
    lockers: Vec<u32>,
}

impl LockerWatch {
    /// Connects to a display and looks at what there is.
    ///
    /// # Errors
    /// The display cannot be reached, or refuses us.
    pub async fn connect(display: Display, cookie: &Cookie) -> Result<Self, ClientError> {
        let mut client = Client::connect(display, cookie).await?;
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
        // Configurations of the root window tell of other monitors.
        select(&mut client, root, EventMask::SUBSTRUCTURE_NOTIFY | EventMask::STRUCTURE_NOTIFY).await?;
        let randr = Self::randr(&mut client).await?;
        let (windows, monitors, lockers) = (BTreeMap::new(), Vec::new(), Vec::new());
        let mut watch = Self { client, root, probe, randr, windows, monitors, grabbed_by: None, lockers };
        // After the events were selected, so that none is missed.
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

    /// Whether a locker has the display, as it was seen last.
    #[must_use]
    pub const fn is_locked(&self) -> bool {
        !self.lockers.is_empty()
    }

    /// Waits for what may change that; [`LockerWatch::take`] is told of it. May be dropped while it waits.
    ///
    /// # Errors
    /// The connection broke: the server has ended.
    pub async fn next(&mut self) -> Result<Happened, ClientError> {
        let again = self.grabbed_by.map(|_| Instant::now() + LOOK_FOR_GRAB);
        tokio::select! {
            event = self.client.event() => event.map(|event| Happened(Some(event))),
            () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => Ok(Happened(None)),
        }
    }

    /// Looks at what has happened.
    ///
    /// # Errors
    /// The connection broke: the server has ended.
    pub async fn take(&mut self, happened: Happened) -> Result<(), ClientError> {
        match happened.0 {
            Some(event) => self.event(&event).await,
            None => self.look(false).await,
        }
    }

    /// What has happened to a window.
    async fn event(&mut self, event: &[u8]) -> Result<(), ClientError> {
        let fresh = match event.first().map(|kind| kind & 0x7f) {
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
                Ok((event, _)) if event.window == self.root => true,
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
            _ => false,
        };
        if fresh { self.look(true).await } else { Ok(()) }
    }

    /// A window is shown. Returns whether it is one that could be a locker's.
    async fn shown(&mut self, window: u32) -> Result<bool, ClientError> {
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

    /// A window is not shown any more. Returns whether it was one that counts.
    fn gone(&mut self, window: u32) -> bool {
        self.windows.remove(&window).is_some()
    }

    /// Looks whether they lock; `fresh` if windows or monitors have changed.
    async fn look(&mut self, fresh: bool) -> Result<(), ClientError> {
        if fresh {
            self.monitors = self.find_monitors().await?;
        }
        let covering = covering(&self.monitors, &self.windows);
        if covering.is_empty() {
            (self.lockers, self.grabbed_by) = (Vec::new(), None);
        } else if self.is_grabbed().await? {
            (self.lockers, self.grabbed_by) = (covering, None);
        } else {
            let now = Instant::now();
            let until = if fresh { now + GRABBED } else { self.grabbed_by.unwrap_or(now) };
            (self.lockers, self.grabbed_by) = (Vec::new(), Some(until).filter(|until| *until > now));
        }
        Ok(())
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

    /// Whether somebody has grabbed keyboard and pointer.
    ///
    /// We never get either: a window that is not shown cannot have them. That they are somebody else's is what servers
    /// check first (xserver, dix/events.c, `GrabDevice`), so the answer tells, and nobody notices the question.
    async fn is_grabbed(&mut self) -> Result<bool, ClientError> {
        let keyboard = GrabKeyboardRequest {
            owner_events: false,
            grab_window: self.probe,
            time: 0,
            pointer_mode: GrabMode::ASYNC,
            keyboard_mode: GrabMode::ASYNC,
        };
        let keyboard: Option<GrabKeyboardReply> = self.client.request(keyboard.serialize()).await?;
        if keyboard.is_none_or(|reply| reply.status != GrabStatus::ALREADY_GRABBED) {
            return Ok(false);
        }
        let pointer = GrabPointerRequest {
            owner_events: false,
            grab_window: self.probe,
            event_mask: EventMask::NO_EVENT,
            pointer_mode: GrabMode::ASYNC,
            keyboard_mode: GrabMode::ASYNC,
            confine_to: 0,
            cursor: 0,
            time: 0,
        };
        let pointer: Option<GrabPointerReply> = self.client.request(pointer.serialize()).await?;
        Ok(pointer.is_some_and(|reply| reply.status == GrabStatus::ALREADY_GRABBED))
    }

    /// Has the server show its screen saver (X Window System Protocol, ForceScreenSaver), as `xset s activate` does.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn show_screen_saver(&mut self) -> Result<(), ClientError> {
        self.client.send(ForceScreenSaverRequest { mode: ScreenSaver::ACTIVE }.serialize()).await
    }

    /// The windows that lock, each with the process that has made it, as far as the server knows. That may be gone, as a
    /// locker's that goes into the background.
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

    /// Has the server close the connection of the client that has made this window.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn disconnect(&mut self, window: u32) -> Result<(), ClientError> {
        self.client.send(KillClientRequest { resource: window }.serialize()).await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Area, covering};

    const fn area(x: i32, y: i32, width: i32, height: i32) -> Area {
        Area { x, y, width, height }
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
            // Halves of a monitor: none locks so.
            (&[left], &[area(0, 0, 960, 1080), area(960, 0, 960, 1080)], &[]),
        ];
        for (monitors, windows, expected) in cases {
            let windows: BTreeMap<u32, Area> = (0..).zip(windows.iter().copied()).collect();
            assert_eq!(covering(monitors, &windows), expected, "{monitors:?} {windows:?}");
        }
    }
}
