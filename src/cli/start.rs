//! `startxd start`.

use std::ffi::OsString;

use super::args::Start;
use super::exit::Exit;
use crate::config::Config;
use crate::host::backoff::Backoff;
use crate::host::checks::{self, Background};
use crate::host::{self, Failure, Options};
use crate::os;
use crate::session::{SessionRequest, Surroundings};

/// Runs a session and returns how it ended.
pub async fn run(start: Start) -> Exit {
    let config = match start.settings.configuration() {
        Ok(loaded) => loaded.config,
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
    let options = Options { session, background };
    let Some(limit) = start.backoff else {
        return match once(&options, &config).await {
            Ok(()) => Exit::Success,
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
    match once(&options, &config).await {
        Ok(()) => {
            backoff.succeeded();
            Exit::Success
        }
        Err(failure) if backoff.failed(&failure.to_string()) => Exit::GivenUp,
        Err(failure) => Exit::from(&failure),
    }
}

/// Runs a session, and says why it failed.
async fn once(options: &Options, config: &Config) -> Result<(), Failure> {
    let ended = host::run(options, config).await;
    match &ended {
        Ok(why) => tracing::debug!("the session is over: {why}"),
        Err(failure) => tracing::error!("{failure}"),
    }
    ended.map(|_| ())
}

/// Takes all arguments of the program and the words of SESSION, which are the last of them, and returns whether `--` stands
/// before SESSION. clap has taken it out.
fn is_after_dashes(argv: &[OsString], words: &[String]) -> bool {
    let before = argv.len().checked_sub(words.len() + 1);
    !words.is_empty() && before.and_then(|index| argv.get(index)).is_some_and(|argument| argument == "--")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::Parser;

    use super::is_after_dashes;
    use crate::cli::args::{Args, Command};

    #[test]
    fn what_stands_before_the_session() {
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
