//! `startxd dotfiles`, for `startxd-dotfiles.service`: reads the files that [`crate::session::dotfiles`] finds, once
//! for each server, and tells the host which variables they set.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::ask::{ask, told};
use super::exit::Exit;
use super::status::cookie;
use crate::config::Config;
use crate::deadline::TRY_AGAIN;
use crate::environment::{Block, policy, sourced};
use crate::launch::{Connection, MAX_MESSAGE, Reply, Request};
use crate::program;
use crate::records::session::SessionRecord;
use crate::runtime_dir::RuntimeDir;
use crate::session::dotfiles::Dotfiles;
use crate::subprocess::{self, Output, Streams};
use crate::text;
use crate::x11::client::Client;

/// Debian's package of xrdb(1) and xmodmap(1).
const PACKAGE: &str = "x11-xserver-utils";

/// Reads them. A file that fails is reported, and the others are still read.
pub async fn run(runtime: &RuntimeDir) -> Exit {
    let config = super::configuration();
    let Ok(Some(record)) = SessionRecord::of(runtime) else {
        tracing::error!("startxd dotfiles is for sessions of startxd; use startxd start");
        return Exit::NotRunning;
    };
    let Some(cookie) = cookie(runtime, record.display) else { return Exit::NotRunning };
    // The connect waits until the server is up, which is not part of the deadlines below. A server that is just ending
    // may have closed the connection.
    let answers = async {
        while Client::connect(record.display, &cookie).await.is_err() {
            sleep(TRY_AGAIN).await;
        }
    };
    if timeout(config.deadlines.server_ready, answers).await.is_err() {
        tracing::error!("the display does not answer, so no files are read for it");
        return Exit::NotRunning;
    }
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let files = Dotfiles::find(Path::new("/"), home.as_deref());
    let mut problems = settings(&files, config.deadlines.environment_files).await;
    let (variables, more) = profiles(&files, &config).await;
    problems.extend(more);
    told(config.deadlines.launch + config.deadlines.user_manager, tell(runtime, variables, problems)).await
}

/// Resources and keymaps: what went wrong.
async fn settings(files: &Dotfiles, deadline: Duration) -> Vec<String> {
    let resources = |path| ("xrdb", vec!["-merge"], path);
    // Without the program, nobody misses the system's files for it.
    let has_xrdb = find("xrdb").is_some();
    let system = files.system_resources.iter().filter(|_| has_xrdb).map(resources);
    let own = files.own_resources.iter().map(resources);
    let keymaps = files.keymaps.iter().map(|path| ("xmodmap", vec![], path));
    let mut problems = Vec::new();
    for (name, arguments, path) in system.chain(own).chain(keymaps) {
        if let Err(problem) = set(name, &arguments, path, deadline).await {
            problems.push(problem);
        }
    }
    problems
}

fn find(name: &str) -> Option<PathBuf> {
    program::find(name.as_ref(), std::env::var_os("PATH").as_deref())
}

async fn set(name: &str, arguments: &[&str], file: &Path, deadline: Duration) -> Result<(), String> {
    let shown = text::path(file);
    let program = find(name).ok_or_else(|| {
        format!("{shown} is not read, because {name} is not installed; on Debian, run: sudo apt install {PACKAGE}")
    })?;
    let mut command = Command::new(program);
    command.args(arguments).arg(file);
    let ran = subprocess::run(command, Streams::Both, Instant::now() + deadline).await;
    let Output { said, end } = ran.map_err(|error| format!("{shown} is not read: {name} cannot be run: {error}"))?;
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    let first = said.lines().next().map(text::one_line).unwrap_or_default();
    let words: Vec<&str> = std::iter::once(name).chain(arguments.iter().copied()).collect();
    let again = format!("try it: {} {}", words.join(" "), text::shell_word(&shown));
    match end {
        Some(status) if status.success() => {
            said.lines().for_each(|line| tracing::info!("{name}: {}", text::one_line(line)));
            Ok(())
        }
        Some(_) if first.is_empty() => Err(format!("{shown} is not read: {name} fails; {again}")),
        Some(_) => Err(format!("{shown} is not read: {name} fails ({first}); {again}")),
        None => Err(format!(
            "{shown} is not read: {name} has not ended within {} s (deadlines.environment_files); {again}",
            deadline.as_secs_f32()
        )),
    }
}

/// Has the shell read the profiles. Returns the variables that they set or change and that may travel, and what went
/// wrong.
async fn profiles(files: &Dotfiles, config: &Config) -> (Block, Vec<String>) {
    if files.profiles.is_empty() {
        return (Block::new(), Vec::new());
    }
    let before: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    let given = before.clone().into_iter().collect();
    let sourced = sourced::source(&files.profiles, given, config.deadlines.environment_files, "startup file").await;
    let (mut variables, mut problems) = (Block::new(), sourced.problems);
    for (name, value) in sourced.environment.into_iter().filter(|(name, value)| before.get(name) != Some(value)) {
        let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else { continue };
        if policy::travels(name, "").is_err() || policy::is_listed(&config.environment.never, name) {
            continue;
        }
        if !policy::is_value(value) || value.contains('\n') {
            problems.push(format!("{name} is not exported: its value has line breaks or control characters"));
        } else {
            variables.insert(name.to_owned(), value.to_owned());
        }
    }
    (variables, problems)
}

/// Tells the host.
async fn tell(runtime: &RuntimeDir, variables: Block, mut problems: Vec<String>) -> Result<(), String> {
    let host = Connection::connect(&runtime.host_socket()).map_err(|error| error.to_string())?;
    let heard = |reply: &Reply| *reply == Reply::Heard;
    for (name, value) in variables {
        let request = Request::Sourced(Block::from([(name.clone(), value)]));
        if request.encode().len() > MAX_MESSAGE {
            problems.push(format!("{name} is not exported: its value is too long"));
        } else {
            ask(&host, &request, heard).await?;
        }
    }
    for problem in problems {
        ask(&host, &Request::Complaint(problem), heard).await?;
    }
    Ok(())
}
