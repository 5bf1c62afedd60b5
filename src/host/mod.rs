//! The host: `startxd start`, the one process of ours that stays in the login session.
//!
//! # Its whole life
//!
//! ```text
//!   login shell (or greeter, or system unit) on tty1, in session-3.scope
//!    └─ startxd start                                       the host
//!         checks      may a session start here? nothing is touched before every answer is yes
//!         prepare     lock, repair of what a dead session left, display, environment with its files, cookie, record
//!         begin       queue the jobs: xorg@0.service (with its socket), xorg.target, the window manager
//!         live        one loop over everything that can happen
//!         end         queue startxd-shutdown.target, wait until all is gone, put back, return
//! ```
//!
//! # One full start
//!
//! 1. The host asks the user manager for `xorg@0.service`; its `Requires=` brings `xorg@0.socket`, which binds
//!    `/tmp/.X11-unix/X0` and the abstract name. The same breath asks for `xorg.target` and the window manager.
//! 2. The window manager starts, connects, and waits in the socket's backlog: it loads its libraries and configuration
//!    while the server starts. That is why nothing here waits for the server before it starts a client, and why
//!    cookie and environment are there before anything else.
//! 3. The supervisor (`startxd serve 0`, main process of `xorg@0.service`) connects to the launch socket and asks for
//!    the server, handing over the listening sockets and a pipe for its output.
//! 4. The host forks the server ([`crate::server`]): here, because logind finds a server's session by its pid's scope, and
//!    the kernel allows VT ioctls only where the VT is the controlling terminal. It answers with a pidfd.
//! 5. The server takes control of the session and serves its backlog. The supervisor's own handshake is answered, it
//!    moves the server into its unit's cgroup, and says READY=1.
//! 6. The window manager manages the display; the host sees it ([`watch`]) and starts `wm-ready.target`, which pulls
//!    `graphical-session.target` and the autostart programs.
//!
//! # One full end
//!
//! 1. The window manager exits with 0 (or `startxd stop`, a signal, a failure). The host starts
//!    `startxd-shutdown.target` with `replace-irreversibly`, which stops, in the order that `After=` says read
//!    backwards: what is in the graphical session, `graphical-session.target`, the window manager, `xorg.target`.
//! 2. The supervisor had its SIGTERM at the beginning of all that, and holds the server until `xorg.target` is down,
//!    because only then every client is. Then it ends the server; the server gives the VT back.
//! 3. The host reaps the server and tells the supervisor, whose unit, and then the socket, go down.
//! 4. The job of the shutdown target is done: all is gone. The host waits for the VT to be in text mode, puts back
//!    terminal settings and environment, removes cookie, record, lock and launch socket, and returns.
//!
//! If the host dies instead, the supervisor sees end-of-file and does 1, 2 and the putting back itself
//! ([`crate::supervisor`]). If both die, the record on disk tells what to put back to whoever comes first ([`repair`]):
//! `startxd-repair.service`, which systemd starts when a supervisor has failed, the next start, or `startxd stop`.
//!
//! # Another seat
//!
//! Only seat0 has virtual terminals ([`crate::seat`]). Elsewhere there is nothing to switch, to come back to in text mode
//! or to be controlled by: the checks and the end pass over it, and the server opens no console.
//!
//! # What goes on in between
//!
//! A server that crashes comes back as it came the first time: the window manager's unit is started again, its connect
//! starts a supervisor, and that one asks for a server ([`serving`]). Here it may have to wait ([`launch`], [`crash`]). A window
//! manager that does not stay up makes place for the rescue command ([`units`], [`comeback`], [`rescue`]). The ground under all of it is
//! watched too: the user manager with its process ([`link`]), and logind's word that the server has its devices
//! ([`ground`], [`devices`]). Terminal
//! multiplexers learn the display when the first server answers, and forget it while the end goes on ([`multiplexers`]).

pub mod backoff;
pub mod checks;
mod clients;
mod comeback;
mod crash;
mod devices;
mod end;
pub mod grace;
mod ground;
mod jobs;
mod launch;
mod life;
mod link;
mod multiplexers;
pub mod orphan;
mod peers;
pub mod prepare;
pub mod repair;
mod rescue;
pub mod server;
mod serving;
pub mod session_lock;
mod targets;
mod terminal;
mod units;
mod variables;
mod watch;
mod why;

use thiserror::Error;

use crate::config::Config;
use crate::launch::Listener;
use crate::session::{self, Choice, NoSession, Request, Surroundings};
use crate::x11::server::{NoServer, find};
use checks::{Background, Refusal};
use prepare::NotPrepared;

pub use why::Why;

/// Why there was no session, or why it ended badly.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "each variant's sentence is its documentation")]
pub enum Failure {
    #[error("{0}")]
    Refused(#[from] Refusal),
    #[error("{0}")]
    NoServer(#[from] NoServer),
    #[error("{0}")]
    NoSession(#[from] NoSession),
    #[error("{0}")]
    NotPrepared(#[from] NotPrepared),
    #[error("{0}")]
    System(#[from] std::io::Error),
    #[error("{0}")]
    Ended(Why),
}

/// What `startxd start` was asked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// SESSION.
    pub session: Request,
    /// What to do if the terminal is in the background; `--activate`.
    pub background: Background,
}

/// Runs a session from its first check to its last cleaning.
///
/// Returns why it ended, if it ended well.
///
/// # Errors
/// [`Failure`]: it never started, or it ended badly. Nothing of it is left in either case.
pub async fn run(options: &Options, config: &Config) -> Result<Why, Failure> {
    let clearance = checks::may_start(&config.deadlines, options.background).await?;
    let program = find(config.server.binary.as_deref())?;
    let around = Surroundings::from_env().or_of(&clearance.manager).await;
    let choice: Choice =
        session::choose(&options.session, config, &around, &clearance.manager, &clearance.installed).await?;
    // From here on signals end the session in order instead of this process at once.
    let signals = life::Interrupts::catch()?;
    // A seat without terminals has no text mode to come back to.
    let terminal = clearance.seat.vt.map(|_| terminal::Terminal::open()).transpose()?;
    let (prepared, events, manager_process) = tokio::join!(
        prepare::prepare(&clearance, config, &choice),
        // Before the first job is queued, or its end could be missed.
        clearance.manager.signals(),
        ground::ManagerProcess::find(&clearance.manager),
    );
    let prepared = prepared?;
    let listener = Listener::bind(&prepared.runtime().host_socket()).map_err(Failure::System);
    let events = events.map_err(|error| Failure::Ended(Why::ManagerLost(error.to_string())));
    let (listener, events) = match (listener, events) {
        (Ok(listener), Ok(events)) => (listener, events),
        (Err(failure), _) | (_, Err(failure)) => {
            prepared.undo(Some(&clearance.manager)).await;
            return Err(failure);
        }
    };
    let plan = server::Plan {
        program,
        display: prepared.display,
        seat: clearance.seat.clone(),
        authority: prepared.runtime().authority(prepared.display),
        extra: config.server.arguments(),
    };
    let ground = ground::Ground::watch(clearance.system_bus, clearance.session.id, config.deadlines.user_manager);
    let life = life::Life::begin(life::Parts {
        link: link::Link::new(clearance.manager, events, manager_process),
        ground,
        choice,
        config: config.clone(),
        plan,
        prepared,
        listener,
        signals,
    });
    let (why, prepared, manager) = life.await;
    if let Some(terminal) = terminal {
        terminal.restore(config.deadlines.text_mode).await;
    }
    prepared.undo(manager.as_ref()).await;
    if why.is_clean() { Ok(why) } else { Err(Failure::Ended(why)) }
}
