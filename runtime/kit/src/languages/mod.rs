//! The languages that functions are written in, one a file.

mod c;
mod javascript;
mod python;
mod rust;

use std::fmt;

use crate::error::Error;
use crate::job::Job;
use crate::tool::Missing;

/// All languages, in the order in which people are asked.
pub static ALL: [&Language; 4] = [&rust::RUST, &c::C, &javascript::JAVASCRIPT, &python::PYTHON];

/// A language that functions are written in.
pub struct Language {
    /// What people type, and what `function.json` says.
    pub id: &'static str,
    /// What it is called.
    pub title: &'static str,
    /// Other words for it.
    pub names: &'static [&'static str],
    /// The file that somebody who made a function opens first.
    pub entry: &'static str,
    /// The files of a new function; `{{name}}` in them stands for its name.
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// The same of a function that takes many events at a time, where the language has one.
    pub(crate) batched: Option<&'static [(&'static str, &'static str)]>,
    /// Looks for the tools; says what is missing on this machine and how to get it.
    pub look: fn() -> Result<(), Missing>,
    /// Makes a component of the folder.
    pub(crate) compile: fn(&mut Job<'_>) -> Result<Vec<u8>, Error>,
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id)
    }
}

/// The language that a word means.
pub fn language(word: &str) -> Result<&'static Language, Error> {
    let lower = word.to_lowercase();
    let found = ALL
        .iter()
        .find(|language| language.id == lower || language.names.contains(&lower.as_str()));
    found.copied().ok_or_else(|| Error::UnknownLanguage {
        language: word.to_owned(),
        known: ALL.map(|language| language.id).join(", "),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_language_has_words_of_its_own_and_an_entry() {
        let mut words = BTreeSet::new();
        for language in ALL {
            for word in language.names.iter().chain([&language.id]) {
                assert!(words.insert(*word), "{word} is used twice");
            }
            for files in [Some(language.files), language.batched]
                .into_iter()
                .flatten()
            {
                let files: Vec<_> = files.iter().map(|file| file.0).collect();
                assert!(files.contains(&language.entry), "{}", language.id);
                assert!(files.contains(&"README.md"), "{}", language.id);
            }
        }
    }
}
