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

use super::seal::Seal;

/// Files the cache keeps; the oldest go first.
const FILES_MAX: usize = 64;

const EXTENSION: &str = "cwasm";

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
        let path = self.path(sha256);
        let seal = Seal::of(&path)?;
        if seal.is_unbroken(&path) {
            let component = map(engine, &path);
            // Asked again, for somebody may have put another file in its place meanwhile.
            if component.is_some() && seal.is_unbroken(&path) {
                return component;
            }
        }
        deserialize(engine, &seal.check(&path)?)
    }

    /// Stores a compiled component: whole or not at all, whoever else does the same.
    pub(super) fn put(&self, sha256: &str, component: &Component) -> io::Result<()> {
        static WRITES: AtomicU64 = AtomicU64::new(0);

        create_private(&self.folder)?;
        let code = component.serialize().map_err(io::Error::other)?;
        let path = self.path(sha256);
        let write = WRITES.fetch_add(1, Ordering::Relaxed);
        let unfinished = self
            .folder
            .join(format!("{sha256}.{}-{write}.tmp", process::id()));
        let stored = Seal::put(&path, &code)
            .and_then(|()| fs::write(&unfinished, code))
            .and_then(|()| fs::rename(&unfinished, &path));
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
            .try_for_each(|(_, path)| Seal::remove(path).and_then(|()| fs::remove_file(path)))
    }
}

/// Runs a file of the cache where it lies; only what is called is ever read.
#[expect(
    unsafe_code,
    reason = "compiled code is trusted as the program itself is"
)]
fn map(engine: &Engine, path: &Path) -> Option<Component> {
    // SAFETY: the file is as `Cache::put` wrote it, which its unbroken seal shows, it comes from a
    // folder only the user can write, and the cache replaces its files, it never writes to one that
    // is there. Version and settings are checked by wasmtime itself.
    unsafe { Component::deserialize_file(engine, path) }.ok()
}

#[expect(
    unsafe_code,
    reason = "compiled code is trusted as the program itself is"
)]
fn deserialize(engine: &Engine, code: &[u8]) -> Option<Component> {
    // SAFETY: the bytes are as `Cache::put` wrote them, which their seal shows, and they come from
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
    hexadecimal(&Sha256::digest(bytes))
}

/// Bytes as digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a string takes all that is written to it");
        hex
    })
}
