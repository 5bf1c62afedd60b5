//! The command line: parses it, calls the part that does the work, and prints the result.

mod analyze;
mod args;
mod ask;
mod attach;
mod autologin;
mod check;
mod completions;
mod config_show;
mod display;
mod doctor;
mod dotfiles;
pub mod exit;
mod help;
mod in_session;
mod list;
mod lock;
mod multiplexer;
mod ready;
mod repair;
mod restart;
mod select;
mod serve;
mod settings;
mod start;
pub mod status;
mod stop;
mod window_manager;
mod xvfb_run;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::FromArgMatches;

use args::{Args, CheckCommand, Command, ConfigCommand, Disable, DisplayCommand, Enable};
pub use exit::Exit;
use xvfb_run::NoCall;

use crate::config::{self, Config, Places};
use crate::host::grace;
use crate::launch::Request;
use crate::log;
use crate::runtime_dir::RuntimeDir;

/// Runs the command line of this process and returns how it ended: by an [`Exit`], or as the command of `display run`.
#[must_use]
pub fn run() -> ExitCode {
    let argv: Vec<OsString> = std::env::args_os().collect();
    if xvfb_run::is_called_so(argv.first()) {
        return as_xvfb_run(&argv[1..]);
    }
    let parsed = help::command().try_get_matches().and_then(|matches| Args::from_arg_matches(&matches));
    let args = match parsed {
        Ok(args) => args,
        Err(error) => {
            // Help and version are errors to clap, and go to standard output with a status of 0.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Success.into() };
        }
    };
    if matches!(&args.command, Command::Start(start) if start.multiplexer.is_none()) {
        grace::ask();
    }
    log::begin(matches!(
        args.command,
        Command::Serve { .. }
            | Command::Attached { .. }
            | Command::ServeDisplay { .. }
            | Command::Dotfiles
            | Command::RepairDisplay { .. }
            | Command::Multiplexer(_)
    ));
    to_its_end(async {
        let exit = match args.command {
            Command::Display(DisplayCommand::Run(run)) => return display::run(run).await,
            Command::Display(DisplayCommand::Start(start)) => display::start(start).await,
            Command::Display(DisplayCommand::List { json }) => display::list(json).await,
            Command::Display(DisplayCommand::Stop { display, .. }) => display::stop(display.as_deref()).await,
            Command::ServeDisplay { display } => display::serve(&display).await,
            Command::RepairDisplay { display } => display::repair(&display).await,
            Command::Run(run) => return in_session::run(run).await,
            Command::Env { repair: false } => in_session::env().await,
            Command::Env { repair: true } => in_session::repair().await,
            Command::Start(start) => start::run(start).await,
            Command::Stop => with_runtime(stop::run).await,
            Command::Lock => with_runtime(async |runtime| lock::run(runtime, Request::Lock).await).await,
            Command::Unlock => with_runtime(async |runtime| lock::run(runtime, Request::Unlock).await).await,
            Command::Ready { variables } => with_runtime(async |runtime| ready::run(runtime, &variables).await).await,
            Command::Restart(part) => with_runtime(async |runtime| restart::run(runtime, part).await).await,
            Command::Status { json } => with_runtime(async |runtime| status::run(runtime, json).await).await,
            Command::Analyze { svg } => with_runtime(async |runtime| analyze::run(runtime, svg.as_deref()).await).await,
            Command::Select(select) => select::run(select).await,
            Command::Doctor { json } => doctor::run(json).await,
            Command::List { json } => list::run(json).await,
            Command::Config(ConfigCommand::Show { json, settings }) => config_show::run(json, &settings).await,
            Command::Completions { what } => completions::run(what).await,
            Command::Repair => with_runtime(repair::run).await,
            Command::Dotfiles => with_runtime(dotfiles::run).await,
            Command::Check(CheckCommand::MayStart { activate, verbose }) => check::may_start(activate, verbose).await,
            Command::Attach => attach::attach().await,
            Command::Detach => attach::detach().await,
            Command::Attached { restore } => attach::attached(restore).await,
            Command::Enable(Enable::Autologin { user, vt, profile, dry_run }) => {
                autologin::enable(&user, vt, profile, dry_run).await
            }
            Command::Disable(Disable::Autologin { user, vt, dry_run }) => {
                autologin::disable(user.as_deref(), vt, dry_run).await
            }
            Command::Multiplexer(step) => multiplexer::step(step).await,
            Command::Enable(Enable::Multiplexer { kind, name, dry_run }) => {
                multiplexer::enable(kind, name.as_deref(), dry_run).await
            }
            Command::Disable(Disable::Multiplexer { kind, name, dry_run }) => {
                multiplexer::disable(kind, name.as_deref(), dry_run).await
            }
            Command::Enable(Enable::Wm { name, dry_run }) => window_manager::enable(name.as_deref(), dry_run).await,
            Command::Disable(Disable::Wm { dry_run }) => window_manager::disable(dry_run).await,
            Command::Serve { display } => serve::run(&display).await,
        };
        exit.into()
    })
}

/// Runs a command to its end, and the log beside it.
fn to_its_end(work: impl Future<Output = ExitCode>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("the kernel refuses an event queue: {error}");
            return Exit::System.into();
        }
    };
    let status = runtime.block_on(async {
        tokio::spawn(log::keep_trying());
        work.await
    });
    log::finish();
    status
}

/// Runs as the program whose name we were called by.
fn as_xvfb_run(arguments: &[OsString]) -> ExitCode {
    log::begin(false);
    let call = match xvfb_run::parse(arguments) {
        Ok(call) => call,
        Err(NoCall::Help) => {
            let _ = std::io::stdout().write_all(xvfb_run::HELP.as_bytes());
            return Exit::Success.into();
        }
        Err(why) => {
            tracing::error!("{why}");
            return Exit::Usage.into();
        }
    };
    for ignored in &call.ignored {
        tracing::warn!("ignored: {ignored}");
    }
    to_its_end(display::run_as_xvfb_run(call))
}

/// Runs a command that needs the runtime directory, or reports that there is none.
async fn with_runtime(run: impl AsyncFnOnce(&RuntimeDir) -> Exit) -> Exit {
    match RuntimeDir::find() {
        Ok(runtime) => run(&runtime).await,
        Err(error) => {
            tracing::error!("{error}");
            Exit::NoRuntimeDir
        }
    }
}

/// Prints what was asked for.
fn say(text: &str) {
    // A reader that has closed the pipe does not want the text.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Reads the configuration, and reports its mistakes. Never fails: a broken file locks nobody out.
fn configuration() -> Config {
    let loaded = config::load(&Places::from_env());
    for complaint in &loaded.complaints {
        tracing::warn!("{complaint}");
    }
    loaded.config
}

#[cfg(test)]
mod documents;
#[cfg(test)]
mod manuals;
