//! What tests from outside use, item by item: the fuzzer's targets, `tests/properties.rs` and the benchmark.
//!
//! The paths are those inside the crate. Whatever is not named here is private, so the compiler finds what nobody uses.

pub mod attach {
    pub use crate::attach::local;
}

pub mod autologin {
    pub mod agetty {
        pub use crate::autologin::agetty::with_autologin;
    }
    pub mod drop_in {
        pub use crate::autologin::drop_in::DropIn;
    }
    pub mod person {
        pub use crate::autologin::person::{is_plain, people};
    }
    pub mod profile {
        pub use crate::autologin::profile::{with_line, without_line};
    }
}

pub mod config {
    pub use crate::config::{Config, FILE_NAME, Loaded, Origin, Places, Ready, keys, load};
    pub mod server_args {
        pub use crate::config::server_args::refusal;
    }
    pub mod size {
        pub use crate::config::size::{Size, depth};
    }
}

pub mod deadline {
    pub use crate::deadline::{Deadlines, MAX, STEADY};
}

pub mod desktop_entry {
    pub use crate::desktop_entry::{BrokenEntry, DesktopEntry, Locale, parse};
}

pub mod displays {
    pub mod claim {
        pub use crate::displays::claim::{ClaimSettings, ClaimState, seconds};
    }
}

pub mod doctor {
    pub use crate::doctor::Description;
    pub use crate::doctor::render;
    pub mod multiplexers {
        pub use crate::doctor::multiplexers::is_session;
    }
    pub mod portals {
        pub use crate::doctor::portals::is_for;
    }
    pub mod server {
        pub use crate::doctor::server::{names_deviceless_driver, needs_root_rights};
    }
    pub mod snippets {
        pub use crate::doctor::snippets::{StartupFile, judge};
    }
    pub mod units {
        pub mod file {
            pub use crate::doctor::units::file::UnitFile;
        }
    }
    pub mod versions {
        pub use crate::doctor::versions::{numbers, server_line};
    }
}

pub mod environment {
    pub use crate::environment::{Block, export};
    pub mod block {
        pub use crate::environment::block::{parse, render};
    }
    pub mod files {
        pub use crate::environment::files::names;
    }
    pub mod policy {
        pub use crate::environment::policy::{is_name, travels};
    }
    pub mod restore {
        pub use crate::environment::restore::{Changes, bus_values, difference};
    }
    pub mod sourced {
        pub use crate::environment::sourced::{last_whole, script};
    }
}

pub mod host {
    pub mod backoff {
        pub use crate::host::backoff::FailureStreak;
    }
    pub mod orphan {
        pub use crate::host::orphan::has_authority;
    }
}

pub mod launch {
    pub use crate::launch::{MAX_MESSAGE, Reply, Request};
}

pub mod manager {
    pub mod inbox {
        pub use crate::manager::inbox::{Inbox, Wanted};
    }
    pub mod names {
        pub use crate::manager::names::{
            GRAPHICAL_SESSION, UNIT_NAMESPACE, WM_READY_TARGET, WM_TARGET, XORG_TARGET, is_session_service,
            object_path, session_service, unit_of_path, xorg_service, xorg_socket,
        };
    }
}

pub mod multiplexer {
    pub use crate::multiplexer::{Kind, Name};
    pub mod command {
        pub use crate::multiplexer::command::complaint;
    }
    pub mod remembered {
        pub use crate::multiplexer::remembered::Remembered;
    }
    pub mod screen {
        pub use crate::multiplexer::screen::{environment, named};
    }
    pub mod service {
        pub use crate::multiplexer::service::innermost_unit;
    }
    pub mod sockets {
        pub use crate::multiplexer::sockets::listens;
    }
    pub mod tell {
        pub use crate::multiplexer::tell::Told;
    }
    pub mod tmux {
        pub use crate::multiplexer::tmux::{is_id, launcher, pane, said, session};
    }
    pub mod variables {
        pub use crate::multiplexer::variables::{
            PreviousValue, SSH_CONNECTION, Scope, TOLD, commands, parse, to_give_back, to_set,
        };
    }
}

pub mod os {
    pub use crate::os::{is_exiting, status, vt_of_stat};
    pub mod unix_sockets {
        pub use crate::os::unix_sockets::named;
    }
}

pub mod records {
    pub use crate::records::Record;
    pub mod attached {
        pub use crate::records::attached::AttachedRecord;
    }
    pub mod last {
        pub use crate::records::last::LastSession;
    }
    pub mod session {
        pub use crate::records::session::SessionRecord;
    }
}

pub mod select {
    pub mod keys {
        pub use crate::select::keys::{Keys, PressedKey};
    }
    pub mod memory {
        pub use crate::select::memory::choice;
    }
    pub mod menu {
        pub use crate::select::menu::{Item, Menu, Step};
    }
}

pub mod server {
    pub mod lines {
        pub use crate::server::lines::{LINE, Lines};
    }
}

pub mod session {
    pub use crate::session::SessionRequest;
    pub mod applications {
        pub use crate::session::applications::is_in;
    }
}

pub mod text {
    pub use crate::text::{one_line, quoted, shell_word};
}

pub mod unit_file {
    pub use crate::unit_file::{Assignment, assignments, values};
}

pub mod x11 {
    pub mod client {
        pub use crate::x11::client::{Client, readable};
    }
    pub mod cookie {
        pub use crate::x11::cookie::Cookie;
    }
    pub mod display {
        pub use crate::x11::display::{Display, SOCKET_DIR};
    }
    pub mod managed {
        pub use crate::x11::managed::Watch;
    }
    pub mod occupied {
        pub use crate::x11::occupied::{BoundDisplays, bound_displays, lock_holder};
    }
    pub mod packets {
        pub use crate::x11::packets::{MAX_PACKET, Packets};
    }
    pub mod xauthority {
        pub use crate::x11::xauthority::{AuthorityEntry, PROTOCOL, decode, encode, entries_for, find_cookie};
    }
}
