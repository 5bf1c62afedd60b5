//! How displays are shown; pure.

use std::fmt::Write;

use crate::displays::list::ListedDisplay;
use crate::json::Json;
use crate::text::{one_line, path};

/// A word for the state of a display.
fn state(display: &ListedDisplay) -> &'static str {
    match display.unit.active.as_str() {
        "active" => "ready",
        "activating" => "starting",
        "deactivating" => "stopping",
        _ => "dead",
    }
}

/// A line for each display; a sentence if there is none.
#[must_use]
pub fn as_text(displays: &[ListedDisplay]) -> String {
    if displays.is_empty() {
        return "no display was found; to start one: startxd display start\n".to_owned();
    }
    let rows: Vec<[String; 5]> = displays.iter().map(row).collect();
    let widths = [0, 1, 2, 3].map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let mut text = String::new();
    for row in &rows {
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(text, "{cell:width$}  ");
        }
        let _ = writeln!(text, "{}", row[4]);
    }
    text
}

fn row(display: &ListedDisplay) -> [String; 5] {
    let settings = &display.settings;
    let mut more = Vec::new();
    more.extend(display.state.server.map(|pid| format!("pid {pid}")));
    more.extend(settings.session.as_ref().map(|session| one_line(&session.what)));
    more.extend(settings.client.map(|pid| format!("for pid {pid}")));
    more.extend(settings.vnc.as_ref().map(|socket| path(socket)));
    [
        settings.display.to_string(),
        one_line(&settings.server),
        format!("{}x{}", settings.size, settings.depth),
        state(display).to_owned(),
        more.join(", "),
    ]
}

/// A list of objects, one for each display.
#[must_use]
pub fn as_json(displays: &[ListedDisplay]) -> String {
    let number = |number: Option<f64>| number.map_or(Json::Null, Json::Number);
    let object = |display: &ListedDisplay| {
        let settings = &display.settings;
        Json::Object(vec![
            ("display", Json::text(settings.display.to_string())),
            ("server", Json::text(&settings.server)),
            ("size", Json::text(settings.size.to_string())),
            ("depth", Json::Number(settings.depth.into())),
            ("state", Json::text(state(display))),
            ("pid", number(display.state.server.map(f64::from))),
            #[expect(clippy::cast_precision_loss, reason = "seconds until the year 285 million")]
            ("ready", number(display.state.ready.map(|since| since as f64))),
            ("session", Json::optional(settings.session.as_ref().map(|session| session.what.as_str()))),
            ("client", number(settings.client.map(f64::from))),
            ("vnc", Json::optional(settings.vnc.as_ref().map(|socket| socket.to_string_lossy()))),
        ])
    };
    format!("{}\n", Json::List(displays.iter().map(object).collect()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{as_json, as_text};
    use crate::config::size::Size;
    use crate::displays::claim::{ClaimSettings, ClaimState, DisplaySession};
    use crate::displays::list::ListedDisplay;
    use crate::manager::UnitState;
    use crate::x11::display::Display;

    fn listed(number: u16, active: &str) -> ListedDisplay {
        let settings = ClaimSettings {
            display: Display::new(number).unwrap(),
            server: "xvfb".into(),
            program: "/usr/bin/Xvfb".into(),
            arguments: Vec::new(),
            size: Size::USUAL,
            depth: 24,
            vnc: None,
            client: None,
            server_ready: 1.0,
            server_stop: 1.0,
            others: false,
            environment: BTreeMap::new(),
            session: None,
        };
        let unit = UnitState { load: "loaded".into(), active: active.into(), sub: String::new(), job: None };
        ListedDisplay { settings, state: ClaimState { server: Some(12), ready: Some(5), failed: None }, unit }
    }

    #[test]
    fn shown() {
        let mut vnc = listed(5, "activating");
        vnc.settings.vnc = Some("/run/user/1/startxd/vnc-5.sock".into());
        vnc.settings.server = "/opt/x\n".into();
        vnc.settings.client = Some(7);
        vnc.state = ClaimState::default();
        let mut session = listed(100, "active");
        session.settings.session = Some(DisplaySession {
            attributes: Default::default(),
            what: "openbox --sm-disable".into(),
            program: "/usr/bin/openbox".into(),
            arguments: Vec::new(),
            directory: None,
            restart: true,
            environment: BTreeMap::new(),
        });
        let expected = ":5    /opt/x\\n  1280x1024x24  starting  for pid 7, /run/user/1/startxd/vnc-5.sock\n\
                        :100  xvfb      1280x1024x24  ready     pid 12, openbox --sm-disable\n";
        assert_eq!(as_text(&[vnc, session.clone()]), expected);
        assert_eq!(
            as_json(&[session]),
            "[{\"display\":\":100\",\"server\":\"xvfb\",\"size\":\"1280x1024\",\"depth\":24,\"state\":\"ready\",\"pid\":12,\
             \"ready\":5,\"session\":\"openbox --sm-disable\",\"client\":null,\"vnc\":null}]\n"
        );
        assert!(as_text(&[]).starts_with("no display"));
        assert_eq!(as_json(&[]), "[]\n");
    }
}
