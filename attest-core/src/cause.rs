//! What a verifier tells the server behind it of a call that it let through, so that an agent which is that server can say on whose
//! behalf its own calls are made. `spec/cause.md`.

use crate::claims::{Claims, ClaimsError};
use crate::digest::Digest;
use crate::json::{Value, splice, write_string};
use crate::jwk::Thumbprint;
use crate::jws::{self, Statement};
use crate::labels::Labels;
use crate::names;
use crate::sign::Sign;

/// A call that was let through, by the word of the verifier's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The server that was called.
    pub audience: String,
    /// Hash of the call proof.
    pub call: Digest,
    /// Seconds since 1970; calls on its behalf are made before it.
    pub expires: u64,
    /// Seconds since 1970.
    pub issued_at: u64,
    /// Who called: thumbprint of the call key.
    pub key: Thumbprint,
    /// The labels of everything that the caller's context had seen.
    pub labels: Labels,
    /// Hash of the leaf of the chain that the call was made under.
    pub leaf: Digest,
    /// The log's name.
    pub log: String,
}

impl Cause {
    /// Signs it into a token, with the key of the log.
    pub fn sign<S: Sign>(&self, key: &S) -> Result<String, S::Error> {
        jws::sign(Self::TYP, &self.payload(), key)
    }

    /// The canonical payload, written member by member: this runs on every call of a server that asks for it.
    fn payload(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(384);
        let (expires, issued_at) = (self.expires.to_string(), self.issued_at.to_string());
        out.extend_from_slice(b"{\"aud\":");
        write_string(&self.audience, &mut out);
        let mut put = |parts: &[&str]| parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
        put(&[",\"call\":\"", &self.call.to_b64(), "\",\"exp\":", &expires, ",\"iat\":", &issued_at]);
        put(&[",\"key\":\"", self.key.as_str(), "\",\"labels\":"]);
        self.labels.write(&mut out);
        let mut put = |parts: &[&str]| parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
        put(&[",\"leaf\":\"", &self.leaf.to_b64(), "\",\"log\":"]);
        write_string(&self.log, &mut out);
        out.push(b'}');
        out
    }
}

impl Statement for Cause {
    const TYP: &'static str = "mcp-decision+jwt";

    fn is_written_as(&self, payload: &[u8]) -> bool {
        self.payload() == payload
    }

    fn read(claims: &mut Claims<'_, '_>) -> Result<Self, ClaimsError> {
        let cause = Self {
            audience: claims.name("aud")?,
            call: claims.digest("call")?,
            expires: claims.number("exp")?,
            issued_at: claims.number("iat")?,
            key: Thumbprint::parse(claims.text("key")?).ok_or(ClaimsError::Invalid("key"))?,
            labels: claims.labels("labels")?,
            leaf: claims.digest("leaf")?,
            log: claims.name("log")?,
        };
        claims.finish()?;
        Ok(cause)
    }
}

/// What a server is told with a call: the token, and a chain that the caller passes on to it, where there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told<'a> {
    /// The token.
    pub cause: &'a str,
    /// A chain whose leaf the server holds, root first.
    pub grant: Vec<&'a str>,
}

impl<'a> Told<'a> {
    /// Reads the member of `_meta`.
    pub fn read(value: &'a Value<'_>) -> Option<Self> {
        let object = value.as_object()?;
        let cause = object.get("decision")?.as_str()?;
        let grant = match object.get("grant") {
            None => Vec::new(),
            Some(grant) => grant.as_array()?.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?,
        };
        (object.len() == 1 + usize::from(!grant.is_empty())).then_some(Self { cause, grant })
    }

    /// The canonical request with this in its `_meta`. `request` is the text of a request that a verifier wrote; `None` of any other.
    pub fn put(&self, request: &[u8]) -> Option<Vec<u8>> {
        let params = splice::find(request, splice::inside(request, 0)?, "params")?.value.start;
        let inside = splice::inside(request, params)?;
        let meta = splice::find(request, inside, "_meta").map(|meta| meta.value.start);
        let at = meta.map_or(Some(inside), |meta| splice::inside(request, meta))?;
        let (before, after) = request.split_at_checked(at)?;
        let mut out = Vec::with_capacity(request.len() + self.cause.len() + 256);
        out.extend_from_slice(before);
        out.extend_from_slice(if meta.is_none() { b"\"_meta\":{" } else { b"" });
        write_string(names::CAUSE, &mut out);
        out.push(b':');
        self.write(&mut out);
        out.extend_from_slice(if meta.is_none() { b"}" } else { b"" });
        let more = !after.trim_ascii_start().starts_with(b"}");
        out.extend_from_slice(if more { b"," } else { b"" });
        out.extend_from_slice(after);
        Some(out)
    }

    /// The member alone, canonical.
    pub fn to_json(&self) -> String {
        let mut out = Vec::new();
        self.write(&mut out);
        // Tokens are ASCII, or they would not have been read.
        String::from_utf8_lossy(&out).into_owned()
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"decision\":");
        write_string(self.cause, out);
        for (n, token) in self.grant.iter().enumerate() {
            out.extend_from_slice(if n == 0 { b",\"grant\":[" } else { b"," });
            write_string(token, out);
        }
        out.extend_from_slice(if self.grant.is_empty() { b"}" } else { b"]}" });
    }
}
