//! `startxd select`.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::args::Select;
use super::exit::Exit;
use super::list;
use crate::config::Config;
use crate::host::checks::{self, Background};
use crate::select::menu::{Item, Menu};
use crate::select::{self, Answer, memory};
use crate::session::Surroundings;
use crate::session::offers::{Offer, OfferKind, OfferState};

/// Asks which session, and starts it or prints it.
pub async fn run(select: Select) -> Exit {
    let config = match select.configuration() {
        Ok(config) => config,
        Err(why) => {
            tracing::error!("{why}");
            return Exit::Usage;
        }
    };
    // Checked before the question: a session that cannot start here need not be chosen.
    if !select.print
        && let Err(refusal) = checks::may_start(&config.deadlines, Background::Wait).await
    {
        tracing::error!("{refusal}");
        return Exit::from(&refusal);
    }
    let around = Surroundings::from_env();
    let offers: Vec<Offer> = list::gather(&config, &around).await.into_iter().filter(can_be_chosen).collect();
    let remembered = memory::path();
    let chosen = match offers.as_slice() {
        [] => {
            tracing::error!("no session was found to choose from; see startxd list, or run: startxd start -- COMMAND");
            return Exit::NothingToRun;
        }
        [only] => only,
        _ => match ask(&offers, &config, remembered.as_deref()).await {
            Ok(Some(chosen)) => chosen,
            Ok(None) => return Exit::Cancelled,
            Err(error) => {
                tracing::error!("there is no terminal to ask on ({error}); say which session: startxd start SESSION");
                return Exit::NothingToRun;
            }
        },
    };
    if select.print {
        let _ = writeln!(std::io::stdout(), "{}", chosen.session);
        return Exit::Success;
    }
    start(&select, chosen)
}

fn can_be_chosen(offer: &Offer) -> bool {
    offer.state == OfferState::Ready && offer.kind != OfferKind::Unit
}

/// Asks, and keeps the answer for the next time.
async fn ask<'a>(
    offers: &'a [Offer],
    config: &Config,
    remembered: Option<&Path>,
) -> std::io::Result<Option<&'a Offer>> {
    let last = remembered.and_then(memory::recall);
    let last = last.and_then(|last| offers.iter().position(|offer| offer.session == last));
    let default = offers.iter().position(|offer| offer.default);
    let items = offers
        .iter()
        .map(|offer| Item { name: offer.name.clone(), comment: offer.comment.clone().unwrap_or_default() });
    let menu = Menu::new(items.collect(), last.or(default).unwrap_or(0));
    let timeout = last.map(|_| config.select.timeout).filter(|timeout| !timeout.is_zero());
    let Answer::Chosen(index) = select::ask(menu, timeout).await? else { return Ok(None) };
    let chosen = &offers[index];
    if let Some(path) = remembered.filter(|_| last != Some(index))
        && let Err(error) = memory::remember(path, &chosen.session)
    {
        tracing::warn!("the choice is not remembered: {}: {error}", path.display());
    }
    Ok(Some(chosen))
}

/// Executes `startxd start`: only a fresh program has its signals in the state that `start` expects.
fn start(select: &Select, chosen: &Offer) -> Exit {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("/proc/self/exe"));
    let mut arguments: Vec<OsString> = vec!["start".into()];
    arguments.extend(select.settings.as_arguments().into_iter().map(OsString::from));
    arguments.extend(chosen.words().into_iter().map(OsString::from));
    let error = Command::new(&program).arg0("startxd").args(arguments).exec();
    tracing::error!("{} cannot be executed again: {error}; try: startxd start {}", program.display(), chosen.session);
    Exit::System
}
