//! Redact: takes fields away before others see them.

use graph_model::catalog::{
    Behaviour, Family, FieldSpec, FieldType, KindSpec, PortSpec, ReachKind,
};
use graph_model::event::Event;
use graph_model::value::Value;
use runtime_protocol::Problem;
use smol_str::SmolStr;

use crate::kind::{Build, Kind, Make};
use crate::operator::{Context, Operator, Output};
use crate::operators::fields::{Become, Fields};
use crate::operators::fingerprint::{DIGITS, Fingerprint};

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Operator(make),
    }
}

fn make(build: &Build) -> Result<Box<dyn Operator>, Problem> {
    let how = match &*build.text("how")? {
        "mask" => How::Mask,
        "hash" => {
            let key = build.secret("secret")?.ok_or_else(|| {
                build.problem("`hash` needs a key: name the variable that holds it in `secret`")
            })?;
            How::Hash(Fingerprint::new(&key, DIGITS))
        }
        _ => How::Remove,
    };
    let fields = Fields::of_field(build, "fields")?;
    Ok(Box::new(Redact { fields, how }))
}

struct Redact {
    fields: Fields,
    how: How,
}

enum How {
    Remove,
    Mask,
    Hash(Fingerprint),
}

/// What a mask shows, however long the value is.
const STARS: Value = Value::Str(SmolStr::new_static("***"));

impl Operator for Redact {
    fn on_event(&mut self, mut event: Event, _input: usize, _ctx: &Context<'_>, out: &mut Output) {
        let mut data = event.data.clone();
        let hidden = match &self.how {
            How::Remove => self.fields.change(&mut data, Become::Nothing),
            How::Mask => self.fields.change(&mut data, Become::Another(&|_| STARS)),
            How::Hash(fingerprint) => {
                let of = |value: &Value| Value::str(fingerprint.of(value));
                self.fields.change(&mut data, Become::Another(&of))
            }
        };
        match hidden {
            Ok(()) => {
                event.data = data;
                out.emit(0, event);
            }
            Err(failure) => out.fail(event, failure),
        }
    }
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
