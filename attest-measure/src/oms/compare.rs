//! An endorsement against files of ours.

use core::fmt;
use std::collections::BTreeMap;

use super::ITSELF;
use super::statement::{Endorsement, Resource};
use crate::manifest::Manifest;

/// In what a manifest is not what the publisher signed for. Names are those of the manifest or of the bundle, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// In both, with other bytes.
    pub changed: Vec<String>,
    /// Signed for, and not in the manifest.
    pub missing: Vec<String>,
    /// In the manifest, and nobody signed for it.
    pub added: Vec<String>,
    /// As `added`, because the publisher left the path out on purpose.
    pub ignored: Vec<String>,
}

impl Difference {
    fn is_none(&self) -> bool {
        [&self.changed, &self.missing, &self.added, &self.ignored].iter().all(|names| names.is_empty())
    }
}

impl Endorsement {
    /// Whether the manifest holds exactly the files that the publisher signed for, under the same names, with the same
    /// digests. Of a model that is one file the bundle does not bind the name.
    ///
    /// # Errors
    /// The [`Difference`]. Ignored files are one: an endorsement that covered files it does not list would cover anything.
    pub fn check(&self, manifest: &Manifest) -> Result<(), Difference> {
        let mut theirs: BTreeMap<&str, &Resource> = self.resources().iter().map(|r| (r.name.as_str(), r)).collect();
        if let ([resource], [file]) = (self.resources(), manifest.files.as_slice())
            && resource.name == ITSELF
        {
            theirs = BTreeMap::from([(file.name.as_str(), resource)]);
        }
        let mut difference = Difference::default();
        for file in &manifest.files {
            let list = match theirs.remove(file.name.as_str()) {
                Some(resource) if resource.digest == file.digest => continue,
                Some(_) => &mut difference.changed,
                None if self.ignores(&file.name) => &mut difference.ignored,
                None => &mut difference.added,
            };
            list.push(file.name.clone());
        }
        difference.missing = theirs.into_keys().map(str::to_owned).collect();
        if difference.is_none() { Ok(()) } else { Err(difference) }
    }

    /// As the tool: the path itself and everything below it.
    fn ignores(&self, name: &str) -> bool {
        let below = |path: &String| {
            name.strip_prefix(path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.ignored().iter().any(below)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [
            ("other bytes in", &self.changed),
            ("missing:", &self.missing),
            ("not signed for:", &self.added),
            ("left out by the publisher, so leave it out of what is measured:", &self.ignored),
        ];
        for (n, (what, names)) in all.iter().filter(|(_, names)| !names.is_empty()).enumerate() {
            /// As many as a person reads.
            const SHOWN: usize = 5;
            write!(f, "{}{what} ", if n == 0 { "" } else { "; " })?;
            for (n, name) in names.iter().take(SHOWN).enumerate() {
                write!(f, "{}{name:?}", if n == 0 { "" } else { ", " })?;
            }
            if names.len() > SHOWN {
                write!(f, " and {} more", names.len() - SHOWN)?;
            }
        }
        Ok(())
    }
}

impl core::error::Error for Difference {}
