//! Crashes and kills because memory ran out, in a row in one boot, and what they leave.
//!
//! `make soak` has crashes at every moment; its guests have no memory controller.

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::machine::{Case, Machine, Options};
use crate::memory::{eats_in, unit_of};

/// Something that happens to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    /// A program in the window manager's unit takes all memory that the unit may have.
    Memory,
    Server,
    WindowManager,
    Supervisor,
    Host,
}

impl Blow {
    /// Each is equally likely, in an order that depends on the seed (xorshift64).
    fn next(seed: &mut u64) -> Self {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        let all = [Self::Memory, Self::Server, Self::WindowManager, Self::Supervisor, Self::Host];
        all[usize::try_from(*seed % 5).unwrap_or_default()]
    }

    /// How pgrep(1) finds the victim; empty for memory.
    const fn pattern(self) -> &'static str {
        match self {
            Self::Memory => "",
            Self::Server => "-x Xorg",
            Self::WindowManager => "-x openbox",
            Self::Supervisor => "-f '^/usr/bin/startxd serve'",
            Self::Host => "-f '^startxd start'",
        }
    }
}

/// The parts of a session, one process each.
const PARTS: [Blow; 4] = [Blow::Host, Blow::Supervisor, Blow::Server, Blow::WindowManager];

/// Their pids, in that order.
fn parts(machine: &Machine) -> Vec<String> {
    PARTS.map(|part| machine.root(&format!("pgrep -u ada {} || true", part.pattern())).text()).to_vec()
}

/// What must not grow: logins, units, files of displays, and descriptors of ada's manager.
const COUNTS: &str = "loginctl list-sessions --no-legend | wc -l
systemctl --user -M ada@ list-units --all --no-legend --plain '*.service' '*.socket' '*.scope' | wc -l
ls -A /tmp/.X11-unix /tmp/.X*-lock /run/user/1000/startxd /run/user/1000/xauth* | wc -l
ls /proc/$(systemctl show --value -p MainPID user@1000.service)/fd | wc -l";

fn counts(machine: &Machine) -> Vec<u64> {
    let text = machine.root(COUNTS).text();
    text.lines().map(|line| line.trim().parse().unwrap_or_else(|_| panic!("{text}"))).collect()
}

#[test]
#[ignore = "make vm-check runs it"]
#[expect(clippy::print_stdout, reason = "the seed, for who reads a failure")]
fn crashes_and_out_of_memory_kills_leave_nothing() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_secs());
    let number = |name: &str, default: u64| {
        env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
    };
    let (rounds, mut seed) = (number("STARTXD_SOAK_BLOWS", 30), number("STARTXD_SOAK_SEED", now));
    println!("{rounds} blows, STARTXD_SOAK_SEED={seed}");
    let mut options = Options::default();
    // One manager of ada's for the whole run, so that leaks add up.
    options.setup += "mkdir -p /var/lib/systemd/linger; touch /var/lib/systemd/linger/ada\n";
    let case = Case::exclusive(&options);
    case.is_at_login();
    case.has_terminal();
    let before = counts(&case);
    for round in 1..=rounds {
        let blow = Blow::next(&mut seed);
        println!("{round}: {blow:?}");
        let old = parts(&case);
        if blow == Blow::Memory {
            eats_in(&case, &unit_of(&case, "openbox"));
            assert_eq!(parts(&case), old, "only what was greedy is gone");
            continue;
        }
        // As if each session had lasted: after three sessions that ended at once, a login does not start another.
        case.user("ada", "rm -f ~/.local/state/startxd/last-session.toml").ok();
        case.root(&format!("pkill -KILL -u ada {}", blow.pattern())).ok();
        case.until("one of each, and a new one in place of the killed one", |machine| {
            let new = parts(machine);
            let is_one = |pids: &String| !pids.is_empty() && !pids.contains('\n');
            let is_new = PARTS.iter().position(|victim| *victim == blow).is_some_and(|at| new[at] != old[at]);
            new.iter().all(is_one) && is_new
        });
        case.is_managed();
    }
    case.until("no more than before", |machine| {
        // Two of each may be ending.
        counts(machine).iter().zip(&before).all(|(now, before)| *now <= before + 2)
    });
    let status = case.user("ada", "startxd status").text();
    assert!(status.contains("nothing is wrong") || status.contains("for lack of memory"), "{status}");
}
