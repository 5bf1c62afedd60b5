//! How long a lock takes: from the moment before what asks for it is executed, to the locker's window.

use crate::contestants::{Launcher, WindowManager, cookie_in, display_socket};
use crate::cost;
use crate::harness::{Guest, Login, SOON};
use crate::observer::{locker_maps, observe};
use crate::round::time;

/// Who asks.
const BY_HAND: usize = 0;
const BY_STARTXD: usize = 1;

/// Times in ms: of the locker that is started by hand, and of `startxd lock`.
pub type Locks = [Vec<f64>; 2];

/// Locks a session in turn by hand and by startxd; the first `discarded` of each do not count.
///
/// # Panics
/// When a session or a locker does not come.
pub fn measure(guest: &Guest, login: &Login, discarded: usize, rounds: usize) -> Locks {
    let directory = "mkdir -p ~/.config/startxd";
    let key = r#"printf '[lock]\ncommand = ["i3lock", "--nofork"]\n' > ~/.config/startxd/startxd.toml"#;
    guest.user("ada", &format!("{directory} && {key}")).ok();
    let (socket, wm) = (display_socket(guest), WindowManager::Openbox);
    login.vt.type_line(&Launcher::Startxd.command(wm));
    let authority = Launcher::Startxd.authority().map(|file| guest.outside(file));
    let cookie = || authority.as_deref().map(cookie_in);
    let _session = observe(&socket, SOON, cookie).unwrap_or_else(|e| panic!("{e}\n{}", login.vt));
    let mut times = Locks::default();
    for number in 0..discarded + rounds {
        for (who, command, end) in [
            (BY_HAND, "i3lock --nofork", "pkill -x i3lock; while pgrep -x i3lock; do sleep 0.01; done"),
            // A race: its window is there before the lock is seen, and what is not locked cannot be unlocked. Asked once more,
            // startxd returns when it is.
            (BY_STARTXD, "startxd lock", "startxd lock && startxd unlock"),
        ] {
            cost::wait_idle(guest);
            let mut asks = None;
            let mapped = locker_maps(&socket, SOON, cookie(), || {
                let script = format!("echo $EPOCHREALTIME; exec {command}");
                let shell = guest.shell_as("ada", &script).env("DISPLAY", ":0");
                asks = Some(shell.env("XAUTHORITY", Launcher::Startxd.authority().unwrap_or_default()).spawn());
            });
            let mapped = mapped.unwrap_or_else(|e| panic!("{command}: {e}"));
            guest.user("ada", end).ok();
            let asked = time(asks.expect("it was executed").wait(SOON).stdout.lines().next().unwrap_or_default());
            if number >= discarded {
                let took = mapped.duration_since(asked).expect("a locker comes after it was asked for");
                times[who].push(took.as_secs_f64() * 1e3);
            }
        }
    }
    cost::wait_idle(guest);
    wm.quit(guest);
    login.vt.wait_prompt(SOON);
    guest.user("ada", "rm ~/.config/startxd/startxd.toml").ok();
    times
}
