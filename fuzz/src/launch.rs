//! Messages of the launch socket: from whatever connects to it, and from whatever listens in the host's place.

use startxd::for_tests::deadline::{Deadlines, MAX};
use startxd::for_tests::launch::{MAX_MESSAGE, Reply, Request};

/// A message is understood only if it is, byte for byte, what we would have sent; the longest one fits.
pub fn holds(input: &[u8]) {
    match Request::decode(input) {
        Ok(request) => {
            assert!(input.len() <= MAX_MESSAGE);
            assert_eq!(request.encode(), input);
            assert!(Reply::decode(input).is_err(), "one message, two meanings: {request:?}");
        }
        Err(problem) => is_for_people(&problem.to_string()),
    }
    match Reply::decode(input) {
        Ok(reply) => {
            assert!(input.len() <= MAX_MESSAGE);
            assert_eq!(reply.encode(), input);
            if let Reply::Launched(pid, told) = reply {
                assert!(pid.as_raw() > 1, "kill(2) has other meanings for such a pid");
                let mut deadlines = Deadlines::default();
                told.apply(&mut deadlines);
                let mut all = Deadlines::FIELDS.iter().map(|field| (field.get)(&deadlines));
                assert!(all.all(|deadline| !deadline.is_zero() && deadline <= MAX), "{deadlines:?}");
            }
        }
        Err(problem) => is_for_people(&problem.to_string()),
    }
    // What people read is cut to what fits, at a character, and arrives as it was sent.
    let text = String::from_utf8_lossy(input).repeat(1 + MAX_MESSAGE / (input.len() + 1) % 3);
    let sent = Request::Failed(text.clone()).encode();
    assert!(sent.len() <= MAX_MESSAGE);
    match Request::decode(&sent) {
        Ok(Request::Failed(arrived)) => assert!(text.starts_with(&arrived)),
        other => panic!("{other:?}"),
    }
    let sent = Reply::Refused(text.clone()).encode();
    assert!(sent.len() <= MAX_MESSAGE);
    assert!(matches!(Reply::decode(&sent), Ok(Reply::Refused(arrived)) if text.starts_with(&arrived)));
}

/// It goes to the journal and to a terminal: one line, and nothing of what the peer sent.
fn is_for_people(text: &str) {
    assert!(text.is_ascii() && !text.contains(|c: char| c.is_control()), "{text:?}");
}
