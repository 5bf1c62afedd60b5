//! The protocol between the host and its clients on the launch socket, `$XDG_RUNTIME_DIR/startxd/host.sock`.
//!
//! One message is one datagram of a `SOCK_SEQPACKET` socket (unix(7)): a line of ASCII, for some messages followed by
//! text. A client connects, sends one request, and reads replies until end-of-file:
//!
//! | request | descriptors | replies |
//! |---|---|---|
//! | `startxd/1 launch display=:N listeners=L` | the server's output, then L listening sockets | `later` if it has to wait, `launched pid=P NAME=NANOSECONDS ...` with a pidfd and the display's abstract name, later `exited code=C` or `exited signal=S`; or `refused` |
//! | `startxd/1 stop` | | `stopping`, and end-of-file when the session is gone; or `refused` |
//! | `startxd/1 lock` | | `locked` when the screen is locked; or `refused`, with the reason |
//! | `startxd/1 unlock` | | `unlocked` when the screen is open; or `refused`, with the reason |
//! | `startxd/1 state` | | `state` with lines ([`ScreenState`]) |
//! | `startxd/1 failed` + text | | none: the supervisor's last words about a server that it gave up |
//!
//! After the pid come deadlines of the host, which override those of the supervisor: they may be from the host's
//! command line. A supervisor also accepts a launch without them, because after an upgrade a new supervisor may get one
//! from an older host that still runs. After a downgrade during a session, the older supervisor does not understand the
//! reply, says so, and the session ends when its server crashes.
//!
//! Nothing about the peer is trusted except its uid, which the kernel provides: malformed messages are refused, their
//! descriptors are closed, and nothing else happens.

mod message;
mod socket;
mod state;

pub use crate::os::Ending;
pub use message::{HostDeadlines, MAX_MESSAGE, Reply, Request};
pub use socket::{Connection, Listener};
pub use state::ScreenState;
