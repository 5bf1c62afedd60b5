//! A crash at a random moment, and the start after it.

use std::fmt;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cycle::{self, SESSION};
use crate::harness::{Guest, Mode, SOON, secs, wait_until};
use crate::measure::processes;
use crate::scenario::Desk;

/// The processes that can be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// `startxd start`
    Host,
    /// `startxd serve`
    Supervisor,
    /// Xorg
    Server,
    /// openbox
    WindowManager,
}

impl Part {
    const ALL: [Self; 4] = [Self::Host, Self::Supervisor, Self::Server, Self::WindowManager];

    /// Which part a command line belongs to.
    fn of(command: &[u8]) -> Option<Self> {
        let mut words = command.split(|byte| *byte == 0);
        let program = words.next()?.rsplit(|byte| *byte == b'/').next()?;
        match (program, words.next().unwrap_or_default()) {
            (b"startxd", b"start") => Some(Self::Host),
            (b"startxd", b"serve") => Some(Self::Supervisor),
            (b"Xorg", _) => Some(Self::Server),
            (b"openbox", _) => Some(Self::WindowManager),
            _ => None,
        }
    }
}

/// The phase in which it is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// From when the command was typed.
    Start,
    /// From when a window manager manages the display.
    Session,
    /// From when the end was requested.
    End,
}

/// A crash to carry out.
#[derive(Debug, Clone)]
pub struct Plan {
    phase: Phase,
    after: Duration,
    victims: Vec<Part>,
    /// The shell starts the next session as soon as the first one's host is gone.
    at_once: bool,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let next = if self.at_once { ", and the next at once" } else { "" };
        write!(f, "{} ms into the {:?}{next}: {:?}", self.after.as_millis(), self.phase, self.victims)
    }
}

/// The same numbers for the same seed (SplitMix64).
pub struct Chance(u64);

impl From<u64> for Chance {
    fn from(seed: u64) -> Self {
        Self(seed)
    }
}

impl Chance {
    /// A number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    /// The next crash: of one part as often as of several.
    pub fn plan(&mut self) -> Plan {
        // A start takes about 150 ms from the key press, an end about 50.
        let (phase, longest) = [(Phase::Start, 200), (Phase::Session, 100), (Phase::End, 60)][self.below(3) as usize];
        let after = Duration::from_millis(self.below(longest));
        let victims = if self.below(2) == 0 {
            vec![Part::ALL[self.below(4) as usize]]
        } else {
            let chosen = 1 + self.below(15);
            Part::ALL
                .into_iter()
                .enumerate()
                .filter(|(bit, _)| chosen & (1 << bit) != 0)
                .map(|(_, part)| part)
                .collect()
        };
        let at_once = self.below(2) == 0 && victims.contains(&Part::Host);
        Plan { phase, after, victims, at_once }
    }
}

/// Crashes a session as planned, and runs the next one from start to end. Returns the parts that were there to be
/// killed.
pub fn run(desk: &Desk, plan: &Plan) -> Vec<Part> {
    let start = format!("startxd start {SESSION}");
    desk.types(&if plan.at_once { format!("{start}; {start}") } else { start });
    let mut asked = None;
    let mut begun = Instant::now();
    if plan.phase != Phase::Start {
        desk.is_up();
        if plan.phase == Phase::End {
            asked = Some(desk.spawn("ada", "startxd stop"));
        }
        begun = Instant::now();
    }
    sleep(plan.after.saturating_sub(begun.elapsed()));
    let killed = strike(desk, &plan.victims);
    // Not earlier: early in a start there was no record yet, and the dead host's record would be taken for the next
    // one's. That host needs milliseconds to get so far.
    let first = host_on_record(desk);
    if let Some(stop) = asked {
        // Whatever it returns: it may have lost its host.
        stop.wait(secs(30));
    }
    if plan.at_once && killed.contains(&Part::Host) && is_another(desk, first.as_deref()) {
        desk.vt().wait_mode(Mode::Graphics, SOON);
        desk.shell_as("ada", "startxd stop").deadline(SOON).run().ok();
        desk.ended(0);
    } else {
        is_over(desk);
        cycle::run(desk, 1, true);
    }
    killed
}

/// Kills at once, from outside: a command in the guest would be some milliseconds late.
fn strike(guest: &Guest, victims: &[Part]) -> Vec<Part> {
    let mut killed = Vec::new();
    for pid in processes(guest) {
        if let Some(part) = part_of(pid).filter(|part| victims.contains(part))
            && kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok()
        {
            killed.push(part);
        }
    }
    killed
}

/// Waits until the shell has its prompt back and nothing of the session runs. A session that is still alive is told to
/// stop; if it was still starting then, it is told again.
fn is_over(desk: &Desk) {
    wait_until("the crashed session to be over", secs(60), || {
        if desk.exit_status().is_some() {
            return Ok(());
        }
        let stop = desk.shell_as("ada", "startxd stop").deadline(secs(45)).run();
        let over = (0..10).any(|_| {
            sleep(Duration::from_millis(10));
            desk.exit_status().is_some()
        });
        if over { Ok(()) } else { Err(format!("{stop}\n{}", desk.vt())) }
    });
    // A server with a dead host lives on for some milliseconds, and discards what is typed meanwhile (`drain_console`,
    // Xorg's hw/xfree86/os-support/linux/lnx_init.c).
    wait_until("the parts of the crashed session to be gone", SOON, || {
        let left: Vec<Part> = processes(desk).into_iter().filter_map(part_of).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    });
    desk.vt().wait_prompt(SOON);
}

/// Waits until a session is up with a host other than `first`, and returns whether there is one: the first host may
/// have ended just before, so that the next one's was hit instead.
fn is_another(desk: &Desk, first: Option<&str>) -> bool {
    wait_until("the next session to be up", secs(30), || {
        if desk.exit_status().is_some() {
            return Ok(false);
        }
        let (host, state) = (host_on_record(desk), desk.state("graphical-session.target"));
        if host.is_some() && host.as_deref() != first && state == "active" {
            return Ok(true);
        }
        Err(format!("host {host:?}, after {first:?}; graphical-session.target is {state}\n{}", desk.vt()))
    })
}

/// The pid of the host that wrote the session's record, if there is one.
fn host_on_record(desk: &Desk) -> Option<String> {
    let record = fs::read_to_string(desk.outside("/run/user/1000/startxd/session.toml")).ok()?;
    record.lines().find_map(|line| line.strip_prefix("host = ")).map(str::to_owned)
}

/// The part of the session that a process is.
fn part_of(pid: i32) -> Option<Part> {
    fs::read(format!("/proc/{pid}/cmdline")).ok().and_then(|command| Part::of(&command))
}

#[test]
fn the_same_seed_makes_the_same_choices_and_every_choice_is_made() {
    let plans = |seed: u64| {
        let mut chance = Chance::from(seed);
        (0..200).map(|_| chance.plan().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(plans(7), plans(7));
    assert_ne!(plans(7), plans(8));
    for part in Part::ALL {
        assert!(plans(7).iter().any(|plan| plan.ends_with(&format!("[{part:?}]"))), "{part:?} is never alone");
    }
    assert!(plans(7).iter().any(|plan| plan.contains("Host, Supervisor, Server, WindowManager")));
    for phase in [Phase::Start, Phase::Session, Phase::End] {
        assert!(plans(7).iter().any(|plan| plan.contains(&format!("{phase:?}"))), "{phase:?}");
    }
}
