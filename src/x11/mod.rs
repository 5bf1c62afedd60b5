//! The X side: display names, cookies, the server's command line, the handshake, who manages the
//! display, who locks it, and whether somebody is at it.

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
