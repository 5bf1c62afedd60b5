//! `startxd enable autologin` and `startxd disable autologin`.

use std::path::Path;

use super::exit::Exit;
use super::say;
use crate::autologin::drop_in::DropIn;
use crate::autologin::files::as_user;
use crate::autologin::person::Person;
use crate::autologin::profile::ANY_SHELL;
use crate::autologin::unit::Units;
use crate::autologin::{AutologinPlan, enabled, path_of, plan, take_back};
use crate::logind;
use crate::manager::{Manager, is_booted};
use crate::session::beforehand::{self, Expected};
use crate::text::one_line;

/// Logs `user` in on terminal `vt` from the next boot on.
pub async fn enable(user: &str, vt: u8, profile: bool, dry_run: bool) -> Exit {
    // A dry run needs no root.
    if !dry_run && !may_change() {
        return Exit::NotRoot;
    }
    let units = Units::below(Path::new("/"));
    let planned = Person::find(user).and_then(|person| Ok((plan(&units, &person, vt, profile)?, person)));
    let (plan, person) = match planned {
        Ok(planned) => planned,
        Err(refused) => {
            tracing::error!("{refused}");
            return Exit::NotSetUp;
        }
    };
    // With the rights of that user, because this reads in their home; a caller who is not root reads with their own.
    let expected = match as_user(&person, || Ok(beforehand::expected(&person.home))) {
        Err(_) if dry_run => beforehand::expected(&person.home),
        Err(error) => {
            tracing::debug!("it is not known what the session of {} will be: {error}", person.name);
            Expected::Nothing
        }
        Ok(expected) => expected,
    };
    let session = session(&expected, &person.name);
    if dry_run {
        say(&(would(&plan) + &session));
        return Exit::Success;
    }
    if let Err(refused) = plan.apply(&units) {
        tracing::error!("{refused}");
        return Exit::NotSetUp;
    }
    let loaded = reload().await;
    say(&(done(&plan, &person, vt, loaded) + &session));
    Exit::Success
}

/// Undoes autologins: those of `user`, that of terminal `vt`, or all.
pub async fn disable(user: Option<&str>, vt: Option<u8>, dry_run: bool) -> Exit {
    if !dry_run && !may_change() {
        return Exit::NotRoot;
    }
    let units = Units::below(Path::new("/"));
    let all = enabled(&units);
    let asked =
        |(on, drop_in): &&(u8, DropIn)| vt.is_none_or(|vt| vt == *on) && user.is_none_or(|user| user == drop_in.user);
    let chosen: Vec<_> = all.iter().filter(asked).collect();
    if chosen.is_empty() {
        let there = all.iter().map(|(vt, drop_in)| format!("{} on tty{vt}", drop_in.user)).collect::<Vec<_>>();
        if there.is_empty() {
            tracing::error!("startxd has not set up an autologin");
        } else {
            tracing::error!("startxd has not set up that autologin; it has set up: {}", there.join(", "));
        }
        return Exit::NotSetUp;
    }
    if dry_run {
        say(&chosen.iter().map(|(vt, drop_in)| would_undo(*vt, drop_in)).collect::<String>());
        return Exit::Success;
    }
    for (vt, drop_in) in chosen {
        take_back(&units, *vt, drop_in, Person::find(&drop_in.user).ok().as_ref());
        say(&format!("{} is no longer logged in on tty{vt} at boot; a login that is up stays\n", drop_in.user));
    }
    reload().await;
    Exit::Success
}

/// Whether this is root; says so if it is not.
fn may_change() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        tracing::error!("setting up logins needs root: sudo startxd ...");
    }
    root
}

/// Makes systemd read its files again. Returns whether a systemd is running.
async fn reload() -> bool {
    if !is_booted() {
        return false;
    }
    let reloaded = async {
        let manager = Manager::new(logind::connect().await.map_err(|error| error.to_string())?);
        manager.reload().await.map_err(|error| error.to_string())
    };
    if let Err(error) = reloaded.await {
        tracing::warn!("systemd has not read its files again ({error}); run: systemctl daemon-reload");
    }
    true
}

/// What `--dry-run` shows.
fn would(plan: &AutologinPlan) -> String {
    let mut text = format!("would write {}:\n", plan.path.display());
    text.extend(plan.text().lines().map(|line| format!("    {}\n", one_line(line))));
    if let Some((link, target)) = &plan.link {
        text += &format!("would link {} to {}\n", link.display(), target.display());
    }
    if let Some(line) = &plan.line {
        text += &match &plan.drop_in.profile {
            Some(profile) => format!("would add to {}:\n    {line}\n", profile.display()),
            None => format!("for the profile of the login shell (--profile adds it):\n    {line}\n"),
        };
    }
    text
}

/// What will start, and how to choose it.
fn session(expected: &Expected, user: &str) -> String {
    let choose = format!("to choose a window manager, as {user}: startxd enable wm");
    match expected {
        Expected::Units(units) => format!("the session will be {}\n", one_line(&units.join(", "))),
        Expected::Xinitrc(path) => format!("the session will be {}\n", crate::text::path(path)),
        Expected::Default(default) => format!("the session will be {} (session.default)\n", one_line(default)),
        Expected::Xsession(file) => {
            format!("the session will be {file}, which this system starts by default; {choose}\n")
        }
        Expected::Nothing => format!("no session is set up for {user} yet; {choose}\n"),
    }
}

/// What `disable --dry-run` shows.
fn would_undo(vt: u8, drop_in: &DropIn) -> String {
    let mut text = format!("would remove {}\n", path_of(vt).display());
    text.extend(drop_in.made.iter().map(|made| format!("would remove {}\n", crate::text::path(made))));
    if let Some(profile) = &drop_in.profile {
        text += &format!("would remove startxd's line from {}\n", crate::text::path(profile));
    }
    text
}

/// The message after that.
fn done(plan: &AutologinPlan, person: &Person, vt: u8, loaded: bool) -> String {
    let (user, shell) = (&person.name, person.shell.display());
    let earlier = plan.replaces().map(|earlier| format!("{user} replaces {earlier} on tty{vt}\n"));
    let now = if loaded { format!("; to log in now: systemctl restart getty@tty{vt}") } else { String::new() };
    let login = format!("{user} will be logged in on tty{vt} at every boot{now}\n");
    let session = match (&plan.drop_in.profile, &plan.line) {
        (Some(profile), _) => format!("the login starts a session, by a line in {}\n", profile.display()),
        (None, Some(line)) => format!(
            "to start a session, add this line to the end of the profile of {user}'s {shell}\n\
             (or run this again with --profile):\n    {line}\n"
        ),
        (None, None) => format!("to start a session, have {user}'s {shell} run this at a login:\n    {ANY_SHELL}\n"),
    };
    [earlier.unwrap_or_default(), login, session].concat()
}

#[cfg(test)]
mod tests {
    use super::{session, would, would_undo};
    use crate::autologin::person::Person;
    use crate::autologin::plan;
    use crate::autologin::unit::Units;
    use crate::session::beforehand::Expected;
    use crate::test_dir::TestDir;
    use crate::testing::golden;

    #[test]
    fn the_session_is_named() {
        for (expected, said) in [
            (Expected::Units(vec!["i3.service".into()]), "the session will be i3.service\n"),
            (Expected::Xinitrc("/home/ada/.xinitrc".into()), "the session will be /home/ada/.xinitrc\n"),
            (Expected::Default("twm".into()), "the session will be twm (session.default)\n"),
            (
                Expected::Xsession("/etc/X11/Xsession".into()),
                "the session will be /etc/X11/Xsession, which this system starts by default; to choose a window manager, \
                 as ada: startxd enable wm\n",
            ),
            (
                Expected::Nothing,
                "no session is set up for ada yet; to choose a window manager, as ada: startxd enable wm\n",
            ),
        ] {
            assert_eq!(session(&expected, "ada"), said);
        }
    }

    #[test]
    fn golden_dry_runs() {
        let directory = TestDir::new();
        for path in ["usr/lib/systemd/system", "etc/systemd/system", "home"] {
            std::fs::create_dir_all(directory.path(path)).unwrap();
        }
        let getty = directory.path("usr/lib/systemd/system/getty@.service");
        let agetty = "[Service]\nExecStart=-/sbin/agetty -o '-- \\\\u' --noreset --noclear - ${TERM}\n";
        std::fs::write(getty, agetty).unwrap();
        let home = directory.path("home");
        let units = Units::below(&directory.path(""));
        for (name, shell, vt, profile) in
            [("line", "bash", 1, false), ("profile", "fish", 3, true), ("unknown-shell", "nu", 2, false)]
        {
            let person = Person {
                name: "ada".into(),
                uid: nix::unistd::geteuid(),
                gid: nix::unistd::getegid(),
                home: home.clone(),
                shell: format!("/usr/bin/{shell}").into(),
            };
            let plan = plan(&units, &person, vt, profile).unwrap();
            let anywhere = |text: String| text.replace(&home.display().to_string(), "/home/ada");
            golden(&format!("dry-run/autologin-{name}"), &anywhere(would(&plan)));
            golden(&format!("dry-run/autologin-{name}-undone"), &anywhere(would_undo(vt, &plan.drop_in)));
        }
    }
}
