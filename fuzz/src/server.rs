//! What an X server sends: the setup reply, and then replies and events to somebody who asks who manages the display.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream as StdStream;
use std::time::Duration;

use startxd::for_tests::x11::client::Client;
use startxd::for_tests::x11::cookie::Cookie;
use startxd::for_tests::x11::managed::Watch;
use startxd::for_tests::x11::packets::{MAX_PACKET, Packets};
use tokio::net::UnixStream;

/// Whatever it sends, the client comes to an end with the stream at the latest, and shows nothing that is not text.
pub fn holds(input: &[u8]) {
    packets(input);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (ours, mut theirs) = StdStream::pair().expect("a pair of sockets");
    theirs.set_nonblocking(true).expect("a socket");
    // More than fits into the socket would be nothing new.
    let _ = theirs.write(input);
    theirs.shutdown(std::net::Shutdown::Write).expect("a socket");
    ours.set_nonblocking(true).expect("a socket");
    runtime.block_on(async {
        let stream = UnixStream::from_std(ours).expect("a socket in a runtime");
        let asked = tokio::time::timeout(Duration::from_secs(10), ask(stream)).await;
        let error = asked.expect("the stream has ended, so there is nothing to wait for");
        assert!(!error.contains(|c: char| c.is_control()), "{error:?}");
    });
    let mut request = Vec::new();
    let _ = theirs.read_to_end(&mut request);
    assert!(request.len() < 64 * 1024, "{} bytes of requests", request.len());
}

/// All that is ever asked, until the server is gone; returns the error that this must come to.
async fn ask(stream: UnixStream) -> String {
    let client = match Client::over(stream, &Cookie::from_bytes([7; 16])).await {
        Ok(client) => client,
        Err(error) => return error.to_string(),
    };
    let mut watch = match Watch::new(client).await {
        Ok(watch) => watch,
        Err(error) => return error.to_string(),
    };
    for _ in 0..3 {
        match watch.look_harder().await {
            Ok(Some(manager)) => {
                let name = manager.name.unwrap_or_default();
                assert!(!name.contains(|c: char| c.is_control()), "{name:?}");
                assert!(name.len() <= MAX_PACKET && manager.pid.is_none_or(|pid| pid.as_raw() > 1));
            }
            Ok(None) => {}
            Err(error) => return error.to_string(),
        }
    }
    if let Err(error) = watch.managed().await {
        return error.to_string();
    }
    watch.closed().await.to_string()
}

/// The packets are the stream, cut; however it came in pieces.
fn packets(input: &[u8]) {
    let whole = cut(input, usize::MAX);
    assert_eq!(cut(input, 1 + input.len() % 7), whole);
    let all = whole.concat();
    assert!(input.starts_with(&all), "a packet has what was not sent");
}

fn cut(mut rest: &[u8], piece: usize) -> Vec<Vec<u8>> {
    let (mut packets, mut found) = (Packets::default(), Vec::new());
    while !rest.is_empty() {
        let buffer = packets.buffer();
        assert!((1..=MAX_PACKET).contains(&buffer.len()));
        let count = buffer.len().min(piece).min(rest.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        rest = &rest[count..];
        match packets.advance(count) {
            Ok(packet) => found.extend(packet),
            Err(_) => break,
        }
    }
    found
}
