//! Compressed copies of the files, what everything weighs, and how much it may weigh.

use std::fmt;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::Files;

/// What the page may weigh on its way to a browser, in bytes.
const BUDGET: usize = 2_500_000;
/// Files from here on have a line of their own in the report, in bytes.
const LISTED_FROM: usize = 20_000;

/// The compressed copies and the weights of both.
pub(crate) struct Sizes {
    pub compressed: Files,
    /// Name, bytes as they are, bytes when compressed.
    rows: Vec<(String, usize, usize)>,
}

/// Compresses every file into a copy that a server may send in its place.
pub(crate) fn compress(files: &Files) -> Sizes {
    let mut sizes = Sizes {
        compressed: Files::new(),
        rows: Vec::new(),
    };
    for (name, bytes) in files {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        let small = encoder
            .write_all(bytes)
            .and_then(|()| encoder.finish())
            .expect("writing to memory succeeds");
        sizes.rows.push((name.clone(), bytes.len(), small.len()));
        sizes.compressed.insert(format!("{name}.gz"), small);
    }
    sizes
}

impl Sizes {
    /// Whether the page is light enough.
    pub(crate) fn check(&self) -> Result<(), String> {
        let total: usize = self.rows.iter().map(|row| row.2).sum();
        if total <= BUDGET {
            return Ok(());
        }
        Err(format!(
            "the page weighs {total} bytes compressed, more than the {BUDGET} that it may; \
             find what made it heavier"
        ))
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>10} {:>10}", "bytes", "gzip")?;
        let (mut others, mut total) = ((0, 0, 0), (0, 0));
        for (name, raw, small) in &self.rows {
            total = (total.0 + raw, total.1 + small);
            if *raw >= LISTED_FROM {
                writeln!(f, "{raw:>10} {small:>10}  {name}")?;
            } else {
                others = (others.0 + 1, others.1 + raw, others.2 + small);
            }
        }
        writeln!(f, "{:>10} {:>10}  {} others", others.1, others.2, others.0)?;
        writeln!(f, "{:>10} {:>10}  together", total.0, total.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_over_the_budget_is_refused() {
        let mut sizes = compress(&Files::from([("a".to_owned(), vec![7; 1000])]));
        assert!(sizes.compressed["a.gz"].len() < 100);
        assert_eq!(sizes.check(), Ok(()));
        sizes.rows.push(("b".to_owned(), 1, BUDGET));
        assert!(sizes.check().expect_err("too heavy").contains("may"));
    }
}
