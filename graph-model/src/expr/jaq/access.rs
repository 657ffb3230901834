//! How jaq looks into our values and changes them.

use std::ops::Range;
use std::sync::Arc;

use jaq_core::box_iter::box_once;
use jaq_core::path::Opt;
use jaq_core::{Error, Exn};

use super::super::bounds::{Limit, meet, spend};
use super::super::ops;
use super::value::{Jv, ValR, ValX, charge, refused, size, thrown};
use crate::value::{Object, Value};

impl jaq_core::ValT for Jv {
    fn from_num(text: &str) -> ValR {
        Ok(Jv::flat(text.parse::<f64>().unwrap_or(f64::NAN)))
    }

    fn from_map<I: IntoIterator<Item = (Jv, Jv)>>(entries: I) -> ValR {
        let mut below = 0;
        let mut object = Object::new();
        for (key, item) in entries {
            charge(1)?;
            let Value::Str(key) = key.value else {
                return refused(format!(
                    "an object needs texts as keys, not {}",
                    ops::brief(&key.value)
                ));
            };
            below = below.max(item.depth);
            object.insert(key, item.value);
        }
        Ok(Jv::around(Value::from(object), below))
    }

    fn key_values(self) -> Box<dyn Iterator<Item = Result<(Jv, Jv), Error<Jv>>>> {
        if let Err(error) = charge(1 + size(&self.value)) {
            return box_once(Err(error));
        }
        let below = self.depth.saturating_sub(1);
        let part = move |value| Jv {
            value,
            depth: below,
        };
        match self.value {
            Value::Arr(items) => Box::new(
                Arc::unwrap_or_clone(items)
                    .into_iter()
                    .enumerate()
                    .map(move |(at, item)| Ok((Jv::flat(at), part(item)))),
            ),
            Value::Obj(object) => Box::new(
                Arc::unwrap_or_clone(object)
                    .into_iter()
                    .map(move |(key, item)| Ok((Jv::flat(key), part(item)))),
            ),
            other => box_once(refused(format!(
                "cannot iterate over {}",
                ops::brief(&other)
            ))),
        }
    }

    fn values(self) -> Box<dyn Iterator<Item = ValR>> {
        Box::new(self.key_values().map(|entry| entry.map(|(_, item)| item)))
    }

    fn index(self, key: &Jv) -> ValR {
        charge(1)?;
        let found = ops::find(&self.value, &key.value).map_err(thrown)?;
        Ok(self.part(found.unwrap_or_default()))
    }

    fn range(self, range: Range<Option<&Jv>>) -> ValR {
        charge(1 + size(&self.value))?;
        let bound = |bound: Option<&'_ Jv>| bound.map(|bound| bound.value.clone());
        let value = ops::slice(
            &self.value,
            bound(range.start).as_ref(),
            bound(range.end).as_ref(),
        );
        Ok(Jv {
            value: value.map_err(thrown)?,
            depth: self.depth,
        })
    }

    fn map_values<'a, I: Iterator<Item = ValX<'a>>>(
        self,
        opt: Opt,
        change: impl Fn(Jv) -> I,
    ) -> ValX<'a> {
        charge(1 + size(&self.value))?;
        let mut below = self.depth.saturating_sub(1);
        let part = |value| Jv {
            value,
            depth: self.depth.saturating_sub(1),
        };
        let mut keep = |item: Jv| {
            below = below.max(item.depth);
            item.value
        };
        let value = match self.value {
            Value::Arr(items) => {
                let mut changed = Vec::with_capacity(items.len());
                for item in Arc::unwrap_or_clone(items) {
                    for output in change(part(item)) {
                        charge(1)?;
                        changed.push(keep(output?));
                    }
                }
                Value::from(changed)
            }
            Value::Obj(object) => {
                let mut changed = Object::with_capacity(object.len());
                for (key, item) in Arc::unwrap_or_clone(object) {
                    if let Some(output) = change(part(item)).next() {
                        changed.insert(key, keep(output?));
                    }
                }
                Value::from(changed)
            }
            other => {
                return opt.fail(Jv::flat(other), |other| {
                    Exn::from(Error::str(format!(
                        "cannot iterate over {}",
                        ops::brief(&other.value)
                    )))
                });
            }
        };
        Ok(Jv::around(value, below))
    }

    fn map_index<'a, I: Iterator<Item = ValX<'a>>>(
        self,
        key: &Jv,
        opt: Opt,
        change: impl Fn(Jv) -> I,
    ) -> ValX<'a> {
        charge(1)?;
        let depth = self.depth;
        let part = |value| Jv {
            value,
            depth: depth.saturating_sub(1),
        };
        let mut below = depth.saturating_sub(1);
        let mut value = self.value;
        match (&mut value, &key.value) {
            (Value::Arr(_) | Value::Str(_) | Value::Null, Value::Obj(range)) => {
                let bound = |name| range.get(name).cloned().map(Jv::flat);
                let (start, end) = (bound("start"), bound("end"));
                return Jv { value, depth }.map_range(start.as_ref()..end.as_ref(), opt, change);
            }
            (Value::Obj(_) | Value::Null, Value::Str(key)) => {
                let mut object = match std::mem::take(&mut value) {
                    Value::Obj(object) => object,
                    _ => Arc::default(),
                };
                let fields = Arc::make_mut(&mut object);
                let held = fields.get_mut(key).map(std::mem::take).unwrap_or_default();
                match change(part(held)).next().transpose()? {
                    Some(item) => {
                        below = below.max(item.depth);
                        fields.insert(key.clone(), item.value);
                    }
                    None => {
                        fields.remove(key);
                    }
                }
                value = Value::Obj(object);
            }
            (Value::Arr(items), Value::Int(_) | Value::Float(_)) => {
                let Some(at) = ops::position(&key.value, items.len()) else {
                    let message = format!("there is no element {} to change", key.value);
                    return opt.fail(Jv { value, depth }, |_| Exn::from(Error::str(message)));
                };
                let items = Arc::make_mut(items);
                let held = std::mem::take(&mut items[at]);
                match change(part(held)).next().transpose()? {
                    Some(item) => {
                        below = below.max(item.depth);
                        items[at] = item.value;
                    }
                    None => {
                        items.remove(at);
                    }
                }
            }
            (held, key) => {
                let refused = ops::cannot_change(held, key).map_err(thrown);
                return opt.fail(Jv { value, depth }, |_| match refused {
                    Ok(()) => Exn::from(Error::str("cannot change it")),
                    Err(error) => Exn::from(error),
                });
            }
        }
        Ok(Jv::around(value, below))
    }

    fn map_range<'a, I: Iterator<Item = ValX<'a>>>(
        self,
        range: Range<Option<&Jv>>,
        opt: Opt,
        change: impl Fn(Jv) -> I,
    ) -> ValX<'a> {
        charge(1 + size(&self.value))?;
        let Value::Arr(mut items) = self.value else {
            return opt.fail(self, |held| {
                Exn::from(Error::str(format!(
                    "cannot change a slice of {}",
                    ops::brief(&held.value)
                )))
            });
        };
        let bound = |bound: Option<&'_ Jv>| bound.map(|bound| bound.value.clone());
        let (from, to) = match ops::cut(
            bound(range.start).as_ref(),
            bound(range.end).as_ref(),
            items.len(),
        ) {
            Ok(cut) => cut,
            Err(stop) => {
                let held = Jv {
                    value: Value::Arr(items),
                    depth: self.depth,
                };
                return opt.fail(held, |_| Exn::from(thrown(stop)));
            }
        };
        let part = Jv {
            value: Value::from(items[from..to].to_vec()),
            depth: self.depth,
        };
        let new = change(part)
            .next()
            .transpose()?
            .unwrap_or_else(|| Jv::flat(Vec::new()));
        let Value::Arr(parts) = new.value else {
            return Err(Exn::from(Error::str(
                "a slice of an array can only become an array",
            )));
        };
        Arc::make_mut(&mut items).splice(from..to, parts.iter().cloned());
        Ok(Jv {
            value: Value::Arr(items),
            depth: self.depth.max(new.depth),
        })
    }

    fn as_bool(&self) -> bool {
        self.value.truthy()
    }

    fn into_string(self) -> Jv {
        let Ok(text) = ops::to_text(&self.value) else {
            meet(Limit::Weight);
            return Jv::flat(Value::Null);
        };
        // As in making a value from a text.
        spend(1 + text.len() / 16).ok();
        Jv::flat(text)
    }
}

impl jaq_std::ValT for Jv {
    fn into_seq<S: FromIterator<Jv>>(self) -> Result<S, Jv> {
        if spend(size(&self.value)).is_err() {
            return Ok(S::from_iter([]));
        }
        let below = self.depth.saturating_sub(1);
        match self.value {
            Value::Arr(items) => {
                let items = Arc::unwrap_or_clone(items).into_iter();
                Ok(items
                    .map(|value| Jv {
                        value,
                        depth: below,
                    })
                    .collect())
            }
            value => Err(Jv {
                value,
                depth: self.depth,
            }),
        }
    }

    fn is_int(&self) -> bool {
        matches!(self.value, Value::Int(_))
    }

    fn as_isize(&self) -> Option<isize> {
        match self.value {
            Value::Int(number) => isize::try_from(number).ok(),
            _ => None,
        }
    }

    fn as_f64(&self) -> Option<f64> {
        self.value.as_f64()
    }

    fn is_utf8_str(&self) -> bool {
        matches!(self.value, Value::Str(_))
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        self.value.as_str().map(str::as_bytes)
    }

    fn as_sub_str(&self, sub: &[u8]) -> Jv {
        Jv::flat(&*String::from_utf8_lossy(sub))
    }

    fn from_utf8_bytes(bytes: impl AsRef<[u8]> + Send + 'static) -> Jv {
        Jv::from(String::from_utf8_lossy(bytes.as_ref()).into_owned())
    }
}
