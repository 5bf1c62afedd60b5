//! The X side: display names, cookies, the server's command line, the handshake, which window manager manages the
//! display, which locker locks it, and whether there is input.

pub mod client;
pub mod clients;
pub mod cookie;
pub mod display;
pub mod idle;
pub mod lockers;
pub mod managed;
pub mod number;
pub mod occupied;
pub mod packets;
mod redirect;
pub mod server;
pub mod xauthority;
