//! Keeps compiled components between runs of the program.

use std::fmt::Write;
use std::fs::{self, DirBuilder};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Files the cache keeps; the oldest go first.
const FILES_MAX: usize = 64;

const EXTENSION: &str = "cwasm";
const SHA256_BYTES: usize = 32;

/// A folder of compiled components.
///
/// Compiled code runs with the rights of the program, so the folder must belong to the user and
/// never come with a project or an export.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    /// Of the engine's version and settings: code compiled for others is not looked at.
    compatibility: u64,
}

impl Cache {
    pub(super) fn new(folder: PathBuf, engine: &Engine) -> Self {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Self {
            folder,
            compatibility: hasher.finish(),
        }
    }

    /// The compiled component, unless it is missing, damaged or made for another engine.
    pub(super) fn get(&self, engine: &Engine, sha256: &str) -> Option<Component> {
        let file = fs::read(self.path(sha256)).ok()?;
        let (stored_sha256, code) = file.split_at_checked(SHA256_BYTES)?;
        if stored_sha256 != Sha256::digest(code).as_slice() {
            return None;
        }
        deserialize(engine, code)
    }

    /// Stores a compiled component: whole or not at all, whoever else does the same.
    pub(super) fn put(&self, sha256: &str, component: &Component) -> io::Result<()> {
        static WRITES: AtomicU64 = AtomicU64::new(0);

        create_private(&self.folder)?;
        let code = component.serialize().map_err(io::Error::other)?;
        let mut file = Sha256::digest(&code).to_vec();
        file.extend_from_slice(&code);
        let write = WRITES.fetch_add(1, Ordering::Relaxed);
        let unfinished = self
            .folder
            .join(format!("{sha256}.{}-{write}.tmp", process::id()));
        let stored =
            fs::write(&unfinished, file).and_then(|()| fs::rename(&unfinished, self.path(sha256)));
        if stored.is_err() {
            // What stopped the write may stop this too; the first error is the one to tell.
            fs::remove_file(&unfinished).ok();
        }
        stored?;
        self.forget_oldest()
    }

    fn path(&self, sha256: &str) -> PathBuf {
        self.folder
            .join(format!("{sha256}-{:016x}.{EXTENSION}", self.compatibility))
    }

    fn forget_oldest(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == EXTENSION)
            {
                files.push((fs::metadata(&path)?.modified()?, path));
            }
        }
        files.sort();
        let surplus = files.len().saturating_sub(FILES_MAX);
        files
            .iter()
            .take(surplus)
            .try_for_each(|(_, path)| fs::remove_file(path))
    }
}

#[expect(
    unsafe_code,
    reason = "compiled code is trusted as the program itself is"
)]
fn deserialize(engine: &Engine, code: &[u8]) -> Option<Component> {
    // SAFETY: the bytes are as `Cache::put` wrote them, which the checksum shows, and they come from
    // a folder only the user can write. Version and settings are checked by wasmtime itself, which
    // refuses what another engine compiled.
    unsafe { Component::deserialize(engine, code) }.ok()
}

/// Makes a folder that only its owner can write.
fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// The digest of a component, as its name in the cache and for people.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a string takes all that is written to it");
            hex
        })
}
