//! `startxd enable wm`: the unit of a window manager, written and enabled for `wm.target`.
//!
//! | module | what it does |
//! |---|---|
//! | [`enable`] | chooses one, refuses, sets it up and undoes that |
//! | [`mod@unit`] | the text of the unit |
//! | [`record`] | what was written, so that only that is removed |

pub mod enable;
pub mod record;
pub mod unit;
