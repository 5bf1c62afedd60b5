//! What holds for every input that another process may have written: one module and one function `holds` for each kind
//! of input, which fails by a panic.
//!
//! libFuzzer calls them with what it thinks up (`make fuzz`, [`fuzz_targets`](../fuzz_targets)), and `cargo test` with
//! what it thought up before (`tests/corpus.rs`, which includes this file). For one more: a module here with its line in
//! [`TARGETS`], a file in `fuzz_targets` with its `[[bin]]` in Cargo.toml, and at least one file in `corpus/NAME`; what it
//! calls of startxd is named in `src/for_tests.rs`.

pub mod attached;
pub mod authority;
pub mod backoff;
pub mod claims;
pub mod config;
pub mod desktop_entry;
pub mod displays;
pub mod doctor;
pub mod environment;
pub mod getty;
pub mod last;
pub mod launch;
pub mod manager;
pub mod multiplexer_names;
pub mod names;
pub mod output;
pub mod processes;
pub mod profile;
pub mod record;
pub mod screen;
pub mod select;
pub mod server;
pub mod sourced;
pub mod tmux;
pub mod told;
pub mod unit_file;
pub mod unix_sockets;

/// A target's name, and what holds for its inputs.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("attached", attached::holds),
    ("authority", authority::holds),
    ("backoff", backoff::holds),
    ("claims", claims::holds),
    ("config", config::holds),
    ("desktop_entry", desktop_entry::holds),
    ("displays", displays::holds),
    ("doctor", doctor::holds),
    ("environment", environment::holds),
    ("getty", getty::holds),
    ("last", last::holds),
    ("launch", launch::holds),
    ("manager", manager::holds),
    ("multiplexer_names", multiplexer_names::holds),
    ("names", names::holds),
    ("output", output::holds),
    ("processes", processes::holds),
    ("profile", profile::holds),
    ("record", record::holds),
    ("screen", screen::holds),
    ("select", select::holds),
    ("server", server::holds),
    ("sourced", sourced::holds),
    ("tmux", tmux::holds),
    ("told", told::holds),
    ("unit_file", unit_file::holds),
    ("unix_sockets", unix_sockets::holds),
];

/// The words of a script as a shell takes them apart (XCU 2.2, "Quoting"), operators and all; `None` if a quote has no end.
fn words_of_a_shell(script: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut words, mut word, mut bytes) = (Vec::new(), None::<Vec<u8>>, script.iter().copied());
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' | b'\t' | b'\n' => words.extend(word.take()),
            b'\\' => word.get_or_insert_default().push(bytes.next()?),
            b'\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match bytes.next()? {
                        b'\'' => break,
                        byte => word.push(byte),
                    }
                }
            }
            _ => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word);
    Some(words)
}
