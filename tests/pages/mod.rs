//! Follows a page of docs in a guest: its blocks in order, as printed.
// Every test program compiles this module and uses a part of it.
#![allow(dead_code)]

use std::fs;
use std::path::Path;

use crate::harness::Case;

/// Commands for a person's own machine, at the other end of ssh.
const ELSEWHERE: [&str; 2] = ["ssh -L ", "vncviewer "];

/// The blocks of a page, each with its language.
pub fn blocks(page: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let fences = text.split("\n```").skip(1).step_by(2);
    fences.filter_map(|block| block.split_once('\n')).map(|(kind, block)| (kind.into(), format!("{block}\n"))).collect()
}

/// Follows a page as ada: writes its files and runs its commands, with sudo as root. The guest's tree has the packages.
///
/// # Panics
/// When a command fails, or there is none.
pub fn follow(case: &Case, page: &str) {
    let mut run = 0;
    for (kind, block) in blocks(page) {
        if kind != "sh" {
            write(case, page, &block);
            continue;
        }
        let lines = block.lines().map(|line| line.split(" #").next().unwrap_or_default().trim_end());
        for line in lines.filter(|line| !line.starts_with("sudo apt install ")) {
            if !ELSEWHERE.iter().any(|command| line.starts_with(command)) {
                run_line(case, line);
                run += 1;
            }
        }
    }
    assert!(run > 0, "{page} has no command");
}

/// Writes a file whose path is in its first line.
fn write(case: &Case, page: &str, text: &str) {
    let path = text.lines().next().and_then(|first| first.strip_prefix("# "));
    let path = path.unwrap_or_else(|| panic!("{page} does not say which file this is: {text}"));
    match path.strip_prefix("/home/").and_then(|rest| rest.split_once('/')) {
        Some((user, rest)) => case.write_as(user, &format!("~/{rest}"), text),
        None if path.starts_with("~/") => case.write_as("ada", path, text),
        None => case.write(path, text),
    }
}

/// Runs a line. `sudo` is not in the guests: it keeps the arguments that ada's shell has expanded, and changes the user.
fn run_line(case: &Case, line: &str) {
    let line = line.replace("$USER", "ada");
    let run = match line.strip_prefix("sudo ") {
        Some(command) => match command.strip_prefix("-u ") {
            Some(command) => case.root(&format!("cd /; runuser -u {}", command.replacen(' ', " -- ", 1))),
            None => case.root(command),
        },
        None => case.user("ada", &line),
    };
    run.ok();
}
