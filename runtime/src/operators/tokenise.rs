//! Tokenise: stands tokens in for values that others need not see.

use graph_model::catalog::{
    Behaviour, Family, FieldSpec, FieldType, KindSpec, PortSpec, ReachKind,
};
use graph_model::event::Event;
use graph_model::value::Value;
use runtime_protocol::Problem;

use crate::kind::{Build, Kind, Make};
use crate::operator::{Context, Operator, Output};
use crate::operators::fields::{Become, Fields};
use crate::operators::fingerprint::{DIGITS, DIGITS_MAX, Fingerprint};

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Operator(make),
    }
}

fn make(build: &Build) -> Result<Box<dyn Operator>, Problem> {
    let key = build.secret("secret")?.ok_or_else(|| {
        build.problem("tokens need a key: name the variable that holds it in `secret`")
    })?;
    let digits = build.whole("length")? as usize;
    Ok(Box::new(Tokenise {
        fields: Fields::of_field(build, "fields")?,
        fingerprint: Fingerprint::new(&key, digits),
    }))
}

struct Tokenise {
    fields: Fields,
    fingerprint: Fingerprint,
}

impl Operator for Tokenise {
    fn on_event(&mut self, mut event: Event, _input: usize, _ctx: &Context<'_>, out: &mut Output) {
        let token = |value: &Value| match value {
            Value::Null => Value::Null,
            value => Value::str(self.fingerprint.of(value)),
        };
        let mut data = event.data.clone();
        match self.fields.change(&mut data, Become::Another(&token)) {
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
        id: "tokenise".into(),
        family: Family::Operator,
        title: "Tokenise".into(),
        summary: "Replaces fields by tokens: the same value always gets the same one.".into(),
        doc: "A token is a keyed fingerprint (HMAC with SHA-256) of the value as JSON, so events can still be grouped and joined by it, and nobody without the key can guess the value. The number `1` and the text `1` have different tokens. With another key, all tokens are others; with fewer digits, two values are more likely to share one: of a million values, about a hundred pairs do with 8 digits, and hardly ever any with 16.\n\n`*` in a field stands for every element of an array. Fields that are missing stay missing and `null` stays `null`; an event in which a text, number or array stands where the field's object should be fails, since what should be hidden may be inside. Nothing is remembered: there is no way back from a token.".into(),
        icon: "tokenise".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![PortSpec::data("out", "Events with tokens"), PortSpec::failed("Events that were given up, with their cause")],
        config: vec![FieldSpec::new("fields", "Fields", FieldType::Pointers, "Fields to replace, such as `/customer/email`").required(), FieldSpec::new("secret", "Key", FieldType::Secret, "Environment variable with the key of the tokens").required().reaches(ReachKind::Secret), FieldSpec::new("length", "Digits", FieldType::Integer { min: 8, max: DIGITS_MAX as i64 }, "Hex digits of a token").default_to(DIGITS as i64).advanced()],
        behaviour: Behaviour::Tokenise { fields: "fields".into() },
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::value;
    use graph_model::value::Value;

    use crate::operators::testing::Bench;

    /// A variable that is there in every test.
    const KEY: &str = "CARGO_PKG_NAME";

    fn tokens(fields: &Value, length: i64) -> Bench {
        let config = value!({"fields": (fields.clone()), "secret": KEY, "length": length});
        Bench::new("tokenise", config)
    }

    #[test]
    fn the_same_value_gets_the_same_token() {
        let fields = value!(["/who/mail", "/seen/*", "/n"]);
        let mut bench = tokens(&fields, 12);
        let event = value!({"who": {"mail": "a@b"}, "seen": ["a@b", "c@d", 1], "n": "1"});
        let line = bench.feed(event.clone());
        let left = Value::parse(&line[0].as_bytes()[4..], 1_000).expect("JSON");
        let at = |pointer: &str| {
            let pointer = graph_model::pointer::Pointer::parse(pointer).expect("a pointer");
            let token = pointer.get(&left).and_then(Value::as_str).expect("a token");
            token.to_owned()
        };
        let token = at("/who/mail");
        assert!(token.len() == 12 && token.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(at("/seen/0"), token);
        assert_ne!(at("/seen/1"), token);
        assert_ne!(at("/seen/2"), at("/n"), "a number is no text");
        assert_eq!(bench.feed(event), line, "nothing is remembered");
    }

    #[test]
    fn tokens_are_the_fingerprints_of_redact() {
        let config = value!({"fields": ["/n"], "how": "hash", "secret": KEY});
        let hash = Bench::new("redact", config).feed(value!({"n": 1}));
        assert_eq!(tokens(&value!(["/n"]), 32).feed(value!({"n": 1})), hash);
        let longer = tokens(&value!(["/n"]), 64).feed(value!({"n": 1}));
        assert_eq!(longer[0][..38], hash[0][..38]);
        assert_eq!(longer[0].len(), hash[0].len() + 32);
    }

    #[test]
    fn what_is_not_there_stays_away() {
        let mut bench = tokens(&value!(["/a/b", "/c"]), 8);
        for (data, line) in [
            (value!({"c": null}), r#"out {"c":null}"#),
            (value!({"a": {}}), r#"out {"a":{}}"#),
            (
                value!({"a": "text"}),
                "failed Invalid: `/a` is a string, so `/a/b` cannot be hidden; correct `fields`",
            ),
        ] {
            assert_eq!(bench.feed(data), [line]);
        }
    }

    #[test]
    fn tokens_need_a_key() {
        let config = value!({"fields": ["/n"]});
        assert_eq!(
            Bench::refusal("tokenise", config),
            "tokens need a key: name the variable that holds it in `secret`"
        );
    }
}
