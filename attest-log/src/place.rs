//! Where a log is: a file of its own, or a database that several verifiers share.

use std::fmt;
use std::path::{Path, PathBuf};

/// What a database's address begins with; anything else is the path of a file.
const SCHEMES: [&str; 2] = ["postgresql://", "postgres://"];
/// What the names of files beside a shared log begin with, in their folder.
const BASE: &str = "log";

/// Where a log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A SQLite file, written by one process.
    File(PathBuf),
    /// A PostgreSQL database, written by any number of verifiers that hold the log's key.
    Shared(Shared),
}

/// The database of a shared log.
#[derive(Clone, PartialEq, Eq)]
pub struct Shared {
    url: String,
    side: Option<PathBuf>,
}

impl Place {
    /// The place that a text names: the address of a database, by what it begins with, or else a path.
    pub fn new(text: impl Into<PathBuf>) -> Self {
        let path = text.into();
        match path.to_str() {
            Some(url) if SCHEMES.iter().any(|scheme| url.starts_with(scheme)) => {
                Self::Shared(Shared { url: url.to_owned(), side: None })
            }
            _ => Self::File(path),
        }
    }

    /// With the folder for what lies beside a log: the record of what this verifier has published, what it keeps. A file has
    /// all that beside itself, under its own name.
    #[must_use]
    pub fn with_side(self, folder: impl Into<PathBuf>) -> Self {
        match self {
            Self::File(path) => Self::File(path),
            Self::Shared(shared) => Self::Shared(Shared { side: Some(folder.into()), ..shared }),
        }
    }

    /// What the names of files beside the log begin with: `<this>.head` and so on. `None` for a shared log without a folder.
    pub fn beside(&self) -> Option<PathBuf> {
        match self {
            Self::File(path) => Some(path.clone()),
            Self::Shared(shared) => shared.side.as_ref().map(|side| side.join(BASE)),
        }
    }

    /// For messages: the path, or the address without its password.
    pub fn name(&self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Shared(shared) => shared.to_string().into(),
        }
    }
}

impl Shared {
    /// The address with its password.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn side(&self) -> Option<&Path> {
        self.side.as_deref()
    }

    pub(crate) fn name(&self) -> PathBuf {
        self.to_string().into()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name().display().fmt(f)
    }
}

/// Without the password, which stands before the last `@` of the authority, or as a parameter.
impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.url.split_once("://").unwrap_or(("postgresql", &self.url));
        let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
        let place = match place.rsplit_once('@') {
            Some((user, host)) => format!("{}@{host}", user.split(':').next().unwrap_or_default()),
            None => place.to_owned(),
        };
        write!(f, "{scheme}://{place}")?;
        let shown = query.into_iter().flat_map(|query| query.split('&')).filter(|part| !part.starts_with("password="));
        for (part, mark) in shown.zip(std::iter::once('?').chain(std::iter::repeat('&'))) {
            write!(f, "{mark}{part}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared({self}, {:?})", self.side)
    }
}

impl From<&Self> for Place {
    fn from(place: &Self) -> Self {
        place.clone()
    }
}

impl From<PathBuf> for Place {
    fn from(path: PathBuf) -> Self {
        Self::new(path)
    }
}

impl From<&PathBuf> for Place {
    fn from(path: &PathBuf) -> Self {
        Self::new(path)
    }
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Self {
        Self::new(path)
    }
}

impl From<&str> for Place {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Place {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&String> for Place {
    fn from(text: &String) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_from_a_path_and_shown_without_its_password() {
        assert_eq!(Place::new("guard.db"), Place::File("guard.db".into()));
        assert_eq!(Place::new("./postgresql:/x"), Place::File("./postgresql:/x".into()));
        for (url, shown) in [
            ("postgresql://a:s3cret@db/log", "postgresql://a@db/log"),
            ("postgres://a:p@ss:s3cret@db:5,other:6/log?x=1", "postgres://a@db:5,other:6/log?x=1"),
            ("postgresql:///log?password=s3cret&host=/run&user=a", "postgresql:///log?host=/run&user=a"),
        ] {
            let place = Place::new(url).with_side("side");
            assert_eq!(place.to_string(), shown);
            assert!(!format!("{place:?}").contains("s3cret"));
            assert_eq!(place.beside(), Some("side/log".into()));
        }
    }
}
