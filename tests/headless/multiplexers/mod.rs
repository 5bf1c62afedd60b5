//! Multiplexers on a machine without a screen: units, lingering, and their start at boot.

mod ada;
mod enable;
mod terminal;
mod units;
mod variables;
mod wiki;
