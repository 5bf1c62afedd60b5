//! `startxd enable multiplexer`, `startxd disable multiplexer`, `startxd start --multiplexer`, and what the units call.

use super::args::{MultiplexerName, MultiplexerStep};
use super::exit::Exit;
use super::say;
use crate::deadline::Deadlines;
use crate::multiplexer::enable::{EnablePlan, TakenBack};
use crate::multiplexer::name::TARGET;
use crate::multiplexer::service::{self, Failed};
use crate::multiplexer::{Kind, attach as attaching, enable as enabling};
use crate::os::Pid;

/// Keeps a session running from the boot on.
pub async fn enable(kind: Kind, name: Option<&str>, dry_run: bool) -> Exit {
    let deadlines = super::configuration().deadlines;
    let plan = match enabling::plan(kind, name, &deadlines).await {
        Ok(plan) if dry_run => {
            say(&would(&plan));
            return Exit::Success;
        }
        Ok(plan) => plan.apply(&deadlines).await,
        Err(error) => Err(error),
    };
    match plan {
        Ok(plan) => {
            say(&done(&plan));
            Exit::Success
        }
        Err(error) => {
            tracing::error!("{error}");
            Exit::from(&error)
        }
    }
}

/// Undoes that.
pub async fn disable(kind: Option<Kind>, name: Option<&str>, dry_run: bool) -> Exit {
    match enabling::disable(kind, name, dry_run, &super::configuration().deadlines).await {
        Ok(taken) if dry_run => {
            say(&would_undo(&taken));
            Exit::Success
        }
        Ok(taken) => {
            say(&taken_back(&taken));
            match taken.linger {
                Some(Err(why)) => {
                    let user = &taken.user;
                    tracing::error!(
                        "{user} still lingers ({why}), which startxd had turned on; run this as root: loginctl \
                         disable-linger {user}"
                    );
                    Exit::NotSetUp
                }
                _ => Exit::Success,
            }
        }
        Err(error) => {
            tracing::error!("{error}");
            Exit::from(&error)
        }
    }
}

/// Shows a session on this terminal: returns only if that fails. `words` are what was given as SESSION.
pub async fn attach(kind: Kind, words: &[String], deadlines: &Deadlines) -> Exit {
    let name = match words {
        [] => None,
        [name] => Some(name.as_str()),
        _ => {
            tracing::error!("a {kind} session name is one word; quote it if it contains spaces");
            return Exit::Usage;
        }
    };
    let error = attaching::attach(kind, name, deadlines).await;
    tracing::error!("{error}");
    Exit::from(&error)
}

/// What `--dry-run` shows.
fn would(plan: &EnablePlan) -> String {
    let mut text: String = plan.enable.iter().map(|unit| format!("would enable the user unit {unit}\n")).collect();
    if plan.linger {
        text += &format!("would let {} linger: the user manager starts at boot, and stays\n", plan.user);
    }
    text + &format!("would start {}\n", plan.unit)
}

/// The message after that.
fn done(plan: &EnablePlan) -> String {
    let EnablePlan { user, unit, .. } = plan;
    let linger = if plan.linger {
        format!("{user} lingers from now on: the user manager and its units start at boot and stay after a logout\n")
    } else {
        format!("{user} already lingers, so it stays after a logout\n")
    };
    format!(
        "{unit} is running, and starts at every boot\n{linger}to attach: {}\n",
        plan.kind.attach_command(&plan.name)
    )
}

/// What `--dry-run` shows of what would be undone.
fn would_undo(taken: &TakenBack) -> String {
    let mut text: String = taken.units.iter().map(|unit| format!("would disable {unit}\n")).collect();
    if taken.target {
        text += &format!("would disable {TARGET}\n");
    }
    if taken.linger.is_some() {
        text += &format!("would turn off lingering for {}\n", taken.user);
    }
    text
}

/// The message after undoing it.
fn taken_back(taken: &TakenBack) -> String {
    let mut text: String = taken.units.iter().map(|unit| format!("{unit} is no longer started at boot\n")).collect();
    for unit in &taken.running {
        text += &format!("it keeps running; to end it, with all programs in it: systemctl --user stop '{unit}'\n");
    }
    if taken.target {
        text += &format!("{TARGET} is no longer enabled\n");
    }
    if taken.linger == Some(Ok(())) {
        text += &format!("{} no longer lingers: the user manager ends with the last login\n", taken.user);
    }
    text
}

/// Does one step.
pub async fn step(step: MultiplexerStep) -> Exit {
    let deadlines = super::configuration().deadlines;
    let done = match step {
        MultiplexerStep::Check(MultiplexerName { kind, name }) => service::check(kind, name.as_deref()).await,
        MultiplexerStep::Ready(MultiplexerName { kind, name }) => {
            service::ready(kind, name.as_deref(), main_pid(), &deadlines).await
        }
        MultiplexerStep::Open(MultiplexerName { name, .. }) => {
            service::open(&name.unwrap_or_default(), &deadlines).await
        }
        MultiplexerStep::Close(MultiplexerName { kind, name }) => {
            service::close(kind, &name.unwrap_or_default(), main_pid(), &deadlines).await
        }
        MultiplexerStep::Ended(_) => service::ended(&deadlines).await,
    };
    ended(done)
}

/// The unit's main process (systemd.exec(5), `$MAINPID`).
fn main_pid() -> Option<Pid> {
    std::env::var("MAINPID").ok()?.parse().ok().map(Pid::from_raw)
}

fn ended(done: Result<(), Failed>) -> Exit {
    match done {
        Ok(()) => Exit::Success,
        Err(failure) => {
            tracing::error!("{failure}");
            Exit::SessionFailed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::would;
    use crate::multiplexer::enable::EnablePlan;
    use crate::multiplexer::name::Kind;
    use crate::testing::{FakeManager, golden};

    #[tokio::test]
    async fn golden_dry_runs() {
        let manager = FakeManager::new().connect().await;
        for (name, kind, session, enable, linger) in [
            ("first", Kind::Tmux, None, &["tmux@main.service", "multiplexer.target"][..], true),
            ("another", Kind::Screen, Some("my work"), &["screen@my\\x20work.service"], false),
            ("nothing-new", Kind::Zellij, None, &[], false),
        ] {
            let enable = enable.iter().map(|&unit| unit.to_owned()).collect();
            let plan = EnablePlan::example(kind, session, enable, linger, manager.clone());
            golden(&format!("dry-run/multiplexer-{name}"), &would(&plan));
        }
    }
}
