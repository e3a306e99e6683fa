//! What is accepted of a component, as `guard.toml` writes it.

use std::fmt;
use std::path::{Path, PathBuf};

use attest_core::comparison::{Listing, ListingError, Rule, Template, TemplateError};
use attest_core::digest::Digest;
use attest_core::measurement::{Component, Grade};
use attest_core::trust::{AcceptedDigest, Reference};
use attest_measure::oms::{EndorseError, EndorsedFiles};
use attest_measure::{Document, DocumentFileError, MeasureError};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, MapAccess, SeqAccess, Visitor};

/// Why what a reference points to is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// A component that is no set of files.
    #[error("endorsed: a bundle is over files, which only model-weights and harness are made of")]
    NotFiles,
    /// A publisher's word that does not hold.
    #[error("endorsed: {0}")]
    Endorsed(#[from] EndorseError),
    /// A template of what is no text.
    #[error("template: there are templates of system-prompt alone")]
    NoText,
    /// The template's file cannot be read.
    #[error("template: {0}")]
    ReadTemplate(#[source] MeasureError),
    /// It is no template.
    #[error("template: {path}: {source}", path = path.display())]
    Template {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: TemplateError,
    },
    /// The manifest.
    #[error("manifest: {0}")]
    Manifest(#[from] DocumentFileError),
    /// The manifest does not list what the component is made of.
    #[error("manifest: {path} has no list of {component}; `attest measure --manifest-out` writes one, of model-tensors with --tensors", path = path.display())]
    NoList {
        /// The file.
        path: PathBuf,
        /// Of which component.
        component: Component,
    },
    /// No rule over it.
    #[error("may_differ, {path}: {source}", path = path.display())]
    Listing {
        /// The manifest's file.
        path: PathBuf,
        /// Why not.
        source: ListingError,
    },
}

/// A component's name.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct ComponentName(pub(super) Component);

impl TryFrom<String> for ComponentName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let known = || Component::ALL.iter().map(|c| c.as_str()).collect::<Vec<_>>().join(", ");
        Component::parse(&name).map(Self).ok_or_else(|| format!("no such component {name:?}; there are {}", known()))
    }
}

/// `"any"`, or a table of digests, publishers' bundles, a rule and the weakest accepted grade.
pub(super) struct ReferenceEntry {
    reference: Reference,
    endorsed: Vec<EndorsedFiles>,
    rule: Option<RuleFile>,
}

/// Where a comparison rule comes from.
enum RuleFile {
    Template(PathBuf),
    Manifest(PathBuf, Vec<String>),
}

impl RuleFile {
    fn read(self, component: Component, folder: &Path) -> Result<Rule, ReferenceError> {
        match self {
            Self::Template(_) if component != Component::SystemPrompt => Err(ReferenceError::NoText),
            Self::Template(path) => {
                let path = folder.join(path);
                // A template is a prompt with slots: read as one, to the last byte.
                let text = attest_measure::prompt(&path).map_err(ReferenceError::ReadTemplate)?.value.text;
                let template = Template::parse(&text).map_err(|source| ReferenceError::Template { path, source })?;
                Ok(Rule::Template(template))
            }
            Self::Manifest(path, may_differ) => {
                let path = folder.join(path);
                let list = Document::read(&path)?.lists.bytes(component);
                let Some(list) = list.as_deref().and_then(|list| str::from_utf8(list).ok()) else {
                    return Err(ReferenceError::NoList { path, component });
                };
                let listing = Listing::new(component, list, &may_differ);
                Ok(Rule::Listing(listing.map_err(|source| ReferenceError::Listing { path, source })?))
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReferenceTable {
    #[serde(default)]
    digests: Vec<String>,
    grade: Option<String>,
    #[serde(default)]
    endorsed: Endorsed,
    template: Option<PathBuf>,
    manifest: Option<PathBuf>,
    #[serde(default)]
    may_differ: Vec<String>,
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

    /// Every file that it is read from.
    pub(super) fn files(&self, folder: &Path) -> Vec<PathBuf> {
        let endorsed = self.endorsed.iter().flat_map(|files| [&files.bundle, &files.key, &files.manifest]);
        let rule = self.rule.iter().map(|rule| match rule {
            RuleFile::Template(path) | RuleFile::Manifest(path, _) => path,
        });
        endorsed.chain(rule).map(|path| folder.join(path)).collect()
    }

    /// Verifies what publishers signed, adds what they signed for to the accepted digests, and reads the rule.
    pub(super) fn reference(self, component: Component, folder: &Path) -> Result<Reference, ReferenceError> {
        let Self { mut reference, endorsed, rule } = self;
        if !endorsed.is_empty() && !matches!(component, Component::ModelWeights | Component::Harness) {
            return Err(ReferenceError::NotFiles);
        }
        reference.rule = rule.map(|rule| rule.read(component, folder)).transpose()?;
        for files in endorsed {
            let digest = files.within(folder).verify(component)?.digest;
            reference.digests.get_or_insert_default().push(AcceptedDigest { digest, endorsed: true });
        }
        Ok(reference)
    }
}

impl ReferenceTable {
    fn entry<E: de::Error>(self) -> Result<ReferenceEntry, E> {
        let Self { digests, grade, endorsed: Endorsed(endorsed), template, manifest, may_differ } = self;
        let rule = match (template, manifest) {
            (Some(_), Some(_)) => {
                return Err(E::custom("a component has one rule: template, or manifest with may_differ"));
            }
            (None, Some(_)) if may_differ.is_empty() => {
                return Err(E::custom(
                    "manifest needs may_differ: the names that may have another digest, \"*\" for any characters",
                ));
            }
            (_, None) if !may_differ.is_empty() => {
                return Err(E::custom("may_differ needs a manifest: what everything else must be the same as"));
            }
            (Some(path), None) => Some(RuleFile::Template(path)),
            (None, Some(path)) => Some(RuleFile::Manifest(path, may_differ)),
            (None, None) => None,
        };
        if digests.is_empty() && endorsed.is_empty() && rule.is_none() {
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
        let reference = Reference { digests: Some(digests), grade, endorsed: only_endorsed, rule: None };
        Ok(ReferenceEntry { reference, endorsed, rule })
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
                let reference = Reference { digests: None, grade: Grade::Asserted, endorsed: false, rule: None };
                Ok(ReferenceEntry { reference, endorsed: Vec::new(), rule: None })
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
