//! Terminal multiplexers: tmux, screen and zellij as units of the user manager, which outlive X and the login.
//!
//! | module | what it does |
//! |---|---|
//! | [`name`] | which names sessions may have, and their units |
//! | [`service`] | what the units call: `startxd multiplexer check`, `ready`, `open`, `close`, `ended` |
//! | [`enable`] | `startxd enable multiplexer`: the units, and lingering |
//! | [`attach`] | `startxd start --multiplexer` |
//! | [`tell`] | gives a display's variables to running multiplexers, and undoes that |
//! | [`variables`] | the algebra for that |
//! | [`survey`] | what runs, for `startxd status` |
//! | [`tmux`], [`screen`], [`zellij`] | how each is found and queried |
//!
//! There is no library for talking to any of them: their own programs are run, each under a deadline.
//!
//! # One server for tmux
//!
//! `tmux.service` is the server on the default socket, and `tmux@NAME.service` a session in it, so that `tmux attach -t
//! NAME` finds what people expect. screen and zellij have a server for each session anyway.

pub mod attach;
pub mod command;
pub mod enable;
pub mod name;
pub mod remembered;
pub mod screen;
pub mod service;
pub mod sockets;
pub mod survey;
pub mod tell;
pub mod tmux;
pub mod variables;
pub mod zellij;

pub use name::{Kind, Name};
