//! The record of a session, which the next start acts upon.

use startxd::for_tests::records::Record as _;
use startxd::for_tests::records::session::SessionRecord;

/// A record that is read is one that would be written so, and what is wrong with another is said in a line.
pub fn holds(input: &[u8]) {
    match SessionRecord::from_toml(input) {
        Ok(record) => {
            let written = record.to_toml().expect("every record can be written");
            // TOML can be written in several ways, so it is the first rewriting that is final.
            let again = SessionRecord::from_toml(written.as_bytes()).expect("what is written can be read");
            assert_eq!(again, record);
            assert_eq!(again.to_toml().expect("every record can be written"), written);
            let names = record.before.keys().chain(&record.exported).chain(&record.units);
            let length: usize = names.map(String::len).sum();
            assert!(length <= input.len(), "{length} bytes out of {}", input.len());
        }
        Err(problem) => {
            let problem = problem.to_string();
            assert!(problem.len() <= 1000 + 8 * input.len(), "{problem}");
        }
    }
}
