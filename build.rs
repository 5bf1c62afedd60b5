//! What the linker is told that Cargo.toml has no place for.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // Some 6,000 places hold addresses of the program itself. Each takes 24 bytes in the file, or a bit or two in the form that
    // glibc 2.36 reads, which Debian 12 has (ld(1), `pack-relative-relocs`). A linker that does not know it warns and goes on.
    if std::env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|environment| environment == "gnu") {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
