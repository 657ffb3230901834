//! Names that come again: what one event calls its fields, the next one does, too.

use smol_str::SmolStr;

use super::reader::{Misread, Reader};

/// Names that are held at most.
const NAMES_MAX: usize = 256;

/// The names of the last event, in the order in which they were read. One that comes again at the same place is
/// copied, which is several times as quick as to make it.
#[derive(Debug, Default)]
pub(super) struct Names {
    held: Vec<SmolStr>,
    next: usize,
}

impl Names {
    /// Another event begins.
    pub(super) fn again(&mut self) {
        self.next = 0;
    }

    /// Reads a name of this size.
    pub(super) fn read(&mut self, from: &mut Reader<'_>, size: usize) -> Result<SmolStr, Misread> {
        let place = self.next;
        self.next += 1;
        let mut look = from.clone();
        if let Some(held) = self.held.get(place)
            && look.take(size)? == held.as_bytes()
        {
            *from = look;
            return Ok(held.clone());
        }
        let name = SmolStr::new(from.text_of(size)?);
        if let Some(held) = self.held.get_mut(place) {
            held.clone_from(&name);
        } else if place == self.held.len() && place < NAMES_MAX {
            self.held.push(name.clone());
        }
        Ok(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_was_read_whatever_came_before() {
        let mut names = Names::default();
        for texts in [
            &["a", "b"][..],
            &["a", "c", "d"],
            &["b"],
            &[],
            &["b", "c", "d"],
        ] {
            names.again();
            for text in texts {
                let mut reader = Reader::new(text.as_bytes());
                assert_eq!(names.read(&mut reader, 1).as_deref(), Ok(*text));
                assert_eq!(reader.left(), 0);
            }
        }
        for place in 0..2 * NAMES_MAX {
            let text = format!("{place:04}");
            let mut reader = Reader::new(text.as_bytes());
            assert_eq!(names.read(&mut reader, 4).as_deref(), Ok(text.as_str()));
        }
        names.again();
        let mut short = Reader::new(b"b");
        let refused = names.read(&mut short, 2).expect_err("too short");
        assert_eq!(refused.to_string(), "byte 0: it ends too early");
    }
}
