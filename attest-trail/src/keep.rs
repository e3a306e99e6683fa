//! What messages said, redacted, beside the log.

use std::path::Path;

use attest_core::b64;
use attest_core::digest::Digest;
use attest_core::json::{self, Value};
use attest_core::seen::{Event, What};
use attest_kept::{Kept as Store, KeptError, Row};
use attest_redact::{Rules, Salted};

use crate::drawn::Drawn;
use crate::observer::Kept;

/// Why nothing can be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeepError {
    /// The store.
    #[error(transparent)]
    Store(#[from] KeptError),
    /// No random bits.
    #[error("the system gives no random bits: {0}")]
    Random(#[from] getrandom::Error),
}

/// The store beside one log, and what is taken out before anything reaches it.
pub(crate) struct Keep {
    store: Store,
    own: Option<Rules>,
    drawn: Drawn,
    failed: bool,
}

impl Keep {
    /// `own` are the rules of redaction; `None` for the defaults.
    pub(crate) fn open(log: &Path, own: Option<Rules>) -> Result<Self, KeepError> {
        Ok(Self { store: Store::open(log)?, own, drawn: Drawn::new()?, failed: false })
    }

    /// Keeps what an event rests on. The log has its commitment whether or not this succeeds, so a failure is said, and stops
    /// no call.
    pub(crate) fn put(&mut self, kept: &Kept, event: &Event, time: u64) {
        // What is not canonical JSON was never given.
        let Ok(value) = json::parse(&kept.text) else { return };
        let drawn = &mut self.drawn;
        let mut salt = || drawn.salt();
        let rules = self.own.as_ref().unwrap_or_else(|| Rules::defaults());
        // Of a command, the word after a flag may be the secret.
        let redacted = match command(&value) {
            Some(words) => {
                let mut words = rules.args(&words, &mut salt);
                let others = value.as_object().map(|how| Value::Object(how.without("command")));
                let others = rules.value(&others.unwrap_or(Value::Null), &mut salt);
                words.text = format!("{{\"command\":{},\"how\":{}}}", words.text, others.text);
                words.salts.extend(others.salts);
                words
            }
            None => rules.value(&value, &mut salt),
        };
        let mut salts = redacted.salts;
        salts.push(Salted { kind: "whole".to_owned(), commitment: kept.commitment, salt: kept.salt });
        let row = Row {
            entry: kept.commitment,
            session: b64::encode(event.session.0),
            time_ms: time,
            what: what(&event.what).to_owned(),
            text: redacted.text,
            salts,
        };
        if let Err(error) = self.store.put(row)
            && !std::mem::replace(&mut self.failed, true)
        {
            tracing::error!("what messages say is not kept any more; the log goes on: {error}");
        }
    }

    /// Keeps a text under its plain digest, which is how an attestation names what it is over.
    pub(crate) fn put_text(&mut self, what: &str, digest: Digest, text: &str, time: u64) -> Result<(), KeepError> {
        let drawn = &mut self.drawn;
        let rules = self.own.as_ref().unwrap_or_else(|| Rules::defaults());
        let redacted = rules.text(text, &mut || drawn.salt());
        let row = Row {
            entry: digest,
            session: what.to_owned(),
            time_ms: time,
            what: what.to_owned(),
            text: redacted.text,
            salts: redacted.salts,
        };
        self.store.put(row)?;
        Ok(self.store.flush()?)
    }

    pub(crate) fn flush(&mut self) {
        if let Err(error) = self.store.flush() {
            tracing::error!("{error}");
        }
    }
}

/// The words of a command, of which a secret may follow its flag.
fn command<'v>(value: &'v Value<'_>) -> Option<Vec<&'v str>> {
    let words = value.as_object()?.get("command")?.as_array()?;
    value.as_object()?.get("process")?;
    let words: Option<Vec<&str>> = words.iter().map(Value::as_str).collect();
    words.filter(|words| !words.is_empty())
}

fn what(what: &What) -> &'static str {
    match what {
        What::Call(_) => "arguments",
        What::Read(_) => "asked for",
        What::Answer(_) => "answer",
        What::Tool(_) => "tool",
        What::Server(_) => "server",
        _ => "other",
    }
}
