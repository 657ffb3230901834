//! Objects of a file on their way into typed fields, and back.

use std::collections::BTreeMap;
use std::sync::Arc;

use smol_str::SmolStr;

use crate::format::Note;
use crate::id::Id;
use crate::pointer::Pointer;
use crate::value::{Object, Value};

/// An object on its way into typed fields.
pub(super) struct Fields<'n> {
    pub(super) object: Object,
    pub(super) at: Pointer,
    notes: &'n mut Vec<Note>,
}

impl<'n> Fields<'n> {
    pub(super) fn new(object: Object, at: Pointer, notes: &'n mut Vec<Note>) -> Fields<'n> {
        Fields { object, at, notes }
    }

    pub(super) fn note(&mut self, field: &str, message: String) {
        self.notes.push(Note {
            at: self.at.child(field),
            message,
        });
    }

    pub(super) fn take(&mut self, field: &str) -> Option<Value> {
        self.object.remove(field)
    }

    /// Takes the field when it has the right shape, else notes it and leaves it in place.
    pub(super) fn take_if<T>(
        &mut self,
        field: &str,
        wanted: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.object.get(field)?;
        if let Some(read) = read(value) {
            self.object.remove(field);
            return Some(read);
        }
        let message = format!(
            "`{field}` should be {wanted}, found {}; kept as it is",
            value.type_name()
        );
        self.note(field, message);
        None
    }

    pub(super) fn optional_text(&mut self, field: &str) -> Option<SmolStr> {
        self.take_if(field, "a text", |value| value.as_str().map(SmolStr::from))
    }

    pub(super) fn text(&mut self, field: &str) -> SmolStr {
        self.optional_text(field).unwrap_or_default()
    }

    pub(super) fn flag(&mut self, field: &str) -> bool {
        self.take_if(field, "true or false", Value::as_bool)
            .unwrap_or(false)
    }

    pub(super) fn whole(&mut self, field: &str) -> Option<i64> {
        self.take_if(field, "a whole number", Value::as_i64)
    }

    pub(super) fn object(&mut self, field: &str) -> Object {
        self.take_if(field, "an object", |value| value.as_object().cloned())
            .unwrap_or_default()
    }

    pub(super) fn texts(&mut self, field: &str) -> Vec<SmolStr> {
        let read = |value: &Value| {
            value
                .as_array()?
                .iter()
                .map(|item| item.as_str().map(SmolStr::from))
                .collect()
        };
        self.take_if(field, "a list of texts", read)
            .unwrap_or_default()
    }

    pub(super) fn pointer(&mut self, field: &str) -> Option<Pointer> {
        self.take_if(field, "a JSON pointer", |value| {
            Pointer::parse(value.as_str()?).ok()
        })
    }

    pub(super) fn nested<T>(
        &mut self,
        field: &str,
        read: impl FnOnce(&mut Fields) -> T,
    ) -> Option<T> {
        let object = self.take_if(field, "an object", |value| value.as_object().cloned())?;
        let mut fields = Fields::new(object, self.at.child(field), self.notes);
        Some(read(&mut fields))
    }

    /// Entries of a section by id. An entry that cannot be read is noted and stays in the file.
    pub(super) fn entries<T>(
        &mut self,
        field: &str,
        read: impl Fn(&mut Fields) -> Option<T>,
    ) -> BTreeMap<Id, Arc<T>> {
        let section = self.object(field);
        let at = self.at.child(field);
        let (mut entries, mut kept) = (BTreeMap::new(), Object::new());
        for (id, value) in section {
            let here = at.child(id.clone());
            let Value::Obj(object) = &value else {
                let message = format!(
                    "an entry should be an object, found {}; kept as it is",
                    value.type_name()
                );
                self.notes.push(Note { at: here, message });
                kept.insert(id, value);
                continue;
            };
            match read(&mut Fields::new(Object::clone(object), here, self.notes)) {
                Some(entry) => {
                    entries.insert(Id::new(id), Arc::new(entry));
                }
                None => {
                    kept.insert(id, value);
                }
            }
        }
        if !kept.is_empty() {
            self.object.insert(field, kept);
        }
        entries
    }

    pub(super) fn plain_entries<T>(
        &mut self,
        field: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> BTreeMap<Id, T> {
        let section = self.object(field);
        let mut kept = Object::new();
        let mut entries = BTreeMap::new();
        for (id, value) in section {
            if let Some(entry) = read(&value) {
                entries.insert(Id::new(id), entry);
            } else {
                let at = self.at.child(field).child(id.clone());
                self.notes.push(Note {
                    at,
                    message: format!("cannot read {}; kept as it is", value.to_json()),
                });
                kept.insert(id, value);
            }
        }
        if !kept.is_empty() {
            self.object.insert(field, kept);
        }
        entries
    }

    /// What nobody took.
    pub(super) fn rest(&mut self) -> Object {
        std::mem::take(&mut self.object)
    }
}

pub(super) fn put_text(out: &mut Object, field: &str, text: &SmolStr) {
    if !text.is_empty() {
        out.insert(field, text.clone());
    }
}

pub(super) fn put_flag(out: &mut Object, field: &str, flag: bool) {
    if flag {
        out.insert(field, true);
    }
}

pub(super) fn put_object(out: &mut Object, field: &str, object: &Object) {
    if !object.is_empty() {
        out.insert(field, object.clone());
    }
}

pub(super) fn put_texts(out: &mut Object, field: &str, texts: &[SmolStr]) {
    if !texts.is_empty() {
        out.insert(field, texts.iter().cloned().collect::<Value>());
    }
}

pub(super) fn put_ids(out: &mut Object, field: &str, ids: &[Id]) {
    if !ids.is_empty() {
        out.insert(field, ids.iter().map(Id::as_str).collect::<Value>());
    }
}

pub(super) fn put_entries<T>(
    out: &mut Object,
    section: &str,
    entries: &BTreeMap<Id, Arc<T>>,
    write: impl Fn(&T) -> Object,
) {
    let entries: Object = entries
        .iter()
        .map(|(id, entry)| (id.as_str(), write(entry)))
        .collect();
    merge(out, section, entries);
}

/// Adds entries to a section that may already hold some which could not be read.
pub(super) fn merge(out: &mut Object, section: &str, entries: Object) {
    if entries.is_empty() {
        return;
    }
    let mut merged = match out.get(section) {
        Some(Value::Obj(kept)) => Object::clone(kept),
        _ => Object::new(),
    };
    for (id, entry) in entries {
        merged.insert(id, entry);
    }
    out.insert(section, merged);
}
