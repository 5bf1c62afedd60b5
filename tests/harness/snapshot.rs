//! What a session could leave behind: a picture of it, and the difference between two.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::guest::Guest;

/// Everything of a user that should be as before when a session has ended. Lines by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    lines: BTreeMap<String, BTreeSet<String>>,
}

/// Prints `kind<TAB>line`, as root. `$uid` is set. Session numbers and pids that change by themselves are left out.
const SYSTEM: &str = r#"
emit() { while IFS= read -r line; do printf '%s\t%s\n' "$1" "$line"; done; }
ps -u $uid --no-headers -o pid= -o args= | while read -r pid args; do
    group=$(sed -n 's/^0:://p' /proc/$pid/cgroup 2>/dev/null) || continue
    case $group in */init.scope | */dbus.service | */dbus-broker.service | "") continue;; esac
    echo "$args [pid $pid in $group]"
done | emit process
systemctl list-units --failed --plain --no-legend | cut -d' ' -f1 | emit 'failed system unit'
{ ls -d /tmp/.X*-lock /tmp/.X11-unix/*; } 2>/dev/null | emit 'X file'
grep -o '@/tmp/.X11-unix/.*' /proc/net/unix | sort -u | emit 'X abstract socket'
find /run/user/$uid -mindepth 1 -maxdepth 1 2>/dev/null | grep -v '/dbus-1$' | emit 'runtime file'
find /run/user/$uid/startxd -mindepth 1 2>/dev/null | emit 'runtime file'
find /run/user/$uid/systemd/transient /run/user/$uid/systemd/user.control -mindepth 1 2>/dev/null | emit 'runtime file'
find /sys/fs/cgroup/user.slice/user-$uid.slice -type d \( -name '*.service' -o -name '*.scope' \) 2>/dev/null |
    sed 's,^/sys/fs/cgroup/user.slice/,,' | grep -v -e '/init.scope$' -e '/dbus\(-broker\)\?.service$' | emit 'control group'
"#;

/// Prints `kind<TAB>line`, as the user, whose manager runs.
const MANAGER: &str = r#"
[ -S "$XDG_RUNTIME_DIR/systemd/private" ] || exit 0
systemctl --user list-units --all --plain --no-legend --type=service,socket,target,timer,path,scope |
    while read -r unit load active sub _; do
        case $unit in dbus.socket | dbus.service | dbus-broker.service | init.scope) continue;; esac
        [ "$active" = inactive ] || printf 'user unit\t%s is %s (%s)\n' "$unit" "$active" "$sub"
    done
systemctl --user list-jobs --plain --no-legend | while read -r _ unit kind state; do
    printf 'user job\t%s %s %s\n' "$kind" "$unit" "$state"
done
systemctl --user show-environment | while IFS= read -r line; do printf 'manager environment\t%s\n' "$line"; done
"#;

impl Snapshot {
    fn take(guest: &Guest, user: &str) -> Self {
        let mut lines: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let system = guest.root(&format!("uid={}\n{SYSTEM}", guest.uid(user))).stdout;
        let manager = guest.user(user, MANAGER).stdout;
        for (kind, line) in system.lines().chain(manager.lines()).filter_map(|l| l.split_once('\t')) {
            lines.entry(kind.to_owned()).or_default().insert(line.to_owned());
        }
        for vt in (1..=9).map(|n| guest.vt(n)).filter(super::vt::Vt::exists) {
            if vt.mode() == super::vt::Mode::Graphics {
                lines.entry("terminal".to_owned()).or_default().insert(format!("tty{} in graphics mode", vt.number()));
            }
            if vt.keyboard_is_off() {
                lines.entry("terminal".to_owned()).or_default().insert(format!("tty{} without keyboard", vt.number()));
            }
        }
        Self { lines }
    }

    /// What is different now from `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Difference {
        let none = BTreeSet::new();
        let minus = |a: &Self, b: &Self| {
            let kinds = a.lines.iter();
            kinds
                .flat_map(|(kind, lines)| {
                    let others = b.lines.get(kind).unwrap_or(&none);
                    lines.difference(others).map(move |line| format!("{kind}: {line}")).collect::<Vec<_>>()
                })
                .collect()
        };
        Difference { left: minus(self, before), gone: minus(before, self) }
    }
}

/// The difference between two snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What is there now and was not before.
    pub left: Vec<String>,
    /// What was there before and is not now.
    pub gone: Vec<String>,
}

impl Difference {
    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.left.is_empty() && self.gone.is_empty()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.left.iter().try_for_each(|line| writeln!(f, "  left behind  {line}"))?;
        self.gone.iter().try_for_each(|line| writeln!(f, "  missing      {line}"))
    }
}

impl Guest {
    /// A picture of what `user` has now.
    #[must_use]
    pub fn snapshot_of(&self, user: &str) -> Snapshot {
        Snapshot::take(self, user)
    }

    /// A picture of what ada has now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot_of("ada")
    }

    /// Fails if anything of ada's is not as it was in `before`.
    ///
    /// # Panics
    /// Naming precisely what was left behind, or is missing.
    #[track_caller]
    pub fn assert_as(&self, before: &Snapshot) {
        let difference = self.snapshot().since(before);
        assert!(difference.is_empty(), "ada's things are not as they were:\n{difference}");
    }
}
