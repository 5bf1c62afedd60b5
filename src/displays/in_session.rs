//! A command in the session that is up, from anywhere: ssh(1), cron(8), su(1), a udev rule. As with `startxd display
//! run` it is a child of ours, with our terminal and descriptors and with its exit status as ours, and a scope of the
//! user manager; its environment is the session's.

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::Failure;
use super::run::{Command, in_scope, search_path};
use crate::deadline::Deadlines;
use crate::environment::{Block, of_display};
use crate::manager::{Manager, names, restore, transient};
use crate::os::{Pid, TakenSignals};
use crate::records::attached::AttachedRecord;
use crate::records::session::SessionRecord;
use crate::runtime_dir::RuntimeDir;

/// The variables that a command gets from the caller and not from the session: they describe its terminal.
const OF_TERMINAL: [&str; 5] = ["TERM", "COLORTERM", "COLUMNS", "LINES", "NO_COLOR"];

/// The variables that the session has exported, with their values in the user manager now, and those by which manager
/// and bus are found; for a shell outside of the session.
///
/// # Errors
/// There is no session, or no manager.
pub async fn exported(runtime: &RuntimeDir, manager: &Manager) -> Result<Block, Failure> {
    let names = match SessionRecord::of(runtime) {
        Ok(Some(session)) => session.exported,
        _ => AttachedRecord::of(runtime).ok_or(Failure::NoSessionUp)?.exported,
    };
    let mut environment = manager.environment().await?;
    environment.retain(|name, _| names.contains(name));
    environment.extend(runtime.variables());
    Ok(environment)
}

/// Exports the variables of the session's display again, after another program has replaced them, as
/// `dbus-update-activation-environment --systemd DISPLAY` over ssh(1) does.
///
/// # Errors
/// There is no session, or the manager refused.
pub async fn repair(runtime: &RuntimeDir, manager: &Manager) -> Result<(), Failure> {
    let variables = match SessionRecord::of(runtime) {
        Ok(Some(session)) => of_display(session.display, &runtime.authority(session.display)),
        _ => {
            let attached = AttachedRecord::of(runtime).ok_or(Failure::NoSessionUp)?;
            of_display(attached.display, &attached.authority)
        }
    };
    Ok(restore::export(manager, &variables, &[]).await?)
}

/// Runs a command in the session. Returns its exit status as shells define it.
///
/// # Errors
/// [`Failure`]: it did not run.
pub async fn run(
    runtime: &RuntimeDir,
    manager: &Manager,
    words: &[OsString],
    taken: &TakenSignals,
    deadlines: &Deadlines,
) -> Result<u8, Failure> {
    let state = manager.state(names::GRAPHICAL_SESSION).await?;
    if state.active != "active" || state.is_going_down() {
        return Err(Failure::NoSessionUp);
    }
    let mut environment = manager.environment().await?;
    environment.extend(runtime.variables());
    let ours = OF_TERMINAL.iter().filter_map(|&name| Some((name.to_owned(), std::env::var(name).ok()?)));
    environment.extend(ours);
    let search = environment.get("PATH").map_or_else(search_path, OsString::from);
    let command = Command::find(words, &search)?;
    let environment: Vec<CString> =
        environment.iter().filter_map(|(name, value)| CString::new(format!("{name}={value}")).ok()).collect();
    let held = command.hold_with(&environment, taken)?;
    let pid = held.pid;
    let scope = async {
        let unit = names::session_command(pid);
        Ok((manager.start_transient_unit(&unit, properties(words, pid, deadlines)).await?, unit))
    };
    in_scope(manager, &command, held, scope, taken).await
}

/// A scope that ends with the session, before the window manager and the display do.
fn properties(words: &[OsString], pid: Pid, deadlines: &Deadlines) -> transient::UnitProperties {
    let name =
        String::from_utf8_lossy(words.first().map_or(OsStr::new(""), OsString::as_os_str).as_bytes()).into_owned();
    let description = format!("{}, by startxd run", crate::text::one_line(&name));
    let mut properties = transient::scope(description, &[pid], "app.slice", deadlines.applications);
    properties.extend(transient::bound_to(names::GRAPHICAL_SESSION, &[names::XORG_TARGET]));
    properties
}
