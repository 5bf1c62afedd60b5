//! `org.freedesktop.ScreenSaver` (Idle Inhibition Service Draft): programs say that nobody should be taken for idle, and take
//! it back, or end. Only that of it; what locks or asks is refused.
//!
//! Any program of the user can say so. What it sends is read strictly, and how much of it is kept has a bound.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use zbus::message::Type;
use zbus::{Connection, Message, MessageStream};

use crate::dbus::{self, BUS, CallError};
use crate::text::one_line;

/// The service's name, and that of its interface.
const NAME: &str = "org.freedesktop.ScreenSaver";

/// Where programs look for it.
const PATHS: [&str; 2] = ["/org/freedesktop/ScreenSaver", "/ScreenSaver"];

/// So many at once, or somebody does not take any back.
const MOST: usize = 256;

/// `RequestName` without waiting for the name, and its answer when it is ours (D-Bus Specification).
const DO_NOT_QUEUE: u32 = 4;
const IS_OWNER: [u32; 2] = [1, 4];

/// Who is in the way, and why: by the number that each was given.
#[derive(Debug, Clone, Default)]
pub struct Reasons(Arc<Mutex<BTreeMap<u32, (String, String)>>>);

impl Reasons {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<(String, String)> {
        self.0.lock().map(|held| held.values().cloned().collect()).unwrap_or_default()
    }

    /// There are none any more.
    pub fn clear(&self) {
        self.change(BTreeMap::clear);
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<u32, (String, String)>)) {
        if let Ok(mut held) = self.0.lock() {
            change(&mut held);
        }
    }
}

/// The service, on one connection.
pub struct ScreenSaver {
    bus: Connection,
    messages: MessageStream,
    /// Who has asked, by the number that they were given.
    held: BTreeMap<u32, String>,
    last: u32,
}

impl ScreenSaver {
    /// Takes the name on the bus; `None` if somebody has it.
    ///
    /// # Errors
    /// The bus is gone, or refuses.
    pub async fn offer(bus: &Connection) -> Result<Option<Self>, CallError> {
        // Before anybody can call.
        let messages = MessageStream::from(bus);
        let reply = BUS.call(bus, "RequestName", &(NAME, DO_NOT_QUEUE)).await?;
        let answer: u32 = dbus::body("RequestName", &reply)?;
        let ours = Self { bus: bus.clone(), messages, held: BTreeMap::new(), last: 0 };
        Ok(IS_OWNER.contains(&answer).then_some(ours))
    }

    /// Whether somebody inhibits idleness, whenever that changes; `None` when the bus is gone. `reasons` follows.
    pub async fn next(&mut self, reasons: &Reasons) -> Option<bool> {
        let before = !self.held.is_empty();
        while before != self.held.is_empty() {
            let message = dbus::next(&mut self.messages).await?;
            match message.message_type() {
                Type::MethodCall => self.called(&message, reasons).await,
                Type::Signal => self.ended(&message).await,
                _ => {}
            }
            reasons.change(|told| told.retain(|number, _| self.held.contains_key(number)));
        }
        Some(!before)
    }

    async fn called(&mut self, message: &Message, reasons: &Reasons) {
        let header = message.header();
        let is_here = header.path().is_some_and(|path| PATHS.contains(&path.as_str()))
            && header.interface().is_none_or(|interface| interface.as_str() == NAME);
        let Some(sender) = header.sender().map(|sender| sender.as_str().to_owned()) else { return };
        let outcome = match header.member().map(|member| member.as_str()) {
            Some("Inhibit") if is_here => self.inhibit(&sender, message, reasons).await.map(Some),
            Some("UnInhibit") if is_here => self.uninhibit(&sender, message).await.map(|()| None),
            _ => Err((
                "org.freedesktop.DBus.Error.UnknownMethod",
                "startxd offers Inhibit and UnInhibit alone".to_owned(),
            )),
        };
        let sent = match outcome {
            Ok(Some(number)) => self.bus.reply(&header, &(number,)).await,
            Ok(None) => self.bus.reply(&header, &()).await,
            Err((name, text)) => self.bus.reply_error(&header, name, &(text,)).await,
        };
        // Nobody waits for an answer when the bus is gone.
        drop(sent);
    }

    async fn inhibit(
        &mut self,
        sender: &str,
        message: &Message,
        reasons: &Reasons,
    ) -> Result<u32, (&'static str, String)> {
        let invalid = |_| ("org.freedesktop.DBus.Error.InvalidArgs", "Inhibit takes two strings".to_owned());
        let (program, reason): (String, String) = message.body().deserialize().map_err(invalid)?;
        if self.held.len() >= MOST {
            return Err(("org.freedesktop.DBus.Error.LimitsExceeded", format!("there are {MOST} inhibitors already")));
        }
        if !self.held.values().any(|holder| holder == sender) {
            // Its end undoes what it does not undo itself.
            let _ = BUS.call(&self.bus, "AddMatch", &(end_of(sender),)).await;
        }
        // Never 0, which some programs take for none.
        self.last = self.last.checked_add(1).unwrap_or(1);
        while self.held.contains_key(&self.last) {
            self.last = self.last.checked_add(1).unwrap_or(1);
        }
        self.held.insert(self.last, sender.to_owned());
        let (program, reason) = (one_line(&program), one_line(&reason));
        tracing::info!("{program} inhibits idleness: {reason}");
        reasons.change(|told| drop(told.insert(self.last, (program, reason))));
        Ok(self.last)
    }

    async fn uninhibit(&mut self, sender: &str, message: &Message) -> Result<(), (&'static str, String)> {
        let invalid = |_| ("org.freedesktop.DBus.Error.InvalidArgs", "UnInhibit takes a number".to_owned());
        let number: u32 = message.body().deserialize().map_err(invalid)?;
        // Only its own.
        if self.held.get(&number).is_none_or(|holder| holder != sender) {
            return Err(("org.freedesktop.DBus.Error.InvalidArgs", format!("{number} is no inhibitor of yours")));
        }
        self.held.remove(&number);
        self.forget_if_last(sender).await;
        Ok(())
    }

    /// A program has left the bus.
    async fn ended(&mut self, message: &Message) {
        let header = message.header();
        let is_from_bus = header.sender().is_some_and(|sender| sender.as_str() == BUS.destination);
        if !is_from_bus || header.member().is_none_or(|member| member.as_str() != "NameOwnerChanged") {
            return;
        }
        let Ok((name, _, new)) = message.body().deserialize::<(String, String, String)>() else { return };
        if new.is_empty() && self.held.values().any(|holder| *holder == name) {
            self.held.retain(|_, holder| *holder != name);
            self.forget_if_last(&name).await;
        }
    }

    async fn forget_if_last(&self, sender: &str) {
        if !self.held.values().any(|holder| holder == sender) {
            let _ = BUS.call(&self.bus, "RemoveMatch", &(end_of(sender),)).await;
        }
    }
}

/// The rule for the end of a connection to the bus.
fn end_of(sender: &str) -> String {
    format!(
        "type='signal',sender='{bus}',interface='{bus}',member='NameOwnerChanged',arg0='{sender}'",
        bus = BUS.destination
    )
}
