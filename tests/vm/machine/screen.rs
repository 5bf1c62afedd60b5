//! What is on the display.

use std::fs;
use std::path::Path;

/// The colour of ada's root window, and of nothing else: no text and no other window has it.
pub const DESK: [u8; 3] = [0x3b, 0x4d, 0x61];

/// One frame.
pub struct Picture {
    pub width: usize,
    pub height: usize,
    /// Red, green and blue of each pixel, line by line.
    pixels: Vec<u8>,
}

impl Picture {
    /// Reads a PPM as QEMU writes it: `P6`, width, height and 255, each followed by white space, and then the pixels.
    ///
    /// # Panics
    /// When the file is not such a picture.
    pub fn read(file: &Path) -> Self {
        let bytes = fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let mut words = bytes.splitn(5, u8::is_ascii_whitespace);
        let mut word = || String::from_utf8_lossy(words.next().unwrap_or_default()).into_owned();
        assert_eq!(word(), "P6", "{}", file.display());
        let (width, height) = (word().parse().unwrap_or(0), word().parse().unwrap_or(0));
        assert_eq!(word(), "255", "{}", file.display());
        let pixels = words.next().unwrap_or_default().to_vec();
        assert!(width > 0 && pixels.len() == width * height * 3, "{width}x{height}: {} bytes", pixels.len());
        Self { width, height, pixels }
    }

    /// How much of it has that colour, in percent.
    pub fn share(&self, colour: [u8; 3]) -> usize {
        let count = self.pixels.chunks_exact(3).filter(|pixel| **pixel == colour).count();
        count * 100 / (self.width * self.height)
    }

    /// Whether a good part of it has that colour.
    pub fn shows(&self, colour: [u8; 3]) -> bool {
        self.share(colour) >= 10
    }
}
