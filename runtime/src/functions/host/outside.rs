//! What a function may have of the world outside: secrets and requests, as far as its node lists them.

use std::time::{Duration, Instant};

use wasmtime::Result;

use super::contract::{Capability, HttpError, HttpRequest, HttpResponse, http, secrets};
use super::imports::Imports;

/// A request on its way out, and what it may take.
#[derive(Debug)]
pub struct Sending {
    /// What is sent.
    pub request: HttpRequest,
    /// Longest wait for the whole answer.
    pub patience: Duration,
    /// Most bytes of the answer.
    pub answer_bytes_max: u64,
}

impl secrets::Host for Imports {
    fn get(&mut self, name: String) -> Result<Result<String, secrets::SecretError>> {
        self.count(Capability::Secrets)?;
        let secret = self.world()?.secret(&name);
        Ok(secret.ok_or(secrets::SecretError::NotListed))
    }
}

impl http::Host for Imports {
    fn send(&mut self, request: HttpRequest) -> Result<Result<HttpResponse, HttpError>> {
        self.count(Capability::Http)?;
        let limits = &self.terms.limits;
        let (most, answer_bytes_max) = (limits.requests_max, limits.answer_bytes_max);
        if self.done.requests >= most {
            return Ok(Err(HttpError::TooMany(most)));
        }
        if request.body.len() as u64 > limits.output_bytes_max {
            return Ok(Err(HttpError::TooLarge(limits.output_bytes_max)));
        }
        self.done.requests += 1;
        let left = match &self.pace {
            Some(pace) => pace.left(limits)?,
            None => Duration::from_millis(limits.wall_millis_max),
        };
        let asked = request.timeout_ms.map(u64::from).map(Duration::from_millis);
        let sending = Sending {
            patience: asked.map_or(left, |asked| asked.min(left)),
            request,
            answer_bytes_max,
        };
        let began = Instant::now();
        let answer = self.world()?.send(sending);
        if let Some(pace) = &mut self.pace {
            pace.wait(began.elapsed());
            // Whoever has used up the time of the call gets no say any more.
            pace.left(&self.terms.limits)?;
        }
        Ok(answer)
    }
}
