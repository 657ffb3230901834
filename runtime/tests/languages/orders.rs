//! Orders that a seed makes up: good ones, bad ones, and texts that are none.

use rand_core::Rng;
use rand_pcg::Pcg64Mcg;
use runtime::functions::host::{FunctionEvent, FunctionPayload};

use crate::calling::json_event;

pub(crate) struct Chance(pub(crate) Pcg64Mcg);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64() % bound
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }

    pub(crate) fn order(&mut self) -> FunctionEvent {
        let mut event = json_event("");
        event.data = match self.below(40) {
            0 => FunctionPayload::None,
            1 => FunctionPayload::Text("{}".into()),
            2 => FunctionPayload::Bytes(b"{}".to_vec()),
            3..8 => FunctionPayload::Json(self.of(BROKEN).into()),
            _ => FunctionPayload::Json(self.json_order()),
        };
        if self.one_in(8) {
            event.subject = None;
            event.id = self.of(TEXTS).into();
        }
        event
    }

    fn json_order(&mut self) -> String {
        let mut members = Vec::new();
        if !self.one_in(20) {
            let id = if self.one_in(6) {
                self.any(0)
            } else {
                "\"o-1\"".to_owned()
            };
            members.push(format!("\"orderId\": {id}"));
        }
        if !self.one_in(20) {
            let country = match self.below(10) {
                0 => self.any(0),
                1 => format!("\"{}\"", self.of(TEXTS_IN_JSON)),
                _ => format!("\"{}\"", self.of(&["AT", "DE", "ES", "FR", "IT", "NL"])),
            };
            members.push(format!("\"country\": {country}"));
        }
        match self.below(5) {
            0 => {}
            1 => members.push(format!("\"total\": {}", self.any(0))),
            2 => members.push(format!("\"total\": {}", self.number())),
            _ => members.push(format!("\"total\": {}", self.price())),
        }
        if self.one_in(2) {
            members.push(format!("\"items\": {}", self.items()));
        }
        if self.one_in(6) {
            // Both, and in agreement.
            let cents = self.below(1_000_000);
            let total = format!("{}.{:02}", cents / 100, cents % 100);
            members.push(format!(
                "\"total\": {total}, \"items\": [{{\"price\": {total}}}]"
            ));
        }
        for _ in 0..self.below(3) {
            members.push(format!("\"{}\": {}", self.of(TEXTS_IN_JSON), self.any(2)));
        }
        if self.one_in(50) {
            let (open, close) = ("[".repeat(100), "]".repeat(100));
            members.push(format!("\"deep\": {open}{}{close}", self.number()));
        }
        if self.one_in(10) {
            members.rotate_left(1);
        }
        let space = self.of(&["", " ", "\n\t", "\r\n"]);
        format!(
            "{space}{{{space}{}{space}}}{space}",
            members.join(&format!("{space},{space}"))
        )
    }

    fn items(&mut self) -> String {
        if self.one_in(12) {
            return self.any(2);
        }
        let items: Vec<_> = (0..self.below(5)).map(|_| self.item()).collect();
        format!("[{}]", items.join(", "))
    }

    fn item(&mut self) -> String {
        if self.one_in(25) {
            return self.any(1);
        }
        let price = if self.one_in(20) {
            self.any(0)
        } else {
            self.price()
        };
        let quantity = match self.below(20) {
            0 => format!(", \"quantity\": {}", self.any(0)),
            1 => format!(", \"quantity\": {}", self.number()),
            2..10 => String::new(),
            _ => format!(", \"quantity\": {}", self.below(9)),
        };
        let again = if self.one_in(20) {
            ", \"price\": 2.5"
        } else {
            ""
        };
        format!("{{\"price\": {price}{quantity}{again}}}")
    }

    fn price(&mut self) -> String {
        match self.below(8) {
            0 => self.number(),
            1 => format!("{}", self.below(2_000)),
            // Halves of a cent, where roundings differ.
            2 => format!("{}.{}5", self.below(100), self.below(100)),
            3 => format!("{}.{}", self.below(1_000), self.0.next_u64()),
            4 => format!("{}e-{}", self.below(1_000_000_000), self.below(12)),
            _ => format!("{}.{:02}", self.below(1_000), self.below(100)),
        }
    }

    fn number(&mut self) -> String {
        if self.one_in(2) {
            return self.of(NUMBERS).to_owned();
        }
        // Any bits there are, as long as they are a number.
        let number = f64::from_bits(self.0.next_u64());
        let number = if number.is_finite() { number } else { 0.1 };
        if self.one_in(2) {
            format!("{number:e}")
        } else {
            format!("{number}")
        }
    }

    fn any(&mut self, depth: u32) -> String {
        match self.below(if depth == 0 { 6 } else { 8 }) {
            0 => "null".to_owned(),
            1 => self.of(&["true", "false"]).to_owned(),
            2 | 3 => self.number(),
            4 | 5 => format!("\"{}\"", self.of(TEXTS_IN_JSON)),
            6 => {
                let items: Vec<_> = (0..self.below(3)).map(|_| self.any(depth - 1)).collect();
                format!("[{}]", items.join(","))
            }
            _ => {
                let mut members = Vec::new();
                for _ in 0..self.below(3) {
                    members.push(format!(
                        "\"{}\":{}",
                        self.of(TEXTS_IN_JSON),
                        self.any(depth - 1)
                    ));
                }
                format!("{{{}}}", members.join(","))
            }
        }
    }
}

/// Numbers at which readers and writers of JSON differ.
const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "-0.0",
    "0.0",
    "1.0",
    "1e0",
    "1E+2",
    "1e-2",
    "-1",
    "-0.001",
    "-0.005",
    "0.005",
    "0.015",
    "1.005",
    "2.675",
    "0.285",
    "1.115",
    "8.345",
    "0.1",
    "0.30000000000000004",
    "1e15",
    "1e16",
    "1e21",
    "1e22",
    "1e23",
    "1e-7",
    "123456789.125",
    "9007199254740991",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "-9223372036854775809",
    "123456789012345678901234567890",
    "1e12",
    "1000000000000.001",
    "999999999999.995",
    "1e300",
    "-1e300",
    "1.7976931348623157e308",
    "5e-324",
    "2.2250738585072011e-308",
    "2.2250738585072014e-308",
    "1e-400",
    "0.000000000000000000000000000001",
    "4.35",
    "0.49999999999999994",
    "4503599627370497.5",
];

/// Texts as JSON has them.
const TEXTS_IN_JSON: &[&str] = &[
    "",
    " ",
    "\\t\\n",
    "IT",
    "it",
    "XX",
    "a",
    "note",
    "tax",
    "taxRate",
    "reason",
    "__proto__",
    "constructor",
    "toString",
    "\\u0000",
    "a\\u0000b",
    "\\u001f\\u007f\\u0080",
    "\\\"\\\\\\/\\b\\f\\n\\r\\t",
    "é",
    "e\u{301}",
    "\u{1f600}",
    "\\ud83d\\ude00",
    "\u{feff}",
    "\u{a0}",
    "\\u2028\u{2029}",
    "日本",
    "\u{10ffff}",
    "%s%n",
    "{{name}}",
    "'",
    "orderId",
    "hasOwnProperty",
];

/// Ids of events.
const TEXTS: &[&str] = &["", "e2", "é \u{1f600}", "a\0b", "%s"];

/// What is no JSON object, although some readers think so.
const BROKEN: &[&str] = &[
    "",
    " ",
    "{",
    "}",
    "[]",
    "[1]",
    "1",
    "null",
    "true",
    "\"{}\"",
    "{}x",
    "{} {}",
    "{\"a\":1,}",
    "{,}",
    "{a:1}",
    "{'a':1}",
    "{\"a\" 1}",
    "{\"a\":01}",
    "{\"a\":+1}",
    "{\"a\":1.}",
    "{\"a\":.5}",
    "{\"a\":-}",
    "{\"a\":1e}",
    "{\"a\":0x10}",
    "{\"a\":NaN}",
    "{\"a\":Infinity}",
    "{\"a\":-Infinity}",
    "{\"a\":1e400}",
    "{\"a\":-1e400}",
    "{\"a\":\"\\x\"}",
    "{\"a\":\"\\u12\"}",
    "{\"a\":\"\t\"}",
    "{\"a\":\"\n\"}",
    "{\"a\":\"\0\"}",
    "{\"a\":\"\\ud800\"}",
    "{\"a\":\"\\udc00\"}",
    "{\"a\":\"\\ud800\\u0041\"}",
    "{\"\\ud800\":1}",
    "\u{feff}{}",
    "{\"a\":1}\u{a0}",
    "{\"a\":tru}",
    "{\"a\":True}",
    "{\"a\":None}",
    "{\"a\":[1,]}",
    "{\"a\":1}//",
    "/**/{}",
    "{\"a\":\u{663}}",
    "{\"a\":1 \"b\":2}",
    "{\"a\"",
    "{\"a\":\"",
    "\0",
    "{}\0",
    "{\"a\":00}",
    "{\"a\":-01}",
    "{\"a\":1_000}",
    "{1:2}",
];
