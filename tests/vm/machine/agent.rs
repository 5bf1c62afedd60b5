//! Running commands in the machine: `tests/vm/agent.py` on a virtio port, which sleeps and wakes with the machine.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Run, secs, wait_until};

/// A connection to the agent, whether it is running yet or not: QEMU keeps requests until it does.
pub struct Agent {
    stream: UnixStream,
    received: Vec<u8>,
    /// The id of the last request. Never reused, so that an answer to an abandoned request is not taken for another.
    id: u64,
}

impl Agent {
    pub fn connect(socket: &Path) -> Self {
        let stream =
            wait_until("the agent's socket", secs(20), || UnixStream::connect(socket).map_err(|e| e.to_string()));
        Self { stream, received: Vec::new(), id: 0 }
    }

    /// Sends a command to run.
    pub fn send(&mut self, user: Option<&str>, script: &str) {
        self.id += 1;
        let home = user.map_or_else(|| "/root".to_owned(), |user| format!("/home/{user}"));
        let mut environment = json!({
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8", "TERM": "dumb", "SYSTEMD_PAGER": "cat", "SYSTEMD_COLORS": "0",
            "HOME": home, "USER": user.unwrap_or("root"), "LOGNAME": user.unwrap_or("root"), "SHELL": "/bin/bash",
        });
        if let Some(user) = user {
            let runtime = format!("/run/user/{}", if user == "ada" { 1000 } else { 1001 });
            environment["DBUS_SESSION_BUS_ADDRESS"] = json!(format!("unix:path={runtime}/bus"));
            environment["DISPLAY"] = json!(":0");
            environment["XAUTHORITY"] = json!(format!("{runtime}/xauth_startxd_0"));
            environment["XDG_RUNTIME_DIR"] = json!(runtime);
        }
        let request = json!({"id": self.id, "user": user, "script": format!("cd\n{script}"), "env": environment});
        // If the connection is broken, waiting for the answer fails.
        let _ = self.stream.write_all(format!("{request}\n").as_bytes());
    }

    /// Runs a command to its end; returns a sentence if there is no answer.
    pub fn run(&mut self, user: Option<&str>, script: &str, deadline: Duration) -> Result<Run, String> {
        let begun = Instant::now();
        self.send(user, script);
        loop {
            let answer = self.next(begun + deadline)?;
            if answer["id"] != self.id {
                continue;
            }
            let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
            let code = answer["status"].as_i64().and_then(|code| i32::try_from(code).ok()).unwrap_or(127);
            let what = format!("{}: {script}", user.unwrap_or("root"));
            return Ok(Run::ended(what, code, text("stdout"), text("stderr"), begun.elapsed()));
        }
    }

    fn next(&mut self, deadline: Instant) -> Result<Value, String> {
        loop {
            if let Some(end) = self.received.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                // The end of a command from before a snapshot was loaded is not an answer.
                match serde_json::from_slice(&line) {
                    Ok(answer) => return Ok(answer),
                    Err(_) => continue,
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err("no answer from the machine's agent".to_owned());
            }
            self.stream.set_read_timeout(Some(left)).map_err(|e| e.to_string())?;
            let mut chunk = [0; 65536];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err("the machine is gone".to_owned()),
                Ok(n) => self.received.extend_from_slice(&chunk[..n]),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
                Err(e) => return Err(e.to_string()),
            }
        }
    }
}
