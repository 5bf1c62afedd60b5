//! What took how long, in words; pure. All times are in microseconds of the monotonic clock.

use std::fmt::Write;

use crate::manager::{UnitTimes, names};
use crate::x11::display::Display;

/// What starts later than this after the desktop appeared is not part of the start.
const AFTERWARDS: u64 = 10_000_000;

/// How many of the other units are shown: the slowest ones.
const SHOWN: usize = 12;

/// What a unit is to the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A part of every session.
    Session,
    /// Something that started with it.
    Other,
}

/// A unit and its times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// When it did what.
    pub times: UnitTimes,
}

impl Span {
    fn begin(&self) -> u64 {
        self.times.leaves.unwrap_or_default()
    }

    /// How long it took to be up; `None` if it is not.
    fn took(&self) -> Option<u64> {
        self.times.active?.checked_sub(self.begin())
    }

    /// The same in words, with `unit` behind the milliseconds.
    pub(super) fn took_in_words(&self, unit: &str) -> String {
        self.took().map_or_else(|| "not up".to_owned(), |took| format!("{:.1}{unit}", milliseconds(took)))
    }
}

/// A start, from the login on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    /// What was started, for people.
    pub what: String,
    /// On which display.
    pub display: Display,
    /// Where it begins: the login, or what else is first.
    pub zero: u64,
    /// Whether that is the login.
    pub from_login: bool,
    /// When startxd asked for the first unit.
    pub asked: Option<u64>,
    /// When a window manager managed the display.
    pub managed: Option<u64>,
    /// When `graphical-session.target` was reached.
    pub desktop: Option<u64>,
    /// The units, in the order in which they began.
    pub spans: Vec<Span>,
}

impl Timeline {
    /// Puts together what was gathered.
    #[must_use]
    pub fn new(what: &str, display: Display, login: Option<u64>, asked: Option<u64>, mut spans: Vec<Span>) -> Self {
        let of = |name: &str| spans.iter().find(|span| span.name == name).map(|span| span.times);
        let desktop = of(names::GRAPHICAL_SESSION).and_then(|times| times.active);
        // The target is asked for at that moment; systemd may record a target that it pulls in before it.
        let managed = of(names::WM_READY_TARGET).and_then(|times| times.leaves);
        let managed = managed.map(|managed| desktop.map_or(managed, |desktop| desktop.min(managed)));
        let end = desktop.or(managed).unwrap_or(u64::MAX - AFTERWARDS) + AFTERWARDS;
        spans.retain(|span| span.kind == Kind::Session || span.begin() <= end);
        let mut slowest: Vec<u64> =
            spans.iter().filter(|span| span.kind == Kind::Other).filter_map(Span::took).collect();
        slowest.sort_unstable_by(|one, other| other.cmp(one));
        if let Some(&least) = slowest.get(SHOWN) {
            spans.retain(|span| span.kind == Kind::Session || span.took().is_none_or(|took| took > least));
        }
        spans.sort_by_key(|span| (span.begin(), span.times.active));
        let first = spans.first().map(Span::begin).into_iter().chain(asked).min();
        // If the login is long past and the session was started by hand, the login is not part of the start.
        let login = login.filter(|login| first.is_some_and(|first| *login <= first && first - login < AFTERWARDS));
        let zero = login.or(first).unwrap_or_default();
        let asked = asked.filter(|asked| *asked >= zero);
        Self { what: what.to_owned(), display, zero, from_login: login.is_some(), asked, managed, desktop, spans }
    }

    /// Milliseconds since the beginning.
    pub(super) fn at(&self, time: u64) -> f64 {
        milliseconds(time.saturating_sub(self.zero))
    }

    /// When the last part was over, in milliseconds since the beginning.
    pub(super) fn end(&self) -> f64 {
        let ends = self.spans.iter().flat_map(|span| [span.times.active, span.times.leaves]);
        ends.chain([self.managed, self.desktop, self.asked]).flatten().map(|time| self.at(time)).fold(1.0, f64::max)
    }

    /// One sentence.
    pub(super) fn headline(&self) -> String {
        let from = if self.from_login { "from the login" } else { "from the first unit" };
        let mut text = format!("{} on {}, {from}", self.what, self.display);
        match self.managed {
            Some(managed) => {
                let _ = write!(text, " to a window manager: {:.0} ms", self.at(managed));
            }
            None => text += ": no window manager manages the display",
        }
        if let Some(desktop) = self.desktop {
            let _ = write!(text, "; to {}: {:.0} ms", names::GRAPHICAL_SESSION, self.at(desktop));
        }
        text
    }

    /// Everything, for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.headline() + "\n\n   at ms    took\n";
        if let Some(asked) = self.asked {
            let _ = writeln!(text, "{:8.1} {:>7}  startxd asks for the X server", self.at(asked), "");
        }
        for span in &self.spans {
            let _ = write!(text, "{:8.1} {:>7}  {}", self.at(span.begin()), span.took_in_words(""), span.name);
            let notes: Vec<String> = [("forked", span.times.forked), ("executed", span.times.executed)]
                .into_iter()
                .filter_map(|(what, time)| time.map(|time| format!("{what} at {:.1}", self.at(time))))
                .collect();
            let notes = if notes.is_empty() { String::new() } else { format!("  ({})", notes.join(", ")) };
            text += &notes;
            text.push('\n');
        }
        text
    }
}

#[expect(clippy::cast_precision_loss, reason = "a start takes no centuries")]
fn milliseconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1e3
}

#[cfg(test)]
pub(super) mod tests {
    use super::{Kind, Span, Timeline};
    use crate::manager::UnitTimes;
    use crate::testing::golden;
    use crate::x11::display::Display;

    fn span(name: &str, kind: Kind, times: [u64; 4]) -> Span {
        let time = |at: u64| (at > 0).then_some(at);
        let [leaves, forked, executed, active] = times.map(time);
        Span { name: name.into(), kind, times: UnitTimes { leaves, forked, executed, active } }
    }

    /// An ordinary start, with one slow unit, one that is not up, and one that came much later.
    pub(in super::super) fn example() -> Timeline {
        let display = Display::new(0).unwrap();
        let spans = vec![
            span("graphical-session.target", Kind::Session, [1_171_000, 0, 0, 1_171_000]),
            span("xorg@0.socket", Kind::Session, [1_040_000, 0, 0, 1_040_400]),
            span("xorg@0.service", Kind::Session, [1_041_000, 1_041_500, 1_048_000, 1_140_000]),
            span("i3.service", Kind::Session, [1_055_000, 1_055_500, 1_061_000, 1_165_000]),
            span("wm-ready.target", Kind::Session, [1_163_000, 0, 0, 1_171_200]),
            span("picom<1>.service", Kind::Other, [1_172_000, 1_172_500, 0, 1_412_000]),
            span("broken.service", Kind::Other, [1_173_000, 1_173_500, 0, 0]),
            span("later.service", Kind::Other, [21_173_000, 0, 0, 21_173_001]),
        ];
        Timeline::new("i3", display, Some(1_000_000), Some(1_038_500), spans)
    }

    #[test]
    fn golden_timeline() {
        golden("analyze.txt", &example().text());
    }

    #[test]
    fn a_login_that_is_long_past_is_not_part_of_a_start() {
        let display = Display::new(0).unwrap();
        let spans = || vec![span("xorg@0.socket", Kind::Session, [50_000_000, 0, 0, 50_001_000])];
        for (login, zero, from_login) in [
            (Some(49_999_000), 49_999_000, true),
            (Some(1), 50_000_000, false),
            (Some(60_000_000), 50_000_000, false),
            (None, 50_000_000, false),
        ] {
            let timeline = Timeline::new("i3", display, login, None, spans());
            assert_eq!((timeline.zero, timeline.from_login), (zero, from_login));
        }
        let nothing = Timeline::new("i3", display, None, None, Vec::new());
        assert!(nothing.text().contains("no window manager manages the display"));
        assert!(nothing.end() >= 1.0);
    }

    #[test]
    fn only_the_slowest_of_many_other_units_are_shown() {
        let display = Display::new(0).unwrap();
        let other =
            |number: u64| span(&format!("{number}.service"), Kind::Other, [1_000_000, 0, 0, 1_000_000 + number * 1000]);
        let spans =
            std::iter::once(span("wm.target", Kind::Session, [1_000_000, 0, 0, 1_000_000])).chain((1..=40).map(other));
        let timeline = Timeline::new("i3", display, None, None, spans.collect());
        assert_eq!(timeline.spans.len(), 1 + super::SHOWN);
        assert!(timeline.spans.iter().any(|span| span.name == "40.service"));
    }
}
