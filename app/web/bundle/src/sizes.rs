//! Compressed copies of the files, what everything weighs, and how much it may weigh.

use std::fmt;
use std::io::Write;

use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::Files;

/// What the page may weigh on its way to a browser that takes Brotli, as all of today do, in bytes.
const BUDGET: usize = 2_500_000;
/// Files from here on have a line of their own in the report, in bytes.
const LISTED_FROM: usize = 20_000;

/// The compressed copies and the weights of both.
pub(crate) struct Sizes {
    pub compressed: Files,
    rows: Vec<Row>,
}

/// What a file weighs: as it is, and compressed in both ways.
struct Row {
    name: String,
    raw: usize,
    gzip: usize,
    brotli: usize,
}

/// Compresses every file into copies that a server may send in its place: the smaller one by Brotli,
/// and one for programs that know gzip alone.
pub(crate) fn compress(files: &Files) -> Sizes {
    let mut sizes = Sizes {
        compressed: Files::new(),
        rows: Vec::new(),
    };
    for (name, bytes) in files {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        let gzip = encoder
            .write_all(bytes)
            .and_then(|()| encoder.finish())
            .expect("writing to memory succeeds");
        let mut brotli = Vec::new();
        brotli::BrotliCompress(
            &mut &bytes[..],
            &mut brotli,
            &BrotliEncoderParams::default(),
        )
        .expect("writing to memory succeeds");
        sizes.rows.push(Row {
            name: name.clone(),
            raw: bytes.len(),
            gzip: gzip.len(),
            brotli: brotli.len(),
        });
        sizes.compressed.insert(format!("{name}.gz"), gzip);
        sizes.compressed.insert(format!("{name}.br"), brotli);
    }
    sizes
}

impl Sizes {
    /// Whether the page is light enough.
    pub(crate) fn check(&self) -> Result<(), String> {
        let total: usize = self.rows.iter().map(|row| row.brotli).sum();
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
        writeln!(f, "{:>10} {:>10} {:>10}", "bytes", "gzip", "brotli")?;
        let line = |f: &mut fmt::Formatter<'_>, rows: &[&Row], name: &str| {
            let sum = |of: fn(&Row) -> usize| rows.iter().map(|row| of(row)).sum::<usize>();
            let (raw, gzip, brotli) = (
                sum(|row| row.raw),
                sum(|row| row.gzip),
                sum(|row| row.brotli),
            );
            writeln!(f, "{raw:>10} {gzip:>10} {brotli:>10}  {name}")
        };
        let (listed, others): (Vec<&Row>, Vec<&Row>) =
            self.rows.iter().partition(|row| row.raw >= LISTED_FROM);
        for row in listed {
            line(f, &[row], &row.name)?;
        }
        line(f, &others, &format!("{} others", others.len()))?;
        line(f, &self.rows.iter().collect::<Vec<_>>(), "together")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_over_the_budget_is_refused() {
        let mut sizes = compress(&Files::from([("a".to_owned(), vec![7; 1000])]));
        assert!(sizes.compressed["a.gz"].len() < 100);
        assert!(sizes.compressed["a.br"].len() < 100);
        assert_eq!(sizes.check(), Ok(()));
        sizes.rows[0].brotli = BUDGET + 1;
        assert!(sizes.check().expect_err("too heavy").contains("may"));
    }
}
