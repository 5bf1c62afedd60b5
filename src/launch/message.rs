//! The messages of the launch socket and their format; pure.

use std::time::Duration;

use nix::unistd::Pid;
use thiserror::Error;

use crate::deadline::{self, Deadlines};
use crate::environment::block::Block;
use crate::environment::policy;
use crate::os::Ending;
use crate::x11::display::Display;

/// The longest message in bytes, and so the size of every receive buffer.
pub const MAX_MESSAGE: usize = 8192;

/// The start of every message: the protocol and its version.
const MAGIC: &str = "startxd/1";

/// What a client asks of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Start the server of this display; `listeners` listening sockets are attached.
    Launch {
        /// The display that the supervisor serves.
        display: Display,
        /// How many listening sockets are attached, after the one descriptor for output.
        listeners: usize,
    },
    /// End the session.
    Stop,
    /// Lock the screen.
    Lock,
    /// Unlock it.
    Unlock,
    /// Report the state of the screen.
    State,
    /// The supervisor gave its server up; the text is for the person at the VT.
    Failed(String),
    /// The server has exited with 0, and the supervisor was not told to stop it; the text is as above.
    Left(String),
    /// Variables that `~/.xprofile` and the like export, like those of [`Request::Ready`].
    Sourced(Block),
    /// What is wrong with such a file, for the person at the VT.
    Complaint(String),
    /// The session is ready, with these variables to export; their values have no line breaks.
    Ready(Block),
}

/// An answer of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Not yet: the answer to the launch follows later.
    Later,
    /// The server runs; a pidfd and the display's abstract name are attached. With the deadlines that the host was
    /// given.
    Launched(Pid, HostDeadlines),
    /// The server has ended.
    Exited(Ending),
    /// The session is being ended.
    Stopping,
    /// The screen is locked.
    Locked,
    /// The screen is not locked.
    Unlocked,
    /// The state of the screen, in the lines of [`super::ScreenState`].
    State(String),
    /// The host knows that the session is ready, and its variables are exported.
    Heard,
    /// No, and why.
    Refused(String),
}

/// The host's deadlines that apply to the supervisor, too, as options of `startxd start --deadline` reach only the
/// host. An older host, which may still run after an upgrade, sends none; then the supervisor keeps the configured
/// ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostDeadlines(Vec<(&'static str, Duration)>);

/// Those that a supervisor needs.
const OF_THE_SUPERVISOR: [&str; 6] = [
    "deadlines.user_manager",
    "deadlines.server_ready",
    "deadlines.launch",
    "deadlines.applications",
    "deadlines.stop",
    "deadlines.server_stop",
];

impl HostDeadlines {
    /// The host's deadlines.
    #[must_use]
    pub fn of(deadlines: &Deadlines) -> Self {
        let fields = Deadlines::FIELDS.iter().filter(|field| OF_THE_SUPERVISOR.contains(&field.key));
        Self(fields.map(|field| (field.key, (field.get)(deadlines))).collect())
    }

    /// Overrides the supervisor's own.
    pub fn apply(&self, deadlines: &mut Deadlines) {
        for (key, deadline) in &self.0 {
            if let Some(field) = Deadlines::FIELDS.iter().find(|field| field.key == *key) {
                *(field.get_mut)(deadlines) = *deadline;
            }
        }
    }

    /// ` NAME=NANOSECONDS` for each, in the order of [`Deadlines::FIELDS`].
    fn encode(&self) -> String {
        self.0.iter().map(|(key, deadline)| format!(" {}={}", name(key), deadline.as_nanos())).collect()
    }

    fn read(words: &[&str]) -> Result<Self, Malformed> {
        let mut fields = Deadlines::FIELDS.iter();
        let told = words.iter().map(|word| {
            let (wanted, nanoseconds) = word.split_once('=').ok_or(Malformed("a deadline without a value"))?;
            // Searches from the previous field on, so each is there once and in order.
            let field = fields.find(|field| name(field.key) == wanted);
            let field = field.ok_or(Malformed("a deadline of another version, or in another order"))?;
            let deadline = Duration::from_nanos(number(nanoseconds)?);
            let is_one = !deadline.is_zero() && deadline <= deadline::MAX;
            is_one.then_some((field.key, deadline)).ok_or(Malformed("a deadline that cannot be configured"))
        });
        told.collect::<Result<_, _>>().map(Self)
    }
}

/// The name of a key without its table.
fn name(key: &'static str) -> &'static str {
    key.strip_prefix("deadlines.").unwrap_or(key)
}

/// A message that does not follow the protocol.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a message of startxd: {0}")]
pub struct Malformed(&'static str);

impl Request {
    /// The message as sent.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Launch { display, listeners } => {
                format!("{MAGIC} launch display={display} listeners={listeners}")
            }
            Self::Stop => format!("{MAGIC} stop"),
            Self::Lock => format!("{MAGIC} lock"),
            Self::Unlock => format!("{MAGIC} unlock"),
            Self::State => format!("{MAGIC} state"),
            Self::Failed(text) => with_text("failed", text),
            Self::Left(text) => with_text("left", text),
            Self::Complaint(text) => with_text("complaint", text),
            Self::Ready(variables) => with_variables("ready", variables),
            Self::Sourced(variables) => with_variables("sourced", variables),
        }
        .into_bytes()
    }

    /// Reads a message.
    ///
    /// # Errors
    /// It is not one that [`Request::encode`] could have made.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let request = Self::read(bytes)?;
        // A number can be written in several ways, but encode uses one.
        if request.encode() == bytes { Ok(request) } else { Err(Malformed("a number is written in another way")) }
    }

    fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let (words, text) = split(bytes)?;
        match (words.as_slice(), text) {
            (["launch", display, listeners], None) => {
                let display = field(display, "display=")?;
                Ok(Self::Launch {
                    display: Display::parse(display).map_err(|_| Malformed("the display is not valid"))?,
                    listeners: number(field(listeners, "listeners=")?)?,
                })
            }
            (["stop"], None) => Ok(Self::Stop),
            (["lock"], None) => Ok(Self::Lock),
            (["unlock"], None) => Ok(Self::Unlock),
            (["state"], None) => Ok(Self::State),
            (["failed"], Some(text)) => Ok(Self::Failed(text.to_owned())),
            (["left"], Some(text)) => Ok(Self::Left(text.to_owned())),
            (["complaint"], Some(text)) => Ok(Self::Complaint(text.to_owned())),
            (["ready"], text) => variables(text).map(Self::Ready),
            (["sourced"], text) => variables(text).map(Self::Sourced),
            _ => Err(Malformed("unknown request")),
        }
    }
}

impl Reply {
    /// The message as sent.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Later => format!("{MAGIC} later"),
            Self::Launched(pid, told) => format!("{MAGIC} launched pid={pid}{}", told.encode()),
            Self::Exited(Ending::Code(code)) => format!("{MAGIC} exited code={code}"),
            Self::Exited(Ending::Signal(signal)) => format!("{MAGIC} exited signal={signal}"),
            Self::Stopping => format!("{MAGIC} stopping"),
            Self::Locked => format!("{MAGIC} locked"),
            Self::Unlocked => format!("{MAGIC} unlocked"),
            Self::State(lines) => with_text("state", lines),
            Self::Heard => format!("{MAGIC} heard"),
            Self::Refused(reason) => with_text("refused", reason),
        }
        .into_bytes()
    }

    /// Reads a message.
    ///
    /// # Errors
    /// It is not one that [`Reply::encode`] could have made.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let reply = Self::read(bytes)?;
        if reply.encode() == bytes { Ok(reply) } else { Err(Malformed("a number is written in another way")) }
    }

    fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let (words, text) = split(bytes)?;
        match (words.as_slice(), text) {
            (["later"], None) => Ok(Self::Later),
            (["launched", pid, told @ ..], None) => {
                let pid: i32 = number(field(pid, "pid=")?)?;
                let told = HostDeadlines::read(told)?;
                if pid > 1 {
                    Ok(Self::Launched(Pid::from_raw(pid), told))
                } else {
                    Err(Malformed("the pid is not valid"))
                }
            }
            (["exited", ending], None) => match ending.split_once('=') {
                Some(("code", code)) => Ok(Self::Exited(Ending::Code(number(code)?))),
                Some(("signal", signal)) => Ok(Self::Exited(Ending::Signal(number(signal)?))),
                _ => Err(Malformed("an end without a code or a signal")),
            },
            (["stopping"], None) => Ok(Self::Stopping),
            (["locked"], None) => Ok(Self::Locked),
            (["unlocked"], None) => Ok(Self::Unlocked),
            (["state"], Some(lines)) => Ok(Self::State(lines.to_owned())),
            (["heard"], None) => Ok(Self::Heard),
            (["refused"], Some(text)) => Ok(Self::Refused(text.to_owned())),
            _ => Err(Malformed("unknown reply")),
        }
    }
}

/// A message with variables, one per line.
fn with_variables(verb: &str, variables: &Block) -> String {
    let lines = variables.iter().map(|(name, value)| format!("\n{name}={value}"));
    format!("{MAGIC} {verb}{}", lines.collect::<String>())
}

/// The variables below the first line.
fn variables(text: Option<&str>) -> Result<Block, Malformed> {
    text.map_or_else(|| Ok(Block::new()), |text| text.lines().map(variable).collect())
}

/// A message whose text is shortened to what fits, at a character boundary.
fn with_text(verb: &str, text: &str) -> String {
    let mut message = format!("{MAGIC} {verb}\n{text}");
    let end = message.floor_char_boundary(MAX_MESSAGE);
    message.truncate(end);
    message
}

/// The words of the first line after the magic, and the text below it.
fn split(bytes: &[u8]) -> Result<(Vec<&str>, Option<&str>), Malformed> {
    if bytes.len() > MAX_MESSAGE {
        return Err(Malformed("it is too long"));
    }
    let message = std::str::from_utf8(bytes).map_err(|_| Malformed("it is not text"))?;
    let (line, text) = message.split_once('\n').map_or((message, None), |(line, text)| (line, Some(text)));
    let mut words = line.split(' ');
    if words.next() != Some(MAGIC) {
        return Err(Malformed("it is another protocol, or another version of it"));
    }
    Ok((words.collect(), text))
}

/// A variable in a line.
fn variable(line: &str) -> Result<(String, String), Malformed> {
    let (name, value) = line.split_once('=').ok_or(Malformed("a variable without a value"))?;
    let is_one = policy::is_name(name) && policy::is_value(value);
    is_one.then(|| (name.to_owned(), value.to_owned())).ok_or(Malformed("a variable that is not allowed"))
}

fn field<'a>(word: &'a str, name: &str) -> Result<&'a str, Malformed> {
    word.strip_prefix(name).ok_or(Malformed("a field is missing"))
}

fn number<N: std::str::FromStr>(digits: &str) -> Result<N, Malformed> {
    digits.parse().map_err(|_| Malformed("a number is not valid"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{HostDeadlines, MAX_MESSAGE, Reply, Request};
    use crate::deadline::Deadlines;
    use crate::environment::block::Block;
    use crate::os::Ending;
    use crate::x11::display::Display;
    use nix::unistd::Pid;

    #[test]
    fn requests_survive_the_transfer() {
        let display = Display::parse(":7").unwrap();
        for request in [
            Request::Launch { display, listeners: 2 },
            Request::Stop,
            Request::Lock,
            Request::Unlock,
            Request::State,
            Request::Failed("the server\nsaid ü".to_owned()),
            Request::Failed(String::new()),
            Request::Left("the server exited".to_owned()),
            Request::Complaint("~/.xprofile ends the shell".to_owned()),
            Request::Sourced(Block::from([("EDITOR".to_owned(), "vi".to_owned())])),
            Request::Ready(Block::new()),
            Request::Ready(Block::from([("A".to_owned(), "b=c ü".to_owned()), ("I3SOCK".to_owned(), String::new())])),
        ] {
            assert_eq!(Request::decode(&request.encode()), Ok(request));
        }
    }

    #[test]
    fn replies_survive_the_transfer() {
        for reply in [
            Reply::Later,
            Reply::Launched(Pid::from_raw(42), HostDeadlines::default()),
            Reply::Launched(Pid::from_raw(42), HostDeadlines::of(&Deadlines::default())),
            Reply::Exited(Ending::Code(1)),
            Reply::Exited(Ending::Signal(9)),
            Reply::Stopping,
            Reply::Locked,
            Reply::Unlocked,
            Reply::State(String::new()),
            Reply::State("locked 5\nlocker 7".to_owned()),
            Reply::Heard,
            Reply::Refused("no".to_owned()),
        ] {
            assert_eq!(Reply::decode(&reply.encode()), Ok(reply));
        }
    }

    #[test]
    fn deadlines_travel_with_the_launch() {
        let mut host = Deadlines { server_ready: Duration::from_millis(1500), ..Deadlines::default() };
        host.server_stop = Duration::from_nanos(1);
        host.text_mode = Duration::from_secs(7);
        let encoded = Reply::Launched(Pid::from_raw(42), HostDeadlines::of(&host)).encode();
        assert_eq!(
            std::str::from_utf8(&encoded).unwrap(),
            "startxd/1 launched pid=42 user_manager=10000000000 server_ready=1500000000 launch=5000000000 \
             applications=30000000000 stop=100000000000 server_stop=1"
        );
        let arrives = |message: &[u8]| {
            let mut deadlines = Deadlines { window_manager: Duration::from_secs(3), ..Deadlines::default() };
            match Reply::decode(message) {
                Ok(Reply::Launched(_, told)) => told.apply(&mut deadlines),
                other => panic!("{other:?}"),
            }
            deadlines
        };
        let there = Deadlines { window_manager: Duration::from_secs(3), ..host };
        // The host's other deadlines stay there.
        assert_eq!(arrives(&encoded), Deadlines { text_mode: Deadlines::default().text_mode, ..there });
        // From hosts of other versions, which send none or fewer.
        let own = Deadlines { window_manager: Duration::from_secs(3), ..Deadlines::default() };
        assert_eq!(arrives(b"startxd/1 launched pid=42"), own);
        let stop = Duration::from_secs(1);
        assert_eq!(arrives(b"startxd/1 launched pid=42 stop=1000000000"), Deadlines { stop, ..own });
        for words in [
            "stop",
            "stop=",
            "stop=0",
            "stop=01",
            "stop=+1",
            "stop=3600000000001",
            "stop=1 stop=1",
            "server_stop=1 stop=1",
            "deadlines.stop=1",
            "of_the_future=1",
            "",
        ] {
            let message = format!("startxd/1 launched pid=42 {words}");
            assert!(Reply::decode(message.as_bytes()).is_err(), "{message}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let long = vec![b'x'; MAX_MESSAGE + 1];
        let cases: [&[u8]; 26] = [
            b"",
            b"startxd/1 ready\n",
            b"startxd/1 ready\nA",
            b"startxd/1 ready\n=b",
            b"startxd/1 ready\nA=b\n",
            b"startxd/1 ready\nB=1\nA=1",
            b"startxd/1 ready\nA=1\nA=2",
            b"startxd/1",
            b"startxd/2 stop",
            b"startxd/1 stop now",
            b"startxd/1  stop",
            b"startxd/1 stop\n",
            b"startxd/1 stop\ngarbage",
            b"startxd/1 failed",
            b"startxd/1 launch",
            b"startxd/1 launch display=:0",
            b"startxd/1 launch display=host:0 listeners=1",
            b"startxd/1 launch display=:0 listeners=+1",
            b"startxd/1 launch display=:0 listeners=-1",
            b"startxd/1 launch display=:0 listeners=01",
            b"startxd/1 launch display=:00 listeners=1",
            b"startxd/1 launch display=0 listeners=1",
            b"startxd/1 launch listeners=1 display=:0",
            b"\xff\xfe\x00",
            b"GET / HTTP/1.1\r\n\r\n",
            &long,
        ];
        for case in cases {
            assert!(Request::decode(case).is_err(), "{}", String::from_utf8_lossy(case));
        }
        assert!(Reply::decode(b"startxd/1 launched pid=1").is_err());
        assert!(Reply::decode(b"startxd/1 launched pid=-1").is_err());
        assert!(Reply::decode(b"startxd/1 exited code=002").is_err());
        assert!(Reply::decode(b"startxd/1 exited code=-0").is_err());
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        let encoded = Request::Failed("ü".repeat(MAX_MESSAGE)).encode();
        assert!(encoded.len() <= MAX_MESSAGE);
        assert!(matches!(Request::decode(&encoded), Ok(Request::Failed(_))));
    }
}
