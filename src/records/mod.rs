//! Records that one process of startxd writes for a later one, as TOML.
//!
//! A record with a version has it in its first line, and is read only by a startxd that writes the same version. Other
//! conditions are in [`Record::checked`] of its type.

pub mod attached;
pub mod last;
pub mod session;

use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{files, small_file};

/// Why a record could not be read.
#[derive(Debug, Error)]
pub enum Unreadable {
    /// The file could not be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is something else, or of another version of startxd.
    #[error("it is not {what} of this version of startxd: {why}")]
    Form {
        /// The expected kind of record, with its article.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

impl From<Unreadable> for io::Error {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Io(error) => error,
            form @ Unreadable::Form { .. } => Self::other(form.to_string()),
        }
    }
}

/// The line with the version.
#[derive(Deserialize)]
struct Head {
    version: u32,
}

/// Something that is recorded.
pub trait Record: Serialize + DeserializeOwned {
    /// Its name, with an article, for messages.
    const WHAT: &'static str;

    /// The version of its format; `None` for one that only processes of the same boot and the same version exchange.
    const VERSION: Option<u32>;

    /// Checks a record after it was read.
    ///
    /// # Errors
    /// What is wrong with it, although its format is right.
    fn checked(self) -> Result<Self, String> {
        Ok(self)
    }

    /// The text of the file.
    ///
    /// # Errors
    /// A path in it is not text.
    fn to_toml(&self) -> io::Result<String> {
        let fields = toml::to_string(self).map_err(io::Error::other)?;
        Ok(Self::VERSION.map_or_else(String::new, |version| format!("version = {version}\n")) + &fields)
    }

    /// Takes the text of the file and returns the record.
    ///
    /// # Errors
    /// [`Unreadable::Form`].
    fn from_toml(bytes: &[u8]) -> Result<Self, Unreadable> {
        let wrong = |why: String| Unreadable::Form { what: Self::WHAT, why };
        let form = |error: toml::de::Error| wrong(error.message().to_owned());
        if let Some(ours) = Self::VERSION {
            let Head { version } = toml::from_slice(bytes).map_err(form)?;
            if version != ours {
                return Err(wrong(format!("version {version}")));
            }
        }
        toml::from_slice(bytes).map_err(form).and_then(|record: Self| record.checked().map_err(wrong))
    }

    /// Writes it atomically, created with mode 0600.
    ///
    /// # Errors
    /// The directory is full or not writable.
    fn save(&self, path: &Path) -> io::Result<()> {
        files::replace(path, self.to_toml()?, 0o600)
    }

    /// Writes one that outlives the boot: on the disk when this returns, in directories that only their owner can
    /// enter. If there is nothing to record, the file is removed.
    ///
    /// # Errors
    /// The directory cannot be made or written to.
    fn keep_or_remove(&self, path: &Path) -> io::Result<()>
    where
        Self: Default + PartialEq,
    {
        if *self == Self::default() {
            return files::remove_if_there(path);
        }
        files::make_directory_of(path)?;
        files::replace_durably(path, &self.to_toml()?, 0o600)
    }

    /// Reads what [`Record::keep_or_remove`] has written; nothing to remember if there is no such file.
    ///
    /// # Errors
    /// There is one that cannot be read.
    fn kept(path: &Path) -> io::Result<Self>
    where
        Self: Default,
    {
        let bytes = small_file::read_if_there(path)?;
        bytes.map_or_else(|| Ok(Self::default()), |bytes| Ok(Self::from_toml(&bytes)?))
    }

    /// Reads it; `None` if there is no such file.
    ///
    /// # Errors
    /// [`Unreadable`].
    fn load(path: &Path) -> Result<Option<Self>, Unreadable> {
        small_file::read_ours(path)?.map(|bytes| Self::from_toml(&bytes)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};

    use super::Record;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Example {
        table: BTreeMap<String, u32>,
        number: Option<f64>,
    }

    impl Record for Example {
        const WHAT: &'static str = "an example";
        const VERSION: Option<u32> = Some(3);

        fn checked(self) -> Result<Self, String> {
            if self.number == Some(0.0) { Err("it is nothing".to_owned()) } else { Ok(self) }
        }
    }

    #[test]
    fn the_version_is_first() {
        let example = Example { table: BTreeMap::from([("version".to_owned(), 4)]), number: Some(0.5) };
        let text = example.to_toml().unwrap();
        assert!(text.starts_with("version = 3\n"), "{text}");
        assert_eq!(Example::from_toml(text.as_bytes()).unwrap(), example);
        for (text, why) in [
            ("", "missing field `version`"),
            ("version = 2\nsomething = 'else'", "version 2"),
            ("version = 3", "missing field `table`"),
            ("version = 3\nnumber = 0\n[table]", "it is nothing"),
        ] {
            let error = Example::from_toml(text.as_bytes()).unwrap_err().to_string();
            assert_eq!(error, format!("it is not an example of this version of startxd: {why}"));
        }
    }
}
