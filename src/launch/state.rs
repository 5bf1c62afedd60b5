//! What the host tells of the screen for `startxd status`, and its form; pure.

use std::time::{Duration, SystemTime};

/// The screen, as the host sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScreenState {
    /// Since when it is locked, if it is.
    pub locked: Option<SystemTime>,
    /// The process that locks it, if that is known.
    pub locker: Option<i32>,
    /// Since when nobody is there.
    pub idle: Option<SystemTime>,
    /// The programs that keep it from being idle by `org.freedesktop.ScreenSaver`, each with its reason.
    pub inhibitors: Vec<(String, String)>,
}

impl ScreenState {
    /// As lines: a word, and what there is to it.
    #[must_use]
    pub fn encode(&self) -> String {
        let seconds = |time: &SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut lines: Vec<String> = Vec::new();
        lines.extend(self.locked.iter().map(|time| format!("locked {}", seconds(time))));
        lines.extend(self.locker.map(|pid| format!("locker {pid}")));
        lines.extend(self.idle.iter().map(|time| format!("idle {}", seconds(time))));
        let one_line = |text: &str| text.replace(char::is_control, " ");
        lines
            .extend(self.inhibitors.iter().map(|(who, why)| format!("inhibitor {}\t{}", one_line(who), one_line(why))));
        lines.join("\n")
    }

    /// Reads it. What is not known, or was cut off, is omitted.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut state = Self::default();
        let time = |value: &str| {
            value.parse().ok().and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)))
        };
        for (word, value) in text.lines().filter_map(|line| line.split_once(' ')) {
            match word {
                "locked" => state.locked = time(value),
                "locker" => state.locker = value.parse().ok().filter(|&pid| pid > 0),
                "idle" => state.idle = time(value),
                "inhibitor" => {
                    let inhibitor = value.split_once('\t').map(|(who, why)| (who.to_owned(), why.to_owned()));
                    state.inhibitors.extend(inhibitor);
                }
                _ => {}
            }
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::ScreenState;

    #[test]
    fn it_survives_the_way() {
        let time = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        let inhibitors = vec![("firefox".into(), "plays a film".into()), ("mpv".into(), String::new())];
        for state in [
            ScreenState::default(),
            ScreenState { locked: time(5), locker: Some(7), idle: time(3), inhibitors: inhibitors.clone() },
            ScreenState { locked: time(5), inhibitors, ..ScreenState::default() },
        ] {
            assert_eq!(ScreenState::read(&state.encode()), state);
        }
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let text = "locked never\nlocker -1\nidle 18446744073709551615\ninhibitor x\nmoon full\nlocked";
        assert_eq!(ScreenState::read(text), ScreenState::default());
        let forged = ScreenState { inhibitors: vec![("a\nlocked 1".into(), "b\tc".into())], ..ScreenState::default() };
        let read = ScreenState::read(&forged.encode());
        assert_eq!((read.locked, read.inhibitors), (None, vec![("a locked 1".to_owned(), "b c".to_owned())]));
    }
}
