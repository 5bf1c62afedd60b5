//! One session of one launcher, measured.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::contestants::{Launcher, STAMPS, WindowManager, cookie_in, display_socket, profile};
use crate::cost::{self, Cost, Pair};
use crate::harness::{Autologin, Guest, Login, SOON, wait_until};
use crate::observer::observe;
use crate::timeline;

/// Times in ms since the stamp before the launcher's fork, unless noted otherwise.
#[derive(Debug, Clone)]
pub struct Sample {
    /// When a window manager managed the display.
    pub start: f64,
    /// When the server answered.
    pub answered: f64,
    /// From *quit* to *prompt back*.
    pub end: f64,
    /// Processor time of the whole guest until the display was managed.
    pub guest_cpu: f64,
    /// The same by part; see [`cost::PARTS`].
    pub parts: Vec<f64>,
    /// The cost of startxd itself; `None` for others.
    pub cost: Option<Cost>,
    /// What happened when during the start, in order,
    pub timeline: Vec<(String, f64)>,
    /// and in the end, from *quit* on.
    pub end_timeline: Vec<(String, f64)>,
    /// The server's release, in X.Org's numbering.
    pub release: u32,
}

/// The samples of one window manager.
#[derive(Default)]
pub struct Rounds {
    samples: [Vec<Sample>; Launcher::ALL.len()],
}

impl Rounds {
    /// Adds a sample.
    pub fn add(&mut self, launcher: Launcher, sample: Sample) {
        self.samples[launcher as usize].push(sample);
    }

    /// The samples of one launcher.
    pub fn of(&self, launcher: Launcher) -> &[Sample] {
        &self.samples[launcher as usize]
    }

    /// The samples of all launchers.
    pub fn by_launcher(&self) -> impl Iterator<Item = (Launcher, &[Sample])> {
        Launcher::ALL.into_iter().map(|launcher| (launcher, self.of(launcher)))
    }
}

/// Measures a session from one prompt to the next.
///
/// # Panics
/// When a session does not start or end.
pub fn run(guest: &Guest, login: &Login, launcher: Launcher, wm: WindowManager) -> Sample {
    let (socket, stamps) = (display_socket(guest), guest.outside(STAMPS));
    assert!(!socket.exists(), "display :0 is taken before the round");
    let _ = fs::remove_file(&stamps);
    let cpu_before = cost::guest_cpu(guest);
    let parts_before = cost::parts(guest, &login.session);

    login.vt.type_line(&format!("bench {}", launcher.command(wm)));
    let authority = launcher.authority().map(|file| guest.outside(file));
    let sighting = observe(&socket, SOON, || authority.as_deref().map(cookie_in));
    let sighting = sighting.unwrap_or_else(|e| panic!("{launcher:?} with {}: {e}\n{}", wm.name(), login.vt));
    let pair = (launcher == Launcher::Startxd).then(|| Pair::find(guest, login));
    let cpu = pair.map(Pair::cpu);
    let guest_cpu = cost::guest_cpu(guest) - cpu_before;
    let parts = cost::parts(guest, &login.session).into_iter().zip(parts_before).map(|(now, before)| now - before);
    let parts: Vec<f64> = parts.collect();

    cost::wait_idle(guest);
    let cost = pair.zip(cpu).map(|(pair, (host_cpu, supervisor_cpu))| Cost {
        host_cpu,
        supervisor_cpu,
        memory: pair.memory(),
    });
    let moments = timeline::collect(guest, launcher, wm, &sighting);
    let quit = wm.quit(guest);
    let (began, returned, status) = wait_until(&format!("{launcher:?} to return"), SOON, || {
        read_stamps(&stamps).ok_or_else(|| login.vt.to_string())
    });
    login.vt.wait_prompt(SOON);
    assert!(status == 0 || launcher != Launcher::Startxd, "startxd ended with {status}\n{}", login.vt);
    let since = |from: SystemTime, moments: Vec<timeline::Moment>| {
        let mut line: Vec<_> = moments.into_iter().map(|(what, when)| (what, milliseconds(from, when))).collect();
        line.sort_by(|(_, one), (_, other)| one.total_cmp(other));
        line
    };
    let mut end_moments = timeline::collect_end(guest, quit);
    end_moments.push(("prompt back".to_owned(), returned));
    Sample {
        start: milliseconds(began, sighting.managed),
        answered: milliseconds(began, sighting.answered),
        end: milliseconds(quit, returned),
        guest_cpu,
        parts,
        cost,
        timeline: since(began, moments),
        end_timeline: since(quit, end_moments),
        release: sighting.release,
    }
}

/// Measures the first login after a boot, with the launcher in the profile: her user manager has just been started, and
/// her message bus has not. Returns the time from the profile's line until a window manager managed the display, in ms.
///
/// # Panics
/// When a session does not start or end.
pub fn first_login(guest: &Guest, login: &mut Login, launcher: Launcher, wm: WindowManager) -> f64 {
    let (socket, stamps) = (display_socket(guest), guest.outside(STAMPS));
    guest.logout(login);
    guest.root("systemctl stop user@1000").ok();
    let _ = fs::remove_file(&stamps);
    guest.write_profile("ada", &profile(&format!("bench {}", launcher.command(wm))));
    let authority = launcher.authority().map(|file| guest.outside(file));
    let (sighting, again) = std::thread::scope(|scope| {
        // It starts before the login, as it must not miss anything.
        let eye = scope.spawn(|| observe(&socket, SOON, || authority.as_deref().map(cookie_in)));
        let again = guest.login(&Autologin::default());
        (eye.join().expect("the eye on the display"), again)
    });
    *login = again;
    let sighting = sighting.unwrap_or_else(|e| panic!("{launcher:?} with {}: {e}\n{}", wm.name(), login.vt));
    cost::wait_idle(guest);
    wm.quit(guest);
    let (began, ..) = wait_until(&format!("{launcher:?} to return"), SOON, || {
        read_stamps(&stamps).ok_or_else(|| login.vt.to_string())
    });
    login.vt.wait_prompt(SOON);
    milliseconds(began, sighting.managed)
}

/// The shell's stamps: before the launcher's fork, after its end, and its status; `None` until they are written.
fn read_stamps(path: &Path) -> Option<(SystemTime, SystemTime, i32)> {
    let text = fs::read_to_string(path).ok()?;
    let words: Vec<&str> = text.strip_suffix('\n')?.split(' ').collect();
    let [began, returned, status] = words.as_slice() else { panic!("the shell's stamps are {text:?}") };
    Some((time(began), time(returned), status.parse().expect("a status")))
}

/// A time of bash's (`EPOCHREALTIME`): seconds with exactly six decimals; as floating point they would lose precision.
///
/// # Panics
/// If `stamp` is not such a time.
pub fn time(stamp: &str) -> SystemTime {
    let microseconds = stamp.replace(['.', ','], "").parse().unwrap_or_else(|e| panic!("{stamp:?}: {e}"));
    UNIX_EPOCH + Duration::from_micros(microseconds)
}

/// The time between two moments, negative if `to` is earlier.
fn milliseconds(from: SystemTime, to: SystemTime) -> f64 {
    match to.duration_since(from) {
        Ok(duration) => duration.as_secs_f64() * 1e3,
        Err(error) => -error.duration().as_secs_f64() * 1e3,
    }
}
