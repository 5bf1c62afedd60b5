//! `startxd.toml`: its keys, and the files that are read.
//!
//! A file in `/usr/share/startxd/`, one in `/etc/startxd/` and one in `$XDG_CONFIG_HOME/startxd/`; each key of a later
//! file overrides that of an earlier one. Nothing in them locks anybody out: mistakes are
//! reported and ignored, and the key keeps its earlier value.

mod keys;
mod lines;
mod mend;
pub mod server_args;
mod server_name;
pub mod size;
mod value;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeValue;

use crate::deadline::Deadlines;
use crate::small_file;
use crate::suggest::nearest;
use crate::text::one_line;
use crate::x11::display::Display;
use crate::x11::idle::ScreenOff;
use crate::xdg;

pub use keys::{ConfigKey, keys};
pub use server_name::ServerName;
use size::Size;

/// The file's name in each directory.
pub const FILE_NAME: &str = "startxd.toml";

/// All settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The display to use; `None` for the first free one from `:0` on.
    pub display: Option<Display>,
    /// The X server.
    pub server: ServerConfig,
    /// The session.
    pub session: SessionConfig,
    /// How crashes are handled.
    pub crash: Crash,
    /// The lock of the screen.
    pub lock: LockConfig,
    /// What happens without input.
    pub idle: IdleConfig,
    /// Displays without a screen.
    pub displays: Displays,
    /// The menu.
    pub select: SelectConfig,
    /// The environment that travels.
    pub environment: Environment,
    /// The deadlines.
    pub deadlines: Deadlines,
}

/// The X server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerConfig {
    /// The absolute path of the binary; `None` to look where distributions install it.
    pub binary: Option<PathBuf>,
    /// Arguments in addition to our own; none of them breaks the session ([`server_args::refusal`]).
    pub args: Vec<String>,
    /// `-dpi`, dots per inch.
    pub dpi: Option<u32>,
    /// `-ardelay`, milliseconds.
    pub ardelay: Option<u32>,
    /// `-arinterval`, milliseconds.
    pub arinterval: Option<u32>,
    /// Whether other users who have the cookie may connect.
    pub others: bool,
    /// Whether the cookie is only in the session's own file.
    pub hides_cookie: bool,
    /// Whether the arguments in `~/.xserverrc` are ignored.
    pub ignores_xserverrc: bool,
}

impl ServerConfig {
    /// Whether the server gets the arguments in `~/.xserverrc`: as with startx(1), only if no other arguments
    /// are given.
    #[must_use]
    pub fn follows_xserverrc(&self) -> bool {
        !self.ignores_xserverrc && self.arguments().is_empty()
    }

    /// All arguments in addition to our own (Xserver(1)): those that have keys, then `args`; of two, the server uses
    /// the last.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let keyed = [("-dpi", self.dpi), ("-ardelay", self.ardelay), ("-arinterval", self.arinterval)];
        let keyed = keyed.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?.to_string()]));
        keyed.flatten().chain(self.args.iter().cloned()).collect()
    }
}

/// The session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionConfig {
    /// What to start when no session is named, no unit is enabled and there is no `~/.xinitrc`.
    pub default: Option<String>,
    /// When the session counts as up.
    pub ready: Ready,
    /// Who starts the autostart programs.
    pub autostart: Autostart,
    /// Whether `~/.Xresources`, `~/.Xmodmap`, `~/.xprofile` and `~/.xsessionrc` are left alone.
    pub ignores_dotfiles: bool,
}

/// The menu of `startxd select`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelectConfig {
    /// After how long it takes the choice of last time; zero for never.
    pub timeout: std::time::Duration,
}

/// When the session counts as up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ready {
    /// When a window manager manages the display.
    #[default]
    Managed,
    /// When the window manager's process is started: for those that leave no sign on the display.
    Started,
    /// When a window manager manages the display, and the session has reported that it is ready.
    Notified,
}

impl Ready {
    /// Returns the word for it in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Ready::Managed => "managed",
            Ready::Started => "started",
            Ready::Notified => "notified",
        }
    }
}

/// Who starts the autostart programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Autostart {
    /// The user manager, unless the session is known to do it itself.
    #[default]
    Auto,
    /// The user manager.
    Yes,
    /// The session itself, or nobody.
    No,
}

impl Autostart {
    /// Returns the word for it in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Yes => "yes",
            Self::No => "no",
        }
    }
}

/// How crashes of the X server and the window manager are handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crash {
    /// How often each of them may come back within `window`; 0 for never.
    pub limit: u32,
    /// How long a crash is remembered.
    pub window: Duration,
    /// How long the server waits before it comes back for the second time; for each further time twice as long.
    pub pause: Duration,
    /// The command that replaces the window manager once it has crashed too often: the program and its arguments.
    pub rescue: Vec<String>,
}

impl Default for Crash {
    fn default() -> Self {
        Crash { limit: 3, window: Duration::from_secs(60), pause: Duration::from_secs(1), rescue: Vec::new() }
    }
}

/// The lock of the screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockConfig {
    /// The screen locker: the program and its arguments; empty for none.
    pub command: Vec<String>,
    /// Whether the machine may sleep with an unlocked screen.
    pub sleeps_open: bool,
    /// Whether the screen is locked when another terminal comes to the foreground.
    pub vt_switch: bool,
}

/// What happens without input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdleConfig {
    /// After how many seconds without input the session is idle.
    pub after: Option<u32>,
    /// After how many seconds the screen is locked.
    pub lock: Option<u32>,
    /// When the screen goes dark; `None` for the server's default.
    pub screen_off: Option<ScreenOff>,
}

/// The environment that travels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Variables of the login that do not travel, in addition to those that never do. A name that ends in `*` stands
    /// for all names with that beginning.
    pub never: Vec<String>,
}

/// Displays without a screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Displays {
    /// The server.
    pub server: ServerName,
    /// The size.
    pub size: Size,
    /// The depth in bits.
    pub depth: u8,
}

impl Default for Displays {
    fn default() -> Self {
        Displays { server: ServerName::default(), size: Size::USUAL, depth: 24 }
    }
}

/// Where a key's value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is built in.
    Default,
    /// It is in this file, in this line.
    File(PathBuf, usize),
    /// It was given on the command line.
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path, _) => write!(f, "{}", path.display()),
            Origin::CommandLine => f.write_str("command line"),
        }
    }
}

/// A mistake in a file. Prints as one line, `FILE:LINE: TEXT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; `None` if it is about the file as a whole.
    pub line: Option<usize>,
    /// What is wrong, and what to write instead.
    pub text: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line.map_or(String::new(), |line| format!("{line}:"));
        f.write_str(&one_line(&format!("{}:{line} {}", self.file.display(), self.text)))
    }
}

/// The content of the files.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The values that are used.
    pub config: Config,
    /// The mistakes, file by file, line by line.
    pub complaints: Vec<Complaint>,
    /// For each key of [`keys()`] where its value came from.
    pub origins: BTreeMap<&'static str, Origin>,
}

impl Default for Loaded {
    /// The defaults, without any file.
    fn default() -> Self {
        let origins = keys().map(|key| (key.name, Origin::Default)).collect();
        Self { config: Config::default(), complaints: Vec::new(), origins }
    }
}

impl Loaded {
    /// Takes a file's name and content, and lets it override the files before it.
    pub fn read(&mut self, path: &Path, bytes: &[u8]) {
        let (set, findings) = mend::apply(bytes, &mut self.config);
        self.origins.extend(set.into_iter().map(|(key, line)| (key, Origin::File(path.to_path_buf(), line))));
        let complaint = |(line, text)| Complaint { file: path.to_path_buf(), line, text };
        self.complaints.extend(findings.into_iter().map(complaint));
    }
}

/// The directories to read, in the order of increasing precedence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The directories.
    pub directories: Vec<PathBuf>,
}

impl Places {
    /// Returns the real places, by the XDG Base Directory Specification: a relative `$XDG_CONFIG_HOME` is ignored.
    pub fn from_env() -> Places {
        Places::of(xdg::variable)
    }

    fn of(variable: impl Fn(&str) -> Option<OsString>) -> Places {
        let own = xdg::CONFIGURATION.own(variable);
        let system = ["/usr/share/startxd", "/etc/startxd"].map(PathBuf::from);
        Places { directories: system.into_iter().chain(own.map(|path| path.join("startxd"))).collect() }
    }
}

/// Takes the places and returns the content of their files. It always returns a usable configuration, and at once:
/// nothing that may have the file's name, such as a FIFO, is waited for.
pub fn load(places: &Places) -> Loaded {
    let mut loaded = Loaded::default();
    for directory in &places.directories {
        load_file(&directory.join(FILE_NAME), &mut loaded);
    }
    loaded
}

/// A key that was given on the command line.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// The option, for messages.
    pub option: &'static str,
    /// The key's whole name.
    pub key: String,
    /// Its value.
    pub value: toml::Value,
}

impl Loaded {
    /// Lets keys of the command line override those of the files.
    ///
    /// # Errors
    /// What is wrong with the first invalid one, which the person who typed it can correct at once.
    pub fn over(mut self, overrides: &[Override]) -> Result<Loaded, String> {
        for one in overrides {
            let refuse = |why: String| format!("{}: {why}", one.option);
            let Some(key) = keys().find(|key| key.name == one.key) else {
                let near = nearest(&one.key, keys().map(|key| key.name));
                let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                return Err(refuse(format!("there is no key {}{hint}", one.key)));
            };
            let text = one.value.to_string();
            let value = DeValue::parse(&text).map_err(|error| refuse(error.message().to_owned()))?;
            key.set(&mut self.config, value.get_ref()).map_err(refuse)?;
            self.origins.insert(key.name, Origin::CommandLine);
        }
        Ok(self)
    }
}

fn load_file(path: &Path, loaded: &mut Loaded) {
    match small_file::read(path) {
        Ok(bytes) => loaded.read(path, &bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => {}
        Err(error) => {
            let text = format!("the file is ignored: {error}");
            loaded.complaints.push(Complaint { file: path.to_path_buf(), line: None, text });
        }
    }
}

#[cfg(test)]
mod tests;
