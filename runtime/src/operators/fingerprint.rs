//! Keyed fingerprints of values: equal values have equal ones, and nobody without the key can guess.

use graph_model::value::Value;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use smol_str::{SmolStr, SmolStrBuilder};

/// Hex digits of a whole fingerprint.
pub(super) const DIGITS_MAX: usize = 64;
/// Enough that two values do not meet by chance.
pub(super) const DIGITS: usize = 32;

/// Makes fingerprints with one key (HMAC with SHA-256 over the value as JSON).
pub(super) struct Fingerprint {
    keyed: Box<Hmac<Sha256>>,
    digits: usize,
}

impl Fingerprint {
    /// Fingerprints of so many hex digits.
    pub(super) fn new(key: &str, digits: usize) -> Fingerprint {
        let mac = Hmac::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
        Fingerprint {
            keyed: Box::new(mac),
            digits: digits.min(DIGITS_MAX),
        }
    }

    pub(super) fn of(&self, value: &Value) -> SmolStr {
        let mut mac = Hmac::clone(&self.keyed);
        mac.update(value.to_json().as_bytes());
        let mut text = SmolStrBuilder::new();
        for digit in hex(&mac.finalize().into_bytes()).take(self.digits) {
            text.push(digit);
        }
        text.finish()
    }
}

fn hex(bytes: &[u8]) -> impl Iterator<Item = char> {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from_digit(digit.into(), 16).expect("a digit is below 16"))
}
