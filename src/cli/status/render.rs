//! How the state is shown to people; pure.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use super::gather::{DisplayState, Snapshot, TARGETS};
use super::screen::ScreenSeen;
use crate::displays::list::ListedDisplay;
use crate::doctor::Finding;
use crate::environment::block::Block;
use crate::manager::UnitState;
use crate::records::last::LastSession;
use crate::x11::managed::Sign;

/// What is shown, line by line or more, behind its labels.
pub type Rows = Vec<(&'static str, String)>;

/// The rows of a session.
#[must_use]
pub fn rows(snapshot: &Snapshot) -> Rows {
    let mut rows = vec![("session", session(snapshot)), ("display", display(snapshot))];
    rows.extend(screen(&snapshot.screen).map(|screen| ("screen", screen)));
    rows.extend([
        ("server", server(snapshot)),
        ("manager", window_manager(&snapshot.display)),
        ("units", units(snapshot)),
        ("targets", targets(&TARGETS, &snapshot.targets)),
        ("exported", exported(&snapshot.environment, &snapshot.record.exported)),
    ]);
    rows.extend((!snapshot.killed.is_empty()).then(|| ("killed", killed(&snapshot.killed))));
    rows.extend(snapshot.last.as_ref().filter(|last| !last.clean).map(|last| ("last", before(last))));
    rows
}

/// What the kernel has killed, and how to find out which programs those were.
fn killed(units: &[(String, u64)]) -> String {
    let line = |(unit, programs): &(String, u64)| {
        format!("{programs} in {unit} by the kernel, for lack of memory: journalctl -k | grep -i 'killed process'")
    };
    units.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// How the session before this one ended badly: its terminal no longer shows that.
fn before(last: &LastSession) -> String {
    let ago = since(SystemTime::UNIX_EPOCH + Duration::from_secs(last.ended));
    format!("session ended {ago} ago: {}", last.why.lines().next().unwrap_or_default())
}

/// The state of a session in one line.
#[must_use]
pub fn headline(snapshot: &Snapshot) -> String {
    let record = &snapshot.record;
    let place = record.seat.vt.map_or_else(|| record.seat.id.clone(), |vt| format!("tty{vt}"));
    let age = since(SystemTime::UNIX_EPOCH + Duration::from_secs(record.started));
    if let Some(place) = snapshot.waits_for() {
        return format!("the X server of {} {}", record.display, comes_back(&place));
    }
    if snapshot.server_unit.1.active == "activating" && !snapshot.is_young {
        return format!("the X server of {} on {place} is being restarted", record.display);
    }
    if snapshot.is_starting() {
        return format!("{} is starting on {}, {place}, for {age}", record.what, record.display);
    }
    format!("{} on {}, {place}, up {age}", manager_name(&snapshot.display, &record.what), record.display)
}

/// What somebody does for a server that waits in the background.
fn comes_back(place: &str) -> String {
    format!("comes back when you switch to {place}")
}

/// What people call what runs: the window manager's name, or what was started.
pub(super) fn manager_name(display: &DisplayState, what: &str) -> String {
    match display {
        DisplayState::Up(Some((manager, _))) => manager.name.clone().unwrap_or_else(|| what.to_owned()),
        DisplayState::Up(None) => "no window manager".to_owned(),
        DisplayState::Down | DisplayState::Unwell(_) => what.to_owned(),
    }
}

/// How many problems and notes there are.
fn count(findings: &[Finding]) -> String {
    let problems = findings.iter().filter(|finding| finding.is_problem()).count();
    let number = |count: usize, word: &str| match count {
        0 => None,
        1 => Some(format!("1 {word}")),
        count => Some(format!("{count} {word}s")),
    };
    let parts: Vec<String> =
        [number(problems, "problem"), number(findings.len() - problems, "note")].into_iter().flatten().collect();
    if parts.is_empty() { "nothing is wrong".to_owned() } else { parts.join(", ") }
}

/// The text of `startxd status`, with a line end behind every line: the state in one line, details, what is wrong.
#[must_use]
pub fn render(headline: &str, rows: Rows, findings: &[Finding]) -> String {
    let mut text = format!("{}; {}\n", harmless(headline), count(findings));
    for (label, content) in rows {
        for (index, line) in content.lines().enumerate() {
            let label = if index == 0 { label } else { "" };
            let _ = writeln!(text, "{label:>9}  {}", harmless(line));
        }
    }
    for finding in findings {
        let _ = writeln!(text, "{:>9}  {}", finding.status_word(), harmless(&finding.sentence()));
    }
    text
}

/// The displays without a screen, as rows below; nothing if there are none.
#[must_use]
pub fn displays(displays: &[ListedDisplay]) -> String {
    let mut text = String::new();
    for (index, display) in displays.iter().enumerate() {
        let label = if index == 0 { "displays" } else { "" };
        let settings = &display.settings;
        let mut line = format!("{} without a screen, {} {}", settings.display, settings.server, settings.size);
        if let Some(session) = &settings.session {
            let _ = write!(line, ", {}", session.what);
        }
        let _ = writeln!(text, "{label:>9}  {}, {}", harmless(&line), describe(&display.unit));
    }
    text
}

/// How the last session ended, where none is up.
#[must_use]
pub fn last_session(last: &LastSession) -> String {
    let ago = since(SystemTime::UNIX_EPOCH + Duration::from_secs(last.ended));
    let lines: Vec<String> = last.why.lines().map(harmless).collect();
    format!("last session: ended {ago} ago: {}\n", lines.join("\n"))
}

/// Replaces control characters: commands, names of processes and values of variables may contain some.
pub(super) fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn session(snapshot: &Snapshot) -> String {
    let record = &snapshot.record;
    let state = match &snapshot.session {
        Some(session) if session.active => "in the foreground".to_owned(),
        Some(session) => format!("{}, in the background", session.state),
        None => "ended".to_owned(),
    };
    let host = snapshot.host.map_or_else(|| "host gone".to_owned(), |pid| format!("host pid {pid}"));
    let lock = if snapshot.session.as_ref().is_some_and(|session| session.locked) { ", locked" } else { "" };
    format!("{} on {}, {state}{lock}, {host}", record.session, record.seat)
}

fn display(snapshot: &Snapshot) -> String {
    let record = &snapshot.record;
    let since = since(SystemTime::UNIX_EPOCH + Duration::from_secs(record.started));
    format!("{}, {}, started {since} ago", record.display, record.what)
}

fn server(snapshot: &Snapshot) -> String {
    let (unit, state) = &snapshot.server_unit;
    let Some(server) = &snapshot.server else {
        return match snapshot.waits_for() {
            Some(place) => format!("none: it {}", comes_back(&place)),
            None => format!("none ({unit} is {})", state.active),
        };
    };
    let rootless = if server.uid == 0 { "as root".to_owned() } else { format!("rootless (uid {})", server.uid) };
    let up = since(SystemTime::UNIX_EPOCH + Duration::from_micros(snapshot.server_since));
    format!("{} pid {}, {rootless}, {unit} {} for {up}", server.program, server.pid, state.active)
}

/// Whether the screen is locked or idle, and who keeps it awake; `None` if there is nothing to say.
fn screen(seen: &ScreenSeen) -> Option<String> {
    let mut lines = Vec::new();
    lines.extend(seen.locked.map(|time| {
        let by = seen.locker.as_ref().map_or_else(String::new, |locker| {
            let unit = locker.unit.as_ref().map_or_else(String::new, |unit| format!(", {unit}"));
            format!(" by {} pid {}{unit}", locker.program, locker.pid)
        });
        format!("locked for {}{by}", since(time))
    }));
    lines.extend(seen.idle.map(|time| format!("idle for {}", since(time))));
    lines.extend(seen.inhibitors.iter().map(|one| match one.why.as_str() {
        "" => format!("kept awake by {}", one.who),
        why => format!("kept awake by {}: {why}", one.who),
    }));
    let lines: Vec<String> = lines.iter().map(|line| harmless(line)).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Who manages a display.
pub fn window_manager(display: &DisplayState) -> String {
    match display {
        DisplayState::Down => "no display".to_owned(),
        DisplayState::Unwell(why) => format!("unknown: {why}"),
        DisplayState::Up(None) => "none".to_owned(),
        DisplayState::Up(Some((manager, unit))) => {
            let name = manager.name.as_deref().unwrap_or("one without a name");
            let pid = manager.pid.map_or_else(String::new, |pid| format!(" pid {pid}"));
            let unit = unit.as_ref().map_or_else(String::new, |unit| format!(", {unit}"));
            let sign = match manager.sign {
                Sign::Ewmh => "",
                Sign::Selection => ", by WM_S0",
                Sign::Redirect => ", without EWMH",
            };
            format!("{name}{pid}{unit}{sign}")
        }
    }
}

fn units(snapshot: &Snapshot) -> String {
    let lines: Vec<String> = snapshot.units.iter().map(|(unit, state)| format!("{unit} {}", describe(state))).collect();
    lines.join("\n")
}

/// Targets by their names, with the state where it is another than it should be.
pub fn targets(names: &[&str], states: &[UnitState]) -> String {
    let each = names.iter().zip(states).map(|(target, state)| {
        let name = target.strip_suffix(".target").unwrap_or(target);
        if state.active == "active" { name.to_owned() } else { format!("{name} ({})", describe(state)) }
    });
    each.collect::<Vec<_>>().join(", ")
}

pub(super) fn describe(state: &UnitState) -> String {
    match &state.job {
        Some(job) => format!("{}, {job} queued", state.active),
        None => state.active.clone(),
    }
}

/// What was exported, as it is in the user manager now.
pub fn exported(environment: &Block, names: &[String]) -> String {
    // The values of these few are worth seeing; of the login's variables the names are.
    let shown =
        ["DISPLAY", "XAUTHORITY", "XDG_SESSION_TYPE", "XDG_CURRENT_DESKTOP", "XDG_SESSION_DESKTOP", "DESKTOP_SESSION"];
    let value = |name: &&str| environment.get(*name).map(|value| format!("{name}={value}"));
    let mut line = shown.iter().filter_map(value).collect::<Vec<_>>().join(" ");
    let others: Vec<&str> = names.iter().map(String::as_str).filter(|name| !shown.contains(name)).collect();
    if !others.is_empty() {
        let _ = write!(line, "\nfrom the login: {}", others.join(" "));
    }
    line
}

/// A span of time as people say it, in its two largest units.
fn since(then: SystemTime) -> String {
    let seconds = SystemTime::now().duration_since(then).unwrap_or_default().as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
pub mod tests {
    use std::time::{Duration, SystemTime};

    use super::super::gather::{DisplayState, ServerProcess, Snapshot};
    use super::super::screen::{LockerSeen, ScreenSeen};
    use super::{headline, last_session, render, rows};
    use crate::doctor::catalogue::{LOGIN_TYPE, SESSION_UNWELL};
    use crate::environment::block::Block;
    use crate::logind::{Inhibitor, LoginSession};
    use crate::manager::UnitState;
    use crate::os::Pid;
    use crate::records::last::LastSession;
    use crate::records::session::SessionRecord;
    use crate::seat::Seat;
    use crate::x11::display::Display;
    use crate::x11::managed::{Sign, WindowManager};

    /// A unit that is up.
    pub fn active() -> UnitState {
        UnitState { load: "loaded".into(), active: "active".into(), sub: "running".into(), job: None }
    }

    /// A session with nothing wrong.
    pub fn healthy() -> Snapshot {
        let session = LoginSession::on_tty1();
        let seat = Seat::new("seat0".into(), Some(1)).unwrap();
        let mut record = SessionRecord::new(session.id.clone(), seat, Display::parse(":0").unwrap(), "openbox".into());
        record.units = vec!["startxd-wm@openbox.service".into()];
        record.exported = vec!["DISPLAY".into(), "PATH".into()];
        let manager = WindowManager { sign: Sign::Ewmh, name: Some("Openbox".into()), pid: Some(Pid::from_raw(30)) };
        Snapshot {
            host: Some(Pid::from_raw(10)),
            session: Some(session),
            server: Some(ServerProcess { pid: Pid::from_raw(20), program: "Xorg".into(), uid: 1000 }),
            server_unit: ("xorg@0.service".into(), active()),
            server_since: record.started * 1_000_000,
            display: DisplayState::Up(Some((manager, Some("startxd-wm@openbox.service".into())))),
            screen: ScreenSeen::default(),
            targets: vec![active(); 5],
            units: vec![("startxd-wm@openbox.service".into(), active())],
            killed: Vec::new(),
            failed: Vec::new(),
            authority: "/run/user/1000/xauth_startxd_0".into(),
            environment: Block::from([
                ("DISPLAY".into(), ":0".into()),
                ("XAUTHORITY".into(), "/run/user/1000/xauth_startxd_0".into()),
            ]),
            is_young: false,
            last: Some(LastSession {
                ended: record.started,
                clean: true,
                why: "logged out".into(),
                login: "c1".into(),
                brief: 0,
            }),
            record,
        }
    }

    #[test]
    fn a_healthy_session_reads_like_this() {
        let text = render(&headline(&healthy()), rows(&healthy()), &[]);
        assert!(text.starts_with("Openbox on :0, tty1, up ") && text.contains(" s; nothing is wrong\n"), "{text}");
        for line in [
            "  session  c1 on seat0, tty1, in the foreground, host pid 10\n",
            "   server  Xorg pid 20, rootless (uid 1000), xorg@0.service active for ",
            "  manager  Openbox pid 30, startxd-wm@openbox.service\n",
            "  targets  xorg, graphical-session-pre, wm, graphical-session, wm-ready\n",
            " exported  DISPLAY=:0 XAUTHORITY=/run/user/1000/xauth_startxd_0\n           from the login: PATH\n",
        ] {
            assert!(text.contains(line), "{line:?} is not in\n{text}");
        }
    }

    #[test]
    fn the_first_line_says_how_it_is() {
        let first = |snapshot: &Snapshot| {
            let text = render(&headline(snapshot), rows(snapshot), &super::super::judge::judge(snapshot));
            text.lines().next().unwrap().to_owned()
        };
        let mut snapshot = healthy();
        snapshot.display = DisplayState::Up(None);
        assert!(first(&snapshot).starts_with("no window manager on :0, tty1, up "), "{}", first(&snapshot));
        assert!(first(&snapshot).ends_with("; 1 problem"), "{}", first(&snapshot));
        snapshot.is_young = true;
        snapshot.targets[3].active = "inactive".into();
        assert_eq!(first(&snapshot), "openbox is starting on :0, tty1, for 0 s; nothing is wrong");
        snapshot.display = DisplayState::Down;
        snapshot.server_unit.1.active = "activating".into();
        assert_eq!(first(&snapshot), "openbox is starting on :0, tty1, for 0 s; nothing is wrong");
        snapshot.is_young = false;
        assert_eq!(first(&snapshot), "the X server of :0 on tty1 is being restarted; nothing is wrong");
        (snapshot.server, snapshot.session.as_mut().unwrap().active) = (None, false);
        assert_eq!(first(&snapshot), "the X server of :0 comes back when you switch to tty1; nothing is wrong");
        let text = render("", rows(&snapshot), &[]);
        assert!(text.contains("   server  none: it comes back when you switch to tty1\n"), "{text}");
        let findings = [SESSION_UNWELL.found("a", ""), SESSION_UNWELL.found("b", ""), LOGIN_TYPE.found("c", "")];
        assert_eq!(render("x", Vec::new(), &findings).lines().next(), Some("x; 2 problems, 1 note"));
    }

    #[test]
    fn a_session_that_ended_badly_is_told_by_the_next_one_and_by_none() {
        let mut snapshot = healthy();
        assert!(!render("", rows(&snapshot), &[]).contains("     last  "), "it was a logout");
        let last =
            LastSession { clean: false, why: "it \u{1b}[2Jended\nits last lines".into(), ..snapshot.last.unwrap() };
        let text = last_session(&last);
        assert!(
            text.starts_with("last session: ended ") && text.ends_with(" ago: it ?[2Jended\nits last lines\n"),
            "{text}"
        );
        snapshot.last = Some(last);
        let text = render("", rows(&snapshot), &[]);
        assert!(text.contains("     last  session ended ") && text.contains(" ago: it ?[2Jended\n"), "{text}");
    }

    #[test]
    fn a_locked_screen_is_told() {
        let mut snapshot = healthy();
        snapshot.session.as_mut().unwrap().locked = true;
        let text = render("", rows(&snapshot), &[]);
        assert!(text.contains("  session  c1 on seat0, tty1, in the foreground, locked, host pid 10\n"), "{text}");
    }

    #[test]
    fn what_the_kernel_has_killed_is_told() {
        let mut snapshot = healthy();
        assert!(!render("", rows(&snapshot), &[]).contains("killed"));
        snapshot.killed = vec![("a.service".into(), 2)];
        let text = render("", rows(&snapshot), &[]);
        assert!(text.contains("   killed  2 in a.service by the kernel, for lack of memory: journalctl"), "{text}");
    }

    #[test]
    fn nothing_moves_the_cursor() {
        let mut snapshot = healthy();
        snapshot.record.what = "wm\u{1b}[2J".into();
        snapshot.environment.insert("DISPLAY".into(), ":0\r\u{9b}1A".into());
        snapshot.display = DisplayState::Unwell("\u{7}".into());
        let text = render(&headline(&snapshot), rows(&snapshot), &[]);
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
        assert!(text.contains("wm?[2J") && text.contains("DISPLAY=:0??1A"), "{text}");
    }

    /// A screen that is locked and idle, with two in the way.
    pub fn seen() -> ScreenSeen {
        let locker = LockerSeen { pid: Pid::from_raw(7), program: "i3lock".into(), unit: Some("lock.service".into()) };
        ScreenSeen {
            locked: Some(SystemTime::now() - Duration::from_secs(300)),
            locker: Some(locker),
            idle: Some(SystemTime::now() - Duration::from_secs(600)),
            inhibitors: vec![
                Inhibitor { who: "fire\x1bfox".into(), why: "a film".into() },
                Inhibitor { who: "mpv".into(), why: String::new() },
            ],
        }
    }

    #[test]
    fn a_locked_screen_reads_like_this() {
        assert_eq!(super::screen(&ScreenSeen::default()), None);
        let row = super::screen(&seen()).unwrap();
        let lines: Vec<&str> = row.lines().collect();
        assert_eq!(
            lines,
            [
                "locked for 5 min 0 s by i3lock pid 7, lock.service",
                "idle for 10 min 0 s",
                "kept awake by fire?fox: a film",
                "kept awake by mpv",
            ]
        );
        let unknown = ScreenSeen { locker: None, idle: None, inhibitors: Vec::new(), ..seen() };
        assert_eq!(super::screen(&unknown).unwrap(), "locked for 5 min 0 s");
    }
}
