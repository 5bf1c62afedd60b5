//! The host: `startxd start`, the one process of ours that stays in the login session.
//!
//! # Its whole life
//!
//! ```text
//!   login shell (or greeter, or system unit) on tty1, in session-3.scope
//!    └─ startxd start                                       the host
//!         checks      may a session start here? nothing is touched before every answer is yes
//!         prepare     lock, repair of what a dead session left, display, environment with its files, cookie, record
//!         up          queue the jobs, serve the supervisor and people, bring back what crashes
//!         end         queue startxd-shutdown.target, wait until all is gone, put back, return
//! ```
//!
//! # Who does what
//!
//! | file | what it does |
//! |---|---|
//! | [`core`] | decides everything; it knows no connection, file, process or clock |
//! | [`driver`] | turns what happens into events of the core, and does what the core asks for; the one `select!` |
//! | [`act`] | the calls to the manager: each a task, whose answer is an event |
//! | [`manager_link`], [`logind_watch`], [`watch`], [`screen`], [`peers`], [`interrupts`] | where events come from: the user manager, logind, the display, the launch socket, signals |
//! | [`checks`], [`prepare`], [`repair`], [`session_lock`] | what comes before a session, and what a dead one has left |
//! | [`terminal`], [`multiplexers`], [`variables`], [`server`] | the terminal, multiplexers, the environment, the server's command line |
//! | [`locker`] | the screen locker's process |
//! | [`closing`] | the end of the login session, below a screen that was locked |
//!
//! # One full start
//!
//! 1. The host takes the display's number ([`crate::x11::number`]) and asks the user manager for `xorg@0.service`; its
//!    `Requires=` brings `xorg@0.socket`, which binds `/tmp/.X11-unix/X0`. It exports the environment, and then asks for
//!    `xorg.target`.
//! 2. The supervisor (`startxd serve 0`, main process of `xorg@0.service`) connects to the launch socket and asks for
//!    the server, handing over the listening socket and a pipe for its output.
//! 3. The host forks the server ([`server`]): here, because logind finds a server's session by its pid's scope, and
//!    the kernel allows VT ioctls only where the VT is the controlling terminal. It answers with a pidfd.
//! 4. Now, and not before, the host asks for the window manager and `wm.target`: until the fork the processors are left to
//!    what the server waits for, and from the fork on the window manager loads its libraries and configuration while the
//!    server starts. It connects, and waits in the socket's backlog. That is why nothing here waits for the server before it
//!    starts a client, and why cookie and environment are there before anything else.
//! 5. The server takes control of the session and serves its backlog. The supervisor's own handshake is answered, it
//!    moves the server into its unit's cgroup, and says READY=1.
//! 6. The window manager manages the display; the host sees it ([`watch`]) and starts `wm-ready.target`, which pulls
//!    `graphical-session.target` and the autostart programs.
//!
//! # One full end
//!
//! 1. The window manager exits with 0 (or `startxd stop`, a signal, a failure). What it has started is asked to end. Then the
//!    host starts `startxd-shutdown.target` with `replace-irreversibly`, which stops, in the order that `After=` says read
//!    backwards: what is in the graphical session, `graphical-session.target`, the window manager, `xorg.target`.
//! 2. The supervisor had its SIGTERM at the beginning of all that, and holds the server until `xorg.target` is down,
//!    because only then every client is. Then it ends the server; the server gives the VT back.
//! 3. The host reaps the server and tells the supervisor, whose unit, and then the socket, go down.
//! 4. The job of the shutdown target is done: all is gone. The host waits for the VT to be in text mode, puts back
//!    terminal settings and environment, removes cookie, record, lock and launch socket, and returns.
//!
//! If only the window manager was there and has exited, nothing needs the server any more. It is ended, and the environment put
//! back, while the manager still stops the units (`core/end.rs`, `end_server_early`).
//!
//! The phases of the end, and what leaves each, are a table in `core/end.rs`.
//!
//! If the host dies instead, the supervisor sees end-of-file and does 1, 2 and the putting back itself
//! ([`crate::supervisor`]). If both die, the record on disk tells what to put back to whoever comes first ([`repair`]):
//! `startxd-repair.service`, which systemd starts when a supervisor has failed, the next start, or `startxd stop`.
//!
//! # Another seat
//!
//! Only seat0 has virtual terminals ([`crate::seat`]). Elsewhere there is nothing to switch, to come back to in text mode
//! or to be controlled by: the checks and the end pass over it, and the server opens no console.

mod act;
pub mod backoff;
pub mod checks;
pub mod closing;
pub mod core;
mod dotfiles;
mod driver;
mod failure;
pub mod grace;
mod idle;
mod interrupts;
mod locker;
mod logind_requests;
mod logind_watch;
mod manager_link;
mod multiplexers;
pub mod orphan;
mod peers;
pub mod prepare;
mod readiness;
pub mod repair;
mod screen;
mod server;
mod session_files;
pub mod session_lock;
mod terminal;
mod variables;
mod waits;
mod watch;
mod why;

use std::path::PathBuf;

use crate::config::Config;
use crate::launch::Listener;
use crate::session::{self, Choice, SessionRequest, Surroundings};
use crate::x11::server::find;
use checks::{Background, Clearance};
pub use core::Standing;
pub use driver::Ended;
use driver::{Ground, Parts};
use interrupts::Interrupts;
use logind_watch::LogindWatch;
use manager_link::{ManagerLink, ManagerProcess};
use peers::Peers;
use readiness::{Readiness, Word};
use server::Plan;
use terminal::Terminal;

pub use failure::Failure;
pub use why::Why;

/// What `startxd start` was asked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// SESSION.
    pub session: SessionRequest,
    /// What to do if the terminal is in the background; `--activate`.
    pub background: Background,
    /// Whether a command that ends with 0 was asked for, whatever it was: it was given for this once.
    pub is_once: bool,
    /// Whether the login session is for this session alone, and ends with it if it was up; `--login`.
    pub is_login: bool,
}

/// Runs a session from its first check to its last cleaning.
///
/// Returns how it ended, well or badly.
///
/// # Errors
/// [`Failure`]: it never started. Nothing of it is left in either case.
pub async fn run(options: &Options, config: &Config) -> Result<Ended, Failure> {
    let clearance = checks::may_start(&config.deadlines, options.background).await?;
    let program = find(config.server.binary.as_deref())?;
    let around = Surroundings::from_env().or_of(&clearance.manager).await;
    let choice: Choice =
        session::choose(&options.session, config, &around, &clearance.manager, &clearance.installed).await?;
    let word = Word::of(config.session.ready, &choice);
    let mut variables = variables::of_login(&clearance.session.id, &clearance.seat);
    variables.extend(readiness::variable(word, clearance.runtime.notify_socket()));
    let choice = choice.with_variables(variables);
    // From here on signals end the session in order instead of this process at once.
    let interrupts = Interrupts::catch()?;
    // A seat without terminals has no text mode to come back to.
    let terminal = clearance.seat.vt.map(|_| Terminal::open()).transpose()?;
    let session = clearance.session.id.clone();
    let logind = LogindWatch::watch(clearance.system_bus.clone(), &clearance.session, config.deadlines.user_manager);
    let preparation = Box::pin(prepare_ground(clearance, program, config.clone(), choice.clone(), word));
    let asked_for = options.is_once && options.session.is_command(&choice);
    let (config, is_login) = (config.clone(), options.is_login);
    let parts = Parts { choice, config, preparation, interrupts, logind, terminal, session, asked_for, is_login };
    driver::run(parts).await
}

/// Takes the session's place and listens to everybody who will be heard. Undone by being dropped.
async fn prepare_ground(
    clearance: Clearance,
    program: PathBuf,
    config: Config,
    choice: Choice,
    word: Word,
) -> Result<Ground, Failure> {
    let (prepared, signals, process) = tokio::join!(
        prepare::prepare(&clearance, &config, &choice),
        // Before the first job is queued, or its end could be missed.
        clearance.manager.signals(),
        ManagerProcess::find(&clearance.manager),
    );
    let prepared = prepared?;
    let listener = Listener::bind(&prepared.runtime().host_socket()).map_err(Failure::System)?;
    let readiness = Readiness::listen(word, &prepared.runtime().notify_socket()).map_err(Failure::System)?;
    let signals = signals.map_err(|error| Failure::Ended(Why::ManagerLost(error.to_string())))?;
    let plan = Plan {
        program,
        display: prepared.display,
        seat: clearance.seat.clone(),
        authority: prepared.runtime().authority(prepared.display),
        extra: config.server.arguments(),
        others: config.server.others,
    };
    let deadline = config.deadlines.user_manager;
    let link = ManagerLink::new(clearance.runtime.clone(), deadline, clearance.manager.clone(), signals, process);
    let peers = Peers::serve(listener, config.deadlines.launch);
    Ok(Ground { prepared, peers, link, plan, readiness })
}
