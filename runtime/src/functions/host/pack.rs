//! Payloads as `MessagePack`, which is how they stand in frames.
//!
//! The texts, numbers, lists and objects of JSON, and nothing else. Numbers are written as JSON text would
//! have them: a whole one as a whole number.

use std::sync::Arc;

use graph_model::value::{DEPTH_MAX, Object, Value};
use smol_str::SmolStr;

use super::names::Names;
use super::reader::{Misread, Reader};

/// Writes a payload.
pub(super) fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(NIL),
        Value::Bool(flag) => out.push(if *flag { TRUE } else { FALSE }),
        Value::Int(number) => whole(*number, out),
        // JSON has no infinities and no NaN.
        Value::Float(number) if !number.is_finite() => out.push(NIL),
        Value::Float(number) if number.fract() == 0.0 && number.abs() < 9.0e15 => {
            whole(*number as i64, out);
        }
        Value::Float(number) => with(out, F64, &number.to_be_bytes()),
        Value::Str(text) => write_text(text, out),
        Value::Arr(items) => {
            size(
                items.len(),
                out,
                (FIX_ARRAY, 15),
                [None, Some(ARRAY_16), Some(ARRAY_32)],
            );
            for item in items.iter() {
                write(item, out);
            }
        }
        Value::Obj(object) => {
            size(
                object.len(),
                out,
                (FIX_MAP, 15),
                [None, Some(MAP_16), Some(MAP_32)],
            );
            for (key, value) in object.iter() {
                write_text(key, out);
                write(value, out);
            }
        }
    }
}

/// Reads one payload, and leaves what is behind it.
pub(super) fn read(from: &mut Reader<'_>, names: &mut Names) -> Result<Value, Misread> {
    read_within(from, names, DEPTH_MAX)
}

const FIX_MAP: u8 = 0x80;
const FIX_ARRAY: u8 = 0x90;
const FIX_TEXT: u8 = 0xa0;
const NIL: u8 = 0xc0;
const FALSE: u8 = 0xc2;
const TRUE: u8 = 0xc3;
const F32: u8 = 0xca;
const F64: u8 = 0xcb;
const U8: u8 = 0xcc;
const U16: u8 = 0xcd;
const U32: u8 = 0xce;
const U64: u8 = 0xcf;
const I8: u8 = 0xd0;
const I16: u8 = 0xd1;
const I32: u8 = 0xd2;
const I64: u8 = 0xd3;
const TEXT_8: u8 = 0xd9;
const TEXT_16: u8 = 0xda;
const TEXT_32: u8 = 0xdb;
const ARRAY_16: u8 = 0xdc;
const ARRAY_32: u8 = 0xdd;
const MAP_16: u8 = 0xde;
const MAP_32: u8 = 0xdf;

fn whole(number: i64, out: &mut Vec<u8>) {
    if let Ok(small) = i8::try_from(number) {
        if small >= -32 {
            out.push(small as u8); // one byte says both
        } else {
            with(out, I8, &small.to_be_bytes());
        }
    } else if let Ok(small) = u8::try_from(number) {
        with(out, U8, &small.to_be_bytes());
    } else if let Ok(small) = i16::try_from(number) {
        with(out, I16, &small.to_be_bytes());
    } else if let Ok(small) = i32::try_from(number) {
        with(out, I32, &small.to_be_bytes());
    } else {
        with(out, I64, &number.to_be_bytes());
    }
}

fn with(out: &mut Vec<u8>, mark: u8, bytes: &[u8]) {
    out.push(mark);
    out.extend_from_slice(bytes);
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    let marks = [Some(TEXT_8), Some(TEXT_16), Some(TEXT_32)];
    size(text.len(), out, (FIX_TEXT, 31), marks);
    out.extend_from_slice(text.as_bytes());
}

/// Writes a size in the shortest way: in the mark itself up to a bound, or behind a mark for its bytes.
fn size(count: usize, out: &mut Vec<u8>, (fix, most): (u8, usize), marks: [Option<u8>; 3]) {
    let [one, two, four] = marks;
    if count <= most {
        out.push(fix | count as u8);
    } else if let (Some(mark), Ok(count)) = (one, u8::try_from(count)) {
        with(out, mark, &count.to_be_bytes());
    } else if let (Some(mark), Ok(count)) = (two, u16::try_from(count)) {
        with(out, mark, &count.to_be_bytes());
    } else if let Some(mark) = four {
        // A payload beyond 4 GiB does not come so far.
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        with(out, mark, &count.to_be_bytes());
    }
}

fn read_within(from: &mut Reader<'_>, names: &mut Names, depth: usize) -> Result<Value, Misread> {
    let at = from.at();
    let mark = from.byte()?;
    Ok(match mark {
        0x00..=0x7f => Value::Int(mark.into()),
        0x80..=0x8f => object(from, names, (mark & 0x0f).into(), depth)?,
        0x90..=0x9f => array(from, names, (mark & 0x0f).into(), depth)?,
        0xa0..=0xbf => Value::Str(text(from, (mark & 0x1f).into())?),
        NIL => Value::Null,
        FALSE => Value::Bool(false),
        TRUE => Value::Bool(true),
        F32 => float(f32::from_be_bytes(from.array()?).into()),
        F64 => float(f64::from_be_bytes(from.array()?)),
        U8 => Value::Int(u8::from_be_bytes(from.array()?).into()),
        U16 => Value::Int(u16::from_be_bytes(from.array()?).into()),
        U32 => Value::Int(u32::from_be_bytes(from.array()?).into()),
        U64 => Value::from(u64::from_be_bytes(from.array()?)),
        I8 => Value::Int(i8::from_be_bytes(from.array()?).into()),
        I16 => Value::Int(i16::from_be_bytes(from.array()?).into()),
        I32 => Value::Int(i32::from_be_bytes(from.array()?).into()),
        I64 => Value::Int(i64::from_be_bytes(from.array()?)),
        TEXT_8 | TEXT_16 | TEXT_32 => {
            let size = sized(from, mark - TEXT_8)?;
            Value::Str(text(from, size)?)
        }
        ARRAY_16 | ARRAY_32 => {
            let count = sized(from, mark - ARRAY_16 + 1)?;
            array(from, names, count, depth)?
        }
        MAP_16 | MAP_32 => {
            let count = sized(from, mark - MAP_16 + 1)?;
            object(from, names, count, depth)?
        }
        0xe0..=0xff => Value::Int((mark as i8).into()),
        0xc4..=0xc6 => return Err(Misread::at(at, "bytes; send what JSON can say")),
        _ => return Err(Misread::at(at, "no part of JSON; send what JSON can say")),
    })
}

/// A size in one, two or four bytes, for the steps 0, 1 and 2.
fn sized(from: &mut Reader<'_>, step: u8) -> Result<usize, Misread> {
    Ok(match step {
        0 => from.byte()?.into(),
        1 => u16::from_be_bytes(from.array()?).into(),
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

fn text(from: &mut Reader<'_>, size: usize) -> Result<SmolStr, Misread> {
    from.text_of(size).map(SmolStr::new)
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
    let mark = from.byte()?;
    let size = match mark {
        0xa0..=0xbf => (mark & 0x1f).into(),
        TEXT_8 | TEXT_16 | TEXT_32 => sized(from, mark - TEXT_8)?,
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
            (value!(300), b"\xd1\x01\x2c"),
            (value!(70_000), b"\xd2\x00\x01\x11\x70"),
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
