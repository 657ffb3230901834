//! Seals files of the cache: what was in them, and which file was last seen to hold it.
//!
//! To read five megabytes only to see that nobody changed them costs more than to run them. So a
//! file is compared with its digest once; after that it is enough that it is the same file of the
//! file system, as long, and last changed at the same moment, which no program can set at will.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::cache::hexadecimal;

const EXTENSION: &str = "sha256";

/// What is known of a file of the cache, kept beside it.
pub(super) struct Seal {
    path: PathBuf,
    sha256: String,
    /// The file that was compared with the digest.
    checked: Option<String>,
}

impl Seal {
    /// The seal of a file, if it has one.
    pub(super) fn of(file: &Path) -> Option<Self> {
        let path = path(file);
        let text = fs::read_to_string(&path).ok()?;
        let mut lines = text.lines().map(str::to_owned);
        Some(Self {
            path,
            sha256: lines.next()?,
            checked: lines.next(),
        })
    }

    /// Seals a file that is about to hold these bytes.
    pub(super) fn put(file: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::write(path(file), hexadecimal(&Sha256::digest(bytes)))
    }

    /// Removes the seal of a file.
    pub(super) fn remove(file: &Path) -> io::Result<()> {
        match fs::remove_file(path(file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether this is the file that was compared with the digest, unchanged since.
    pub(super) fn is_unbroken(&self, file: &Path) -> bool {
        let identity = fs::metadata(file).ok().and_then(|file| identity(&file));
        identity.is_some() && identity == self.checked
    }

    /// The bytes of a file, if they are those that were sealed. From then on the file is known.
    pub(super) fn check(&self, file: &Path) -> Option<Vec<u8>> {
        // Made before the file is read, so that its moment shows whether the file could change
        // later without the file system telling the two moments apart.
        let renewed = self
            .path
            .with_extension(format!("{}.tmp", std::process::id()));
        let before = File::create(&renewed).and_then(|file| file.metadata());
        let identity = fs::metadata(file)
            .ok()
            .and_then(|file| settled(&file, &before.ok()?));

        let bytes = fs::read(file).ok();
        let bytes = bytes.filter(|bytes| hexadecimal(&Sha256::digest(bytes)) == self.sha256);
        let noted = bytes.as_ref().and(identity).is_some_and(|identity| {
            let text = format!("{}\n{identity}", self.sha256);
            fs::write(&renewed, text)
                .and_then(|()| fs::rename(&renewed, &self.path))
                .is_ok()
        });
        if !noted {
            // Without a note the file is compared again the next time; nothing is lost by that.
            fs::remove_file(&renewed).ok();
        }
        bytes
    }
}

fn path(file: &Path) -> PathBuf {
    file.with_extension(EXTENSION)
}

/// The identity of a file that last changed before the other was made.
fn settled(file: &Metadata, later: &Metadata) -> Option<String> {
    (changed(file)? < changed(later)?).then(|| identity(file))?
}

/// What tells a file from every other one and from itself after a change, where the system says it.
#[cfg(unix)]
fn identity(file: &Metadata) -> Option<String> {
    use std::os::unix::fs::MetadataExt;

    let (seconds, nanoseconds) = changed(file)?;
    Some(format!(
        "{} {} {} {seconds} {nanoseconds}",
        file.dev(),
        file.ino(),
        file.size()
    ))
}

/// When the content or the rights of a file last changed: unlike the time of modification, it
/// cannot be set.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems do not say it")]
fn changed(file: &Metadata) -> Option<(i64, i64)> {
    use std::os::unix::fs::MetadataExt;

    Some((file.ctime(), file.ctime_nsec()))
}

#[cfg(not(unix))]
fn identity(_file: &Metadata) -> Option<String> {
    None
}

#[cfg(not(unix))]
fn changed(_file: &Metadata) -> Option<(i64, i64)> {
    None
}
