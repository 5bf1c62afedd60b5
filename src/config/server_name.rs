//! The server of a display without a screen, as people name it; pure.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The server that is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ServerName {
    /// Xvfb(1).
    #[default]
    Xvfb,
    /// Xephyr(1).
    Xephyr,
    /// Xvnc(1).
    Xvnc,
    /// The program with this absolute path.
    Path(PathBuf),
}

impl ServerName {
    /// The accepted values, for people; a test compares them with [`ServerName::WORDS`].
    pub const TAKES: &'static str = "\"xvfb\", \"xephyr\", \"xvnc\", or an absolute path";

    /// The words, and their meanings.
    const WORDS: [(&'static str, Self); 3] = [("xvfb", Self::Xvfb), ("xephyr", Self::Xephyr), ("xvnc", Self::Xvnc)];
}

impl FromStr for ServerName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with('/') && !text.contains('\0') {
            return Ok(Self::Path(text.into()));
        }
        let known = Self::WORDS.into_iter().find(|(word, _)| *word == text);
        known.map(|(_, name)| name).ok_or_else(|| {
            let words = Self::WORDS.map(|(word, _)| format!("{word:?}")).join(", ");
            format!("write {words} or an absolute path instead of {text:?}")
        })
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            known => {
                let word = Self::WORDS.into_iter().find(|(_, name)| name == known);
                f.write_str(word.map_or("", |(word, _)| word))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ServerName;

    #[test]
    fn words_and_paths() {
        for text in ["xvfb", "xephyr", "xvnc", "/opt/Xvfb"] {
            assert_eq!(text.parse::<ServerName>().unwrap().to_string(), text);
        }
        for text in ["Xvfb", "./Xvfb", "", "xorg", "/opt/\0"] {
            let why = text.parse::<ServerName>().unwrap_err();
            assert_eq!(why, format!("write \"xvfb\", \"xephyr\", \"xvnc\" or an absolute path instead of {text:?}"));
        }
        let words = ServerName::WORDS.map(|(word, _)| format!("{word:?}, ")).concat();
        assert_eq!(ServerName::TAKES, format!("{words}or an absolute path"));
        assert_eq!(ServerName::default().to_string(), "xvfb");
    }
}
