//! Payloads as `MessagePack`, which is how they stand in frames.
//!
//! The texts, numbers, lists and objects of JSON, and nothing else. Numbers are written as JSON text would
//! have them: a whole one as a whole number.

use std::fmt::Debug;
use std::sync::Arc;

use graph_model::value::{DEPTH_MAX, Object, Value};
use rmp::{Marker, encode};
use smol_str::SmolStr;

use super::names::Names;
use super::reader::{Misread, Reader};

/// Writes a payload.
pub(super) fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => done(encode::write_nil(out)),
        Value::Bool(flag) => done(encode::write_bool(out, *flag)),
        Value::Int(number) => done(encode::write_sint(out, *number)),
        // JSON has no infinities and no NaN.
        Value::Float(number) if !number.is_finite() => done(encode::write_nil(out)),
        Value::Float(number) if number.fract() == 0.0 && number.abs() < 9.0e15 => {
            done(encode::write_sint(out, *number as i64));
        }
        Value::Float(number) => done(encode::write_f64(out, *number)),
        Value::Str(text) => done(encode::write_str(out, text)),
        Value::Arr(items) => {
            done(encode::write_array_len(out, count(items.len())));
            for item in items.iter() {
                write(item, out);
            }
        }
        Value::Obj(object) => {
            done(encode::write_map_len(out, count(object.len())));
            for (key, value) in object.iter() {
                done(encode::write_str(out, key));
                write(value, out);
            }
        }
    }
}

fn done<T, E: Debug>(written: Result<T, E>) {
    written.expect("a vector takes all that is written to it");
}

fn count(items: usize) -> u32 {
    u32::try_from(items).expect("a payload beyond 4 GiB does not come so far")
}

/// Reads one payload, and leaves what is behind it.
pub(super) fn read(from: &mut Reader<'_>, names: &mut Names) -> Result<Value, Misread> {
    read_within(from, names, DEPTH_MAX)
}

fn read_within(from: &mut Reader<'_>, names: &mut Names, depth: usize) -> Result<Value, Misread> {
    let at = from.at();
    let marker = Marker::from_u8(from.byte()?);
    Ok(match marker {
        Marker::Null => Value::Null,
        Marker::False => Value::Bool(false),
        Marker::True => Value::Bool(true),
        Marker::FixPos(number) => Value::Int(number.into()),
        Marker::FixNeg(number) => Value::Int(number.into()),
        Marker::U8 => Value::Int(u8::from_be_bytes(from.array()?).into()),
        Marker::U16 => Value::Int(u16::from_be_bytes(from.array()?).into()),
        Marker::U32 => Value::Int(u32::from_be_bytes(from.array()?).into()),
        Marker::U64 => Value::from(u64::from_be_bytes(from.array()?)),
        Marker::I8 => Value::Int(i8::from_be_bytes(from.array()?).into()),
        Marker::I16 => Value::Int(i16::from_be_bytes(from.array()?).into()),
        Marker::I32 => Value::Int(i32::from_be_bytes(from.array()?).into()),
        Marker::I64 => Value::Int(i64::from_be_bytes(from.array()?)),
        Marker::F32 => float(f32::from_be_bytes(from.array()?).into()),
        Marker::F64 => float(f64::from_be_bytes(from.array()?)),
        Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
            let size = size(from, marker)?;
            from.text_of(size).map(|text| Value::Str(text.into()))?
        }
        Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
            let count = size(from, marker)?;
            array(from, names, count, depth)?
        }
        Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
            let count = size(from, marker)?;
            object(from, names, count, depth)?
        }
        Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
            return Err(Misread::at(at, "bytes; send what JSON can say"));
        }
        _ => return Err(Misread::at(at, "no part of JSON; send what JSON can say")),
    })
}

/// The size of a text, a list or an object, which stands in its marker or behind it.
fn size(from: &mut Reader<'_>, marker: Marker) -> Result<usize, Misread> {
    Ok(match marker {
        Marker::FixStr(size) | Marker::FixArray(size) | Marker::FixMap(size) => size.into(),
        Marker::Str8 => from.byte()?.into(),
        Marker::Str16 | Marker::Array16 | Marker::Map16 => u16::from_be_bytes(from.array()?).into(),
        _ => u32::from_be_bytes(from.array()?) as usize,
    })
}

fn float(number: f64) -> Value {
    if number.is_finite() {
        Value::Float(number)
    } else {
        Value::Null
    }
}

fn array(
    from: &mut Reader<'_>,
    names: &mut Names,
    count: usize,
    depth: usize,
) -> Result<Value, Misread> {
    let depth = deeper(from, depth)?;
    // Each item has a byte at least: a size that lies takes no memory.
    let mut items = Vec::with_capacity(count.min(from.left()));
    for _ in 0..count {
        items.push(read_within(from, names, depth)?);
    }
    Ok(Value::Arr(Arc::new(items)))
}

fn object(
    from: &mut Reader<'_>,
    names: &mut Names,
    count: usize,
    depth: usize,
) -> Result<Value, Misread> {
    let depth = deeper(from, depth)?;
    let mut entries = Vec::with_capacity(count.min(from.left() / 2));
    for _ in 0..count {
        let key = key(from, names)?;
        entries.push((key, read_within(from, names, depth)?));
    }
    Ok(Value::from(Object::from_iter(entries)))
}

fn key(from: &mut Reader<'_>, names: &mut Names) -> Result<SmolStr, Misread> {
    let at = from.at();
    let marker = Marker::from_u8(from.byte()?);
    let size = match marker {
        Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => size(from, marker)?,
        _ => return Err(Misread::at(at, "a key that is no text; use texts")),
    };
    names.read(from, size)
}

fn deeper(from: &Reader<'_>, depth: usize) -> Result<usize, Misread> {
    let too_deep = || Misread::at(from.at(), "nested too deeply; keep to 128 levels");
    depth.checked_sub(1).ok_or_else(too_deep)
}

#[cfg(test)]
mod tests {
    use graph_model::value;
    use proptest::prelude::*;

    use super::*;

    fn packed(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(value, &mut bytes);
        bytes
    }

    fn unpacked(bytes: &[u8]) -> Result<Value, String> {
        let mut reader = Reader::new(bytes);
        let value =
            read(&mut reader, &mut Names::default()).map_err(|misread| misread.to_string())?;
        assert_eq!(reader.left(), 0, "all of it is read");
        Ok(value)
    }

    #[test]
    fn what_is_written_is_what_others_read() {
        for (value, bytes) in [
            (value!(null), &b"\xc0"[..]),
            (value!(true), b"\xc3"),
            (value!(5), b"\x05"),
            (value!(-1), b"\xff"),
            (value!(-33), b"\xd0\xdf"),
            (value!(200), b"\xcc\xc8"),
            (value!(300), b"\xcd\x01\x2c"),
            (value!(-300), b"\xd1\xfe\xd4"),
            (value!(70_000), b"\xce\x00\x01\x11\x70"),
            (Value::Int(i64::MIN), b"\xd3\x80\0\0\0\0\0\0\0"),
            (value!(0.5), b"\xcb\x3f\xe0\0\0\0\0\0\0"),
            (value!(3.0), b"\x03"),
            (Value::Float(f64::NAN), b"\xc0"),
            (value!("ab"), b"\xa2ab"),
            (value!([1, []]), b"\x92\x01\x90"),
            (value!({"b": 1, "a": {}}), b"\x82\xa1a\x80\xa1b\x01"),
        ] {
            assert_eq!(packed(&value), bytes, "{value}");
        }
    }

    #[test]
    fn what_others_write_is_read() {
        for (bytes, value) in [
            (&b"\xca\x3f\0\0\0"[..], value!(0.5)),
            (b"\xcb\x7f\xf0\0\0\0\0\0\0", value!(null)),
            (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", value!(u64::MAX)),
            (b"\xce\0\0\0\x07", value!(7)),
            (b"\xd9\x01x", value!("x")),
            (b"\xdc\0\x01\xc2", value!([false])),
            (b"\x82\xa1b\x01\xa1a\x02", value!({"a": 2, "b": 1})),
            (b"\xde\0\x02\xa1a\x01\xa1a\x02", value!({"a": 2})),
        ] {
            assert_eq!(unpacked(bytes), Ok(value), "{bytes:?}");
        }
    }

    #[test]
    fn what_json_cannot_say_is_refused_with_its_place() {
        let deep = [vec![0x91; DEPTH_MAX + 1], vec![0xc0]].concat();
        for (bytes, why) in [
            (&b""[..], "byte 0: it ends too early"),
            (b"\x92\x01", "byte 2: it ends too early"),
            (b"\xdd\xff\xff\xff\xff", "byte 5: it ends too early"),
            (b"\x91\xc4\x01x", "byte 1: bytes; send what JSON can say"),
            (b"\xc1", "byte 0: no part of JSON; send what JSON can say"),
            (
                b"\xd4\0\0",
                "byte 0: no part of JSON; send what JSON can say",
            ),
            (b"\x81\x01\x02", "byte 1: a key that is no text; use texts"),
            (b"\xa2\xff\xfe", "byte 1: a text that is not UTF-8"),
            (&deep, "byte 129: nested too deeply; keep to 128 levels"),
        ] {
            assert_eq!(unpacked(bytes), Err(why.into()), "{bytes:?}");
        }
    }

    #[test]
    fn every_size_of_text_and_list_comes_back() {
        for count in [0, 15, 16, 31, 32, 255, 256, 65_535, 65_536] {
            let text = value!("x".repeat(count));
            assert_eq!(unpacked(&packed(&text)), Ok(text));
            let list: Value = (0..count as i64).map(|n| n * 1_000).collect();
            assert_eq!(unpacked(&packed(&list)), Ok(list));
        }
        let object: Object = (0..300).map(|n| (format!("{n:03}"), n)).collect();
        let object = Value::from(object);
        assert_eq!(unpacked(&packed(&object)), Ok(object));
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(value!(null)),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,40}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((".{0,9}", inner), 0..6)
                    .prop_map(|entries| Value::from(Object::from_iter(entries))),
            ]
        })
    }

    /// What JSON can say of it.
    fn finite(value: Value) -> Value {
        match value {
            Value::Float(number) if !number.is_finite() => Value::Null,
            Value::Arr(items) => items.iter().cloned().map(finite).collect(),
            Value::Obj(object) => {
                let entries = object.iter();
                let entries = entries.map(|(key, value)| (key.clone(), finite(value.clone())));
                Value::from(entries.collect::<Object>())
            }
            other => other,
        }
    }

    proptest! {
        /// With the same text, and to the last bit of each number.
        #[test]
        fn every_payload_comes_back(value in any_value()) {
            let back = unpacked(&packed(&value)).expect("reads");
            prop_assert_eq!(back.to_json(), value.to_json());
            prop_assert_eq!(back, finite(value));
        }

        #[test]
        fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = Reader::new(&bytes);
            let mut names = Names::default();
            while let Ok(value) = read(&mut reader, &mut names) {
                prop_assert!(!value.to_json().is_empty());
            }
        }
    }
}
