//! A bundle of our own making, before it is signed.

use std::collections::BTreeMap;
use std::path::Path;

use attest_core::canon::jcs;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::key::PublisherKey;
use super::statement::{Resource, hex, over};
use super::{FILES, GIT, ITSELF, MEDIA_TYPE, PAYLOAD_TYPE, PREDICATE_TYPE, SHA256, STATEMENT_TYPE, pae};
use crate::fileset::FileSet;
use crate::manifest::Manifest;

/// Why no bundle can be written that the tool would accept over the same files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DraftError {
    /// Several paths, or none.
    #[error("a bundle is over one file or one folder; {0} paths are measured")]
    Paths(usize),
    /// A path that is not UTF-8, or has no last name.
    #[error("the measured path has no name in UTF-8 that could stand in a bundle")]
    NoName,
    /// Files that the tool leaves out when it verifies.
    #[error("{0:?} is measured, and model_signing leaves it out; leave it out here too (weights_except)")]
    Git(String),
    /// Files behind a link to a folder, which the tool does not look into.
    #[error("{0:?} is reached through a link to a folder, which model_signing does not follow; copy the folder")]
    LinkedFolder(String),
    /// The manifest is of other files.
    #[error("the manifest is not one of the measured path")]
    OtherFiles,
}

/// The statement over one file or folder: to be signed, and then put into a bundle.
#[derive(Clone, Debug)]
pub struct Draft {
    payload: Vec<u8>,
}

#[derive(Serialize)]
struct Statement<'a> {
    #[serde(rename = "_type")]
    statement_type: &'a str,
    predicate: Predicate<'a>,
    #[serde(rename = "predicateType")]
    predicate_type: &'a str,
    subject: [Subject<'a>; 1],
}

#[derive(Serialize)]
struct Subject<'a> {
    name: &'a str,
    digest: BTreeMap<&'a str, String>,
}

#[derive(Serialize)]
struct Predicate<'a> {
    resources: Vec<Line<'a>>,
    serialization: Serialization<'a>,
}

#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    algorithm: &'a str,
    digest: String,
}

#[derive(Serialize)]
struct Serialization<'a> {
    method: &'a str,
    hash_type: &'a str,
    allow_symlinks: bool,
    ignore_paths: Vec<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bundle<'a> {
    media_type: &'a str,
    verification_material: Material<'a>,
    dsse_envelope: Envelope<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Material<'a> {
    public_key: Hint<'a>,
    tlog_entries: [(); 0],
}

#[derive(Serialize)]
struct Hint<'a> {
    hint: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    payload: String,
    payload_type: &'a str,
    signatures: [Signature<'a>; 1],
}

#[derive(Serialize)]
struct Signature<'a> {
    sig: String,
    keyid: &'a str,
}

impl Draft {
    /// The statement over `files`, whose manifest this is.
    ///
    /// # Errors
    /// [`DraftError`], wherever `model_signing verify` would come to another list of files than we.
    pub fn new(files: &FileSet, manifest: &Manifest) -> Result<Self, DraftError> {
        let [path] = files.paths() else {
            return Err(DraftError::Paths(files.paths().len()));
        };
        let model = path.canonicalize().ok();
        let model = model.as_deref().and_then(Path::file_name).and_then(|n| n.to_str()).ok_or(DraftError::NoName)?;
        let folder = path.is_dir();
        let mut links = path.is_symlink();
        let mut resources = Vec::with_capacity(manifest.files.len());
        for file in &manifest.files {
            if folder {
                let first = file.name.split('/').next().unwrap_or_default();
                if GIT.contains(&first) {
                    return Err(DraftError::Git(file.name.clone()));
                }
                links |= is_link(path, &file.name)?;
            }
            let name = if folder { file.name.clone() } else { ITSELF.to_owned() };
            resources.push(Resource { name, digest: file.digest });
        }
        if resources.is_empty() || !folder && resources.len() != 1 {
            return Err(DraftError::OtherFiles);
        }
        // The tool's order: part by part. It reads any order, and gives the same digest of the subject only in this one.
        resources.sort_by(|a, b| a.name.split('/').cmp(b.name.split('/')));
        let ignored = GIT.iter().copied().chain(files.left_out().iter().map(String::as_str)).collect();
        Ok(Self { payload: statement(model, &resources, links, ignored) })
    }

    /// The bytes to sign, with ECDSA over P-256 and SHA-256.
    pub fn to_sign(&self) -> Vec<u8> {
        pae(&self.payload)
    }

    /// The bundle, with this signature in DER; `None` if the key did not make it.
    pub fn bundle(&self, signature: &[u8], key: &PublisherKey) -> Option<Vec<u8>> {
        key.verifies(&self.to_sign(), signature).then(|| {
            jcs(&Bundle {
                media_type: MEDIA_TYPE,
                verification_material: Material { public_key: Hint { hint: key.hint() }, tlog_entries: [] },
                dsse_envelope: Envelope {
                    payload: STANDARD.encode(&self.payload),
                    payload_type: PAYLOAD_TYPE,
                    signatures: [Signature { sig: STANDARD.encode(signature), keyid: "" }],
                },
            })
        })
    }
}

fn statement(model: &str, resources: &[Resource], links: bool, ignored: Vec<&str>) -> Vec<u8> {
    let line = |r: &'_ Resource| hex(&r.digest.0);
    let lines = resources.iter().map(|r| Line { name: &r.name, algorithm: SHA256, digest: line(r) }).collect();
    jcs(&Statement {
        statement_type: STATEMENT_TYPE,
        predicate: Predicate {
            resources: lines,
            serialization: Serialization {
                method: FILES,
                hash_type: SHA256,
                allow_symlinks: links,
                ignore_paths: ignored,
            },
        },
        predicate_type: PREDICATE_TYPE,
        subject: [Subject { name: model, digest: BTreeMap::from([(SHA256, hex(&over(resources).0))]) }],
    })
}

/// Whether the file is a link. One that lies behind a linked folder cannot be signed for.
fn is_link(folder: &Path, name: &str) -> Result<bool, DraftError> {
    let mut path = folder.to_path_buf();
    let mut parts = name.split('/').peekable();
    while let Some(part) = parts.next() {
        path.push(part);
        if path.is_symlink() {
            return if parts.peek().is_none() { Ok(true) } else { Err(DraftError::LinkedFolder(name.to_owned())) };
        }
    }
    Ok(false)
}
