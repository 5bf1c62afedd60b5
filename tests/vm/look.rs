//! `make vm-try`: a picture of the desktop, for people.

use std::env;
use std::path::{Path, PathBuf};

use crate::machine::Case;

#[test]
#[ignore = "make vm-try runs it"]
#[expect(clippy::print_stdout, reason = "it is for people")]
fn at_the_desktop() {
    let case = Case::desktop();
    case.type_line("startxd status");
    // The shell sets the title once its prompt is back.
    case.type_line("printf done >~/shown");
    case.until_root("what it says", "[ -s /home/ada/shown ]");
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(target).join("try").join(format!("vm-{}.png", case.suite()));
    case.photograph(&file);
    println!("{}: {}", case.suite(), file.display());
}
