//! What the name of a field suggests. Suggestions are offered, never taken: people decide.

use graph_model::document::Adds;
use graph_model::pointer::Pointer;

use crate::pins::Pin;

/// What somebody could be harmed by, if the name says so: `health data`, `a payment card`.
pub(crate) fn delicate(field: &Pointer) -> Option<&'static str> {
    let words = words(field);
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    let rows: [(&str, &[&str]); 11] = [
        (
            "a secret",
            &["password", "passwd", "secret", "pin", "token", "cvv", "cvc"],
        ),
        ("a payment card", &["card", "pan"]),
        ("a bank account", &["iban", "bic"]),
        (
            "health data",
            &[
                "diagnosis",
                "diagnoses",
                "disease",
                "symptom",
                "symptoms",
                "medication",
                "allergy",
                "blood",
            ],
        ),
        ("pay", &["salary", "wage", "wages", "income", "payroll"]),
        (
            "an identity number",
            &["ssn", "passport", "licence", "license"],
        ),
        (
            "contact data",
            &["email", "mail", "phone", "mobile", "tel", "fax"],
        ),
        (
            "where somebody lives",
            &["address", "street", "zip", "postcode", "postal"],
        ),
        (
            "a date of birth",
            &["birth", "birthday", "birthdate", "dob"],
        ),
        (
            "what nobody may be judged by",
            &[
                "gender",
                "religion",
                "ethnicity",
                "nationality",
                "disability",
            ],
        ),
        (
            "where somebody is",
            &["ip", "latitude", "longitude", "gps", "geo"],
        ),
    ];
    let found = rows.iter().find(|(_, wanted)| has(wanted));
    if let Some((what, _)) = found {
        return Some(what);
    }
    let of_people = [
        "first", "last", "full", "sur", "patient", "customer", "person", "user",
    ];
    let name = has(&["surname", "firstname", "lastname", "fullname"]);
    (name || has(&["name"]) && has(&of_people)).then_some("the name of a person")
}

/// What the field may be to its events.
pub(crate) fn pin(field: &Pointer) -> Option<Pin> {
    if field.tokens().len() > 2 {
        return None;
    }
    let words = words(field);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        [.., "version" | "revision" | "rev" | "etag"] => Some(Pin::Version),
        [.., "time" | "timestamp" | "ts"] | ["occurred" | "created" | "happened", "at"] => {
            Some(Pin::Time)
        }
        ["tenant" | "org" | "organisation" | "organization" | "account" | "workspace" | "shop"]
        | [
            "tenant" | "org" | "organisation" | "organization" | "workspace" | "shop",
            "id",
        ] => Some(Pin::Tenant),
        [
            "customer" | "patient" | "user" | "person" | "member" | "employee" | "student",
            "id",
        ] => Some(Pin::Subject),
        ["id" | "uuid"] | ["event", "id"] => Some(Pin::Id),
        _ => None,
    }
}

/// How a number of this name adds up, if at all, and in what it is measured.
pub(crate) fn measure(field: &Pointer) -> (Option<Adds>, Option<&'static str>) {
    let words = words(field);
    let last = words.last().map_or("", String::as_str);
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    let adds = if has(&[
        "price",
        "ratio",
        "rate",
        "percent",
        "percentage",
        "temperature",
        "avg",
        "average",
        "mean",
        "score",
        "share",
        "age",
        "latitude",
        "longitude",
    ]) {
        Some(Adds::Never)
    } else if has(&[
        "balance",
        "stock",
        "inventory",
        "level",
        "headcount",
        "open",
    ]) {
        Some(Adds::NotOverTime)
    } else if has(&[
        "amount", "total", "sum", "count", "quantity", "qty", "revenue", "cost", "fee", "tax",
        "cents",
    ]) {
        Some(Adds::Always)
    } else {
        None
    };
    let units = [
        ("cents", "cent"),
        ("cent", "cent"),
        ("eur", "EUR"),
        ("usd", "USD"),
        ("gbp", "GBP"),
        ("chf", "CHF"),
        ("ms", "ms"),
        ("millis", "ms"),
        ("seconds", "s"),
        ("secs", "s"),
        ("minutes", "min"),
        ("hours", "h"),
        ("days", "d"),
        ("bytes", "B"),
        ("kb", "kB"),
        ("mb", "MB"),
        ("kg", "kg"),
        ("grams", "g"),
        ("km", "km"),
        ("meters", "m"),
        ("metres", "m"),
        ("celsius", "°C"),
        ("percent", "%"),
    ];
    let unit = units.iter().find(|(suffix, _)| *suffix == last);
    (adds, unit.map(|(_, unit)| *unit))
}

/// The words of a field's own name, in lower case: `patientName` and `patient_name` alike.
fn words(field: &Pointer) -> Vec<String> {
    let Some(name) = field.last() else {
        return Vec::new();
    };
    let mut words = vec![String::new()];
    let mut before_lower = false;
    for letter in name.chars() {
        if !letter.is_alphanumeric() || letter.is_uppercase() && before_lower {
            words.push(String::new());
        }
        before_lower = letter.is_lowercase();
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(text: &str) -> Pointer {
        Pointer::parse(text).expect("a pointer")
    }

    #[test]
    fn names_tell_what_is_delicate() {
        for (name, expected) in [
            ("/customer/email", Some("contact data")),
            ("/ssn", Some("an identity number")),
            ("/iban", Some("a bank account")),
            ("/cardNumber", Some("a payment card")),
            ("/phone_number", Some("contact data")),
            ("/birthDate", Some("a date of birth")),
            ("/diagnosis", Some("health data")),
            ("/salary_cents", Some("pay")),
            ("/patient_name", Some("the name of a person")),
            ("/product_name", None),
            ("/discard", None),
            ("/status", None),
        ] {
            assert_eq!(delicate(&field(name)), expected, "{name}");
        }
    }

    #[test]
    fn names_tell_what_a_field_is_to_its_events() {
        for (name, expected) in [
            ("/id", Some(Pin::Id)),
            ("/patient_id", Some(Pin::Subject)),
            ("/customer/customerId", Some(Pin::Subject)),
            ("/tenant", Some(Pin::Tenant)),
            ("/created_at", Some(Pin::Time)),
            ("/version", Some(Pin::Version)),
            ("/order_id", None),
            ("/lines/*/customer_id", None),
        ] {
            assert_eq!(pin(&field(name)), expected, "{name}");
        }
    }

    #[test]
    fn names_tell_how_numbers_add_up() {
        for (name, expected) in [
            ("/amount_cents", (Some(Adds::Always), Some("cent"))),
            ("/duration_ms", (None, Some("ms"))),
            ("/balance", (Some(Adds::NotOverTime), None)),
            ("/unitPrice", (Some(Adds::Never), None)),
            ("/ratio", (Some(Adds::Never), None)),
            ("/weight_kg", (None, Some("kg"))),
            ("/code", (None, None)),
        ] {
            assert_eq!(measure(&field(name)), expected, "{name}");
        }
    }
}
