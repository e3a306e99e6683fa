//! What the publisher signed: the list of files.

use std::collections::BTreeSet;

use attest_core::digest::Digest;
use attest_core::json::{self, Value};
use sha2::{Digest as _, Sha256};

use super::bundle::{self, find, says, text};
use super::error::{OmsError, shortened};
use super::key::PublisherKey;
use super::{FILES, ITSELF, PREDICATE_TYPE, SHA256, STATEMENT_TYPE};

/// The predicate of model_signing 0.2, which binds no method and whose subjects are the files.
const OLD_PREDICATE_TYPE: &str = "https://model_signing/Digests/v0.1";

/// A file that the publisher signed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Path below the model's folder, parts joined by `/`; `.` where the model is one file.
    pub name: String,
    /// SHA-256 of its bytes.
    pub digest: Digest,
}

/// The files that a publisher signed for. Made by [`Endorsement::verify`] alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endorsement {
    resources: Vec<Resource>,
    ignored: Vec<String>,
}

impl Endorsement {
    /// Reads a bundle, in the order of `spec/endorsement.md`; nothing of the statement is looked at before its signature by
    /// the pinned key has verified.
    ///
    /// # Errors
    /// [`OmsError`]: the first check that fails.
    pub fn verify(bundle: &[u8], key: &PublisherKey) -> Result<Self, OmsError> {
        Self::read(&bundle::payload(bundle, key)?)
    }

    /// The files, in the bundle's order; each name once.
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// The paths that the publisher left out, each with all below it. Nothing there is endorsed.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    fn read(payload: &[u8]) -> Result<Self, OmsError> {
        let value = json::parse(payload).map_err(OmsError::Payload)?;
        says(text(&value, &["_type"], "_type")?, "_type", STATEMENT_TYPE)?;
        match text(&value, &["predicateType"], "predicateType")? {
            OLD_PREDICATE_TYPE => return Err(OmsError::Old),
            found => says(found, "predicateType", PREDICATE_TYPE)?,
        }
        let ignored = serialization(&value)?;
        let resources = resources(&value)?;
        if subject(&value)? != over(&resources) {
            return Err(OmsError::Subject);
        }
        Ok(Self { resources, ignored })
    }
}

/// How the files were hashed; gives the paths that were left out. Whether links were followed does not matter to who reads:
/// a resource is a name with the bytes that were found under it.
fn serialization(statement: &Value<'_>) -> Result<Vec<String>, OmsError> {
    let at = |name| ["predicate", "serialization", name];
    for (member, expected) in [("method", FILES), ("hash_type", SHA256)] {
        let found = text(statement, &at(member), member)?;
        if found != expected {
            return Err(OmsError::Serialization { member, found: shortened(found) });
        }
    }
    find(statement, &at("allow_symlinks")).and_then(Value::as_bool).ok_or(OmsError::Member("allow_symlinks"))?;
    let Some(paths) = find(statement, &at("ignore_paths")) else {
        return Ok(Vec::new());
    };
    let paths = paths.as_array().ok_or(OmsError::Member("ignore_paths"))?;
    paths.iter().map(|p| p.as_str().map(str::to_owned).ok_or(OmsError::Member("ignore_paths"))).collect()
}

fn resources(statement: &Value<'_>) -> Result<Vec<Resource>, OmsError> {
    let member = "resources";
    let list = find(statement, &["predicate", member]).and_then(Value::as_array).ok_or(OmsError::Member(member))?;
    if list.is_empty() {
        return Err(OmsError::Empty);
    }
    let mut names = BTreeSet::new();
    let mut resources = Vec::with_capacity(list.len());
    for entry in list {
        let name = text(entry, &["name"], "a resource's name")?;
        let alone = name == ITSELF && list.len() == 1;
        if !alone && !is_plain(name) {
            return Err(OmsError::Name(shortened(name)));
        }
        if !names.insert(name) {
            return Err(OmsError::Twice(shortened(name)));
        }
        let algorithm = text(entry, &["algorithm"], "a resource's algorithm")?;
        if algorithm != SHA256 {
            return Err(OmsError::Serialization { member: "algorithm", found: shortened(algorithm) });
        }
        let digest = text(entry, &["digest"], "a resource's digest")?;
        let digest = unhex(digest).ok_or_else(|| OmsError::Digest(shortened(name)))?;
        resources.push(Resource { name: name.to_owned(), digest });
    }
    Ok(resources)
}

/// A relative path in the one spelling that a manifest has for it.
fn is_plain(name: &str) -> bool {
    name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn subject(statement: &Value<'_>) -> Result<Digest, OmsError> {
    let member = "subject";
    let Some([subject]) = find(statement, &[member]).and_then(Value::as_array) else {
        return Err(OmsError::Member(member));
    };
    text(subject, &["name"], "the subject's name")?;
    unhex(text(subject, &["digest", SHA256], "the subject's digest")?).ok_or(OmsError::Member("the subject's digest"))
}

/// The tool's root digest: over the digests' bytes in the order of the list, and over nothing else.
pub(super) fn over(resources: &[Resource]) -> Digest {
    let mut hash = Sha256::new();
    for resource in resources {
        hash.update(resource.digest.0);
    }
    Digest(hash.finalize().into())
}

/// Lower-case hexadecimal, in which the tool writes digests.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Option<Digest> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes: Option<Vec<u8>> = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    let bytes = bytes?.try_into().ok()?;
    rest.is_empty().then_some(Digest(bytes))
}
