//! The family `digest`: digests and salted commitments on their own.

use attest_core::digest::{Digest, Salt};

use super::file::Vector;
use super::token::b64;

const SALT: [u8; 16] = [7; 16];

fn digest(name: &str, comment: &str, body: &[u8], digest: &str) -> Vector {
    Vector::new("digest", format!("digest_{name}"), comment, body).with("expect", digest)
}

/// `canonical` is what the commitment is over.
fn commitment(name: &str, comment: &str, body: &str, canonical: &str) -> Vector {
    Vector::new("commitment", format!("digest_{name}"), comment, body)
        .with("salt", &b64(SALT))
        .with("expect", &Digest::salted(&Salt(SALT), canonical.as_bytes()).to_b64())
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    let params = r#"{"arguments":{"limit":100,"path":"/srv/a.txt"},"name":"read_file"}"#;
    vec![
        digest(
            "text",
            "the text of the page's example",
            b"You are a careful assistant.",
            "nFq0HuRZMKjOSXPa7h1yvAFk20ixldIKDyGpNLp5dME",
        ),
        // FIPS 180-4: SHA-256 of no bytes, e3b0c442…7852b855.
        digest("no_bytes", "no bytes at all", b"", "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"),
        commitment("commitment", "the commitment of the page's example", params, params)
            .with("expect", "QixF7LHoaKo7MatPvu43eamCOQTe4KyDPHemzr5wQ6Q"),
        commitment(
            "commitment_spelling",
            "the same value in another spelling",
            r#"{ "name": "read\u005ffile", "arguments": {"path": "\/srv/a.txt", "limit": 1e2} }"#,
            params,
        ),
        commitment("commitment_empty", "the empty object, as where no member of _meta is bound", "{}", "{}"),
        commitment("commitment_null", "a value that is no object", "null", "null"),
    ]
}
