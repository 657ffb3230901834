//! The component that a build ends with: wrapped, looked at, and put in its place whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use wit_component::{ComponentEncoder, DecodedWasm, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldKey};

use crate::error::{At, Error};

/// How a component begins: the name, then version and layer.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
/// How what a compiler makes begins.
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";
/// Says in a core module which world it is built for, as a compiler without bindings of ours does not.
pub(crate) fn embed(module: &mut Vec<u8>, wit: &Path, world: &str) -> Result<(), Error> {
    let mut resolve = Resolve::default();
    let world = resolve
        .push_path(wit)
        .map_err(|error| format!("{error:#}"))
        .and_then(|(package, _)| {
            resolve
                .select_world(&[package], Some(world))
                .map_err(|error| format!("{error:#}"))
        })
        .map_err(|why| no_component(format!("{}: {why}", wit.display())))?;
    embed_component_metadata(module, &resolve, world, StringEncoding::UTF8)
        .map_err(|error| no_component(format!("{error:#}")))
}

/// Makes a component of a core module that says its world.
pub(crate) fn componentize(module: &[u8]) -> Result<Vec<u8>, Error> {
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| no_component(explain(&format!("{error:#}"))))
}

/// Refuses what no host would load.
pub(crate) fn check(component: &[u8]) -> Result<(), Error> {
    if component.starts_with(CORE_MODULE) {
        let why = "it is a core module; build it with `weir build`, or componentize it";
        return Err(no_component(why.to_owned()));
    }
    if !component.starts_with(COMPONENT) {
        return Err(no_component("it is no WebAssembly".to_owned()));
    }
    let decoded =
        wit_component::decode(component).map_err(|error| no_component(format!("{error:#}")))?;
    let exports = match &decoded {
        DecodedWasm::Component(resolve, world) => &resolve.worlds[*world].exports,
        DecodedWasm::WitPackage(..) => return Err(no_component("it holds only types".to_owned())),
    };
    let exported = |name: &str| exports.contains_key(&WorldKey::Name(name.to_owned()));
    if exported("handle") || exported("handle-all") {
        Ok(())
    } else {
        let why = "it exports no `handle`; write the function that handles an event, as a new function has it";
        Err(no_component(why.to_owned()))
    }
}

/// Puts the component in its place in one step, and says whether it is another than before.
pub(crate) fn put(path: &Path, component: &[u8]) -> Result<bool, Error> {
    if fs::read(path).is_ok_and(|there| there == component) {
        return Ok(false);
    }
    // A name that no other build of this function uses, as there is one at a time.
    let part = path.with_extension("wasm.part");
    let written = File::create(&part)
        .and_then(|mut file| {
            file.write_all(component)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // What cannot be written cannot always be removed either; the first error says why.
        drop(fs::remove_file(&part));
    }
    written.at(path)?;
    Ok(true)
}

/// Which of these texts stand in the component.
pub(crate) fn named<'a>(component: &[u8], texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    texts
        .filter(|text| !text.is_empty() && find(component, text.as_bytes()).is_some())
        .map(str::to_owned)
        .collect()
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

/// An engine that is put around a source names the folders of crates on the machine that it was built on.
/// They become `/crates`; slashes fill up to the same length, so that nothing else moves.
pub(crate) fn without_foreign_places(mut component: Vec<u8>) -> Vec<u8> {
    const CRATES: &[u8] = b"/crates";
    for (kept, names_below) in [
        (&b"/.cargo/registry/src/"[..], 1),
        (b"/.cargo/git/checkouts/", 0),
    ] {
        let mut from = 0;
        while let Some(found) = component.get(from..).and_then(|rest| find(rest, kept)) {
            let at = from + found;
            from = at + kept.len();
            let home = home_before(&component[..at]);
            let mut end = from;
            for _ in 0..names_below {
                let rest = component[end..].iter().take(100);
                end += rest.take_while(|byte| **byte != b'/').count();
            }
            if home > 0 && end - (at - home) > CRATES.len() {
                let place = &mut component[at - home..end];
                place.fill(b'/');
                place[..CRATES.len()].copy_from_slice(CRATES);
            }
        }
    }
    component
}

/// How long the path of somebody's home is, with which these bytes end, or 0.
fn home_before(bytes: &[u8]) -> usize {
    const ROOT: &[u8] = b"/root";
    if bytes.ends_with(ROOT) {
        return ROOT.len();
    }
    let name = bytes
        .iter()
        .rev()
        .take(32)
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte));
    let name = name.count();
    let homes = [&b"/home/"[..], b"/Users/"].into_iter();
    let home = homes
        .filter(|home| bytes[..bytes.len() - name].ends_with(home))
        .map(<[u8]>::len);
    home.max().map_or(0, |home| home + name)
}

/// Reads what a tool has left.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(no_component(format!(
            "the tool succeeded, but did not leave {}",
            path.display()
        ))),
        read => read.at(path),
    }
}

pub(crate) fn no_component(why: String) -> Error {
    Error::NoComponent { why }
}

/// What the library says, with what to do about the cases that people meet.
fn explain(error: &str) -> String {
    if error.contains("wasi_snapshot_preview1") {
        format!(
            "it asks for files, a clock or the environment, which functions are not given; leave out what \
             prints or reads, and use `log` and the contract's clock instead ({error})"
        )
    } else {
        error.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_replaces_the_last_one_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.wasm");
        assert!(put(&path, b"one").expect("written"));
        assert!(!put(&path, b"one").expect("the same"));
        assert!(put(&path, b"two").expect("written"));
        assert_eq!(fs::read(&path).expect("there"), b"two");
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("none/a.wasm");
        let error = put(&path, b"one").expect_err("no folder").to_string();
        assert!(error.contains("a.wasm: "), "{error}");
    }

    #[test]
    fn what_is_no_component_is_told_apart() {
        let empty = check(COMPONENT).expect_err("nothing in it").to_string();
        assert!(empty.contains("exports no `handle`"), "{empty}");
        let core = check(CORE_MODULE).expect_err("a module").to_string();
        assert!(core.contains("core module"), "{core}");
        check(b"hello").expect_err("no wasm");
    }

    #[test]
    fn what_has_nothing_to_call_is_refused() {
        let mut module = CORE_MODULE.to_vec();
        let none = componentize(&module).and_then(|component| check(&component));
        let none = none.expect_err("no world").to_string();
        assert!(none.contains("exports no `handle`"), "{none}");
        embed(&mut module, Path::new("../wit"), "function").expect("the contract");
        let none = componentize(&module).expect_err("no function").to_string();
        assert!(none.contains("handle"), "{none}");
    }

    #[test]
    fn a_world_that_the_contract_has_not_is_told() {
        let contract = Path::new("../wit");
        let mut module = CORE_MODULE.to_vec();
        embed(&mut module, contract, "connected").expect("the larger world");
        let mut module = CORE_MODULE.to_vec();
        embed(&mut module, contract, "batched").expect("the world of batches");
        let other = embed(&mut module, contract, "elsewhere").expect_err("no world");
        assert!(other.to_string().contains("elsewhere"), "{other}");
    }

    #[test]
    fn a_module_that_needs_more_than_the_contract_gives_is_explained() {
        let error = "module requires an import interface named `wasi_snapshot_preview1`";
        assert!(explain(error).starts_with("it asks for files"));
    }

    #[test]
    fn texts_are_found_in_bytes() {
        let texts = ["/home/ann", "", "b\0c"];
        assert_eq!(named(b"ab\0c/home/bob", texts.into_iter()), ["b\0c"]);
    }

    #[test]
    fn folders_of_other_machines_become_a_place_of_the_same_length() {
        let text = "a/root/.cargo/registry/src/index.x-1f/b-1.0/src/lib.rs/home/ann/notes\
                    /home/ann/.cargo/git/checkouts/c-2/lib.rs relative/.cargo/registry/src/x";
        let changed = without_foreign_places(text.as_bytes().to_vec());
        let changed = String::from_utf8(changed).expect("text");
        assert_eq!(
            changed,
            "a/crates///////////////////////////////b-1.0/src/lib.rs/home/ann/notes\
             /crates////////////////////////c-2/lib.rs relative/.cargo/registry/src/x"
                .replace(
                    "///////////////////////////////b",
                    &format!("{}b", "/".repeat(text.find("b-1").expect("there") - 8))
                )
                .replace(
                    "////////////////////////c",
                    &format!(
                        "{}c",
                        "/".repeat("/home/ann/.cargo/git/checkouts/".len() - 7)
                    )
                )
        );
    }
}
