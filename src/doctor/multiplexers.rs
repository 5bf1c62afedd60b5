//! Terminal multiplexers: whether they outlive logins, as they should.

use std::path::Path;

use super::Finding;
use super::catalogue::{MULTIPLEXERS_DISABLED, MULTIPLEXERS_KILLED, MULTIPLEXERS_NO_LINGER};
use super::files;
use super::machine::Machine;
use crate::logind::{self, KillPolicy};
use crate::os;

/// The target of the multiplexers' units.
const TARGET: &str = "multiplexer.target";

/// The kernel's names for running multiplexers.
const PROGRAMS: [&str; 6] = ["tmux: server", "tmux", "screen", "zellij", "dtach", "abduco"];

/// What there is.
#[derive(Debug, Default)]
struct MultiplexerFacts {
    /// The user.
    user: String,
    /// The units that are enabled for [`TARGET`].
    units: Vec<String>,
    /// Whether [`TARGET`] itself is enabled.
    enabled: bool,
    /// Whether the user manager outlives the last login.
    linger: bool,
    /// Whether logind kills what a login leaves behind.
    policy: KillPolicy,
    /// Multiplexers that run in a login session's control group.
    in_sessions: Vec<String>,
}

/// Examines the multiplexers.
pub async fn examine(machine: &Machine) -> Vec<Finding> {
    match (&machine.manager, &machine.user) {
        (Some(_), Some(user)) => judge(&gather(machine, user).await),
        _ => Vec::new(),
    }
}

async fn gather(machine: &Machine, user: &str) -> MultiplexerFacts {
    let manager = machine.manager.as_ref();
    let (mut units, mut enabled) = (Vec::new(), false);
    if let Some(manager) = manager {
        units = machine.ask(manager.wanted_by(TARGET)).await.unwrap_or_default();
        // Targets want units of other kinds by default.
        units.retain(|unit| unit.ends_with(".service") || unit.ends_with(".scope"));
        let wanted = machine.ask(manager.wanted_by("default.target")).await;
        enabled = wanted.is_some_and(|wanted| wanted.iter().any(|unit| unit == TARGET));
    }
    let policy = match &machine.system {
        Some(system) => machine.ask(logind::kill_policy(system)).await,
        None => None,
    };
    MultiplexerFacts {
        user: user.to_owned(),
        units,
        enabled,
        linger: logind::linger::lingers(user),
        policy: policy.unwrap_or_default(),
        in_sessions: in_sessions(machine.uid.as_raw()),
    }
}

/// The multiplexers of a user that are in a login session's control group, each with its pid.
fn in_sessions(uid: u32) -> Vec<String> {
    let of = |path: &Path| {
        let pid: u32 = files::name(path).parse().ok()?;
        let text = files::text(&path.join("status"))?;
        let status = os::status(&text).filter(|status| PROGRAMS.contains(&status.name) && status.uid == uid)?;
        let group = files::text(&path.join("cgroup"))?;
        is_session(&group).then(|| format!("{} (pid {pid})", status.name))
    };
    files::processes().iter().filter_map(|path| of(path)).collect()
}

/// Whether a text of /proc/PID/cgroup names a login session's scope.
#[must_use]
pub fn is_session(group: &str) -> bool {
    let line = group.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    line.split('/').any(|part| part.starts_with("session-") && part.ends_with(".scope"))
}

fn judge(facts: &MultiplexerFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (user, units) = (&facts.user, facts.units.join(", "));
    if !facts.units.is_empty() && !facts.linger {
        findings.push(MULTIPLEXERS_NO_LINGER.found(
            format!("{units} is enabled for {TARGET}, but lingering is off for {user}"),
            "loginctl enable-linger",
        ));
    }
    if !facts.units.is_empty() && !facts.enabled {
        findings.push(MULTIPLEXERS_DISABLED.found(
            format!("{units} is enabled for {TARGET}, but {TARGET} itself is not enabled"),
            format!("systemctl --user enable {TARGET}"),
        ));
    }
    if facts.policy.kills(user) && !facts.in_sessions.is_empty() {
        findings.push(MULTIPLEXERS_KILLED.found(
            format!("{} will be killed when you log out", facts.in_sessions.join(", ")),
            "start it as a unit: startxd enable multiplexer, or systemd-run --user --scope; to let it \
             outlive your last login: loginctl enable-linger",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{KillPolicy, MultiplexerFacts, is_session, judge};

    fn healthy() -> MultiplexerFacts {
        MultiplexerFacts {
            user: "ada".into(),
            units: vec!["tmux.service".into()],
            enabled: true,
            linger: true,
            in_sessions: vec!["screen (pid 7)".into()],
            ..MultiplexerFacts::default()
        }
    }

    #[test]
    fn each_fault_is_found() {
        type Fault = fn(&mut MultiplexerFacts);
        let kills = || KillPolicy { kill: true, ..KillPolicy::default() };
        let ids = |facts: &MultiplexerFacts| judge(facts).iter().map(|finding| finding.kind.id).collect::<Vec<_>>();
        let cases: [(Fault, &[&str]); 4] = [
            (|_| {}, &[]),
            (|f| f.linger = false, &["multiplexers.no-linger"]),
            (|f| f.enabled = false, &["multiplexers.disabled"]),
            (|f| (f.linger, f.enabled, f.units) = (false, false, Vec::new()), &[]),
        ];
        for (index, (fault, expected)) in cases.into_iter().enumerate() {
            let mut facts = healthy();
            fault(&mut facts);
            assert_eq!(ids(&facts), expected, "case {index}");
        }
        assert_eq!(ids(&MultiplexerFacts { policy: kills(), ..healthy() }), ["multiplexers.killed"]);
        assert_eq!(ids(&MultiplexerFacts { policy: kills(), in_sessions: Vec::new(), ..healthy() }), [] as [&str; 0]);
    }

    #[test]
    fn scopes_of_sessions() {
        assert!(is_session("0::/user.slice/user-1000.slice/session-3.scope\n"));
        for group in
            ["0::/user.slice/user-1000.slice/user@1000.service/app.slice/tmux.service", "", "1:a:/session-3.scope"]
        {
            assert!(!is_session(group), "{group}");
        }
    }
}
