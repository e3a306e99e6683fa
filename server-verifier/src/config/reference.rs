//! What is accepted of a component, as `guard.toml` writes it.

use std::fmt;
use std::path::{Path, PathBuf};

use attest_core::digest::Digest;
use attest_core::measurement::{Component, Grade};
use attest_core::trust::{AcceptedDigest, Reference};
use attest_measure::oms::{EndorseError, EndorsedFiles};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, MapAccess, SeqAccess, Visitor};

/// Why a publisher's word is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndorsedError {
    /// A component that is no set of files.
    #[error("a bundle is over files, which only model-weights and harness are made of")]
    NotFiles,
    /// It does not hold.
    #[error(transparent)]
    Files(#[from] EndorseError),
}

/// `"any"`, or a table of digests, publishers' bundles and the weakest accepted grade.
pub(super) struct ReferenceEntry {
    reference: Reference,
    endorsed: Vec<EndorsedFiles>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReferenceTable {
    #[serde(default)]
    digests: Vec<String>,
    grade: Option<String>,
    #[serde(default)]
    endorsed: Endorsed,
}

/// One table of files, or a list of such tables.
#[derive(Default)]
struct Endorsed(Vec<EndorsedFiles>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndorsedTable {
    bundle: PathBuf,
    key: PathBuf,
    manifest: PathBuf,
}

impl From<EndorsedTable> for EndorsedFiles {
    fn from(EndorsedTable { bundle, key, manifest }: EndorsedTable) -> Self {
        Self { bundle, key, manifest }
    }
}

/// The weakest grade that is accepted where the configuration does not say: the signer hashed the files itself.
const DEFAULT_GRADE: Grade = Grade::OnDisk;

/// The word for the grade that no signer can give itself.
const ENDORSED: &str = "endorsed";

impl ReferenceEntry {
    /// The files of the publishers' keys.
    pub(super) fn publishers(&self, folder: &Path) -> Vec<PathBuf> {
        self.endorsed.iter().map(|files| folder.join(&files.key)).collect()
    }

    /// Verifies what publishers signed, and adds what they signed for to the accepted digests.
    pub(super) fn reference(self, component: Component, folder: &Path) -> Result<Reference, EndorsedError> {
        let Self { mut reference, endorsed } = self;
        if !endorsed.is_empty() && !matches!(component, Component::ModelWeights | Component::Harness) {
            return Err(EndorsedError::NotFiles);
        }
        for files in endorsed {
            let digest = files.within(folder).verify(component)?.digest;
            reference.digests.get_or_insert_default().push(AcceptedDigest { digest, endorsed: true });
        }
        Ok(reference)
    }
}

impl ReferenceTable {
    fn entry<E: de::Error>(self) -> Result<ReferenceEntry, E> {
        let Self { digests, grade, endorsed: Endorsed(endorsed) } = self;
        if digests.is_empty() && endorsed.is_empty() {
            return Err(E::custom("no digest at all: list the accepted ones, or write \"any\""));
        }
        let only_endorsed = grade.as_deref() == Some(ENDORSED);
        if only_endorsed && endorsed.is_empty() {
            return Err(E::custom("grade \"endorsed\" needs a bundle: endorsed = { bundle, key, manifest }"));
        }
        let grade = match grade.as_deref() {
            // The files must have been hashed: somebody's word that they are the endorsed ones is no measurement.
            None | Some(ENDORSED) => DEFAULT_GRADE,
            Some(name) => Grade::parse(name).ok_or_else(|| {
                E::custom(format!("no such grade {name:?}; there are asserted, on-disk, in-use, endorsed"))
            })?,
        };
        let accepted = |text: &String| {
            let digest = Digest::from_b64(text);
            digest
                .map(AcceptedDigest::from)
                .ok_or_else(|| E::custom(format!("{text:?} is not a SHA-256 digest in base64url")))
        };
        let digests = digests.iter().map(accepted).collect::<Result<_, _>>()?;
        Ok(ReferenceEntry { reference: Reference { digests: Some(digests), grade, endorsed: only_endorsed }, endorsed })
    }
}

impl<'de> Deserialize<'de> for ReferenceEntry {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = ReferenceEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"any\", or { digests = [\"…\"], grade = \"on-disk\" }")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<ReferenceEntry, E> {
                if word != "any" {
                    return Err(E::invalid_value(de::Unexpected::Str(word), &self));
                }
                let reference = Reference { digests: None, grade: Grade::Asserted, endorsed: false };
                Ok(ReferenceEntry { reference, endorsed: Vec::new() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ReferenceEntry, A::Error> {
                ReferenceTable::deserialize(MapAccessDeserializer::new(map))?.entry()
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl<'de> Deserialize<'de> for Endorsed {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Endorsed;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("{ bundle = \"…\", key = \"…\", manifest = \"…\" }, or a list of such tables")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Endorsed, A::Error> {
                let one = EndorsedTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Endorsed(vec![one.into()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Endorsed, A::Error> {
                let list = Vec::<EndorsedTable>::deserialize(SeqAccessDeserializer::new(list))?;
                Ok(Endorsed(list.into_iter().map(Into::into).collect()))
            }
        }
        deserializer.deserialize_any(OneOrMore)
    }
}
