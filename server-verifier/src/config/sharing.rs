//! `[shared]` in `guard.toml`: documents that guards of one shared log have from its database, and whose they are.
//!
//! Trust sentence: who can change this section, or has the key that it pins, decides what the documents say that the rest of the
//! file names. Who can write the database cannot; he can keep a change from coming.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use attest_core::jwk::{KeyError, PublicKey};
use attest_core::shared_document::is_document_name;
use attest_log::Place;
use serde::Deserialize;
use toml::{Table, Value};

use super::{ConfigError, Jwk};

/// What a path begins with that names a document.
const SCHEME: &str = "shared:";

/// The documents of a configuration.
#[derive(Clone, Debug)]
pub struct Sharing {
    /// Whose database has them.
    pub log: Place,
    /// Whose guards read them.
    pub audience: String,
    /// Who signs them.
    pub key: PublicKey,
    /// Where this guard keeps its copies.
    pub folder: PathBuf,
    /// Those that the file names.
    pub names: BTreeSet<String>,
}

/// Why `[shared]` is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SharingError {
    /// Not a table with a key.
    #[error("{0}")]
    Form(Box<toml::de::Error>),
    /// The key.
    #[error("the jwk: {0}")]
    Key(#[from] KeyError),
    /// Nobody says what they are to be.
    #[error("{SCHEME}{0} names a shared document, and no key is pinned for those: [shared] jwk = {{ … }}")]
    NoKey(String),
    /// Nowhere to have them from.
    #[error("documents are shared through a log's database; set log = \"postgresql://…\", with side and audience")]
    NoDatabase,
    /// No name.
    #[error(
        "{SCHEME}{0} names no document: 1 to 64 letters, digits, dots, dashes and underscores, a letter or digit first"
    )]
    Name(String),
    /// Somebody else's key.
    #[error("the key {0} is also an attester's, a root's, a log's or somebody else's: a key has one role")]
    KeyTwice(attest_core::jwk::Thumbprint),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    jwk: Jwk,
}

impl Sharing {
    /// That of a file; `None` where it shares nothing. Reads no other file, and nothing of what is shared.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Option<Self>, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Ok(Self::of(&text, path)?.map(|(sharing, _)| sharing))
    }

    /// That of a text, and the text's other tables with the places of copies for the names of documents.
    pub(crate) fn of(text: &str, path: &Path) -> Result<Option<(Self, Table)>, ConfigError> {
        // Most files share nothing.
        if !text.contains("shared") {
            return Ok(None);
        }
        let mut table: Table = toml::from_str(text)
            .map_err(|source| ConfigError::Form { path: path.to_owned(), source: Box::new(source) })?;
        let failed = |source| ConfigError::Shared { path: path.to_owned(), source };
        let section = table.remove("shared");
        let Some(section) = section else {
            let mut named = Vec::new();
            table.iter_mut().for_each(|(_, value)| paths(value, &mut named));
            let first = named.first().and_then(|value| value.as_str()?.strip_prefix(SCHEME));
            return first.map_or(Ok(None), |name| Err(failed(SharingError::NoKey(name.to_owned()))));
        };
        let section = Section::deserialize(section).map_err(|error| failed(SharingError::Form(Box::new(error))))?;
        let key = section.jwk.key().map_err(|source| failed(source.into()))?;
        Ok(Some(Self::with(key, table, path).map_err(failed)?))
    }

    fn with(key: PublicKey, mut table: Table, path: &Path) -> Result<(Self, Table), SharingError> {
        let text = |name| table.get(name).and_then(Value::as_str).map(str::to_owned);
        let (Some(log), Some(side), Some(audience)) = (text("log"), text("side"), text("audience")) else {
            return Err(SharingError::NoDatabase);
        };
        let side = path.parent().unwrap_or(Path::new("")).join(side);
        let log = match Place::new(log) {
            Place::File(_) => return Err(SharingError::NoDatabase),
            shared => shared.with_side(&side),
        };
        // Relative paths are relative to the file's folder, so this is none.
        let folder = std::path::absolute(&side).unwrap_or(side).join("shared");
        let mut names = BTreeSet::new();
        let mut named = Vec::new();
        table.iter_mut().for_each(|(_, value)| paths(value, &mut named));
        for value in named {
            let name = value.as_str().and_then(|text| text.strip_prefix(SCHEME)).unwrap_or_default().to_owned();
            if !is_document_name(&name) {
                return Err(SharingError::Name(name));
            }
            // A path that is no UTF-8 cannot stand in the file either.
            *value = Value::String(folder.join(&name).to_string_lossy().into_owned());
            names.insert(name);
        }
        Ok((Self { log, audience, key, folder, names }, table))
    }
}

/// Every text in a value that names a document.
fn paths<'v>(value: &'v mut Value, found: &mut Vec<&'v mut Value>) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| paths(value, found)),
        Value::Table(table) => table.iter_mut().for_each(|(_, value)| paths(value, found)),
        Value::String(text) if text.starts_with(SCHEME) => found.push(value),
        _ => {}
    }
}
