//! Who manages the display.
//!
//! A window manager *manages* when
//! - the root window's `_NET_SUPPORTING_WM_CHECK` names a window that names itself (Extended Window Manager Hints,
//!   "Root Window Properties"), or
//! - somebody owns the selection `WM_S0` (ICCCM 4.3), or, for the oldest managers, only seen when asked for,
//! - somebody has selected SubstructureRedirect on the root window, which one client at a time can (X Window System
//!   Protocol, ChangeWindowAttributes), and which is what managing means in the end; see [`super::redirect`].

use std::time::Instant;

use nix::unistd::Pid;
use tokio::time::sleep_until;
use x11rb_protocol::protocol::xproto::{
    AtomEnum, CLIENT_MESSAGE_EVENT, ChangeWindowAttributesAux, ChangeWindowAttributesRequest, EventMask,
    GetPropertyReply, GetPropertyRequest, GetSelectionOwnerReply, GetSelectionOwnerRequest, GetWindowAttributesReply,
    GetWindowAttributesRequest, InternAtomReply, InternAtomRequest, PROPERTY_NOTIFY_EVENT, PropertyNotifyEvent,
};
use x11rb_protocol::x11_utils::TryParse;

use super::client::{Client, ClientError, readable};
use super::clients::owner;
use super::cookie::Cookie;
use super::display::Display;
use super::redirect::RedirectQuestions;

/// By which sign a window manager was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// `_NET_SUPPORTING_WM_CHECK`.
    Ewmh,
    /// The selection `WM_S0`.
    Selection,
    /// SubstructureRedirect on the root window.
    Redirect,
}

/// A window manager that manages the display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowManager {
    /// How it was recognised.
    pub sign: Sign,
    /// `_NET_WM_NAME` of its window, if it has set one; without control characters.
    pub name: Option<String>,
    /// Its process as the *server* knows it (X-Resource extension 1.2), not as it says itself; `None` if the server
    /// cannot tell.
    pub pid: Option<Pid>,
}

/// All that is known of one that only redirects.
const REDIRECTING: WindowManager = WindowManager { sign: Sign::Redirect, name: None, pid: None };

/// Looks at one display.
pub struct Watch {
    client: Client,
    root: u32,
    check: u32,
    selection: u32,
    name: u32,
}

impl Watch {
    /// Connects to a display, and asks as [`Watch::new`] does.
    ///
    /// # Errors
    /// The display cannot be reached, or refuses us.
    pub async fn connect(display: Display, cookie: &Cookie) -> Result<Self, ClientError> {
        Self::new(Client::connect(display, cookie).await?).await
    }

    /// Asks to be told of what could be a window manager's coming.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn new(mut client: Client) -> Result<Self, ClientError> {
        let root = client.root()?;
        let check = atom(&mut client, "_NET_SUPPORTING_WM_CHECK").await?;
        let selection = atom(&mut client, "WM_S0").await?;
        let name = atom(&mut client, "_NET_WM_NAME").await?;
        // StructureNotify brings the MANAGER message that a new owner of WM_S0 sends to the root window (ICCCM 2.8).
        select(&mut client, root, EventMask::PROPERTY_CHANGE | EventMask::STRUCTURE_NOTIFY).await?;
        Ok(Self { client, root, check, selection, name })
    }

    /// Waits until a window manager manages the display, by any of the signs. The caller sets the deadline, and may drop this
    /// while it waits.
    ///
    /// # Errors
    /// The connection broke: the server has ended.
    pub async fn managed(&mut self) -> Result<WindowManager, ClientError> {
        let mut questions = RedirectQuestions::new(Instant::now());
        loop {
            // Looked at after the events were selected, so a manager that came before them is not missed.
            if let Some(manager) = self.look().await? {
                return Ok(manager);
            }
            loop {
                tokio::select! {
                    sign = self.may_be_sign() => {
                        sign?;
                        break;
                    }
                    () = sleep_until(questions.due().into()) => {}
                }
                let redirected = self.is_redirected().await?;
                if questions.answered(Instant::now(), redirected) {
                    // It may have told of itself in the same moment.
                    let manager = self.look().await?;
                    return Ok(manager.unwrap_or(REDIRECTING));
                }
            }
        }
    }

    /// As [`Watch::managed`], but waits for a sign that says who it is.
    ///
    /// # Errors
    /// The connection broke: the server has ended.
    pub async fn introduced(&mut self) -> Result<WindowManager, ClientError> {
        loop {
            if let Some(manager) = self.look().await? {
                return Ok(manager);
            }
            self.may_be_sign().await?;
        }
    }

    /// Waits for what may be a window manager's sign.
    async fn may_be_sign(&mut self) -> Result<(), ClientError> {
        loop {
            // Other properties of the root window change by the dozen while a session starts.
            let event = self.client.event().await?;
            let changed = match event.first().map(|kind| kind & 0x7f) {
                Some(PROPERTY_NOTIFY_EVENT) => {
                    PropertyNotifyEvent::try_parse(&event).is_ok_and(|(event, _)| event.atom == self.check)
                }
                Some(CLIENT_MESSAGE_EVENT) => true,
                _ => false,
            };
            if changed {
                return Ok(());
            }
        }
    }

    /// Waits until the server closes the connection.
    pub async fn closed(&mut self) -> ClientError {
        loop {
            if let Err(error) = self.client.event().await {
                return error;
            }
        }
    }

    /// The window manager by its window or its selection, if there is one now.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn look(&mut self) -> Result<Option<WindowManager>, ClientError> {
        if let Some(window) = self.window_property(self.root, self.check).await? {
            // Managers differ in which of the two properties they set first; if the window's own comes second, only
            // an event on that window tells.
            select(&mut self.client, window, EventMask::PROPERTY_CHANGE).await?;
            if self.window_property(window, self.check).await? == Some(window) {
                return Ok(Some(self.describe(Sign::Ewmh, window).await?));
            }
        }
        let request = GetSelectionOwnerRequest { selection: self.selection }.serialize();
        let owner = self.client.request::<GetSelectionOwnerReply, _>(request).await?.map_or(0, |reply| reply.owner);
        if owner == 0 {
            return Ok(None);
        }
        Ok(Some(self.describe(Sign::Selection, owner).await?))
    }

    /// As [`Watch::look`], and if there is none, whether somebody redirects the root window's children now.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn look_harder(&mut self) -> Result<Option<WindowManager>, ClientError> {
        if let Some(manager) = self.look().await? {
            return Ok(Some(manager));
        }
        Ok(self.is_redirected().await?.then_some(REDIRECTING))
    }

    async fn is_redirected(&mut self) -> Result<bool, ClientError> {
        let request = GetWindowAttributesRequest { window: self.root }.serialize();
        let reply = self.client.request::<GetWindowAttributesReply, _>(request).await?;
        Ok(reply.is_some_and(|reply| reply.all_event_masks.contains(EventMask::SUBSTRUCTURE_REDIRECT)))
    }

    async fn describe(&mut self, sign: Sign, window: u32) -> Result<WindowManager, ClientError> {
        let reply = self.property(window, self.name, AtomEnum::ANY.into()).await?;
        // Any client can set it, and it ends up on a terminal.
        let name = reply.map(|reply| readable(&reply.value)).filter(|name| !name.is_empty());
        Ok(WindowManager { sign, name, pid: owner(&mut self.client, window).await? })
    }

    async fn window_property(&mut self, window: u32, property: u32) -> Result<Option<u32>, ClientError> {
        let reply = self.property(window, property, AtomEnum::WINDOW.into()).await?;
        Ok(reply.and_then(|reply| reply.value32()?.next()).filter(|&window| window != 0))
    }

    async fn property(
        &mut self,
        window: u32,
        property: u32,
        type_: u32,
    ) -> Result<Option<GetPropertyReply>, ClientError> {
        // 64 words are more than a window id needs and enough for a name.
        let request = GetPropertyRequest { delete: false, window, property, type_, long_offset: 0, long_length: 64 };
        self.client.request(request.serialize()).await
    }
}

async fn atom(client: &mut Client, name: &str) -> Result<u32, ClientError> {
    let request = InternAtomRequest { only_if_exists: false, name: name.as_bytes().into() }.serialize();
    let reply: Option<InternAtomReply> = client.request(request).await?;
    reply.map(|reply| reply.atom).ok_or_else(|| ClientError::Protocol(format!("no atom for {name}")))
}

pub(super) async fn select(client: &mut Client, window: u32, mask: EventMask) -> Result<(), ClientError> {
    let value_list = std::borrow::Cow::Owned(ChangeWindowAttributesAux::new().event_mask(mask));
    client.send(ChangeWindowAttributesRequest { window, value_list }.serialize()).await
}
