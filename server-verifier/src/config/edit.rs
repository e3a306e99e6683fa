//! Adding what a person decided to `guard.toml`: a reference value, or that an alert was looked at. Everything else in the file stays as it is.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use attest_core::measurement::Grade;
use toml_edit::{ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::accepted::{Acceptance, AcceptedError};
use super::closed::Closing;
use super::{Config, ConfigError};

/// Why nothing was added. The file is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The file is no configuration before the change.
    #[error(transparent)]
    Before(Box<ConfigError>),
    /// The file is no configuration after it.
    #[error("with this the guard would not start, so nothing was written: {0}")]
    After(#[source] Box<ConfigError>),
    /// What is to be written down cannot be.
    #[error(transparent)]
    Accepted(#[from] AcceptedError),
    /// An agent that the file does not know.
    #[error("{path}: there is no [agents.{agent:?}]; write it first, and let an attester list the agent", path = path.display())]
    NoAgent {
        /// The file.
        path: PathBuf,
        /// The agent.
        agent: String,
    },
    /// The reference accepts it, or everything, already, or nothing of the kind.
    #[error("{path}: agents.{agent}.{component} {what}", path = path.display())]
    Reference {
        /// The file.
        path: PathBuf,
        /// The agent.
        agent: String,
        /// The component.
        component: &'static str,
        /// What stands there.
        what: &'static str,
    },
    /// `accepted` or `closed` is written in another way than this can add to.
    #[error("{path}: {list} is no list of [[{list}]] tables; write it so", path = path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// Which of the two.
        list: &'static str,
    },
    /// Somebody else wrote the file at the same time.
    #[error("{path} was changed meanwhile; nothing was written, try again", path = path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("cannot write {path}: {source}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Adds the digest to the accepted ones of the agent's component, with who accepted it and why, unless the guard would not start
/// then. A component without a reference gets one, of this grade. Comments and order stay; the file is replaced in one step.
///
/// # Errors
/// [`EditError`]. Then the file is as it was.
pub fn accept(path: &Path, accepted: &Acceptance, grade: Grade) -> Result<(), EditError> {
    accepted.check()?;
    rewrite(path, |before| edited(before, path, accepted, grade))
}

/// Adds who closed which alert and why, unless the guard would not start then. Comments and order stay; the file is replaced in one
/// step.
///
/// # Errors
/// [`EditError`]. Then the file is as it was.
pub fn close(path: &Path, closings: &[Closing]) -> Result<(), EditError> {
    closings.iter().try_for_each(Closing::check)?;
    rewrite(path, |before| {
        let mut document = document(before, path, CLOSED)?;
        for Closing { alert, by, reason, time } in closings {
            let alert = i64::try_from(*alert).map_err(|_| EditError::Form { path: path.to_owned(), list: CLOSED })?;
            let told = [
                ("alert", alert.into()),
                ("by", by.as_str().into()),
                ("reason", reason.as_str().into()),
                ("time", moment(*time)?.into()),
            ];
            push(&mut document, path, CLOSED, told)?;
        }
        Ok(document.to_string())
    })
}

const ACCEPTED: &str = "accepted";
const CLOSED: &str = "closed";

/// Replaces the file by what `edit` makes of it, if both are configurations and nobody else changed it meanwhile.
fn rewrite(path: &Path, edit: impl FnOnce(&str) -> Result<String, EditError>) -> Result<(), EditError> {
    let write = |source| EditError::Write { path: path.to_owned(), source };
    // A link stays one: what it points to is replaced.
    let file = fs::canonicalize(path)
        .map_err(|source| EditError::Before(Box::new(ConfigError::Read { path: path.to_owned(), source })))?;
    let before = fs::read_to_string(&file)
        .map_err(|source| EditError::Before(Box::new(ConfigError::Read { path: path.to_owned(), source })))?;
    Config::parse(&before, path).map_err(|error| EditError::Before(Box::new(error)))?;
    let after = edit(&before)?;
    Config::parse(&after, path).map_err(|error| EditError::After(Box::new(error)))?;
    let folder = file.parent().unwrap_or(Path::new("/"));
    let mut new = tempfile::NamedTempFile::new_in(folder).map_err(write)?;
    let permissions = fs::metadata(&file).map_err(write)?.permissions();
    new.write_all(after.as_bytes())
        .and_then(|()| new.as_file().set_permissions(permissions))
        .and_then(|()| new.as_file().sync_all())
        .map_err(write)?;
    if fs::read_to_string(&file).map_err(write)? != before {
        return Err(EditError::Changed { path: path.to_owned() });
    }
    new.persist(&file).map_err(|error| write(error.error))?;
    Ok(())
}

/// The text with the digest and the table.
fn edited(text: &str, path: &Path, accepted: &Acceptance, grade: Grade) -> Result<String, EditError> {
    let Acceptance { agent, component, digest, by, reason, time } = accepted;
    let component = component.as_str();
    let mut document = document(text, path, ACCEPTED)?;
    let agents = document.get_mut("agents").and_then(Item::as_table_like_mut);
    let references = agents.and_then(|agents| agents.get_mut(agent)).and_then(Item::as_table_like_mut);
    let references = references.ok_or_else(|| EditError::NoAgent { path: path.to_owned(), agent: agent.clone() })?;
    add(references, component, &digest.to_b64(), grade).map_err(|what| EditError::Reference {
        path: path.to_owned(),
        agent: agent.clone(),
        component,
        what,
    })?;
    let told = [
        ("agent", Value::from(agent.as_str())),
        ("component", component.into()),
        ("digest", digest.to_b64().into()),
        ("by", by.as_str().into()),
        ("reason", reason.as_str().into()),
        ("time", moment(*time)?.into()),
    ];
    push(&mut document, path, ACCEPTED, told)?;
    Ok(document.to_string())
}

fn document(text: &str, path: &Path, list: &'static str) -> Result<DocumentMut, EditError> {
    // It was read as TOML before.
    text.parse().map_err(|_| EditError::Form { path: path.to_owned(), list })
}

/// Adds a table to a list of them.
fn push<const N: usize>(
    document: &mut DocumentMut,
    path: &Path,
    list: &'static str,
    values: [(&str, Value); N],
) -> Result<(), EditError> {
    let mut table = Table::new();
    for (name, value) in values {
        table.insert(name, Item::Value(value));
    }
    let tables = document.entry(list).or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    let form = || EditError::Form { path: path.to_owned(), list };
    tables.as_array_of_tables_mut().ok_or_else(form)?.push(table);
    Ok(())
}

fn moment(time: u64) -> Result<toml_edit::Datetime, AcceptedError> {
    let moment = i64::try_from(time).ok().and_then(|time| jiff::Timestamp::from_millisecond(time).ok());
    moment.and_then(|moment| moment.to_string().parse().ok()).ok_or(AcceptedError::Time)
}

/// Adds a digest to the reference of a component; says what stands in the way.
fn add(references: &mut dyn TableLike, component: &str, digest: &str, grade: Grade) -> Result<(), &'static str> {
    let Some(reference) = references.get_mut(component) else {
        let mut table = InlineTable::new();
        table.insert("digests", Value::Array([digest].into_iter().collect()));
        table.insert("grade", grade.as_str().into());
        references.insert(component, Item::Value(Value::InlineTable(table)));
        return Ok(());
    };
    let Some(reference) = reference.as_table_like_mut() else {
        return Err("accepts any digest: there is nothing to add");
    };
    if reference.get("grade").and_then(Item::as_str) == Some("endorsed") {
        return Err("accepts only what a publisher endorses: add a bundle, or ask for another grade");
    }
    match reference.get_mut("digests") {
        None => {
            reference.insert("digests", Item::Value(Value::Array([digest].into_iter().collect())));
            Ok(())
        }
        Some(digests) => {
            let digests = digests.as_array_mut().ok_or("has digests that are no list")?;
            if digests.iter().any(|listed| listed.as_str() == Some(digest)) {
                return Err("accepts this digest already");
            }
            digests.push(digest);
            Ok(())
        }
    }
}
