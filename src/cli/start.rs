//! `startxd start`.

use std::ffi::OsString;

use super::args::Start;
use super::exit::Exit;
use crate::config::{Config, Loaded, Origin};
use crate::deadline::EARLY;
use crate::host::backoff::Backoff;
use crate::host::checks::{self, Background};
use crate::host::{self, Ended, Failure, Options, Standing};
use crate::os;
use crate::records::last::LastSession;
use crate::session::{SessionRequest, Surroundings, xserverrc};
use crate::text;
use crate::x11::server;

/// Runs a session and returns how it ended.
pub async fn run(start: Start) -> Exit {
    let config = match start.settings.configuration() {
        Ok(loaded) => with_xserverrc(with_server_that_runs(loaded)),
        Err(why) => {
            tracing::error!("{why}");
            return Exit::Usage;
        }
    };
    if let Some(kind) = start.multiplexer {
        if start.activate
            && let Ok(Some(vt)) = os::controlling_vt()
        {
            checks::bring_forward(vt);
        }
        return super::multiplexer::attach(kind, &start.session, &config.deadlines).await;
    }
    let home = Surroundings::from_env().home;
    let argv: Vec<OsString> = std::env::args_os().collect();
    let session = SessionRequest::parse(&start.session, is_after_dashes(&argv, &start.session), home.as_deref());
    let background = if start.activate { Background::Activate } else { Background::Wait };
    // A profile or a unit starts the next session by itself: there, any early end counts.
    let is_once = !start.login && start.backoff.is_none();
    let options = Options { session, background, is_once, is_login: start.login };
    let Some(limit) = start.backoff else {
        if let Some(why) = enough(&options) {
            tracing::error!("{why}");
            return Exit::GivenUp;
        }
        return match once(&options, &config).await {
            Ok(ended) if ended.why.is_clean() || closes_shell(start.login, &ended) => Exit::Success,
            Ok(ended) => Exit::from(&ended.why),
            Err(failure) => Exit::from(&failure),
        };
    };
    let mut backoff = match Backoff::read(limit) {
        Ok(backoff) => backoff,
        Err(why) => {
            tracing::error!("{why}");
            return Exit::Usage;
        }
    };
    if backoff.is_exhausted() {
        backoff.give_up();
        return Exit::GivenUp;
    }
    backoff.pause(config.deadlines.next_attempt).await;
    backoff.begin();
    let (why, exit) = match once(&options, &config).await {
        Ok(ended) if ended.why.is_clean() && ended.standing != Standing::Brief => {
            backoff.succeeded();
            return Exit::Success;
        }
        Ok(ended) if ended.why.is_clean() => {
            let why = format!("{} within {} s of coming up", ended.why, EARLY.as_secs());
            return if backoff.left_early(&why) { Exit::GivenUp } else { Exit::Success };
        }
        Ok(ended) => (ended.why.to_string(), Exit::from(&ended.why)),
        Err(failure) => (failure.to_string(), Exit::from(&failure)),
    };
    if backoff.failed(&why) { Exit::GivenUp } else { exit }
}

/// Drops a `server.binary` from a file if it cannot be run, so that a wrong line locks nobody out. A server that was
/// given on the command line was meant for this start, and is kept.
fn with_server_that_runs(loaded: Loaded) -> Config {
    let mut config = loaded.config;
    let Some(path) = &config.server.binary else { return config };
    let found = server::find(Some(path));
    if let (Err(wrong), Some(Origin::File(file, line))) = (found, loaded.origins.get("server.binary")) {
        tracing::warn!("{}:{line}: {wrong}; the default server is used instead", text::path(file));
        config.server.binary = None;
    }
    config
}

/// Adds the server's arguments from `~/.xserverrc`, if the configuration has this server follow it.
fn with_xserverrc(mut config: Config) -> Config {
    if !config.server.follows_xserverrc() {
        return config;
    }
    let Some((path, found)) = Surroundings::from_env().home.and_then(|home| xserverrc::read(&home)) else {
        return config;
    };
    let path = text::path(&path);
    match found {
        Ok(arguments) => {
            tracing::info!("arguments of the server from {path}: {}", arguments.join(" "));
            config.server.args = arguments;
        }
        Err(why) => tracing::warn!(
            "{path} is not followed: {why}; in startxd.toml, under [server], write the arguments into args = […], or set \
             xserverrc = false"
        ),
    }
    config
}

/// Whether to exit with 0, so that the line in the profile closes the login shell although the session ended badly.
fn closes_shell(is_login: bool, ended: &Ended) -> bool {
    is_login && ended.standing != Standing::NeverUp
}

/// Why no session is started now, if the last ones ended as soon as they were up, one after the other, and whatever
/// starts them would start the next one by itself. A person who tries again gets a session.
fn enough(options: &Options) -> Option<String> {
    if options.is_once && matches!(options.session, SessionRequest::Command(_)) {
        return None;
    }
    let last = LastSession::recall().filter(LastSession::is_enough)?;
    let why = last.why.lines().next().unwrap_or_default().to_owned();
    if let Err(error) = last.forgive() {
        tracing::debug!("the brief sessions cannot be forgotten: {error}");
    }
    Some(format!(
        "the last sessions ended as soon as they were up, one login after the other ({why}), so this login does \
         not start another; to start one anyway: startxd start"
    ))
}

/// Runs a session, and says why it failed.
async fn once(options: &Options, config: &Config) -> Result<Ended, Failure> {
    let ended = host::run(options, config).await;
    match &ended {
        Ok(Ended { why, .. }) if why.is_clean() => tracing::debug!("the session is over: {why}"),
        Ok(Ended { why, .. }) => tracing::error!("{why}"),
        Err(failure) => tracing::error!("{failure}"),
    }
    ended
}

/// Takes all arguments of the program and the words of SESSION, which are the last of them, and returns whether `--`
/// comes before SESSION. clap has removed it from SESSION.
pub(super) fn is_after_dashes<W>(argv: &[OsString], words: &[W]) -> bool {
    let before = argv.len().checked_sub(words.len() + 1);
    !words.is_empty() && before.and_then(|index| argv.get(index)).is_some_and(|argument| argument == "--")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::Parser;

    use super::{is_after_dashes, with_server_that_runs};
    use crate::cli::args::{Args, Command};
    use crate::config::{Override, Places, load};
    use crate::test_dir::TestDir;

    #[test]
    fn a_wrong_server_of_a_file_locks_nobody_out() {
        let directory = TestDir::new();
        std::fs::write(directory.path("startxd.toml"), "server.binary = \"/etc/passwd\"\n").unwrap();
        let places = Places { directories: vec![directory.path("")] };
        assert_eq!(with_server_that_runs(load(&places)).server.binary, None);
        let given = Override { option: "--server", key: "server.binary".into(), value: "/etc/passwd".into() };
        let loaded = load(&places).over(&[given]).unwrap();
        assert_eq!(with_server_that_runs(loaded).server.binary, Some("/etc/passwd".into()));
    }

    #[test]
    fn dashes_before_the_session_are_seen() {
        for (line, words, after) in [
            ("start", 0, false),
            ("start i3", 1, false),
            ("start -- i3", 1, true),
            ("start -- i3 -c x", 3, true),
            ("start i3 -c -- x", 4, false),
            ("start --display :1 -- i3", 1, true),
            ("start --display :1 i3 -- x", 3, false),
            ("start -- -- x", 2, true),
        ] {
            let argv: Vec<OsString> = std::iter::once("startxd").chain(line.split(' ')).map(OsString::from).collect();
            let Command::Start(start) = Args::try_parse_from(&argv).unwrap().command else { panic!("{line}") };
            assert_eq!(start.session.len(), words, "{line}");
            assert_eq!(is_after_dashes(&argv, &start.session), after, "{line}");
        }
    }
}
