//! `startxd display`, and what the units of such displays run.

mod render;

use std::io::Write;
use std::process::ExitCode;

use super::args::{DisplayRun, DisplaySettings, DisplayStart};
use super::exit::Exit;
use crate::config::{Config, server_args};
use crate::displays::request::DisplayRequest;
use crate::displays::run::{Command, on, take_signals};
use crate::displays::server::{self, ServerKind};
use crate::displays::start::Starter;
use crate::displays::{Failure, claim, end, list as listed, private_display, supervisor};
use crate::manager::Manager;
use crate::os::{Pid, TakenSignals};
use crate::runtime_dir::RuntimeDir;
use crate::session::{Choice, SessionRequest, Surroundings, choose_named, restarts};
use crate::x11::display::Display;

/// Starts a display and prints its number.
pub async fn start(start: DisplayStart) -> Exit {
    let started = async {
        let taken = take_signals()?;
        let extra = [start.settings.server_arg.as_slice(), &start.arguments].concat();
        let (config, mut request) = request(&start.settings, extra)?;
        request.display = start.display.as_deref().map(number).transpose()?;
        let (runtime, manager) = surroundings(&config).await?;
        request.session = session(&start.settings, &config, &manager).await?;
        let mut starter = Starter::new(&runtime, &manager, &config.deadlines, &request);
        let up = unless_interrupted(&taken, starter.bring_up()).await;
        if up.is_err() {
            starter.take_down().await;
        }
        up
    };
    match started.await {
        Ok(display) => {
            let _ = writeln!(std::io::stdout(), "{display}");
            Exit::Success
        }
        Err(failure) => ended(&failure),
    }
}

/// Runs a command, and ends as it ends.
pub async fn run(run: DisplayRun) -> ExitCode {
    let ran = async {
        let taken = take_signals()?;
        let display = run.display.as_deref().map(number_or_command).transpose()?;
        if display.is_some() && run.settings.is_given() {
            let why = "options describe a new display, and the number names one that is up; omit one of them";
            return Err(Failure::Usage(why.to_owned()));
        }
        let command = Command::find(&run.command, std::env::var_os("PATH").as_deref())?;
        if let Some(display) = display {
            let config = run.settings.configuration().map_err(Failure::Usage)?;
            let (runtime, manager) = surroundings(&config).await?;
            return on(&runtime, &manager, display, &command, &taken, &config.deadlines).await;
        }
        let (config, mut request) = request(&run.settings, run.settings.server_arg.clone())?;
        let runtime = RuntimeDir::find_without_login()?;
        if run.settings.session.is_some() {
            let manager = Manager::connect(&runtime, config.deadlines.user_manager).await?;
            request.session = session(&run.settings, &config, &manager).await?;
        }
        request.client = Some(Pid::this());
        private_display::run(&runtime, &request, &command, &taken, &config).await
    };
    match ran.await {
        Ok(status) => ExitCode::from(status),
        // As a shell says it of a command that a signal has ended.
        Err(Failure::Interrupted(signal)) => ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX)),
        Err(failure) => ended(&failure).into(),
    }
}

/// Prints the displays that there are.
pub async fn list(json: bool) -> Exit {
    let found = async {
        let config = super::configuration();
        let (runtime, manager) = surroundings(&config).await?;
        Ok::<_, Failure>(listed::list(&runtime, &manager).await?)
    };
    match found.await {
        Ok(displays) => {
            let text = if json { render::as_json(&displays) } else { render::as_text(&displays) };
            let _ = std::io::stdout().write_all(text.as_bytes());
            Exit::Success
        }
        Err(failure) => ended(&failure),
    }
}

/// Ends a display, or all of them.
pub async fn stop(display: Option<&str>) -> Exit {
    let stopped = async {
        let config = super::configuration();
        let one = display.map(number).transpose()?;
        let (runtime, manager) = surroundings(&config).await?;
        let displays = one.map_or_else(|| claim::all(&runtime), |display| vec![display]);
        for display in displays {
            match end::stop(&runtime, &manager, display, &config.deadlines).await {
                // Of all of them, one may have ended by itself meanwhile.
                Err(Failure::Unknown(_)) if one.is_none() => {}
                stopped => stopped?,
            }
        }
        Ok::<_, Failure>(())
    };
    match stopped.await {
        Ok(()) => Exit::Success,
        Err(failure) => ended(&failure),
    }
}

/// The main process of `startxd-display@N.service`.
pub async fn serve(display: &str) -> Exit {
    let config = super::configuration();
    let display = match number(display) {
        Ok(display) => display,
        Err(failure) => return ended(&failure),
    };
    match supervisor::run(display, &config.deadlines, &config.crash).await {
        Ok(()) => Exit::Success,
        Err(broken) => {
            tracing::error!("{broken}");
            Exit::ServerFailed
        }
    }
}

/// The main process of `startxd-display-repair@N.service`.
pub async fn repair(display: &str) -> Exit {
    let repaired = async {
        let display = number(display)?;
        let (runtime, manager) = surroundings(&super::configuration()).await?;
        end::repair(&runtime, &manager, display).await;
        Ok::<_, Failure>(())
    };
    match repaired.await {
        Ok(()) => Exit::Success,
        Err(failure) => ended(&failure),
    }
}

fn ended(failure: &Failure) -> Exit {
    tracing::error!("{failure}");
    Exit::from(failure)
}

fn number(text: &str) -> Result<Display, Failure> {
    Display::parse(text).map_err(|error| Failure::Usage(error.to_string()))
}

/// As [`number`], where a command may stand that should have had `--` before it.
fn number_or_command(text: &str) -> Result<Display, Failure> {
    let hint = |error| Failure::Usage(format!("{error}; a command comes after --"));
    Display::parse(text).map_err(hint)
}

async fn surroundings(config: &Config) -> Result<(RuntimeDir, Manager), Failure> {
    let runtime = RuntimeDir::find_without_login()?;
    let manager = Manager::connect(&runtime, config.deadlines.user_manager).await?;
    Ok((runtime, manager))
}

async fn unless_interrupted<T>(
    taken: &TakenSignals,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        biased;
        done = work => done,
        came = taken.next() => Err(Failure::Interrupted(came?.signal as i32)),
    }
}

/// What was asked for, over what is configured.
fn request(settings: &DisplaySettings, extra: Vec<String>) -> Result<(Config, DisplayRequest), Failure> {
    let config = settings.configuration().map_err(Failure::Usage)?;
    for argument in &extra {
        if let Some(why) = server_args::refusal(argument) {
            return Err(Failure::Usage(format!("{argument:?} is not possible here: {why}")));
        }
    }
    let program = server::program(&config.displays.server, std::env::var_os("PATH").as_deref())?;
    if program.kind == ServerKind::Xephyr && std::env::var_os("DISPLAY").is_none_or(|display| display.is_empty()) {
        return Err(Failure::NoHostDisplay);
    }
    let request = DisplayRequest {
        display: None,
        program,
        size: config.displays.size,
        depth: config.displays.depth,
        extra,
        session: None,
        ready: config.session.ready,
        others: config.server.others,
        client: None,
    };
    Ok((config, request))
}

/// The session that was asked for, as `startxd start` would find it.
async fn session(
    settings: &DisplaySettings,
    config: &Config,
    manager: &crate::manager::Manager,
) -> Result<Option<Choice>, Failure> {
    let Some(text) = &settings.session else { return Ok(None) };
    let around = Surroundings::from_env().or_of(manager).await;
    let request = SessionRequest::parse_default(text, around.home.as_deref());
    match choose_named(&request, &around, restarts(&config.crash), manager).await? {
        Choice::Unit(unit) => Err(Failure::SessionUnit(unit)),
        Choice::Wanted(units) => Err(Failure::SessionUnit(units.join(", "))),
        choice => Ok(Some(choice)),
    }
}
