//! What the user manager sends over its own socket, before it is parsed.

use std::sync::Arc;

use startxd::for_tests::manager::inbox::{Inbox, Wanted};

/// What comes out of an inbox that gets the stream in pieces of this size; `None` if it is refused.
fn through(stream: &[u8], size: usize) -> Option<Vec<u8>> {
    let wanted = Arc::new(Wanted::default());
    wanted.listen();
    wanted.watch("/org/freedesktop/systemd1/unit/i3_2eservice");
    let (mut inbox, mut all, mut buffer) = (Inbox::new(wanted), Vec::new(), [0; 64]);
    for piece in stream.chunks(size.max(1)) {
        inbox.put(piece).ok()?;
        loop {
            match inbox.take(&mut buffer) {
                0 => break,
                length => all.extend_from_slice(&buffer[..length]),
            }
        }
    }
    Some(all)
}

/// It makes no difference how the bytes come, and nothing comes out that did not come in. The first byte is the size of the
/// pieces.
///
/// # Panics
/// When that does not hold.
pub fn holds(input: &[u8]) {
    let Some((&size, stream)) = input.split_first() else { return };
    let whole = through(stream, stream.len());
    assert_eq!(whole, through(stream, usize::from(size)), "in pieces of {size}");
    assert!(whole.is_none_or(|whole| whole.len() <= stream.len()));
}
