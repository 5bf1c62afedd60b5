//! Multiplexers on a machine without a screen: units, lingering, and the boot after which they are there.

mod ada;
mod enable;
mod terminal;
mod units;
mod variables;
mod wiki;
