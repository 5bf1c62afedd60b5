//! The records of what multiplexers had, and of what was set up for them.

use startxd::for_tests::multiplexer::remembered::Remembered;
use startxd::for_tests::multiplexer::tell::Told;
use startxd::for_tests::multiplexer::variables::TOLD;
use startxd::for_tests::records::Record as _;

/// What is read is what would be written so, and has nothing in it that others must not be told to change.
pub fn holds(input: &[u8]) {
    if let Ok(told) = Told::from_toml(input) {
        for (name, value) in &told.variables {
            assert!(TOLD.contains(&name.as_str()), "{name}");
            assert!(!value.is_empty() && !value.contains(char::is_control), "{value:?}");
        }
        let written = told.to_toml().expect("every record can be written");
        assert_eq!(Told::from_toml(written.as_bytes()).expect("what is written can be read"), told);
    }
    match Remembered::from_toml(input) {
        Ok(remembered) => {
            let written = remembered.to_toml().expect("every record can be written");
            let again = Remembered::from_toml(written.as_bytes()).expect("what is written can be read");
            assert_eq!(again, remembered);
            assert_eq!(again.to_toml().expect("every record can be written"), written);
            assert!(remembered.units.iter().map(String::len).sum::<usize>() <= input.len());
        }
        Err(why) => {
            let why = why.to_string();
            assert!(why.len() <= 1000 + 8 * input.len(), "{why}");
        }
    }
}
