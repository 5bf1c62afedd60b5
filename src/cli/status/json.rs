//! The status for programs; pure. startxd(1) lists the members.

use std::time::SystemTime;

use super::gather::{DisplayState, Snapshot, TARGETS};
use super::screen::ScreenSeen;
use crate::doctor::Finding;
use crate::environment::block::Block;
use crate::json::Json;
use crate::logind::Inhibitor;
use crate::manager::UnitState;
use crate::records::last::LastSession;
use crate::x11::display::Display;
use crate::x11::managed::Sign;

/// Increased when a member changes its meaning or is removed.
const FORMAT: f64 = 1.0;

/// One object on one line: what was found, and what is wrong with it.
#[must_use]
pub fn report(state: &'static str, members: Vec<(&'static str, Json)>, findings: &[Finding]) -> String {
    let each = findings.iter().map(|finding| {
        let severity = Json::text(finding.status_word());
        Json::Object(vec![("severity", severity), ("text", Json::text(finding.sentence()))])
    });
    let mut all = vec![
        ("format", Json::Number(FORMAT)),
        ("version", Json::text(env!("CARGO_PKG_VERSION"))),
        ("state", Json::text(state)),
    ];
    all.extend(members);
    all.push(("findings", Json::List(each.collect())));
    format!("{}\n", Json::Object(all))
}

/// The members of a session.
#[must_use]
pub fn members(snapshot: &Snapshot) -> Vec<(&'static str, Json)> {
    let record = &snapshot.record;
    let login = Json::Object(vec![
        ("id", Json::text(&record.session)),
        ("seat", Json::text(&record.seat.id)),
        ("vt", number(record.seat.vt)),
        ("state", Json::optional(snapshot.session.as_ref().map(|session| &session.state))),
        ("type", Json::optional(snapshot.session.as_ref().map(|session| &session.kind))),
        ("locked", snapshot.session.as_ref().map_or(Json::Null, |session| Json::Bool(session.locked))),
    ]);
    let (unit, unit_state) = &snapshot.server_unit;
    let server = snapshot.server.as_ref();
    let server = Json::Object(vec![
        ("pid", number(server.map(|server| server.pid.as_raw()))),
        ("program", Json::optional(server.map(|server| &server.program))),
        ("uid", number(server.map(|server| server.uid))),
        ("unit", Json::text(unit)),
        ("state", Json::text(&unit_state.active)),
        ("waits_for", Json::optional(snapshot.waits_for())),
    ]);
    vec![
        ("login", login),
        ("host", number(snapshot.host.map(nix::unistd::Pid::as_raw))),
        ("what", Json::text(&record.what)),
        ("started", Json::Number(whole(record.started))),
        ("starting", Json::Bool(snapshot.is_starting())),
        ("server", server),
        ("display", display(record.display, &snapshot.display)),
        ("screen", screen(&snapshot.screen)),
        ("window_manager", window_manager(&snapshot.display)),
        ("units", units(&snapshot.units)),
        ("killed_for_memory", killed(&snapshot.killed)),
        ("targets", targets(&TARGETS, &snapshot.targets)),
        ("exported", exported(&snapshot.environment, &record.exported)),
        ("last", last_session(snapshot.last.as_ref())),
    ]
}

fn killed(units: &[(String, u64)]) -> Json {
    let each = |(unit, programs): &(String, u64)| {
        Json::Object(vec![("unit", Json::text(unit)), ("programs", Json::Number(whole(*programs)))])
    };
    Json::List(units.iter().map(each).collect())
}

/// How the last session ended, if that was recorded.
pub fn last_session(last: Option<&LastSession>) -> Json {
    last.map_or(Json::Null, |last| {
        Json::Object(vec![
            ("ended", Json::Number(whole(last.ended))),
            ("clean", Json::Bool(last.clean)),
            ("why", Json::text(&last.why)),
        ])
    })
}

/// A number, or nothing.
pub fn number<T: Into<f64>>(value: Option<T>) -> Json {
    value.map_or(Json::Null, |value| Json::Number(value.into()))
}

/// Seconds and numbers of programs are exact in a double: they are below 2^53.
#[expect(clippy::cast_precision_loss, reason = "see above")]
fn whole(value: u64) -> f64 {
    value as f64
}

/// The display's name and state.
pub fn display(display: Display, state: &DisplayState) -> Json {
    let (state, why) = match state {
        DisplayState::Down => ("down", None),
        DisplayState::Up(_) => ("up", None),
        DisplayState::Unwell(why) => ("unwell", Some(why)),
    };
    let name = Json::text(display.to_string());
    Json::Object(vec![("name", name), ("state", Json::text(state)), ("why", Json::optional(why))])
}

/// Since when the screen is locked or idle, what locks it, and what inhibits idleness.
fn screen(seen: &ScreenSeen) -> Json {
    let time = |time: Option<SystemTime>| {
        let seconds = time.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        seconds.map_or(Json::Null, |time| Json::Number(whole(time.as_secs())))
    };
    let locker = seen.locker.as_ref().map_or(Json::Null, |locker| {
        Json::Object(vec![
            ("pid", number(Some(locker.pid.as_raw()))),
            ("program", Json::text(&locker.program)),
            ("unit", Json::optional(locker.unit.as_ref())),
        ])
    });
    let inhibitor = |one: &Inhibitor| Json::Object(vec![("who", Json::text(&one.who)), ("why", Json::text(&one.why))]);
    Json::Object(vec![
        ("locked_since", time(seen.locked)),
        ("locker", locker),
        ("idle_since", time(seen.idle)),
        ("inhibitors", Json::List(seen.inhibitors.iter().map(inhibitor).collect())),
    ])
}

/// The program that manages the display, if any.
pub fn window_manager(state: &DisplayState) -> Json {
    let DisplayState::Up(Some((manager, unit))) = state else { return Json::Null };
    let sign = match manager.sign {
        Sign::Ewmh => "ewmh",
        Sign::Selection => "wm_s0",
        Sign::Redirect => "redirect",
    };
    Json::Object(vec![
        ("name", Json::optional(manager.name.as_ref())),
        ("pid", number(manager.pid.map(nix::unistd::Pid::as_raw))),
        ("unit", Json::optional(unit.as_ref())),
        ("sign", Json::text(sign)),
    ])
}

fn unit(name: &str, state: &UnitState) -> Json {
    Json::Object(vec![
        ("unit", Json::text(name)),
        ("state", Json::text(&state.active)),
        ("job", Json::optional(state.job.as_ref())),
    ])
}

/// Units and their states.
pub fn units(units: &[(String, UnitState)]) -> Json {
    Json::List(units.iter().map(|(name, state)| unit(name, state)).collect())
}

/// Targets and their states.
pub fn targets(names: &[&str], states: &[UnitState]) -> Json {
    Json::List(names.iter().zip(states).map(|(name, state)| unit(name, state)).collect())
}

/// The exported variables, with their current values in the user manager.
pub fn exported(environment: &Block, names: &[String]) -> Json {
    let variable = |name: &String| {
        Json::Object(vec![("name", Json::text(name)), ("value", Json::optional(environment.get(name)))])
    };
    Json::List(names.iter().map(variable).collect())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{Inhibitor, members, report};
    use crate::cli::status::render::tests::healthy;
    use crate::doctor::catalogue::LOGIN_TYPE;

    #[test]
    fn a_session_reads_like_this() {
        let finding = LOGIN_TYPE.found("so \"it\" is", "");
        let report = report("session", members(&healthy()), &[finding]);
        for part in [
            r#"{"format":1,"version":""#,
            r#""state":"session","login":{"id":"c1","seat":"seat0","vt":1,"state":"active","type":"x11","locked":false},"host":10,"#,
            r#""server":{"pid":20,"program":"Xorg","uid":1000,"unit":"xorg@0.service","state":"active","waits_for":null}"#,
            r#""display":{"name":":0","state":"up","why":null},"screen":{"locked_since":null,"locker":null,"idle_since":null,"inhibitors":[]},"#,
            r#""window_manager":{"name":"Openbox","pid":30,"#,
            r#""units":[{"unit":"startxd-wm@openbox.service","state":"active","job":null}]"#,
            r#""killed_for_memory":[]"#,
            r#""exported":[{"name":"DISPLAY","value":":0"},{"name":"PATH","value":null}]"#,
            r#""findings":[{"severity":"note","text":"so \"it\" is"}]}"#,
        ] {
            assert!(report.contains(part), "{part} is not in\n{report}");
        }
        assert_eq!(report.lines().count(), 1);
    }

    #[test]
    fn a_locked_screen_reads_like_this() {
        let mut seen = crate::cli::status::render::tests::seen();
        seen.locked = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(5));
        (seen.idle, seen.inhibitors) = (None, vec![Inhibitor { who: "mpv".into(), why: "film".into() }]);
        assert_eq!(
            super::screen(&seen).to_string(),
            r#"{"locked_since":5,"locker":{"pid":7,"program":"i3lock","unit":"lock.service"},"idle_since":null,"#
                .to_owned()
                + r#""inhibitors":[{"who":"mpv","why":"film"}]}"#
        );
    }
}
