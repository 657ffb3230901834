//! Compiled code that is kept between runs, and what becomes of damaged or foreign code.

use super::*;

/// A host that begins with this cache loads a function and calls it; answers what the cache did for it.
fn first_call(cache_folder: &Path, metering: Metering) -> CacheUse {
    let host = FunctionHost::new(HostConfig {
        cache_folder: Some(cache_folder.to_owned()),
        metering,
        ..HostConfig::default()
    })
    .expect("the host starts");
    let function = host
        .load_file(&in_project("runtime/tests/fixtures/misbehave.wasm"))
        .expect("it loads");
    assert_eq!(
        told(take(&mut function.worker(config()), "count")),
        ["told: 1"]
    );
    function.info().cache.clone()
}

#[test]
fn compiled_code_is_cached_and_a_damaged_file_is_a_miss() {
    let folder = tempdir().expect("a folder can be made");
    let load = || first_call(&folder.path().join("compiled"), Metering::Time);
    assert_eq!(load(), CacheUse::Stored);
    assert_eq!(load(), CacheUse::Hit);

    let files = files(&folder.path().join("compiled"));
    let [file, seal] = files.as_slice() else {
        panic!("nothing unfinished is left: {files:?}");
    };
    let whole = fs::read(file).expect("it is readable");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for damaged in [
        &b""[..],
        b"garbage",
        &whole[..whole.len() / 2],
        &whole[32..],
        &flipped,
    ] {
        fs::write(file, damaged).expect("it is writable");
        assert_eq!(load(), CacheUse::Stored);
        assert_eq!(load(), CacheUse::Hit);
        assert_eq!(load(), CacheUse::Hit);
    }
    fs::write(seal, "garbage").expect("it is writable");
    assert_eq!(load(), CacheUse::Stored);
    fs::remove_file(seal).expect("it is there");
    assert_eq!(load(), CacheUse::Stored);
    assert_eq!(load(), CacheUse::Hit);
}

/// The files of a folder by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("it is a folder");
    let files = entries.map(|entry| entry.expect("it is readable").path());
    let mut files: Vec<PathBuf> = files.collect();
    files.sort();
    files
}

/// What is noted of the cached file, once the file system tells its change from what comes later.
#[cfg(unix)]
#[test]
fn a_file_is_compared_with_its_digest_once_and_after_every_change() {
    let folder = tempdir().expect("a folder can be made");
    let load = || first_call(folder.path(), Metering::Time);
    assert_eq!(load(), CacheUse::Stored);
    let [file, seal] = files(folder.path()).try_into().expect("code and seal");
    let note = || fs::read_to_string(&seal).expect("it is readable");
    let checked = || note().lines().count() == 2;
    assert!(!checked(), "was written, and never read");
    let noted = std::iter::repeat_with(load)
        .take(1000)
        .inspect(|cache| assert_eq!(*cache, CacheUse::Hit))
        .any(|_| checked());
    assert!(noted, "was compared");

    // The same length and time of modification, and another byte in the middle.
    let modified = fs::metadata(&file).and_then(|file| file.modified());
    let whole = fs::read(&file).expect("it is readable");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    fs::write(&file, flipped).expect("it is writable");
    let opened = fs::File::options().write(true).open(&file).expect("opens");
    opened
        .set_modified(modified.expect("is known"))
        .expect("can be set");
    assert_eq!(load(), CacheUse::Stored);
}

#[test]
fn code_that_was_compiled_for_another_engine_is_a_miss() {
    let folder = tempdir().expect("a folder can be made");
    let load = |metering| first_call(folder.path(), metering);
    assert_eq!(load(Metering::Time), CacheUse::Stored);
    let of_time = files(folder.path());
    assert_eq!(load(Metering::Instructions), CacheUse::Stored);
    let mut of_instructions = files(folder.path());
    of_instructions.retain(|file| !of_time.contains(file));
    // Whole, and with the right digest; but not for this engine.
    for (other, this) in of_instructions.iter().zip(&of_time) {
        fs::copy(other, this).expect("it is writable");
    }
    assert_eq!(load(Metering::Time), CacheUse::Stored);
    assert_eq!(load(Metering::Time), CacheUse::Hit);
}

#[test]
fn a_cache_that_cannot_be_written_does_not_stop_the_function() {
    let folder = tempdir().expect("a folder can be made");
    let file = folder.path().join("file");
    fs::write(&file, "in the way").expect("it is writable");
    let cache = first_call(&file, Metering::Time);
    assert!(matches!(cache, CacheUse::NotStored(_)));
}
