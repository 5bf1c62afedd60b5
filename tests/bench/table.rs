//! The report, in Markdown.

use std::fmt::Write;
use std::fs;

use crate::contestants::{Launcher, WindowManager};
use crate::cost::{self, Cost};
use crate::harness::Guest;
use crate::lock::Locks;
use crate::round::{Rounds, Sample};
use crate::statistics::quantile;

/// First logins with one window manager: the results of [`first_login`](crate::round::first_login), by launcher.
pub type FirstLogins = (WindowManager, [Vec<f64>; Launcher::ALL.len()]);

/// The conditions of the measurement.
pub struct Facts {
    date: String,
    machine: String,
    kernel: String,
    suite: String,
    systemd: String,
    /// The installed program's size in MB (10^6 bytes).
    binary: f64,
    /// See [`cost::executor`].
    executor: f64,
}

impl Facts {
    /// Those of this machine and this guest.
    pub fn of(guest: &Guest) -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let models: Vec<&str> =
            cpuinfo.lines().filter_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|m| m.1).collect();
        let program = fs::metadata(guest.outside("/usr/bin/startxd")).expect("startxd is installed");
        Self {
            date: guest.root("date +%F").text(),
            machine: format!("{} ({} CPUs)", models.first().unwrap_or(&"an unknown CPU"), models.len()),
            kernel: guest.root("uname -r").text(),
            suite: guest.root("sed -n 's/^PRETTY_NAME=\"\\(.*\\)\"$/\\1/p' /etc/os-release").text(),
            systemd: guest.root("systemctl --version | sed -n '1s/^systemd \\([0-9]*\\).*/\\1/p'").text(),
            #[expect(clippy::cast_precision_loss, reason = "a file of petabytes would lose a byte")]
            binary: program.len() as f64 / 1e6,
            executor: cost::executor(guest),
        }
    }
}

/// The whole report: the tables for docs/measurements.md, and what a start and an end spend their time on.
pub fn report(facts: &Facts, results: &[(WindowManager, Rounds)], first_logins: &FirstLogins, locks: &Locks) -> String {
    let mut text = String::new();
    let (_, first) = results.first().expect("something was measured");
    let (rounds, release) = (first.of(Launcher::Xinit).len(), first.of(Launcher::Xinit)[0].release);
    let _ = writeln!(
        text,
        "\nMeasured on {} on {}, Linux {}, in a guest with {} (systemd {}, Xorg {}): {rounds} rounds, in turn; medians, and \
         in parentheses the quartiles.\n",
        facts.date,
        facts.machine,
        facts.kernel,
        facts.suite,
        facts.systemd,
        version(release)
    );
    comparison(&mut text, "exec to *managed*, ms", results, |sample| sample.start);
    comparison(&mut text, "*quit* to *prompt back*, ms", results, |sample| sample.end);
    let (wm, rounds) = first_logins;
    let values = Launcher::ALL.map(|launcher| rounds[launcher as usize].clone());
    head(&mut text, "first login after a boot: from the profile's line to *managed*, ms");
    row(&mut text, *wm, &values);
    let [by_hand, by_startxd] = locks;
    let _ = writeln!(
        text,
        "\n| a lock: exec to the locker's window, ms | by hand | startxd | startxd : by hand |\n|---|--:|--:|--:|\n| i3lock | {} | {} | {:.2} |\n",
        cell(by_hand),
        cell(by_startxd),
        median(by_startxd) / median(by_hand)
    );
    own_cost(&mut text, facts, results);
    for (wm, rounds) in results {
        by_part(&mut text, *wm, rounds);
    }
    for (wm, rounds) in results {
        breakdown(&mut text, *wm, rounds);
    }
    text
}

/// The cost of startxd itself, for all window managers.
fn own_cost(text: &mut String, facts: &Facts, results: &[(WindowManager, Rounds)]) {
    let samples = results.iter().flat_map(|(_, rounds)| rounds.of(Launcher::Startxd));
    let costs: Vec<&Cost> = samples.filter_map(|sample| sample.cost.as_ref()).collect();
    let median = |pick: fn(&Cost) -> f64| median(&costs.iter().map(|cost| pick(cost)).collect::<Vec<f64>>());
    let (host, supervisor) = (median(|cost| cost.host_cpu), median(|cost| cost.supervisor_cpu) - facts.executor);
    let _ = writeln!(text, "| startxd itself | measured | aim |\n|---|--:|--:|");
    let _ = writeln!(text, "| memory of host and supervisor (PSS) | {:.2} MB | < 6 MB |", median(|cost| cost.memory));
    let _ = writeln!(text, "| program | {:.2} MB | < 2.5 MB |", facts.binary);
    let _ = writeln!(
        text,
        "| processor time of host and supervisor until *managed* | {:.1} ms | < 10 ms |\n",
        host + supervisor
    );
    let _ = writeln!(
        text,
        "The host took {host:.1} ms, the supervisor {supervisor:.1} ms, after {:.1} ms that systemd's own executor took \
         in its process.\n",
        facts.executor
    );
}

/// One row for each window manager.
fn comparison(text: &mut String, title: &str, results: &[(WindowManager, Rounds)], pick: fn(&Sample) -> f64) {
    head(text, title);
    for (wm, rounds) in results {
        row(text, *wm, &Launcher::ALL.map(|launcher| rounds.of(launcher).iter().map(pick).collect::<Vec<f64>>()));
    }
    text.push('\n');
}

fn head(text: &mut String, title: &str) {
    let _ = writeln!(text, "| {title} | xinit | startx | startxd | startxd : xinit | startxd : startx |");
    let _ = writeln!(text, "|---|--:|--:|--:|--:|--:|");
}

/// All launchers with one window manager.
fn row(text: &mut String, wm: WindowManager, values: &[Vec<f64>; Launcher::ALL.len()]) {
    let [xinit, startx, startxd] = values.each_ref().map(|values| median(values));
    let cells: Vec<String> = values.iter().map(|values| cell(values)).collect();
    let cells = cells.join(" | ");
    let _ = writeln!(text, "| {} | {cells} | {:.2} | {:.2} |", wm.name(), startxd / xinit, startxd / startx);
}

/// The processor time until *managed*, by part.
fn by_part(text: &mut String, wm: WindowManager, rounds: &Rounds) {
    let of =
        |launcher, pick: &dyn Fn(&Sample) -> f64| median(&rounds.of(launcher).iter().map(pick).collect::<Vec<f64>>());
    let _ = writeln!(text, "| processor time until *managed* with {}, ms | xinit | startx | startxd |", wm.name());
    let _ = writeln!(text, "|---|--:|--:|--:|");
    let mut line = |what: &str, pick: &dyn Fn(&Sample) -> f64| {
        let cells: Vec<String> = Launcher::ALL.iter().map(|&launcher| format!("{:.1}", of(launcher, pick))).collect();
        let _ = writeln!(text, "| {what} | {} |", cells.join(" | "));
    };
    line("all of the guest", &|sample| sample.guest_cpu);
    for (index, (what, _)) in cost::PARTS.iter().enumerate() {
        line(what, &|sample| sample.parts[index]);
    }
    line("the rest: the window manager as a unit, udev, what else runs", &|sample| {
        sample.guest_cpu - sample.parts.iter().sum::<f64>()
    });
    text.push('\n');
}

/// What happened when, in the median round of each launcher.
fn breakdown(text: &mut String, wm: WindowManager, rounds: &Rounds) {
    for (launcher, samples) in rounds.by_launcher() {
        let cpu: Vec<f64> = samples.iter().map(|sample| sample.guest_cpu).collect();
        let what = format!("one start in ms (processor time of the whole guest until then: {} ms)", cell(&cpu));
        let of_median = |pick: fn(&Sample) -> f64| {
            let mut samples: Vec<&Sample> = samples.iter().collect();
            samples.sort_by(|one, other| pick(one).total_cmp(&pick(other)));
            samples.get(samples.len() / 2).copied()
        };
        for (what, line) in [
            (what.as_str(), of_median(|sample| sample.start).map(|sample| &sample.timeline)),
            ("one end in ms", of_median(|sample| sample.end).map(|sample| &sample.end_timeline)),
        ] {
            let _ = writeln!(text, "{} by {launcher:?}, {what}:", wm.name());
            for (what, when) in line.into_iter().flatten() {
                let _ = writeln!(text, "{when:9.1}  {what}");
            }
            text.push('\n');
        }
    }
}

/// X.Org's release numbers: 12101007 is 21.1.7 (include/xorg-server.h).
fn version(release: u32) -> String {
    format!("{}.{}.{}", release / 100_000 % 100, release / 1000 % 100, release % 1000)
}

/// The median and the quartiles.
fn cell(values: &[f64]) -> String {
    format!("{:.1} ({:.1}–{:.1})", median(values), quantile(values, 0.25), quantile(values, 0.75))
}

fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}
