//! Small sets of tags that many fields and ports hold at once.

use std::iter::Copied;
use std::ops::{BitAnd, BitOr, Sub};
use std::rc::Rc;
use std::slice::Iter;

/// Number of a tag.
pub(crate) type TagId = u32;

/// A set of tags, cheap to clone. Most fields have one tag or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TagSet(Held);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Held {
    #[default]
    None,
    One(TagId),
    /// Two or more, in order.
    Many(Rc<[TagId]>),
}

impl TagSet {
    pub(crate) fn of(tag: TagId) -> TagSet {
        TagSet(Held::One(tag))
    }

    fn slice(&self) -> &[TagId] {
        match &self.0 {
            Held::None => &[],
            Held::One(tag) => std::slice::from_ref(tag),
            Held::Many(tags) => tags,
        }
    }

    fn sorted(tags: &[TagId]) -> TagSet {
        TagSet(match tags {
            [] => Held::None,
            [tag] => Held::One(*tag),
            tags => Held::Many(tags.into()),
        })
    }

    pub(crate) fn iter(&self) -> Copied<Iter<'_, TagId>> {
        self.slice().iter().copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.0, Held::None)
    }

    pub(crate) fn contains(&self, tag: TagId) -> bool {
        self.slice().binary_search(&tag).is_ok()
    }

    pub(crate) fn is_subset(&self, other: &TagSet) -> bool {
        self.is_same(other) || self.iter().all(|tag| other.contains(tag))
    }

    pub(crate) fn is_disjoint(&self, other: &TagSet) -> bool {
        !self.iter().any(|tag| other.contains(tag))
    }

    pub(crate) fn join(&mut self, other: &TagSet) {
        if self.is_empty() {
            *self = other.clone();
        } else if !other.is_subset(self) {
            *self = self.iter().chain(other.iter()).collect();
        }
    }

    /// Whether both hold the same without looking.
    fn is_same(&self, other: &TagSet) -> bool {
        match (&self.0, &other.0) {
            (Held::Many(one), Held::Many(other)) => Rc::ptr_eq(one, other),
            _ => false,
        }
    }

    fn filtered(&self, stays: impl Fn(TagId) -> bool) -> TagSet {
        if self.iter().all(&stays) {
            return self.clone();
        }
        self.iter().filter(|tag| stays(*tag)).collect()
    }
}

impl FromIterator<TagId> for TagSet {
    fn from_iter<I: IntoIterator<Item = TagId>>(tags: I) -> TagSet {
        let mut tags = tags.into_iter();
        let Some(first) = tags.next() else {
            return TagSet::default();
        };
        let Some(other) = tags.find(|tag| *tag != first) else {
            return TagSet::of(first);
        };
        let mut all = vec![first, other];
        all.extend(tags);
        all.sort_unstable();
        all.dedup();
        TagSet::sorted(&all)
    }
}

impl<'t> IntoIterator for &'t TagSet {
    type Item = TagId;
    type IntoIter = Copied<Iter<'t, TagId>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Extend<TagId> for TagSet {
    fn extend<I: IntoIterator<Item = TagId>>(&mut self, tags: I) {
        self.join(&tags.into_iter().collect());
    }
}

impl Sub for &TagSet {
    type Output = TagSet;

    fn sub(self, gone: &TagSet) -> TagSet {
        self.filtered(|tag| !gone.contains(tag))
    }
}

impl BitAnd for &TagSet {
    type Output = TagSet;

    fn bitand(self, other: &TagSet) -> TagSet {
        if other.is_empty() {
            return TagSet::default();
        }
        self.filtered(|tag| other.contains(tag))
    }
}

impl BitOr for &TagSet {
    type Output = TagSet;

    fn bitor(self, other: &TagSet) -> TagSet {
        let mut all = self.clone();
        all.join(other);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(tags: &[TagId]) -> TagSet {
        tags.iter().copied().collect()
    }

    #[test]
    fn sets_hold_each_tag_once() {
        assert_eq!(set(&[3, 1, 3, 2]), set(&[1, 2, 3]));
        assert_eq!(set(&[5, 5]), TagSet::of(5));
        assert!(set(&[]).is_empty());
    }

    #[test]
    fn sets_are_joined_narrowed_and_compared() {
        let (few, many) = (set(&[2, 4]), set(&[1, 2, 3]));
        assert_eq!(&few | &many, set(&[1, 2, 3, 4]));
        assert_eq!(&few & &many, TagSet::of(2));
        assert_eq!(&few - &many, TagSet::of(4));
        assert!(few.is_subset(&set(&[4, 3, 2])) && !few.is_subset(&many));
        assert!(few.is_disjoint(&set(&[1, 3])) && !few.is_disjoint(&many));
    }
}
