//! The options as typed.

use clap::{Parser, Subcommand, value_parser};

use crate::autologin::VTS;

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
    /// Ask, and touch nothing
    #[command(subcommand)]
    Check(CheckCommand),
    /// Give the display of this X session, which startx or a display manager has started, to the user manager
    Attach,
    /// Take that display away from the user manager again
    Detach,
    /// Watch an attached display, for startxd-attached.service
    #[command(hide = true)]
    Attached {
        /// Put the environment back, after the watch has ended
        #[arg(long)]
        restore: bool,
    },
    /// Set up a way into a session (as root)
    #[command(subcommand)]
    Enable(Enable),
    /// Take back what enable has set up (as root)
    #[command(subcommand)]
    Disable(Disable),
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
    /// Switch to this terminal first, if another one is in the foreground
    #[arg(long)]
    pub activate: bool,
    /// A user unit (NAME.service), or a command with its arguments (after -- if it has options); if not given: the
    /// units enabled for wm.target, else ~/.xinitrc, else session.default of startxd.toml
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
    /// Log a user in on a virtual terminal at boot, without a password
    Autologin {
        /// Who is logged in
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
}

/// What to take back.
#[derive(Debug, Subcommand)]
pub enum Disable {
    /// Take back autologins that enable has set up; all of them if nothing is given
    Autologin {
        /// Only those of this user
        #[arg(value_name = "USER")]
        user: Option<String>,
        /// Only that of this virtual terminal
        #[arg(long, value_name = "N", value_parser = value_parser!(u8).range(VTS))]
        vt: Option<u8>,
    },
}
