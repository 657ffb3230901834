//! What runs say of findings. The validator runs nothing: whoever does hands it in.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use crate::value::{Object, Value};

/// What runs say, by the id of the diagnostic.
pub type Confirmations = BTreeMap<SmolStr, Confirmation>;

/// Whether a finding was seen happening.
#[derive(Clone, Debug, PartialEq)]
pub enum Confirmation {
    Confirmed(Seen),
    /// So many runs did not show it.
    NotConfirmed {
        tried: u32,
    },
    /// No run can show it, and why.
    Assumed {
        why: String,
    },
}

/// A run in which a finding is seen happening.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub facts: usize,
    pub faults: usize,
    /// How it was seen, in short, such as `1 fact and a copy on lane_to_charge`.
    pub by: String,
    /// What comes in, what happens to it, what is wrong in the end.
    pub explanation: Vec<String>,
    /// By which texts name the oracle that saw it.
    pub oracle: SmolStr,
    /// Identifies every step of the run.
    pub trace: String,
}

impl Confirmation {
    /// In a line.
    pub fn line(&self) -> String {
        match self {
            Confirmation::Confirmed(seen) => format!("confirmed by {}", seen.by),
            Confirmation::NotConfirmed { tried: 1 } => "not confirmed after 1 run".to_owned(),
            Confirmation::NotConfirmed { tried } => format!("not confirmed after {tried} runs"),
            Confirmation::Assumed { why } => format!("assumed, {why}"),
        }
    }

    /// What is wrong in the end, where it was seen.
    pub fn end(&self) -> Option<&str> {
        match self {
            Confirmation::Confirmed(seen) => seen.explanation.last().map(String::as_str),
            Confirmation::NotConfirmed { .. } | Confirmation::Assumed { .. } => None,
        }
    }

    /// For programs.
    pub fn to_value(&self) -> Value {
        let mut object = Object::new();
        match self {
            Confirmation::Confirmed(seen) => {
                let count = |count: usize| Value::Int(i64::try_from(count).unwrap_or(i64::MAX));
                object.insert("status", "confirmed");
                object.insert("by", seen.by.as_str());
                object.insert("facts", count(seen.facts));
                object.insert("faults", count(seen.faults));
                let said = seen.explanation.iter();
                let said: Value = said.map(|said| Value::from(said.as_str())).collect();
                object.insert("explanation", said);
                object.insert("oracle", seen.oracle.clone());
                object.insert("trace", seen.trace.as_str());
            }
            Confirmation::NotConfirmed { tried } => {
                object.insert("status", "not_confirmed");
                object.insert("tried", i64::from(*tried));
            }
            Confirmation::Assumed { why } => {
                object.insert("status", "assumed");
                object.insert("why", why.as_str());
            }
        }
        object.into()
    }
}
