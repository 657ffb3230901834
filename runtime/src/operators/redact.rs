//! Redact: takes fields away before others see them.

use std::sync::Arc;

use graph_model::catalog::{
    Behaviour, Family, FieldSpec, FieldType, KindSpec, PortSpec, ReachKind,
};
use graph_model::event::Event;
use graph_model::pointer::Pointer;
use graph_model::schema::Types;
use graph_model::value::Value;
use hmac::{Hmac, KeyInit, Mac};
use runtime_protocol::Problem;
use sha2::Sha256;
use smol_str::{SmolStr, SmolStrBuilder, format_smolstr};

use crate::kind::{Build, Kind, Make};
use crate::operator::{Context, Failure, Operator, Output};

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Operator(make),
    }
}

fn make(build: &Build) -> Result<Box<dyn Operator>, Problem> {
    let mut fields = Vec::new();
    for text in build.texts("fields") {
        let field = Pointer::parse(&text);
        fields.push(field.map_err(|error| build.problem(format!("`fields`: {error}")))?);
    }
    let how = match &*build.text("how")? {
        "mask" => How::Mask,
        "hash" => {
            let key = build.secret("secret")?.ok_or_else(|| {
                build.problem("`hash` needs a key: name the variable that holds it in `secret`")
            })?;
            let mac = Hmac::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
            How::Hash(Box::new(mac))
        }
        _ => How::Remove,
    };
    Ok(Box::new(Redact { fields, how }))
}

struct Redact {
    fields: Vec<Pointer>,
    how: How,
}

enum How {
    Remove,
    Mask,
    Hash(Box<Hmac<Sha256>>),
}

/// What a mask shows, however long the value is.
const STARS: Value = Value::Str(SmolStr::new_static("***"));

impl Operator for Redact {
    fn on_event(&mut self, mut event: Event, _input: usize, _ctx: &Context<'_>, out: &mut Output) {
        let mut data = event.data.clone();
        for field in &self.fields {
            if let Err(NoWay(depth, found)) = hide(&mut data, field.tokens(), &self.how) {
                let above: Pointer = field.tokens()[..depth].iter().cloned().collect();
                let failure = Failure::invalid(format_smolstr!(
                    "`{above}` is {found}, so `{field}` cannot be hidden; correct `fields`"
                ));
                return out.fail(event, failure);
            }
        }
        event.data = data;
        out.emit(0, event);
    }
}

/// How deep the way led, and what stood there.
struct NoWay(usize, Types);

/// Hides the field in `value`. A field that is not there needs no hiding; but where something else
/// stands on the way to it, what should be hidden may be inside, and the event must not pass.
fn hide(value: &mut Value, tokens: &[SmolStr], how: &How) -> Result<(), NoWay> {
    let Some((token, rest)) = tokens.split_first() else {
        *value = how.left_of(value);
        return Ok(());
    };
    let removes = rest.is_empty() && matches!(how, How::Remove);
    let deeper = |NoWay(depth, found)| NoWay(depth + 1, found);
    match value {
        Value::Null => Ok(()),
        Value::Obj(object) => {
            if !object.contains_key(token) {
                return Ok(());
            }
            let object = Arc::make_mut(object);
            if removes {
                object.remove(token);
                return Ok(());
            }
            let field = object.get_mut(token);
            field
                .map_or(Ok(()), |field| hide(field, rest, how))
                .map_err(deeper)
        }
        Value::Arr(items) if token == "*" => {
            let items = Arc::make_mut(items);
            if removes {
                items.clear();
                return Ok(());
            }
            let mut items = items.iter_mut();
            items
                .try_for_each(|item| hide(item, rest, how))
                .map_err(deeper)
        }
        Value::Arr(items) if token.parse::<usize>().is_ok() => {
            let index = token.parse::<usize>().unwrap_or(usize::MAX);
            if index >= items.len() {
                return Ok(());
            }
            let items = Arc::make_mut(items);
            if removes {
                items.remove(index);
                return Ok(());
            }
            hide(&mut items[index], rest, how).map_err(deeper)
        }
        other => Err(NoWay(0, Types::of(other))),
    }
}

impl How {
    fn left_of(&self, value: &Value) -> Value {
        match self {
            How::Remove => Value::Null,
            How::Mask => STARS,
            How::Hash(keyed) => {
                let mut mac = Hmac::clone(keyed);
                mac.update(value.to_json().as_bytes());
                Value::str(hex(&mac.finalize().into_bytes()[..FINGERPRINT_BYTES]))
            }
        }
    }
}

/// Enough that two values do not meet by chance.
const FINGERPRINT_BYTES: usize = 16;

fn hex(bytes: &[u8]) -> SmolStr {
    let mut text = SmolStrBuilder::new();
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(digit.into(), 16).expect("a digit is below 16"));
        }
    }
    text.finish()
}

fn spec() -> KindSpec {
    KindSpec {
        id: "redact".into(),
        family: Family::Operator,
        title: "Redact".into(),
        summary: "Removes or hides fields.".into(),
        doc: "`remove` takes the field out, `mask` puts stars in its place, `hash` puts a keyed fingerprint in its place: equal values stay equal. `*` in a field stands for every element of an array. A field that is missing needs no hiding; an event in which a text, number or array stands where the field's object should be fails, since what should be hidden may be inside.".into(),
        icon: "redact".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![PortSpec::data("out", "Events without the fields"), PortSpec::failed("Events that were given up, with their cause")],
        config: vec![FieldSpec::new("fields", "Fields", FieldType::Pointers, "Fields to hide, such as `/patient/name`").required(), FieldSpec::new("how", "How", FieldType::choice(&["remove", "mask", "hash"]), "What is left").default_to("remove"), FieldSpec::new("secret", "Key", FieldType::Secret, "Environment variable with the key of the fingerprint").reaches(ReachKind::Secret).advanced()],
        behaviour: Behaviour::Redact { fields: "fields".into(), how: "how".into() },
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::value;

    use crate::operators::testing::Bench;

    /// A variable that is there in every test.
    const KEY: &str = "CARGO_PKG_NAME";

    fn patient() -> graph_model::value::Value {
        value!({"patient": {"name": "Ada", "notes": [{"text": "a"}, {"text": "a"}]}, "n": 1})
    }

    #[test]
    fn fields_are_hidden_and_the_rest_is_left() {
        for (fields, how, line) in [
            (
                value!(["/patient/name", "/patient/notes/*/text", "/none/such"]),
                "remove",
                r#"out {"n":1,"patient":{"notes":[{},{}]}}"#,
            ),
            (
                value!(["/patient/notes/0", "/n"]),
                "remove",
                r#"out {"patient":{"name":"Ada","notes":[{"text":"a"}]}}"#,
            ),
            (
                value!(["/patient/notes", "/patient/name"]),
                "mask",
                r#"out {"n":1,"patient":{"name":"***","notes":"***"}}"#,
            ),
            (value!([""]), "remove", "out null"),
        ] {
            let mut bench = Bench::new("redact", value!({"fields": fields, "how": how}));
            assert_eq!(bench.feed(patient()), [line]);
        }
    }

    #[test]
    fn fingerprints_are_equal_where_values_are() {
        let fields = value!(["/patient/notes/*/text", "/n"]);
        let config = value!({"fields": fields, "how": "hash", "secret": KEY});
        let lines = Bench::new("redact", config).feed(patient());
        let texts: Vec<&str> = lines[0]
            .split('"')
            .filter(|text| text.len() == 32)
            .collect();
        let [number, first, second] = texts[..] else {
            panic!("three fingerprints: {lines:?}");
        };
        assert_eq!(first, second);
        assert_ne!(first, number);
    }

    #[test]
    fn what_may_hide_the_field_does_not_pass() {
        let mut bench = Bench::new("redact", value!({"fields": ["/patient/name/last"]}));
        assert_eq!(
            bench.feed(patient()),
            [
                "failed Invalid: `/patient/name` is a string, so `/patient/name/last` cannot be hidden; correct `fields`"
            ]
        );
        let mut bench = Bench::new("redact", value!({"fields": ["/patient/notes/text"]}));
        assert!(
            bench.feed(patient())[0].starts_with("failed Invalid: `/patient/notes` is an array")
        );
        assert_eq!(
            Bench::refusal("redact", value!({"fields": ["/a"], "how": "hash"})),
            "`hash` needs a key: name the variable that holds it in `secret`"
        );
    }
}
