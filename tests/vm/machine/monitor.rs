//! Monitors that are plugged in and out: QEMU has an output of virtio-gpu connected while a VNC client that shows it
//! asks for a size (RFC 6143; the extension is ExtendedDesktopSize of the community's RFB specification).

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::harness::{secs, wait_until};

/// The pseudo-encoding by which a client says that it may ask for another size.
const EXTENDED_DESKTOP_SIZE: i32 = -308;

/// The client of one output.
pub struct Monitor {
    stream: UnixStream,
}

impl Monitor {
    /// Connects to the server of an output.
    ///
    /// # Panics
    /// When that is not QEMU's VNC server, without a password.
    pub fn connect(socket: &Path) -> Self {
        let stream =
            wait_until("QEMU's VNC server", secs(20), || UnixStream::connect(socket).map_err(|e| e.to_string()));
        let mut monitor = Self { stream };
        monitor.shake_hands().unwrap_or_else(|e| panic!("{}: {e}", socket.display()));
        monitor
    }

    fn shake_hands(&mut self) -> std::io::Result<()> {
        self.stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut version = [0; 12];
        self.stream.read_exact(&mut version)?;
        self.stream.write_all(b"RFB 003.008\n")?;
        // The kinds of security; none is 1.
        let mut count = [0];
        self.stream.read_exact(&mut count)?;
        let mut kinds = vec![0; usize::from(count[0])];
        self.stream.read_exact(&mut kinds)?;
        self.stream.write_all(&[1])?;
        let mut result = [0; 4];
        self.stream.read_exact(&mut result)?;
        // Shared with others; then size, format and name come.
        self.stream.write_all(&[1])?;
        let mut init = [0; 24];
        self.stream.read_exact(&mut init)?;
        let length = u32::from_be_bytes([init[20], init[21], init[22], init[23]]);
        let mut name = vec![0; usize::try_from(length).unwrap_or_default()];
        self.stream.read_exact(&mut name)?;
        let mut encodings = vec![2, 0, 0, 1];
        encodings.extend(EXTENDED_DESKTOP_SIZE.to_be_bytes());
        self.stream.write_all(&encodings)
    }

    /// Plugs the monitor in with this size, or changes it; with 0 by 0 it is plugged out. The server's frames are not
    /// read: it is asked for none.
    ///
    /// # Panics
    /// When the server is gone.
    pub fn shows(&mut self, width: u16, height: u16) {
        // SetDesktopSize with one screen: its id, its place, its size and its flags.
        let mut message = vec![251, 0];
        message.extend(width.to_be_bytes());
        message.extend(height.to_be_bytes());
        message.extend([1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        message.extend(width.to_be_bytes());
        message.extend(height.to_be_bytes());
        message.extend([0; 4]);
        self.stream.write_all(&message).unwrap_or_else(|e| panic!("QEMU's VNC server: {e}"));
    }
}
