//! `startxd display`, and what the units of such displays run.

mod render;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use super::args::{DisplayRun, DisplaySettings, DisplayStart};
use super::exit::Exit;
use super::xvfb_run::Call;
use crate::config::{Config, server_args};
use crate::displays::request::DisplayRequest;
use crate::displays::run::{Command, on, search_path, take_signals};
use crate::displays::server::{self, ServerKind};
use crate::displays::start::Starter;
use crate::displays::{FIRST, Failure, claim, copy, end, list as listed, private_display, supervisor};
use crate::manager::{self, Manager};
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

/// Runs a command, and exits with its status.
pub async fn run(run: DisplayRun) -> ExitCode {
    let argv: Vec<OsString> = std::env::args_os().collect();
    let ran = async {
        let taken = take_signals()?;
        let after_dashes = super::start::is_after_dashes(&argv, &run.words);
        let (display, words) = display_and_command(&run.words, after_dashes)?;
        if display.is_some() && run.settings.is_given() {
            return Err(both());
        }
        let command = Command::find(words, &search_path())?;
        if let Some(display) = display {
            let config = run.settings.configuration().map_err(Failure::Usage)?;
            let (runtime, manager) = surroundings(&config).await?;
            return on(&runtime, &manager, display, &command, &taken, &config.deadlines).await;
        }
        let (config, request) = request(&run.settings, run.settings.server_arg.clone())?;
        on_its_own(&run.settings, request, &command, &taken, &config).await
    };
    status(ran.await)
}

/// As xvfb-run(1), which we were called as.
pub async fn run_as_xvfb_run(call: Call) -> ExitCode {
    let ran = async {
        let taken = take_signals()?;
        let command = Command::find(&call.command, &search_path())?;
        let settings = DisplaySettings { server: Some("xvfb".to_owned()), ..DisplaySettings::default() };
        // Even without access control, only this user can reach the socket.
        check(call.server_args.iter().filter(|argument| *argument != "-ac"))?;
        let (config, mut request) = unchecked_request(&settings, call.server_args.clone())?;
        if let Some(path) = &call.error_file {
            copy::to(path)?;
        }
        let number =
            Display::new(call.number).ok_or_else(|| Failure::Usage("there is no such display number".to_owned()))?;
        request.first = number;
        request.display = call.is_exact.then_some(number);
        request.authority_too = call.auth_file.clone();
        on_its_own(&settings, request, &command, &taken, &config).await
    };
    status(ran.await)
}

/// Runs a command on a display of its own.
async fn on_its_own(
    settings: &DisplaySettings,
    mut request: DisplayRequest,
    command: &Command,
    taken: &TakenSignals,
    config: &Config,
) -> Result<u8, Failure> {
    request.client = Some(Pid::this());
    if is_without_systemd() {
        if settings.session.is_some() {
            return Err(Failure::SessionWithoutSystemd);
        }
        tracing::warn!("systemd does not run here: startxd itself watches over the command, without units");
        return private_display::run_without_manager(&request, command, taken, config).await;
    }
    let runtime = RuntimeDir::find_without_login()?;
    if settings.session.is_some() {
        let manager = Manager::connect(&runtime, config.deadlines.user_manager).await?;
        request.session = session(settings, config, &manager).await?;
    }
    private_display::run(&runtime, &request, command, taken, config).await
}

pub(super) fn status(ran: Result<u8, Failure>) -> ExitCode {
    match ran {
        Ok(status) => ExitCode::from(status),
        // As shells report a command that was ended by a signal.
        Err(Failure::Interrupted(signal)) => ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX)),
        Err(failure) => ended(&failure).into(),
    }
}

/// Takes the words behind the options, and whether `--` stood before them, and returns the display, if the first word
/// is one, and the command.
fn display_and_command(words: &[OsString], after_dashes: bool) -> Result<(Option<Display>, &[OsString]), Failure> {
    let [first, rest @ ..] = words else { return Ok((None, words)) };
    let dashes = OsString::from("--");
    let is_number = first.as_encoded_bytes().starts_with(b":");
    let number = first.to_str().filter(|_| !after_dashes).map(Display::parse);
    let display = match number {
        Some(number) if is_number => {
            number.map_err(|error| Failure::Usage(format!("{error}; a command comes after --")))?
        }
        Some(Ok(number)) if rest.first() == Some(&dashes) => number,
        _ => return Ok((None, words)),
    };
    let command = rest.strip_prefix(std::slice::from_ref(&dashes)).unwrap_or(rest);
    match command {
        [] => Err(Failure::Usage(format!(
            "no command is given; write it after the number: startxd display run {display} -- COMMAND"
        ))),
        [option, ..] if command.len() == rest.len() && option.as_encoded_bytes().starts_with(b"--") => Err(both()),
        command => Ok((Some(display), command)),
    }
}

fn both() -> Failure {
    let why = "options describe a new display, and the number names one that is up; omit one of them";
    Failure::Usage(why.to_owned())
}

/// Prints the displays that are up.
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
                // With `--all`, one may have ended by itself in the meantime.
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

pub(super) fn ended(failure: &Failure) -> Exit {
    tracing::error!("{failure}");
    Exit::from(failure)
}

fn number(text: &str) -> Result<Display, Failure> {
    Display::parse(text).map_err(|error| Failure::Usage(error.to_string()))
}

/// The runtime directory and the user manager, with a login or without.
pub(super) async fn surroundings(config: &Config) -> Result<(RuntimeDir, Manager), Failure> {
    if is_without_systemd() {
        return Err(Failure::NoSystemd);
    }
    let runtime = RuntimeDir::find_without_login()?;
    let manager = Manager::connect(&runtime, config.deadlines.user_manager).await?;
    Ok((runtime, manager))
}

/// Whether neither the system's systemd nor a user manager of ours runs, as in most containers.
fn is_without_systemd() -> bool {
    let has_manager = || RuntimeDir::find_without_login().is_ok_and(|runtime| runtime.manager_socket().exists());
    !manager::is_booted() && !has_manager()
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

/// The configuration, with what the options override.
fn request(settings: &DisplaySettings, extra: Vec<String>) -> Result<(Config, DisplayRequest), Failure> {
    check(extra.iter())?;
    unchecked_request(settings, extra)
}

/// Whether these arguments may be given to a server.
fn check<'a>(mut arguments: impl Iterator<Item = &'a String>) -> Result<(), Failure> {
    let refused = arguments.find_map(|argument| Some((argument, server_args::refusal(argument)?)));
    refused.map_or(Ok(()), |(argument, why)| Err(Failure::Usage(format!("{argument:?} is not possible here: {why}"))))
}

/// As [`request`], with arguments that have been checked.
fn unchecked_request(settings: &DisplaySettings, extra: Vec<String>) -> Result<(Config, DisplayRequest), Failure> {
    let config = settings.configuration().map_err(Failure::Usage)?;
    let server = server::program(&config.displays.server, Some(&search_path()))?;
    if server.kind == ServerKind::Xephyr && std::env::var_os("DISPLAY").is_none_or(|display| display.is_empty()) {
        return Err(Failure::NoHostDisplay);
    }
    let request = DisplayRequest {
        display: None,
        first: FIRST,
        program: server,
        size: config.displays.size,
        depth: config.displays.depth,
        extra,
        session: None,
        ready: config.session.ready,
        others: config.server.others,
        client: None,
        authority_too: None,
    };
    Ok((config, request))
}

/// The session that was asked for, as `startxd start` would find it.
async fn session(settings: &DisplaySettings, config: &Config, manager: &Manager) -> Result<Option<Choice>, Failure> {
    let Some(text) = &settings.session else { return Ok(None) };
    let around = Surroundings::from_env().or_of(manager).await;
    let request = SessionRequest::parse_default(text, around.home.as_deref());
    match choose_named(&request, &around, restarts(&config.crash), manager).await? {
        Choice::Unit(unit) => Err(Failure::SessionUnit(unit)),
        Choice::Wanted(units) => Err(Failure::SessionUnit(units.join(", "))),
        choice => Ok(Some(choice)),
    }
}
