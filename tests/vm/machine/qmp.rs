//! QEMU's protocol: one JSON object per line (docs/interop/qmp-spec).

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::SOON;
use crate::harness::{secs, wait_until};

/// A connection to QEMU.
pub struct Qmp {
    reader: BufReader<UnixStream>,
    /// An incomplete line.
    begun: Vec<u8>,
    /// Events that were not asked for yet.
    events: VecDeque<Value>,
}

impl Qmp {
    /// Connects as soon as QEMU is up.
    pub fn connect(socket: &Path) -> Self {
        let stream = wait_until("QEMU", secs(20), || UnixStream::connect(socket).map_err(|e| e.to_string()));
        let mut qmp = Self { reader: BufReader::new(stream), begun: Vec::new(), events: VecDeque::new() };
        // It introduces itself, and expects an answer.
        let greeting = qmp.next(Instant::now() + secs(20));
        assert!(greeting.as_ref().is_ok_and(|greeting| greeting["QMP"].is_object()), "{greeting:?}");
        qmp.order("qmp_capabilities", &json!({})).unwrap_or_else(|e| panic!("QEMU: {e}"));
        qmp
    }

    /// Executes a command; returns QEMU's result, or its error.
    pub fn order(&mut self, command: &str, arguments: &Value) -> Result<Value, String> {
        let line = format!("{}\n", json!({"execute": command, "arguments": arguments}));
        self.reader.get_mut().write_all(line.as_bytes()).map_err(|e| e.to_string())?;
        let deadline = Instant::now() + SOON;
        loop {
            let mut message = self.next(deadline)?;
            if message["event"].is_string() {
                self.events.push_back(message);
            } else if let Some(problem) = message["error"]["desc"].as_str() {
                return Err(problem.to_owned());
            } else {
                return Ok(message["return"].take());
            }
        }
    }

    /// The next event of that name, past or future; earlier ones with other names are dropped.
    pub fn wait_event(&mut self, name: &str, deadline: Duration) -> Result<Value, String> {
        let deadline = Instant::now() + deadline;
        loop {
            let message = match self.events.pop_front() {
                Some(event) => event,
                None => self.next(deadline)?,
            };
            if message["event"] == name {
                return Ok(message);
            }
        }
    }

    fn next(&mut self, deadline: Instant) -> Result<Value, String> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err("QEMU says nothing".to_owned());
            }
            self.reader.get_ref().set_read_timeout(Some(left)).map_err(|e| e.to_string())?;
            match self.reader.read_until(b'\n', &mut self.begun) {
                Ok(0) => return Err("QEMU has ended".to_owned()),
                Ok(_) if self.begun.ends_with(b"\n") => {
                    let line = std::mem::take(&mut self.begun);
                    return serde_json::from_slice(&line).map_err(|e| e.to_string());
                }
                Ok(_) => {}
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(e) => return Err(e.to_string()),
            }
        }
    }
}
