//! `startxd list`.

use std::fmt::Write as _;
use std::io::Write;
use std::time::Duration;

use super::exit::Exit;
use crate::config::Config;
use crate::host::repair;
use crate::json::Json;
use crate::manager::{Manager, NoManager, UnitState};
use crate::records::session::SessionRecord;
use crate::runtime_dir::RuntimeDir;
use crate::session::Surroundings;
use crate::session::offers::{self, Offer};
use crate::text;

/// Prints what can be started.
pub async fn run(json: bool) -> Exit {
    let around = Surroundings::from_env();
    let mut offers = gather(&super::configuration(), &around).await;
    offers.extend(offers::of_distribution(&offers, &around));
    let text = if json { format!("{}\n", as_json(&offers)) } else { as_text(&offers) };
    let _ = std::io::stdout().write_all(text.as_bytes());
    Exit::Success
}

/// Everything that can be started here. If the user manager does not answer, as after su(1), this warns and omits
/// what is enabled.
pub async fn gather(config: &Config, around: &Surroundings) -> Vec<Offer> {
    let runtime = RuntimeDir::find();
    let units = match &runtime {
        Ok(runtime) => units(runtime, config.deadlines.user_manager).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let units = units.unwrap_or_else(|why| {
        tracing::warn!("it is not known what is enabled for wm.target: {why}");
        Vec::new()
    });
    let record = runtime.ok().filter(|runtime| !repair::is_dead(runtime));
    let record = record.and_then(|runtime| SessionRecord::of(&runtime).ok().flatten());
    offers::offers(&units, config.session.default.as_deref(), around, record.as_ref())
}

async fn units(runtime: &RuntimeDir, deadline: Duration) -> Result<Vec<(String, UnitState)>, NoManager> {
    let manager = Manager::connect(runtime, deadline).await?;
    Manager::within(deadline, offers::enabled(&manager)).await
}

/// A line for each offer: `*` for the default, what to give to `startxd start`, the state, and what it is.
fn as_text(offers: &[Offer]) -> String {
    if offers.is_empty() {
        return "no session was found; install a window manager, or write a ~/.xinitrc\n".to_owned();
    }
    let state = |offer: &Offer| {
        let running = if offer.running { ", running" } else { "" };
        format!("{}{running}", offer.state.as_str())
    };
    let width = |of: &dyn Fn(&Offer) -> usize| offers.iter().map(of).max().unwrap_or_default();
    let (sessions, states) = (width(&|o| o.session.chars().count().min(30)), width(&|o| state(o).chars().count()));
    let mut text = String::new();
    for offer in offers {
        let mark = if offer.default { '*' } else { ' ' };
        let _ = writeln!(text, "{mark} {:sessions$}  {:states$}  {}", offer.session, state(offer), what(offer));
    }
    text
}

fn what(offer: &Offer) -> String {
    let path = || offer.path.as_deref().map(text::path).unwrap_or_default();
    let mut what = match (offer.state.why(), offer.path.is_some()) {
        (Some(why), true) => return format!("{}: {why}", path()),
        (Some(why), false) => return why.to_owned(),
        (None, _) => offer.name.clone(),
    };
    if offer.state == offers::OfferState::Hidden {
        return format!("by {}", path());
    }
    if let Some(comment) = &offer.comment {
        let _ = write!(what, ": {comment}");
    }
    if !offer.actions.is_empty() {
        let _ = write!(what, " (actions: {})", offer.actions.join(", "));
    }
    what
}

fn as_json(offers: &[Offer]) -> Json {
    let one = |offer: &Offer| {
        Json::Object(vec![
            ("session", Json::text(&offer.session)),
            ("kind", Json::text(offer.kind.as_str())),
            ("name", Json::text(&offer.name)),
            ("comment", Json::optional(offer.comment.as_ref())),
            ("path", Json::optional(offer.path.as_ref().map(|path| path.display().to_string()))),
            ("state", Json::text(offer.state.as_str())),
            ("why", Json::optional(offer.state.why())),
            ("running", Json::Bool(offer.running)),
            ("default", Json::Bool(offer.default)),
            ("actions", Json::List(offer.actions.iter().map(Json::text).collect())),
        ])
    };
    Json::List(offers.iter().map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::{as_json, as_text};
    use crate::session::offers::{Offer, OfferKind, OfferState};

    fn offer(session: &str, state: OfferState) -> Offer {
        Offer {
            kind: OfferKind::Entry,
            session: session.into(),
            name: session.to_uppercase(),
            comment: None,
            path: Some(format!("/x/{session}.desktop").into()),
            state,
            running: false,
            default: false,
            actions: Vec::new(),
        }
    }

    #[test]
    fn lines_and_objects() {
        let i3 = Offer {
            comment: Some("tiles".into()),
            running: true,
            default: true,
            actions: vec!["safe".into()],
            ..offer("i3", OfferState::Ready)
        };
        let gone = OfferState::Missing("it is not installed".into());
        let offers = [i3, offer("awesome", gone), offer("x", OfferState::Hidden), offer("y", OfferState::NotShown)];
        let expected = "* i3       ready, running  I3: tiles (actions: safe)\n  \
                          awesome  missing         /x/awesome.desktop: it is not installed\n  \
                          x        hidden          by /x/x.desktop\n  \
                          y        not shown       Y\n";
        assert_eq!(as_text(&offers), expected);
        assert_eq!(
            as_json(&offers[..1]).to_string(),
            r#"[{"session":"i3","kind":"entry","name":"I3","comment":"tiles","path":"/x/i3.desktop","state":"ready","why":null,"running":true,"default":true,"actions":["safe"]}]"#
        );
    }
}
