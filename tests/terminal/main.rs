//! Sessions on virtual terminals, in guests that have the kernel's terminals: one guest, and one case, at a time.
//!
//! One program for all of it, as the shared code takes longer to compile than the cases. Run a module by its name:
//! `cargo test --test terminal -- --test-threads=1 faults::`.

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../hostile/mod.rs"]
mod hostile;
#[path = "../pages/mod.rs"]
mod pages;
#[path = "../scenario/mod.rs"]
mod scenario;

mod access;
mod analyze;
mod anytime;
mod attributes;
mod autologin;
mod bad_input;
mod choice;
mod display;
mod doctor;
mod dotfiles;
mod ending;
mod env_files;
mod environment;
mod faults;
mod greeter;
mod home;
mod idle;
mod launch_socket;
mod lock;
mod lock_hostile;
mod logout;
mod multiplexer;
mod names;
mod ready;
mod recipes;
mod refusals;
mod relock;
mod security;
mod select;
mod session;
mod settings;
mod shells;
mod sleep;
mod smoke;
mod system_unit;
mod targets;
mod user_names;
mod window_manager;
mod xinit;
mod zap;
