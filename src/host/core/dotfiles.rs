//! When `~/.Xresources` and the like are read: once for each server, before the window manager starts.

use super::event::Action;
use super::{Purpose, Session};
use crate::manager::names;
use crate::session::dotfiles::DotfilesTime;

impl Session {
    /// Has them read for the server with this number, if now is the time for it.
    pub(super) fn read_dotfiles(&mut self, time: DotfilesTime, server: u32) {
        if self.setup.dotfiles == time && self.dotfiles_of < server {
            let again = std::mem::replace(&mut self.dotfiles_of, server) > 0;
            let order = self.jobs.ask(Purpose::Dotfiles);
            self.act(Action::ReadDotfiles { order, again });
        }
    }
}

/// The session continues without them.
pub(super) fn are_not_read(why: &str) {
    let unit = names::DOTFILES_SERVICE;
    tracing::warn!(
        "~/.Xresources, ~/.xprofile and the like were not all read ({why}); see: journalctl --user -b -u {unit}"
    );
}
