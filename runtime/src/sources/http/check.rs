//! What a request must show to be let in, compared in constant time.

use axum::http::header::{AUTHORIZATION, HeaderName};
use axum::http::{HeaderMap, HeaderValue};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

type HmacSha256 = Hmac<Sha256>;

/// How far the time of a signature may be off, in milliseconds.
const SIGNED_AGO_MAX_MS: i64 = 5 * 60 * 1000;

/// The check of an endpoint.
pub(super) enum Check {
    Nothing,
    /// The HMAC-SHA256 of the body stands in this header.
    Signature {
        key: HmacSha256,
        header: HeaderName,
        form: Form,
    },
    /// `Authorization: Bearer` with this token, known by its HMAC under `key`.
    Token {
        key: HmacSha256,
        tag: Vec<u8>,
    },
}

/// How a header spells a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `sha256=` and hexadecimal digits.
    PrefixedHex,
    Hex,
    Base64,
    /// `t=SECONDS,v1=HEX`, where `SECONDS.BODY` is signed.
    Stripe,
}

impl Form {
    pub(super) fn named(name: &str) -> Option<Form> {
        Some(match name {
            "sha256=hex" => Form::PrefixedHex,
            "hex" => Form::Hex,
            "base64" => Form::Base64,
            "stripe" => Form::Stripe,
            _ => return None,
        })
    }
}

impl Check {
    pub(super) fn signature(secret: &str, header: HeaderName, form: Form) -> Check {
        Check::Signature {
            key: keyed(secret.as_bytes()),
            header,
            form,
        }
    }

    /// `chance` makes the key under which tokens are compared.
    pub(super) fn token(secret: &str, chance: u64) -> Check {
        let key = keyed(&chance.to_le_bytes());
        let tag = tag(&key, secret.as_bytes());
        Check::Token { key, tag }
    }

    /// Lets the request in, or says what is wrong with it.
    pub(super) fn admit(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now_ms: i64,
    ) -> Result<(), String> {
        match self {
            Check::Nothing => Ok(()),
            Check::Token { key, tag } => {
                let shown = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
                let token = shown.and_then(|value| value.strip_prefix(b"Bearer "));
                let Some(token) = token else {
                    return Err("send the token as `Authorization: Bearer TOKEN`".into());
                };
                let mut mac = key.clone();
                mac.update(token.trim_ascii());
                mac.verify_slice(tag)
                    .map_err(|_| "the token is not the one expected here".into())
            }
            Check::Signature { key, header, form } => {
                let shown = headers.get(header).and_then(|value| value.to_str().ok());
                let Some(shown) = shown else {
                    return Err(format!("the signature in the header `{header}` is missing"));
                };
                let right = match form {
                    Form::Stripe => stripe(key, shown.trim(), body, now_ms)?,
                    form => decode(*form, shown.trim()).is_some_and(|given| {
                        let mut mac = key.clone();
                        mac.update(body);
                        mac.verify_slice(&given).is_ok()
                    }),
                };
                if right {
                    Ok(())
                } else {
                    Err(format!(
                        "the signature in `{header}` does not fit the body; check the secret on both sides"
                    ))
                }
            }
        }
    }
}

fn keyed(key: &[u8]) -> HmacSha256 {
    HmacSha256::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn tag(key: &HmacSha256, text: &[u8]) -> Vec<u8> {
    let mut mac = key.clone();
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// Whether one of the signatures fits; an error when the header says no time, or one long ago.
fn stripe(key: &HmacSha256, shown: &str, body: &[u8], now_ms: i64) -> Result<bool, String> {
    let parts = || shown.split(',').filter_map(|part| part.split_once('='));
    let time = parts().find(|(name, _)| name.trim() == "t");
    let Some((time, seconds)) =
        time.and_then(|(_, text)| Some((text.trim(), text.trim().parse::<i64>().ok()?)))
    else {
        return Err("the signature says no time; it must look like `t=SECONDS,v1=HEX`".into());
    };
    let ago_ms = now_ms.saturating_sub(seconds.saturating_mul(1000));
    if ago_ms.saturating_abs() > SIGNED_AGO_MAX_MS {
        return Err("the signature is more than 5 minutes old; send the request anew".into());
    }
    let mut mac = key.clone();
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    Ok(parts()
        .filter(|(name, _)| name.trim() == "v1")
        .filter_map(|(_, text)| hex(text.trim()))
        .any(|given| mac.clone().verify_slice(&given).is_ok()))
}

fn decode(form: Form, shown: &str) -> Option<Vec<u8>> {
    match form {
        Form::PrefixedHex => hex(shown.strip_prefix("sha256=")?),
        Form::Hex | Form::Stripe => hex(shown),
        Form::Base64 => base64(shown),
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| (*byte as char).to_digit(16).map(|digit| digit as u8);
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        })
        .collect()
}

/// Standard or URL alphabet, with or without padding.
fn base64(text: &str) -> Option<Vec<u8>> {
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::with_capacity(text.len()));
    for byte in text.trim_end_matches('=').bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
pub(super) fn sign(secret: &str, text: &[u8]) -> String {
    let bytes = tag(&keyed(secret.as_bytes()), text);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(check: &Check, header: &'static str, shown: &str, now_s: i64) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header, shown.parse().expect("a header value"));
        check.admit(&headers, b"body", now_s * 1000).is_ok()
    }

    #[test]
    fn signatures_are_read_in_every_form() {
        // From the published test vectors of HMAC-SHA256 (RFC 4231, case 2).
        let known = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(sign("Jefe", b"what do ya want for nothing?"), known);

        let right = sign("key", b"body");
        let base64 = "UVquEztDXUAAlWcx9orlz164XU8NxqVG0r/NNZXsGuE=";
        let stamped = sign("key", b"1000.body");
        for (form, shown, admitted) in [
            (Form::PrefixedHex, format!("sha256={right}"), true),
            (Form::PrefixedHex, right.clone(), false),
            (Form::Hex, right.clone(), true),
            (Form::Hex, right.to_uppercase(), true),
            (Form::Hex, right[..62].to_owned(), false),
            (Form::Hex, right.replace(&right[..2], "zz"), false),
            (Form::Hex, String::new(), false),
            (Form::Base64, base64.to_owned(), true),
            (Form::Base64, base64[4..].to_owned(), false),
            (
                Form::Stripe,
                format!("t=1000,v1={right},v1={stamped}"),
                true,
            ),
            (Form::Stripe, format!("t=1001,v1={stamped}"), false),
            (Form::Stripe, format!("v1={stamped}"), false),
        ] {
            let check = Check::signature("key", HeaderName::from_static("x-sig"), form);
            assert_eq!(admits(&check, "x-sig", &shown, 1100), admitted, "{shown}");
        }
    }

    #[test]
    fn base64_is_decoded() {
        for (text, bytes) in [
            ("Zm9vYmFy", Some(&b"foobar"[..])),
            ("Zm9vYg==", Some(b"foob")),
            ("+/8=", Some(b"\xfb\xff")),
            ("-_8", Some(b"\xfb\xff")),
            ("a b", None),
        ] {
            assert_eq!(base64(text).as_deref(), bytes, "{text}");
        }
    }

    #[test]
    fn old_signatures_are_refused() {
        let shown = format!("t=1000,v1={}", sign("key", b"1000.body"));
        let check = Check::signature("key", HeaderName::from_static("x-sig"), Form::Stripe);
        assert!(admits(&check, "x-sig", &shown, 1300));
        assert!(!admits(&check, "x-sig", &shown, 1301));
    }

    #[test]
    fn tokens_are_compared_whole() {
        let check = Check::token("open sesame", 7);
        for (shown, admitted) in [
            ("Bearer open sesame", true),
            ("Bearer open", false),
            ("Bearer ", false),
            ("open sesame", false),
        ] {
            assert_eq!(
                admits(&check, "authorization", shown, 0),
                admitted,
                "{shown}"
            );
        }
    }
}
