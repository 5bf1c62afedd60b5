//! The options as typed.

use std::path::PathBuf;

use clap::{Parser, Subcommand, value_parser};

use crate::autologin::VTS;
use crate::multiplexer::Kind;

/// startx, done by systemd: Xorg and a window manager as user units on this virtual terminal.
#[derive(Debug, Parser)]
#[command(name = "startxd", version)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a session on this virtual terminal; returns when it has ended
    Start(Start),
    /// End the session, in order; returns when it is gone
    Stop,
    /// Lock the screen; returns when it is locked
    Lock,
    /// Unlock the screen, as the password would; returns when it is unlocked
    Unlock,
    /// Run a command in the session, from ssh, cron or root; exits with the command's status
    Run(RunInSession),
    /// Print the session's variables as lines for a shell: eval "$(startxd env)"
    Env {
        /// Restore the session's display in the user manager and in D-Bus activation, if another program replaced it
        #[arg(long)]
        repair: bool,
    },
    /// Tell startxd, from within the session, that the session is ready; export variables until its end
    Ready {
        /// Variables for what starts from now on
        #[arg(value_name = "NAME=VALUE")]
        variables: Vec<String>,
    },
    /// Restart one part of the session; the rest stays
    #[command(subcommand)]
    Restart(Part),
    /// Show the session, what is wrong with it, and the remedy
    Status {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Show where the time of the last start went
    Analyze {
        /// Also draw it into this file, as SVG
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
    },
    /// Ask on this terminal which session to start
    Select(Select),
    /// Find what is wrong with the machine or the login, with the command that mends it
    Doctor {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// List what can be started: entries, enabled units, ~/.xinitrc
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Check whether a session may start here
    #[command(subcommand)]
    Check(CheckCommand),
    /// Print the completions for a shell, for installations
    #[command(hide = true)]
    Completions {
        /// The shell, or what is completed
        #[arg(value_enum)]
        what: Completions,
    },
    /// End what a dead session has left, as startxd-repair.service
    #[command(hide = true)]
    Repair,
    /// Read ~/.Xresources, ~/.xprofile and the like, as startxd-dotfiles.service
    #[command(hide = true)]
    Dotfiles,
    /// Hand the display of this X session, which another program started, to the user manager
    Attach,
    /// Undo attach
    Detach,
    /// Watch an attached display, for startxd-attached.service
    #[command(hide = true)]
    Attached {
        /// Put the environment back, after the watch has ended
        #[arg(long)]
        restore: bool,
    },
    /// Set something up: a window manager or a multiplexer as the user, an autologin as root
    #[command(subcommand)]
    Enable(Enable),
    /// Undo what enable has set up
    #[command(subcommand)]
    Disable(Disable),
    /// What the units of multiplexers call
    #[command(subcommand, hide = true)]
    Multiplexer(MultiplexerStep),
    /// Displays without a screen: Xvfb, Xephyr, Xvnc, and what runs on them
    #[command(subcommand)]
    Display(DisplayCommand),
    /// Serve a display without a screen, as startxd-display@N.service
    #[command(hide = true)]
    ServeDisplay {
        /// The display's number
        display: String,
    },
    /// Clean up after such a display, as startxd-display-repair@N.service
    #[command(hide = true)]
    RepairDisplay {
        /// The display's number
        display: String,
    },
    /// Serve a display as the main process of xorg@N.service
    #[command(hide = true)]
    Serve {
        /// The display's number
        display: String,
    },
}

/// A step in the life of a multiplexer's unit.
#[derive(Debug, Subcommand)]
pub enum MultiplexerStep {
    /// Before its start: that no other one runs
    Check(MultiplexerName),
    /// After its start: that it answers
    Ready(MultiplexerName),
    /// Make a session of a server
    Open(MultiplexerName),
    /// End a session of a server
    Close(MultiplexerName),
    /// After the end of a server: end what it has left
    Ended(MultiplexerName),
}

/// A multiplexer, and a session of it.
#[derive(Debug, clap::Args)]
pub struct MultiplexerName {
    /// The multiplexer
    #[arg(value_enum)]
    pub kind: Kind,
    /// The name of the session; "main" if not given
    #[arg(value_name = "NAME", allow_hyphen_values = true)]
    pub name: Option<String>,
}

/// What completions are asked for.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Completions {
    /// The names of sessions as they are now, for the scripts of the shells
    Sessions,
    /// The names of window managers that are installed, for the same
    WindowManagers,
    /// bash(1)
    Bash,
    /// zsh(1)
    Zsh,
    /// fish(1)
    Fish,
}

/// Options of `start`.
#[derive(Debug, clap::Args)]
pub struct Start {
    /// Switch to this terminal first, if another one is in the foreground
    #[arg(long)]
    pub activate: bool,
    /// For a system unit: after a session that failed, wait before the next one, longer each time, and give up after
    /// this many failures in a row (exit status 7); 0 never gives up
    #[arg(long, value_name = "TIMES", conflicts_with = "multiplexer")]
    pub backoff: Option<u32>,
    /// For the profile of a login shell: this login is for the session alone. Once the session was up, the exit status
    /// is 0, however it ended, so that the line closes the shell; startxd status shows how it ended
    #[arg(long, conflicts_with_all = ["multiplexer", "backoff"])]
    pub login: bool,
    /// Without X: attach to a session of this multiplexer on this terminal; SESSION is its name, "main" by default
    #[arg(long, value_enum, value_name = "MULTIPLEXER")]
    pub multiplexer: Option<Kind>,
    #[command(flatten)]
    pub settings: Settings,
    /// An entry of the xsessions directories (NAME, NAME:ACTION), a user unit (NAME.service), or a command with its
    /// arguments (after -- it is always a command). Default: the units enabled for wm.target, else ~/.xinitrc, else
    /// session.default of startxd.toml, else /etc/X11/Xsession, where the system has one
    #[arg(value_name = "SESSION", trailing_var_arg = true)]
    pub session: Vec<String>,
}

/// Options of `run`.
#[derive(Debug, clap::Args)]
pub struct RunInSession {
    /// For root: the user whose session it is
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// The command with its arguments, after -- or without it
    #[arg(value_name = "COMMAND", trailing_var_arg = true, required = true)]
    pub command: Vec<std::ffi::OsString>,
}

/// Options of `select`.
#[derive(Debug, clap::Args)]
pub struct Select {
    /// Print what was chosen, as start takes it, instead of starting it
    #[arg(long)]
    pub print: bool,
    /// Take the choice of last time after this many seconds; 0 for never
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    pub timeout: Option<String>,
    #[command(flatten)]
    pub settings: Settings,
}

/// Options that override keys of startxd.toml.
#[derive(Debug, Default, clap::Args)]
pub struct Settings {
    /// The display, such as :1; by default the first free one
    #[arg(long, value_name = ":N", allow_hyphen_values = true)]
    pub display: Option<String>,
    /// The path of the X server to run
    #[arg(long, value_name = "PATH")]
    pub server: Option<String>,
    /// An argument for the X server; may be repeated; replaces server.args of startxd.toml
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    pub server_arg: Vec<String>,
    /// The resolution that the X server reports, in dots per inch
    #[arg(long, value_name = "DOTS", allow_hyphen_values = true)]
    pub dpi: Option<String>,
    /// How long a key is held before it repeats, in milliseconds
    #[arg(long, value_name = "MS", allow_hyphen_values = true)]
    pub ardelay: Option<String>,
    /// The time between two repeats of a key, in milliseconds
    #[arg(long, value_name = "MS", allow_hyphen_values = true)]
    pub arinterval: Option<String>,
    /// When the session counts as up: when a window manager manages the display, or when it was started
    #[arg(long, value_name = "managed|started")]
    pub ready: Option<String>,
    /// A variable of the login that the session does not get; may be repeated; replaces environment.never
    #[arg(long, value_name = "NAME")]
    pub never: Vec<String>,
    /// One of the deadlines of startxd.toml, in seconds; may be repeated
    #[arg(long, value_name = "NAME=SECONDS")]
    pub deadline: Vec<String>,
}

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show the value of each key and where it comes from; takes the options of start
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: Settings,
    },
}

/// What to do with displays without a screen.
#[derive(Debug, Subcommand)]
pub enum DisplayCommand {
    /// Start a display; prints its number when it is ready
    Start(DisplayStart),
    /// Run a command on a display, by default on one of its own that ends with it; exits with the command's status
    Run(DisplayRun),
    /// List the displays
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// End a display, in order; returns when it is gone
    Stop {
        /// The display, as :7
        #[arg(value_name = ":N", allow_hyphen_values = true, required_unless_present = "all")]
        display: Option<String>,
        /// All displays
        #[arg(long, conflicts_with = "display")]
        all: bool,
    },
}

/// Options of `display start`.
#[derive(Debug, clap::Args)]
pub struct DisplayStart {
    /// The number, such as :7; by default the first free one from :100 on
    #[arg(value_name = ":N", allow_hyphen_values = true)]
    pub display: Option<String>,
    #[command(flatten)]
    pub settings: DisplaySettings,
    /// Arguments for the server, after --
    #[arg(value_name = "ARGUMENT", last = true)]
    pub arguments: Vec<String>,
}

/// Options of `display run`.
#[derive(Debug, clap::Args)]
pub struct DisplayRun {
    #[command(flatten)]
    pub settings: DisplaySettings,
    /// The display, such as :7 (default: a new one), then the command with its arguments, after -- or without it
    #[arg(value_name = ":N] [--] [COMMAND", trailing_var_arg = true, required = true)]
    pub words: Vec<std::ffi::OsString>,
}

/// What a display is to be.
#[derive(Debug, Default, clap::Args)]
pub struct DisplaySettings {
    /// The server: xvfb, xephyr, xvnc, or the path of a program
    #[arg(long, value_name = "SERVER")]
    pub server: Option<String>,
    /// The size in pixels, such as 1920x1080, or with the depth, such as 1920x1080x24
    #[arg(long, value_name = "WIDTHxHEIGHT", allow_hyphen_values = true)]
    pub size: Option<String>,
    /// The depth in bits
    #[arg(long, value_name = "BITS", allow_hyphen_values = true)]
    pub depth: Option<String>,
    /// An argument for the server; may be repeated
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    pub server_arg: Vec<String>,
    /// What runs on it as its window manager: an entry of the xsessions directories, or a command; the display ends
    /// with it
    #[arg(long, value_name = "SESSION")]
    pub session: Option<String>,
    /// When a session counts as up: when it manages the display, or when it is started
    #[arg(long, value_name = "managed|started")]
    pub ready: Option<String>,
    /// One of the deadlines of startxd.toml, in seconds; may be repeated
    #[arg(long, value_name = "NAME=SECONDS")]
    pub deadline: Vec<String>,
}

impl DisplaySettings {
    /// Whether any option was given that describes a new display.
    pub fn is_given(&self) -> bool {
        let one = [&self.server, &self.size, &self.depth, &self.session, &self.ready];
        one.iter().any(|option| option.is_some()) || !self.server_arg.is_empty()
    }
}

/// What to restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Part {
    /// The window manager: display and applications stay
    Wm,
    /// The X server: the window manager comes back with it, applications on the display end
    Xorg,
}

/// What to check.
#[derive(Debug, Subcommand)]
pub enum CheckCommand {
    /// Whether a session may start here: exit status 0 if so; for the login shell's profile
    MayStart {
        /// Accept a terminal in the background, for `start --activate`
        #[arg(long)]
        activate: bool,
        /// Say why, or why not
        #[arg(short, long)]
        verbose: bool,
    },
}

/// What to set up.
#[derive(Debug, Subcommand)]
pub enum Enable {
    /// Write and enable the unit of a window manager, which your sessions start from then on
    Wm {
        /// Its name, as startxd list shows it, or its program; by default the one that is installed
        #[arg(value_name = "NAME")]
        name: Option<String>,
        /// Show the unit, and write nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Log a user in on a virtual terminal at boot, without a password
    Autologin {
        /// The user to log in
        #[arg(value_name = "USER")]
        user: String,
        /// The number of the virtual terminal
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u8).range(VTS))]
        vt: u8,
        /// Also add the line that starts the session to the profile of the user's login shell
        #[arg(long)]
        profile: bool,
        /// Show what would be written, and write nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Keep a session of a terminal multiplexer running from boot on, whoever is logged in; run this as its user
    Multiplexer {
        /// The multiplexer
        #[arg(value_enum)]
        kind: Kind,
        /// The name of the session; "main" if not given
        #[arg(value_name = "NAME", allow_hyphen_values = true)]
        name: Option<String>,
        /// Show what would be set, and set nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// What to undo.
#[derive(Debug, Subcommand)]
pub enum Disable {
    /// Disable and remove the unit that enable wm has written
    Wm {
        /// Show what would be removed, and remove nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Undo autologins that enable has set up; all of them if nothing is given
    Autologin {
        /// Only those of this user
        #[arg(value_name = "USER")]
        user: Option<String>,
        /// Only the one on this virtual terminal
        #[arg(long, value_name = "N", value_parser = value_parser!(u8).range(VTS))]
        vt: Option<u8>,
        /// Show what would be undone, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Undo multiplexers that enable has set up; all of them if nothing is given
    Multiplexer {
        /// Only those of this multiplexer
        #[arg(value_enum)]
        kind: Option<Kind>,
        /// Only the session of this name
        #[arg(value_name = "NAME", allow_hyphen_values = true)]
        name: Option<String>,
        /// Show what would be undone, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use clap::error::ErrorKind;

    use super::Args;

    #[test]
    fn help_is_a_command_as_well_as_an_option() {
        for words in [vec!["startxd", "help", "start"], vec!["startxd", "start", "--help"]] {
            let error = Args::try_parse_from(words).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::DisplayHelp);
            let text = error.to_string();
            assert!(text.contains("--backoff") && text.contains("else /etc/X11/Xsession"), "{text}");
        }
    }
}
