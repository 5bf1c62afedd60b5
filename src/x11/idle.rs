//! Whether there is input: the server counts the time since the last input, and reports when it exceeds a limit and
//! when it restarts (X Synchronization Extension Protocol, the counter IDLETIME). So nothing is polled.
//!
//! A client can suspend the server's own screen saver, as players do for a film (X Screen Saver Extension,
//! `XScreenSaverSuspend`). That does not stop the counter, and cannot be queried; but when the suspension ends, the
//! server restarts the counter (xserver, Xext/saver.c, `ScreenSaverFreeSuspend`), and while it lasts the screen saver
//! is not shown when it should be. That reveals a suspension, if the timeout of the screen saver is not longer than the
//! limit.

use std::borrow::Cow;
use std::time::Duration;

use tokio::time::sleep;
use x11rb_protocol::protocol::dpms::{self, DPMSMode};
use x11rb_protocol::protocol::screensaver::{self, State};
use x11rb_protocol::protocol::sync::{self, Int64, TESTTYPE, VALUETYPE};
use x11rb_protocol::protocol::xproto::{
    Blanking, Exposures, GetScreenSaverReply, GetScreenSaverRequest, SetScreenSaverRequest,
};
use x11rb_protocol::x11_utils::TryParse;

use super::client::{Client, ClientError};
use super::cookie::Cookie;
use super::display::Display;
use crate::deadline::SAVER_LATE;

/// The server's counter.
const IDLETIME: &[u8] = b"IDLETIME";

/// When the screen goes dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScreenOff {
    /// After this many seconds without input.
    After(u16),
    /// Not by itself.
    Never,
}

/// A limit of the counter.
#[derive(Debug)]
struct Limit {
    over: u32,
    below: u32,
    time: Duration,
}

/// A change of the counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crossed {
    /// The index of the limit, in the order in which they were watched.
    pub limit: usize,
    /// Whether the limit was exceeded; otherwise there is input again.
    pub is_idle: bool,
}

/// Watches the counter on one display.
pub struct IdleWatch {
    client: Client,
    sync: Option<Counter>,
    limits: Vec<Limit>,
}

/// The counter on this server.
#[derive(Debug, Clone, Copy)]
struct Counter {
    opcode: u8,
    first_event: u8,
    id: u32,
}

impl IdleWatch {
    /// Connects to a display.
    ///
    /// # Errors
    /// The display cannot be reached, or refuses us.
    pub async fn connect(display: Display, cookie: &Cookie) -> Result<Self, ClientError> {
        let mut client = Client::connect(display, cookie).await?;
        let sync = find_counter(&mut client).await?;
        Ok(Self { client, sync, limits: Vec::new() })
    }

    /// Sets when the screen goes dark, by the server's screen saver and the monitor's power saving, which both have the
    /// same time then (`xset s`, `xset dpms`).
    ///
    /// # Errors
    /// The connection broke.
    pub async fn set_screen_off(&mut self, when: ScreenOff) -> Result<(), ClientError> {
        let seconds = match when {
            ScreenOff::After(seconds) => seconds,
            ScreenOff::Never => 0,
        };
        let request = SetScreenSaverRequest {
            timeout: i16::try_from(seconds).unwrap_or(i16::MAX),
            interval: -1,
            prefer_blanking: Blanking::DEFAULT,
            allow_exposures: Exposures::DEFAULT,
        };
        self.client.send(request.serialize()).await?;
        let Some(opcode) = self.client.extension(dpms::X11_EXTENSION_NAME).await? else { return Ok(()) };
        let timeouts =
            dpms::SetTimeoutsRequest { standby_timeout: seconds, suspend_timeout: seconds, off_timeout: seconds };
        self.client.send(timeouts.serialize(opcode)).await?;
        match when {
            ScreenOff::After(_) => self.client.send(dpms::EnableRequest.serialize(opcode)).await?,
            ScreenOff::Never => self.client.send(dpms::DisableRequest.serialize(opcode)).await?,
        }
        // A server that sees a client's end drops what it has not read from it yet (xserver, os/connection.c:
        // `ClientReady`), and our connection may end now. An answer proves that all before it was read.
        self.client.request::<dpms::InfoReply, _>(dpms::InfoRequest.serialize(opcode)).await.map(drop)
    }

    /// Watches one more limit. Returns whether the server can do that.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn watch(&mut self, time: Duration) -> Result<bool, ClientError> {
        let Some(counter) = self.sync else { return Ok(false) };
        let over = self.alarm(counter, time, TESTTYPE::POSITIVE_TRANSITION).await?;
        let below = self.alarm(counter, time, TESTTYPE::NEGATIVE_TRANSITION).await?;
        self.limits.push(Limit { over, below, time });
        Ok(true)
    }

    /// An alarm that stays active: a transition with a difference of 0 is reported each time.
    async fn alarm(&mut self, counter: Counter, time: Duration, test: TESTTYPE) -> Result<u32, ClientError> {
        let id = self.client.new_id()?;
        let value = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let values = sync::CreateAlarmAux::new()
            .counter(counter.id)
            .value_type(VALUETYPE::ABSOLUTE)
            .value(int64(value))
            .test_type(test)
            .delta(int64(0))
            .events(1);
        let request = sync::CreateAlarmRequest { id, value_list: Cow::Owned(values) };
        self.client.send(request.serialize(counter.opcode)).await?;
        Ok(id)
    }

    /// The next change of the counter; never returns if no limit is watched.
    ///
    /// # Errors
    /// The connection broke: the server has ended.
    pub async fn next(&mut self) -> Result<Crossed, ClientError> {
        loop {
            let event = self.client.event().await?;
            let Some(crossed) = self.crossed(&event) else { continue };
            if !crossed.is_idle || self.counts(self.limits[crossed.limit].time).await? {
                return Ok(crossed);
            }
        }
    }

    fn crossed(&self, event: &[u8]) -> Option<Crossed> {
        let kind = self.sync?.first_event.checked_add(sync::ALARM_NOTIFY_EVENT)?;
        if event.first().map(|first| first & 0x7f) != Some(kind) {
            return None;
        }
        let (event, _) = sync::AlarmNotifyEvent::try_parse(event).ok()?;
        let limit = self.limits.iter().position(|limit| [limit.over, limit.below].contains(&event.alarm))?;
        Some(Crossed { limit, is_idle: self.limits[limit].over == event.alarm })
    }

    /// Whether this time without input counts: it does not if a client seems to have suspended the screen saver.
    async fn counts(&mut self, idle: Duration) -> Result<bool, ClientError> {
        let Some(timeout) = self.saver_timeout().await?.filter(|timeout| *timeout <= idle) else { return Ok(true) };
        if idle < timeout + SAVER_LATE {
            // It comes at the same moment.
            sleep(SAVER_LATE).await;
        }
        let Some(opcode) = self.client.extension(screensaver::X11_EXTENSION_NAME).await? else { return Ok(true) };
        let request = screensaver::QueryInfoRequest { drawable: self.client.root()? };
        let info: Option<screensaver::QueryInfoReply> = self.client.request(request.serialize(opcode)).await?;
        let Some(info) = info else { return Ok(true) };
        if Duration::from_millis(info.ms_since_user_input.into()) < idle {
            // There was input during that query.
            return Ok(false);
        }
        let is_suspended = info.state == u8::from(State::OFF) && self.is_lit().await?;
        if is_suspended {
            tracing::info!("there is no input, but a program on the display suspends the screen saver");
        }
        Ok(!is_suspended)
    }

    /// After how long the server shows its screen saver; `None` if it does not.
    async fn saver_timeout(&mut self) -> Result<Option<Duration>, ClientError> {
        let saver: Option<GetScreenSaverReply> = self.client.request(GetScreenSaverRequest.serialize()).await?;
        let seconds = saver.map_or(0, |saver| saver.timeout);
        Ok(Some(Duration::from_secs(seconds.into())).filter(|timeout| !timeout.is_zero()))
    }

    /// Whether the monitors are on: while they save power, the screen saver is not shown.
    async fn is_lit(&mut self) -> Result<bool, ClientError> {
        let Some(opcode) = self.client.extension(dpms::X11_EXTENSION_NAME).await? else { return Ok(true) };
        let info: Option<dpms::InfoReply> = self.client.request(dpms::InfoRequest.serialize(opcode)).await?;
        Ok(info.is_none_or(|info| info.power_level == DPMSMode::ON))
    }
}

/// The counter, if the server has it.
async fn find_counter(client: &mut Client) -> Result<Option<Counter>, ClientError> {
    let Some(numbers) = client.numbers_of(sync::X11_EXTENSION_NAME).await? else { return Ok(None) };
    let opcode = numbers.major_opcode;
    let request = sync::InitializeRequest { desired_major_version: 3, desired_minor_version: 1 };
    let _: Option<sync::InitializeReply> = client.request(request.serialize(opcode)).await?;
    let counters: Option<sync::ListSystemCountersReply> =
        client.request(sync::ListSystemCountersRequest.serialize(opcode)).await?;
    let found = counters.into_iter().flat_map(|reply| reply.counters).find(|counter| counter.name == IDLETIME);
    Ok(found.map(|counter| Counter { opcode, first_event: numbers.first_event, id: counter.counter }))
}

/// Milliseconds as a number of the extension.
fn int64(value: u64) -> Int64 {
    let (hi, lo) = (value >> 32, value & u64::from(u32::MAX));
    Int64 { hi: i32::try_from(hi).unwrap_or(i32::MAX), lo: u32::try_from(lo).unwrap_or(u32::MAX) }
}

#[cfg(test)]
mod tests {
    use super::int64;

    #[test]
    fn numbers_of_the_extension() {
        for (value, hi, lo) in [(0, 0, 0), (60_000, 0, 60_000), (0x1_0000_0002, 1, 2)] {
            let number = int64(value);
            assert_eq!((number.hi, number.lo), (hi, lo), "{value}");
        }
    }
}
