//! The rescue command, in the window manager's place.

use super::{NoSession, Surroundings};
use crate::attributes::Attributes;
use crate::manager::{names, transient};

/// The service of the rescue command, `words` being the program and its arguments. It is not started again.
///
/// # Errors
/// There is no such program.
pub fn rescue(words: &[String], around: &Surroundings) -> Result<transient::Service, NoSession> {
    let name = words.first().map(String::as_str).unwrap_or_default();
    let program = around.find(name).ok_or_else(|| NoSession::no_command(name))?;
    Ok(transient::Service {
        name: names::session_service("rescue"),
        description: "Rescue command, in the window manager's place".to_owned(),
        program,
        arguments: words.to_vec(),
        restart: None,
        directory: None,
        attributes: Attributes::of_this_process(),
    })
}
