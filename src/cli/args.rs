//! The options as typed.

use clap::{Parser, Subcommand};

/// startx, done by systemd: Xorg and a window manager as user units on this virtual terminal.
#[derive(Debug, Parser)]
#[command(name = "startxd", version, disable_help_subcommand = true)]
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
    /// Restart one part of the session; the rest stays
    #[command(subcommand)]
    Restart(Part),
    /// Show the session: seat, display, server, window manager, targets, environment, and what is wrong
    Status,
    /// List what can be started: entries of the xsessions directories, units enabled for wm.target, ~/.xinitrc
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Ask, and touch nothing
    #[command(subcommand)]
    Check(CheckCommand),
    /// Serve a display as the main process of xorg@N.service
    #[command(hide = true)]
    Serve {
        /// The display's number
        display: String,
    },
}

/// Options of `start`.
#[derive(Debug, clap::Args)]
pub struct Start {
    /// The display, as :1; the first free one if not given
    #[arg(long, value_name = ":N", allow_hyphen_values = true)]
    pub display: Option<String>,
    /// An entry of the xsessions directories (NAME, NAME:ACTION), a user unit (NAME.service), or a command with its
    /// arguments, which it is for certain after --; if not given: the units enabled for wm.target, else ~/.xinitrc, else
    /// session.default of startxd.toml
    #[arg(value_name = "SESSION", trailing_var_arg = true)]
    pub session: Vec<String>,
}

/// What to restart.
#[derive(Debug, Clone, Copy, Subcommand)]
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
        /// Say why, or why not
        #[arg(short, long)]
        verbose: bool,
    },
}
