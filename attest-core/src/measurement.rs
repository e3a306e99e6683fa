//! Measured components of an agent: `spec/measurement.md`.
//!
//! One EAT `measurements` entry per component (RFC 9711, section 4.2.16), each a measured component in JSON form
//! (draft-ietf-rats-eat-measured-component): `[296, "<canonical JSON text>"]`.

use serde::Serialize;

use crate::b64;
use crate::claims::{Claims, ClaimsError};
use crate::digest::Digest;
use crate::json::{self, Value};
use crate::named::named;

/// CoAP Content-Format of `application/measured-component+json`.
const CONTENT_FORMAT: u64 = 296;

named! {
    /// What is measured, in the order of the names.
    Component {
        /// JCS of the resolved settings.
        Config = "config",
        /// The host program's files.
        Harness = "harness",
        /// JCS of provider, model and snapshot of a hosted model: a weaker claim than weights, so another name.
        ModelRef = "model-ref",
        /// JCS of the tensors in the model's files, each with type, shape and digest.
        ModelTensors = "model-tensors",
        /// JCS of the model's files, each with name, size and digest.
        ModelWeights = "model-weights",
        /// The signer's executable and its policy.
        Signer = "signer",
        /// The exact UTF-8 bytes of the system prompt.
        SystemPrompt = "system-prompt",
        /// JCS of the sorted list of the tools that the agent was given.
        ToolManifest = "tool-manifest",
    }
}

named! {
    /// How a digest was had, from the weakest to the strongest. It is the signer's word.
    Grade {
        /// Someone's word.
        Asserted = "asserted",
        /// The signer hashed the files.
        OnDisk = "on-disk",
        /// The signer hashed the very bytes that the agent loads or sends.
        InUse = "in-use",
    }
}

impl Grade {
    /// The `flags` of a measured component: eight bytes, the last of which is the grade, the others zero.
    fn flags(self) -> [u8; 8] {
        [0, 0, 0, 0, 0, 0, 0, self as u8]
    }

    fn from_flags(flags: [u8; 8]) -> Option<Self> {
        Self::ALL.iter().copied().find(|grade| grade.flags() == flags)
    }
}

/// One component's digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// What was measured.
    pub component: Component,
    /// SHA-256 over the component's bytes.
    pub digest: Digest,
    /// How the digest was had.
    pub grade: Grade,
}

#[derive(Serialize)]
struct Wire<'a> {
    #[serde(rename = "digested-measurement")]
    digested: (&'a str, String),
    flags: String,
    id: [&'a str; 1],
}

impl Measurement {
    /// The entry of the `measurements` claim.
    pub fn to_wire(&self) -> (u64, String) {
        let text = crate::canon::jcs(&Wire {
            digested: ("sha-256", self.digest.to_b64()),
            flags: b64::encode(self.grade.flags()),
            id: [self.component.as_str()],
        });
        // JCS output is UTF-8 by construction.
        (CONTENT_FORMAT, String::from_utf8_lossy(&text).into_owned())
    }

    fn from_wire(entry: &Value<'_>) -> Option<Self> {
        let Some([format, text]) = entry.as_array() else {
            return None;
        };
        let text = text.as_str()?;
        if format.as_u53() != Some(CONTENT_FORMAT) {
            return None;
        }
        let value = json::parse(text.as_bytes()).ok()?;
        if value.to_canonical() != text.as_bytes() {
            return None;
        }
        let mut claims = Claims::of(&value).ok()?;
        let ([algorithm, digest], [name]) = (claims.array("digested-measurement").ok()?, claims.array("id").ok()?)
        else {
            return None;
        };
        let flags = b64::decode_exact(claims.text("flags").ok()?)?;
        claims.finish().ok()?;
        (algorithm.as_str() == Some("sha-256")).then_some(())?;
        Some(Self {
            component: Component::parse(name.as_str()?)?,
            digest: Digest::from_b64(digest.as_str()?)?,
            grade: Grade::from_flags(flags)?,
        })
    }
}

/// Reads the `measurements` claim: at least one entry, in ascending order of component names, each once.
pub(crate) fn read_measurements(claims: &mut Claims<'_, '_>) -> Result<Vec<Measurement>, ClaimsError> {
    const NAME: &str = "measurements";
    let entries = claims.array(NAME)?;
    let read: Option<Vec<_>> = entries.iter().map(Measurement::from_wire).collect();
    let read = read.ok_or(ClaimsError::Invalid(NAME))?;
    let ascending = read.windows(2).all(|w| matches!(w, [a, b] if a.component < b.component));
    if read.is_empty() || !ascending {
        return Err(ClaimsError::Invalid(NAME));
    }
    Ok(read)
}
