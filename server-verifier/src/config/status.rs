//! `[status]` in `guard.toml`: who says what was taken back, where that is had, and what passes without it.
//!
//! Trust sentence: who can change this section can take a revocation back, by pinning another key or by accepting stale lists.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use attest_core::jwk::KeyError;
use attest_core::limits::MAX_STATUS_AGE;
use attest_core::status::{Level, Staleness, StatusIssuer};
use mcp_relay::http::{HostName, Upstream, UpstreamError};
use serde::Deserialize;

use super::Jwk;

/// Where lists are had, in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct StatusSources(pub Vec<StatusSource>);

/// Where one list is had.
#[derive(Clone, Debug)]
pub struct StatusSource {
    /// The list.
    pub uri: String,
    /// A file, or a web server.
    pub from: From,
}

/// A file, or a web server.
#[derive(Clone, Debug)]
pub enum From {
    /// A file that somebody else replaces.
    File(PathBuf),
    /// Asked with GET.
    Web(Box<Upstream>),
}

/// Why `[status]` is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatusesError {
    /// A key.
    #[error("the jwk of the list {uri:?}: {source}")]
    Key {
        /// The list.
        uri: String,
        /// Why.
        source: KeyError,
    },
    /// A list that cannot be asked for.
    #[error("the list {uri:?}: {source}; or name a file: file = \"…\"")]
    Url {
        /// The list.
        uri: String,
        /// Why.
        source: UpstreamError,
    },
    /// Too long or no time.
    #[error("max_age_seconds is 1 to {MAX_STATUS_AGE}")]
    Age,
}

/// The section as it is written.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Section {
    list: Vec<ListTable>,
    stale: BTreeMap<Level, Stale>,
    max_age_seconds: Option<u64>,
    roots: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListTable {
    uri: String,
    jwk: Jwk,
    file: Option<PathBuf>,
    url: Option<String>,
}

/// What becomes of a call whose tokens have no fresh status.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Stale {
    Accept,
    Refuse,
}

/// What the section comes to.
pub(super) struct Read {
    pub issuers: Vec<StatusIssuer>,
    pub staleness: Staleness,
    pub sources: StatusSources,
    /// The files that are named.
    pub files: Vec<PathBuf>,
}

impl Section {
    /// With paths relative to `folder`.
    pub(super) fn within(self, folder: &Path) -> Result<Read, StatusesError> {
        let Self { list, stale, max_age_seconds, roots } = self;
        let accepted = stale.into_iter().filter(|(_, what)| *what == Stale::Accept).map(|(level, _)| level).collect();
        let staleness = Staleness::new(max_age_seconds.unwrap_or(MAX_STATUS_AGE), accepted);
        let roots = roots.map(|roots| folder.join(roots));
        let mut read = Read {
            issuers: Vec::new(),
            staleness: staleness.ok_or(StatusesError::Age)?,
            sources: StatusSources::default(),
            files: roots.iter().cloned().collect(),
        };
        for ListTable { uri, jwk, file, url } in list {
            let key = jwk.key().map_err(|source| StatusesError::Key { uri: uri.clone(), source })?;
            let from = match file {
                Some(file) => {
                    let file = folder.join(file);
                    read.files.push(file.clone());
                    From::File(file)
                }
                None => {
                    let web = Upstream::new(url.as_deref().unwrap_or(&uri), HostName::Servers, roots.as_deref());
                    From::Web(Box::new(web.map_err(|source| StatusesError::Url { uri: uri.clone(), source })?))
                }
            };
            read.issuers.push(StatusIssuer { uri: uri.clone(), key });
            read.sources.0.push(StatusSource { uri, from });
        }
        Ok(read)
    }
}
