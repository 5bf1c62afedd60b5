//! The records of what multiplexers had, and of what was set up for them.

use startxd::multiplexer::remembered::Remembered;
use startxd::multiplexer::tell::Told;
use startxd::multiplexer::variables::TOLD;

/// What is read is what would be written so, and has nothing in it that others must not be told to change.
pub fn holds(input: &[u8]) {
    if let Some(told) = Told::parse(input) {
        for (name, value) in told.variables() {
            assert!(TOLD.contains(&name.as_str()), "{name}");
            assert!(!value.is_empty() && !value.contains(char::is_control), "{value:?}");
        }
        let written = told.render().expect("every record can be written");
        assert_eq!(Told::parse(written.as_bytes()), Some(told));
    }
    match Remembered::parse(input) {
        Ok(remembered) => {
            let written = remembered.render().expect("every record can be written");
            let again = Remembered::parse(written.as_bytes());
            assert_eq!(again.as_ref(), Ok(&remembered));
            assert_eq!(again.and_then(|again| again.render().map_err(|error| error.to_string())), Ok(written));
            assert!(remembered.units.iter().map(String::len).sum::<usize>() <= input.len());
        }
        Err(why) => assert!(why.len() <= 1000 + 8 * input.len(), "{why}"),
    }
}
