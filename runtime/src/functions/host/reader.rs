//! Reads bytes that come from code which is not trusted: never beyond their end, and each error has its place.

use std::fmt;

/// What is left to read of some bytes.
#[derive(Debug, Clone)]
pub(super) struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

/// Why bytes cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Misread {
    at: usize,
    why: &'static str,
}

/// Stands for the size of a text that is not there.
pub(super) const ABSENT: u32 = u32::MAX;

impl<'b> Reader<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Reader<'b> {
        Reader { bytes, at: 0 }
    }

    /// Where the next byte is.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn byte(&mut self) -> Result<u8, Misread> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Misread> {
        let rest = &self.bytes[self.at..];
        let taken = *rest.first_chunk().ok_or_else(|| self.short())?;
        self.at += N;
        Ok(taken)
    }

    pub(super) fn take(&mut self, size: usize) -> Result<&'b [u8], Misread> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..size).ok_or_else(|| self.short())?;
        self.at += size;
        Ok(taken)
    }

    /// A number of a frame.
    pub(super) fn number(&mut self) -> Result<u32, Misread> {
        self.array().map(u32::from_le_bytes)
    }

    /// Bytes behind their size.
    pub(super) fn sized(&mut self) -> Result<&'b [u8], Misread> {
        let size = self.number()?;
        self.take(size as usize)
    }

    /// A text behind its size.
    pub(super) fn text(&mut self) -> Result<&'b str, Misread> {
        let size = self.number()?;
        self.text_of(size as usize)
    }

    pub(super) fn text_or_none(&mut self) -> Result<Option<&'b str>, Misread> {
        match self.number()? {
            ABSENT => Ok(None),
            size => self.text_of(size as usize).map(Some),
        }
    }

    pub(super) fn text_of(&mut self, size: usize) -> Result<&'b str, Misread> {
        let at = self.at;
        let bytes = self.take(size)?;
        std::str::from_utf8(bytes).map_err(|_| Misread::at(at, "a text that is not UTF-8"))
    }

    fn short(&self) -> Misread {
        Misread::at(self.at, "it ends too early")
    }
}

impl Misread {
    pub(super) fn at(at: usize, why: &'static str) -> Misread {
        Misread { at, why }
    }
}

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}", self.at, self.why)
    }
}
