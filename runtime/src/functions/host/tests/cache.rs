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

    let files: Vec<_> = fs::read_dir(folder.path().join("compiled"))
        .expect("it is a folder")
        .collect();
    assert_eq!(files.len(), 1, "nothing unfinished is left");
    let file = files[0].as_ref().expect("it is readable").path();
    let whole = fs::read(&file).expect("it is readable");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for damaged in [
        &b""[..],
        b"garbage",
        &whole[..whole.len() / 2],
        &whole[32..],
        &flipped,
    ] {
        fs::write(&file, damaged).expect("it is writable");
        assert_eq!(load(), CacheUse::Stored);
        assert_eq!(load(), CacheUse::Hit);
    }
}

#[test]
fn code_that_was_compiled_for_another_engine_is_a_miss() {
    let folder = tempdir().expect("a folder can be made");
    let load = |metering| first_call(folder.path(), metering);
    let files = || -> BTreeSet<PathBuf> {
        let entries = fs::read_dir(folder.path()).expect("it is a folder");
        entries
            .map(|entry| entry.expect("it is readable").path())
            .collect()
    };
    assert_eq!(load(Metering::Time), CacheUse::Stored);
    let of_time = files();
    assert_eq!(load(Metering::Instructions), CacheUse::Stored);
    let all = files();
    let other = all.difference(&of_time).next().expect("has its own file");
    // Whole, and with the right digest; but not for this engine.
    fs::copy(other, of_time.first().expect("is there")).expect("it is writable");
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
