//! Units that are created for one session or command and forgotten with it (org.freedesktop.systemd1(5),
//! `StartTransientUnit`).

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::Pid;
use zbus::{OwnedVariant, Variant};

use super::ServiceEnd;
use super::names::DOTFILES_SERVICE;
use crate::attributes::{Attributes, Limit};
use crate::deadline::WINDOW_MANAGER_STOP;
use crate::environment::block::Block;
use crate::environment::policy::{self, Tag};

/// The properties of a unit to create, `a(sv)`.
pub type UnitProperties = Vec<(&'static str, OwnedVariant)>;

/// A service that is created for one session and forgotten with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The unit's name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments, the name first.
    pub arguments: Vec<String>,
    /// Its working directory, an absolute path; `None` for the home directory.
    pub directory: Option<String>,
    /// How often it is restarted when it crashes; `None` for never.
    pub restart: Option<RestartPolicy>,
    /// Variables in addition to those of the manager.
    pub environment: Block,
    /// Further attributes.
    pub attributes: Attributes,
}

/// How often a service that crashes is restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartPolicy {
    /// How many times within `window`, not 0.
    pub limit: u32,
    /// How long a crash is remembered.
    pub window: Duration,
}

/// The exit status of a program that exits by itself at a SIGTERM, as i3 does.
pub const EXITED_BY_SIGTERM: i32 = 143;

/// The pause before a restart.
const RESTART_USEC: u64 = 250_000;

impl Service {
    /// The properties for the manager, `a(sv)`.
    ///
    /// The relations are those of the wiki's own window manager units, `Requires=` and `After=xorg.target`, so that the
    /// end of the display is its end, in order; `Before=wm.target` does what `WantedBy=wm.target` would.
    #[must_use]
    pub fn properties(&self) -> UnitProperties {
        let mut properties = self.common();
        properties.extend([
            ("Requires", units(&["xorg.target"])),
            // A unit that names another one keeps that loaded. If the other one named this one, systemd would not
            // forget this one after it failed, and it could not be created again.
            ("After", units(&["xorg.target", "graphical-session-pre.target", DOTFILES_SERVICE])),
            ("Before", units(&["wm.target"])),
            // The children of the window manager are in its cgroup. The default would kill them all when the window
            // manager crashes; the host ends them, in order, at the end of the session (host/end.rs).
            ("KillMode", value("process".to_owned())),
        ]);
        properties.extend((!self.environment.is_empty()).then(|| assignments(&self.environment)));
        // Terminals, and services that get these variables from a script by D-Bus, would think that they are this unit.
        properties.push(("UnsetEnvironment", units(&policy::tagged(Tag::Unit).collect::<Vec<_>>())));
        properties
    }

    /// The properties of a service on a display without a screen, which `server` serves: bound to that, and with
    /// these variables in addition to those of the manager, without those of other displays.
    #[must_use]
    pub fn properties_on(&self, server: &str, variables: &Block) -> UnitProperties {
        let unset = policy::tagged(Tag::OtherDisplay).chain(policy::tagged(Tag::Unit));
        let mut properties = self.common();
        properties.extend([
            ("BindsTo", units(&[server])),
            ("After", units(&[server])),
            assignments(variables),
            ("UnsetEnvironment", units(&unset.collect::<Vec<_>>())),
        ]);
        properties
    }

    fn common(&self) -> UnitProperties {
        let mut properties = vec![
            ("Description", value(self.description.clone())),
            ("Type", value("exec".to_owned())),
            self.command(),
            ("Slice", value("session.slice".to_owned())),
            // A transient unit is forgotten as soon as it is inactive, together with how it ended. With this it stays
            // "active (exited)" after a clean exit and "failed" after a crash, until the end of the session.
            ("RemainAfterExit", value(true)),
            // If the kernel kills one program of a session for lack of memory, the others stay.
            ("OOMPolicy", value("continue".to_owned())),
            // systemd-oomd, which kills whole units, should not choose the unit of the desktop
            // (systemd.resource-control(5)).
            ("ManagedOOMPreference", value("avoid".to_owned())),
            // As with startx, a desktop may have as many processes as its user; the default of a unit is lower
            // (systemd-system.conf(5), `DefaultTasksMax=`).
            ("TasksMax", value(u64::MAX)),
            // Some never end by a SIGTERM: 9wm, i3 when its server is gone, herbstluftwm when the signal comes while it starts.
            // They are killed long before the 90 seconds of the default.
            ("TimeoutStopUSec", value(u64::try_from(WINDOW_MANAGER_STOP.as_micros()).unwrap_or(u64::MAX))),
            // Many programs handle SIGTERM and exit with 128 plus its number, the status that shells give to programs
            // that do not.
            ("SuccessExitStatus", value((vec![EXITED_BY_SIGTERM], Vec::<i32>::new()))),
        ];
        properties.extend(attributes(&self.attributes));
        properties.extend(self.directory.iter().map(|path| ("WorkingDirectory", value(path.clone()))));
        if let Some(restarts) = self.restart {
            // Every start counts (systemd.unit(5), `StartLimitBurst=`), including the first.
            let window = u64::try_from(restarts.window.as_micros()).unwrap_or(u64::MAX);
            properties.extend([
                ("Restart", value("on-failure".to_owned())),
                ("RestartUSec", value(RESTART_USEC)),
                ("StartLimitIntervalUSec", value(window)),
                ("StartLimitBurst", value(restarts.limit.saturating_add(1))),
                (
                    "RestartPreventExitStatus",
                    value((ServiceEnd::NOT_EXECUTED.collect::<Vec<i32>>(), Vec::<i32>::new())),
                ),
            ]);
        }
        properties
    }

    /// The program and its arguments, taken literally.
    fn command(&self) -> (&'static str, OwnedVariant) {
        let (program, arguments) = (self.program.to_string_lossy().into_owned(), self.arguments.clone());
        if arguments.iter().any(|argument| argument.contains('$')) {
            // The plain ExecStart would expand `$NAME` again (systemd.service(5), "Command lines").
            ("ExecStartEx", value(vec![(program, arguments, vec!["no-env-expand".to_owned()])]))
        } else {
            // systemd 252 writes "ExecStartEx=" into the unit's file and cannot read that back: after the next
            // daemon-reload, which any installation of a package may cause, the unit could not be restarted.
            ("ExecStart", value(vec![(program, arguments, false)]))
        }
    }
}

/// The properties of the service that reads `~/.Xresources` and the like, before these units of the session start, with
/// these variables of its own, and with this time limit.
///
/// Processes that the files start in the background stay in it until the end of the session, or of its server, with
/// which it is restarted. systemd also orders the starts of other units after it then.
#[must_use]
pub fn dotfiles(program: &Path, before: &[String], variables: &Block, deadline: Duration) -> UnitProperties {
    let program = program.to_string_lossy().into_owned();
    let mut properties = vec![
        ("Description", value("Resources, keymap and profile of the X session".to_owned())),
        ("Type", value("oneshot".to_owned())),
        ("RemainAfterExit", value(true)),
        ("ExecStart", value(vec![(program.clone(), vec![program, "dotfiles".to_owned()], false)])),
        ("Slice", value("session.slice".to_owned())),
        ("Requires", units(&["xorg.target"])),
        ("After", units(&["xorg.target", "graphical-session-pre.target"])),
        ("Before", value(before.to_vec())),
        ("OOMPolicy", value("continue".to_owned())),
        ("CollectMode", value("inactive-or-failed".to_owned())),
        ("TimeoutStartUSec", value(u64::try_from(deadline.as_micros()).unwrap_or(u64::MAX))),
        ("TimeoutStopUSec", value(u64::try_from(WINDOW_MANAGER_STOP.as_micros()).unwrap_or(u64::MAX))),
        ("UnsetEnvironment", units(&policy::tagged(Tag::Unit).collect::<Vec<_>>())),
    ];
    properties.extend((!variables.is_empty()).then(|| assignments(variables)));
    properties.extend(attributes(&Attributes::of_this_process()));
    properties
}

/// The properties of a scope around processes of ours.
#[must_use]
pub fn scope(description: String, pids: &[Pid], slice: &str, stop: Duration) -> UnitProperties {
    vec![
        ("Description", value(description)),
        ("PIDs", value(pids.iter().map(|pid| pid.as_raw().unsigned_abs()).collect::<Vec<u32>>())),
        ("Slice", value(slice.to_owned())),
        ("TimeoutStopUSec", value(u64::try_from(stop.as_micros()).unwrap_or(u64::MAX))),
        ("CollectMode", value("inactive-or-failed".to_owned())),
        // As for services: the processes that were not killed for lack of memory go on.
        ("OOMPolicy", value("continue".to_owned())),
    ]
}

/// Makes a unit end with another one, and before it and some more.
#[must_use]
pub fn bound_to(other: &str, more: &[&str]) -> UnitProperties {
    vec![("BindsTo", units(&[other])), ("After", units(&[&[other], more].concat()))]
}

/// A process's attributes as properties of a unit (systemd.exec(5)).
fn attributes(attributes: &Attributes) -> UnitProperties {
    let mut properties = UnitProperties::new();
    properties.extend(attributes.umask.map(|umask| ("UMask", value(umask))));
    properties.extend((attributes.nice != 0).then(|| ("Nice", value(attributes.nice))));
    properties
        .extend((attributes.oom_score_adjust > 0).then(|| ("OOMScoreAdjust", value(attributes.oom_score_adjust))));
    properties.extend(attributes.processors.clone().map(|processors| ("CPUAffinity", value(processors))));
    if let Some((class, level)) = attributes.input_output {
        properties.extend([("IOSchedulingClass", value(class)), ("IOSchedulingPriority", value(level))]);
    }
    properties.extend(attributes.timer_slack.map(|slack| ("TimerSlackNSec", value(slack))));
    properties.extend(attributes.no_new_privileges.then(|| ("NoNewPrivileges", value(true))));
    // The hard limit first: a property of it sets both.
    let limits = attributes.limits.iter().filter_map(Limit::properties).flatten();
    properties.extend(limits.map(|(name, limit)| (name, value(limit))));
    properties
}

fn assignments(variables: &Block) -> (&'static str, OwnedVariant) {
    ("Environment", value(variables.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()))
}

fn units(names: &[&str]) -> OwnedVariant {
    value(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
}

fn value(content: impl Into<Variant<'static>>) -> OwnedVariant {
    OwnedVariant::try_from(content.into()).unwrap_or_else(|_| unreachable!("no descriptors in it, so it can be owned"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Attributes, RestartPolicy, Service, UnitProperties, bound_to, scope};
    use crate::environment::Block;
    use crate::os::Pid;
    use crate::testing::golden;

    /// One line each, in their order, which systemd keeps.
    fn readable(properties: &UnitProperties) -> String {
        properties.iter().map(|(name, value)| format!("{name} = {}\n", **value)).collect()
    }

    #[test]
    fn golden_properties() {
        let restart = RestartPolicy { limit: 3, window: Duration::from_secs(60) };
        let service = Service {
            name: "startxd-wm@openbox.service".into(),
            description: "openbox".into(),
            program: "/usr/bin/openbox".into(),
            arguments: vec!["openbox".into(), "--sm-disable".into()],
            directory: None,
            restart: Some(restart),
            environment: Block::from([("XDG_SEAT".into(), "seat0".into())]),
            attributes: Attributes::default(),
        };
        golden("transient/service", &readable(&service.properties()));
        let elsewhere = Service {
            directory: Some("/home/ada/a b".into()),
            arguments: vec!["openbox".into(), "$HOME %h".into()],
            restart: None,
            environment: Block::new(),
            ..service.clone()
        };
        golden("transient/service-elsewhere", &readable(&elsewhere.properties()));
        let variables = Block::from([("DISPLAY".into(), ":100".into()), ("XAUTHORITY".into(), "/run/a".into())]);
        let on = service.properties_on("startxd-display@100.service", &variables);
        golden("transient/service-on-display", &readable(&on));
        let read = super::dotfiles("/usr/bin/startxd".as_ref(), &["i3.service".to_owned()], &variables, restart.window);
        let read = readable(&read.into_iter().take(14).collect());
        golden("transient/dotfiles", &read);
        let mut command = scope("xterm, on display :100".into(), &[Pid::from_raw(42)], "app.slice", restart.window);
        command.extend(bound_to("startxd-display@100.service", &["startxd-display-session@100.service"]));
        golden("transient/scope", &readable(&command));
    }

    #[test]
    fn only_a_dollar_needs_the_setting_that_old_managers_cannot_read_back() {
        for (argument, setting) in [("--sm-disable", "ExecStart"), ("$HOME", "ExecStartEx")] {
            let arguments = vec!["openbox".into(), argument.into()];
            let (name, description, program) = ("a.service".into(), String::new(), "/usr/bin/openbox".into());
            let service = Service {
                name,
                description,
                program,
                arguments,
                directory: None,
                restart: None,
                environment: Block::new(),
                attributes: Attributes::default(),
            };
            assert_eq!(service.command().0, setting, "{argument}");
        }
    }
}
