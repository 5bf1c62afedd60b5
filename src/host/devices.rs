//! The server's devices: what follows when logind has taken them away.

use super::ground::Control;
use super::life::Life;
use super::why::Why;
use crate::manager::names;

/// What is known of the devices of a session's server.
#[derive(Default)]
pub(super) struct Devices {
    /// Whether a server would get none now.
    withheld: bool,
    /// Whether the server that runs has lost its own, and has to make place for one that gets them.
    wants_new_server: bool,
}

impl Devices {
    /// Whether a server that was launched now would get none.
    pub(super) const fn are_withheld(&self) -> bool {
        self.withheld
    }

    /// The server has ended: whatever it lacked, the next one is another.
    pub(super) const fn server_ended(&mut self) {
        self.wants_new_server = false;
    }
}

impl Life {
    /// A server is to come back: not before it would get its devices, which may be gone meanwhile, or in the background.
    /// That is asked for while the window manager is on its way back, so that as a rule nobody waits for the answer.
    pub(super) fn ask_for_devices(&mut self) {
        self.devices.withheld = true;
        self.ground.ask();
    }

    /// The server's control of the login session has changed. `Some` if that ends the session.
    pub(super) async fn control_changed(&mut self, control: Control) -> Option<Why> {
        match control {
            Control::Lost(why) => {
                tracing::error!("{why}: the X server has lost its screen, keyboard and mouse, and is started again");
                self.devices = Devices { withheld: true, wants_new_server: self.serving.server.is_some() };
                None
            }
            Control::Possible => {
                self.devices.withheld = false;
                self.replace_server().await
            }
            Control::Gone(why) => Some(Why::LogindLost(why)),
        }
    }

    /// Starts the server again if it needs that and can be. `Some` if that ends the session.
    pub(super) async fn replace_server(&mut self) -> Option<Why> {
        // One that is still starting may have been too early or just in time: it is replaced once it serves.
        if !self.devices.wants_new_server || self.devices.withheld || !self.serving.has_served {
            return None;
        }
        self.devices.wants_new_server = false;
        let unit = names::xorg_service(self.prepared.display);
        match self.link.manager()?.restart(&unit).await {
            Ok(_) => None,
            Err(error) => Some(Why::NotStarted { unit, why: error.to_string() }),
        }
    }
}
