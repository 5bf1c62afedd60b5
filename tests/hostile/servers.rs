//! Servers that misbehave, compiled for the guest.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

use crate::harness::Guest;

/// Their directory in the guest.
pub const DIR: &str = "/usr/local/lib/hostile";

/// Puts the server `name` of `servers.c` into the guest, and returns its path there.
///
/// # Panics
/// When there is no C compiler. Building Rust programs needs one anyway, for linking.
pub fn install(guest: &Guest, name: &str) -> String {
    let path = format!("{DIR}/{name}");
    guest.root(&format!("mkdir -p {DIR}")).ok();
    fs::write(guest.outside(&path), built()).unwrap_or_else(|e| panic!("{path}: {e}"));
    guest.root(&format!("chmod 755 {path}")).ok();
    path
}

/// The program, built once per test program.
fn built() -> &'static [u8] {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile/servers.c");
        let program = env::temp_dir().join(format!("startxd-hostile-{}", std::process::id()));
        let run = Command::new("cc").args(["-static", "-O1", "-o"]).arg(&program).arg(&source).output();
        let run = run.unwrap_or_else(|e| panic!("cc, the C compiler, cannot be run: {e}"));
        assert!(run.status.success(), "cc: {}", String::from_utf8_lossy(&run.stderr));
        let bytes = fs::read(&program).unwrap_or_else(|e| panic!("{}: {e}", program.display()));
        let _ = fs::remove_file(program);
        bytes
    })
}
