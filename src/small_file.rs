//! Reading a file that is small if it is what it should be, whatever it is that has its name.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;

/// Takes the path of a file that a person or a package wrote for us, and returns what is in it, at once: nothing that can
/// have a file's name is waited for. Links are followed, as such files are often kept elsewhere.
///
/// # Errors
/// It cannot be opened or read, is not a regular file, or is larger than 1 MiB, which is far above any real one.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_at_most(path, 1, OFlag::empty())
}

/// As [`read`], as text: what is not UTF-8 in it is replaced, for the rest may be what matters.
///
/// # Errors
/// As there.
pub fn text(path: &Path) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&read(path)?).into_owned())
}

/// As [`read`], or `None` if there is no such file.
///
/// # Errors
/// As there.
pub fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    if_there(read(path))
}

/// As [`read_if_there`], of a file that we have written ourselves, where a link is not ours and is not followed. It
/// may have 4 MiB, for it may hold a whole environment.
///
/// # Errors
/// As there.
pub fn read_ours(path: &Path) -> io::Result<Option<Vec<u8>>> {
    if_there(read_at_most(path, 4, OFlag::O_NOFOLLOW))
}

fn if_there(read: io::Result<Vec<u8>>) -> io::Result<Option<Vec<u8>>> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

fn read_at_most(path: &Path, mebibytes: u64, flags: OFlag) -> io::Result<Vec<u8>> {
    // O_NONBLOCK, as opening a FIFO would wait for a writer; O_NOCTTY, as a terminal would become ours.
    let flags = flags | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let (most, mut bytes) = (mebibytes << 20, Vec::new());
    // One byte more than it may have, as it can grow after fstat(2), and the beginning of it could mean something else.
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("it is larger than {mebibytes} MiB")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{read, read_if_there, read_ours};
    use crate::test_dir::TestDir;

    #[test]
    fn what_has_a_files_name() {
        let directory = TestDir::new();
        let path = |name: &str| directory.path(name);
        assert!(read(&path("none")).is_err());
        assert_eq!(read_if_there(&path("none")).unwrap(), None);
        assert_eq!(read_ours(&path("none")).unwrap(), None);
        std::fs::write(path("file"), "a").unwrap();
        std::os::unix::fs::symlink("file", path("link")).unwrap();
        assert_eq!(read(&path("link")).unwrap(), b"a");
        assert_eq!(read_ours(&path("file")).unwrap().as_deref(), Some(&b"a"[..]));
        nix::unistd::mkfifo(&path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::fs::write(path("large"), vec![b'#'; (4 << 20) + 1]).unwrap();
        let why = |path: &Path| read_ours(path).unwrap_err().to_string();
        assert!(why(&path("link")).contains("symbolic links"));
        assert!(why(&path("pipe")).contains("not a regular file") && why(&path("")).contains("not a regular file"));
        assert!(why(&path("large")).contains("larger than 4 MiB"));
        assert!(read(&path("large")).unwrap_err().to_string().contains("larger than 1 MiB"));
    }
}
