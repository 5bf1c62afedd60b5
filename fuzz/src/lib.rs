//! What holds for every input that another process may have written: one module and one function `holds` for each kind
//! of input, which fails by a panic.
//!
//! libFuzzer calls them with what it thinks up (`make fuzz`, [`fuzz_targets`](../fuzz_targets)), and `cargo test` with
//! what it thought up before (`tests/corpus.rs`, which includes this file). For one more: a module here with its line in
//! [`TARGETS`], a file in `fuzz_targets` with its `[[bin]]` in Cargo.toml, and at least one file in `corpus/NAME`.

pub mod authority;
pub mod config;
pub mod desktop_entry;
pub mod displays;
pub mod environment;
pub mod launch;
pub mod names;
pub mod output;
pub mod record;
pub mod server;

/// A target's name, and what holds for its inputs.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("authority", authority::holds),
    ("config", config::holds),
    ("desktop_entry", desktop_entry::holds),
    ("displays", displays::holds),
    ("environment", environment::holds),
    ("launch", launch::holds),
    ("names", names::holds),
    ("output", output::holds),
    ("record", record::holds),
    ("server", server::holds),
];
