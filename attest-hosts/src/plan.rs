//! A change of one configuration: made up in memory, shown, and then written or not.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jsonc_parser::common::{Range, Ranged as _};

use crate::document::{Document, DocumentError};
use crate::edit::{self, Splice};
use crate::entry::{Entry, Reach, Transport, is_attest};
use crate::file::{self, FileError, Original};
use crate::host::Host;
use crate::record::{Record, Replaced};
use crate::undo;
use crate::way::{Left, Way};

/// Why a configuration is left alone as a whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// Its text.
    #[error("{path}: {source}", path = path.display())]
    Document {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: DocumentError,
    },
    /// The record of what was replaced.
    #[error("{path} is not what attest wrote; move it away, then `attest hosts remove --only NAME` goes by the entry alone", path = path.display())]
    Record {
        /// The record.
        path: PathBuf,
    },
    /// What came out is not what was meant. Nothing was written.
    #[error("{path}: the edit did not come out as meant, so nothing was written; please report this entry's form", path = path.display())]
    Broken {
        /// The file.
        path: PathBuf,
    },
}

/// What becomes of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// attest is put in between.
    Installed(Reach),
    /// It is there already.
    Already(Reach),
    /// attest is taken out: `exact` where the entry is as it was before, to the byte.
    Removed {
        /// Whether nobody edited it meanwhile.
        exact: bool,
    },
    /// Left as it is.
    Left(Left),
}

/// A server, and what becomes of it.
#[derive(Clone, Debug)]
pub struct Step {
    /// The project that it is for, in Claude Code's own file.
    pub project: Option<String>,
    /// Its name.
    pub name: String,
    /// How the host reaches it before the change.
    pub transport: Transport,
    /// What becomes of it.
    pub outcome: Outcome,
}

/// A change that is not written yet.
#[derive(Debug)]
pub struct Plan {
    /// Whose configuration.
    pub host: Host,
    /// The file itself: links are followed.
    pub path: PathBuf,
    /// What becomes of each server.
    pub steps: Vec<Step>,
    original: Original,
    after: String,
    /// What was known before, and what is to be known.
    known: Record,
    record: Record,
    removes: bool,
}

/// What was written.
#[derive(Debug, PartialEq, Eq)]
pub struct Applied {
    /// The copy of the file before its first change, if it was made now.
    pub backup: Option<PathBuf>,
}

/// What becomes of an entry, and its new text if it gets one.
type Made = (Outcome, Option<String>);

/// Puts attest before every server, or the one of the name `only`.
///
/// # Errors
/// [`PlanError`]; nothing is written here at all.
pub fn install(host: Host, path: &Path, way: &Way, only: Option<&str>) -> Result<Plan, PlanError> {
    plan(host, path, only, false, |document, _, name, entry, range| {
        let (reach, _) = entry.reach();
        if reach != Reach::Bypasses {
            let outcome = if reach == way.reach { Outcome::Already(reach) } else { Outcome::Left(Left::Other(reach)) };
            return Some((outcome, None));
        }
        // attest with nothing behind it: more of it would not help.
        if entry.command.is_some_and(is_attest) {
            return Some((Outcome::Left(Left::Form), None));
        }
        Some(match edit::install(document, name, entry, way) {
            Ok(splices) => (Outcome::Installed(way.reach), edit::spliced(document, range, splices)),
            Err(left) => (Outcome::Left(left), None),
        })
    })
}

/// Takes attest out of every entry that `install` put it into, or out of the one of the name `only`, however it came there.
///
/// # Errors
/// [`PlanError`]; nothing is written here at all.
pub fn remove(host: Host, path: &Path, only: Option<&str>) -> Result<Plan, PlanError> {
    plan(host, path, only, true, |document, known, _, entry, range| {
        if entry.reach().0 == Reach::Bypasses {
            return None;
        }
        if known.is_none() && only.is_none() {
            return Some((Outcome::Left(Left::NotOurs), None));
        }
        if let Some(known) = known.filter(|known| known.after == document.slice(range)) {
            return Some((Outcome::Removed { exact: true }, Some(known.before.clone())));
        }
        let before = known.map(|known| known.before.as_str());
        let splices = entry.object.and_then(|object| undo::remove(document, object, before));
        Some(match splices.and_then(|splices| edit::spliced(document, range, splices)) {
            Some(text) => (Outcome::Removed { exact: false }, Some(text)),
            None => (Outcome::Left(Left::Form), None),
        })
    })
}

fn plan(
    host: Host,
    path: &Path,
    only: Option<&str>,
    removes: bool,
    decide: impl Fn(&Document<'_>, Option<&Replaced>, &str, &Entry<'_, '_>, Range) -> Option<Made>,
) -> Result<Plan, PlanError> {
    let original = file::read(path)?;
    let form = |source| PlanError::Document { path: path.to_owned(), source };
    let known = Record::read(&original.path)?;
    let mut record = Record::default();
    let document = Document::parse(&original.text).map_err(form)?;
    let (mut steps, mut splices) = (Vec::new(), Vec::new());
    for group in document.groups(host.key(path)).map_err(form)? {
        let project = group.project.as_deref();
        for member in document.members(group.servers).map_err(form)? {
            let name = member.name.as_str();
            let replaced = known.find(project, name);
            if only.is_some_and(|only| only != name) {
                record.entries.extend(replaced.cloned());
                continue;
            }
            let entry = Entry::read(&document, &member.value).map_err(form)?;
            let range = member.value.range();
            // What is not through attest any more, or not there, needs no record.
            let Some((outcome, text)) = decide(&document, replaced, name, &entry, range) else { continue };
            match (&outcome, &text) {
                (Outcome::Installed(_), Some(text)) => record.entries.push(Replaced {
                    project: project.map(str::to_owned),
                    name: name.to_owned(),
                    before: document.slice(range).to_owned(),
                    after: text.clone(),
                }),
                (Outcome::Installed(_), None) => return Err(PlanError::Broken { path: original.path.clone() }),
                (Outcome::Already(_) | Outcome::Left(_), _) => record.entries.extend(replaced.cloned()),
                (Outcome::Removed { .. }, _) => {}
            }
            splices.extend(text.map(|text| Splice::new(range, text)));
            let project = project.map(str::to_owned);
            steps.push(Step { project, name: name.to_owned(), transport: entry.transport(), outcome });
        }
    }
    let whole = Range { start: 0, end: original.text.len() };
    let after = edit::spliced(&document, whole, splices);
    let after = after.ok_or_else(|| PlanError::Broken { path: original.path.clone() })?;
    drop(document);
    let plan = Plan { host, path: original.path.clone(), steps, original, after, known, record, removes };
    if plan.came_out(host.key(path)) { Ok(plan) } else { Err(PlanError::Broken { path: plan.path }) }
}

impl Plan {
    /// Whether there is anything to write.
    pub fn changes(&self) -> bool {
        self.after != self.original.text
    }

    /// The change as a unified diff. It shows what stands beside it, which may be secrets of the same file.
    pub fn diff(&self) -> String {
        let name = self.path.display().to_string();
        let mut config = similar::TextDiff::configure();
        // A file of one long line has nothing to align for long.
        config.timeout(Duration::from_secs(2));
        config.diff_lines(&self.original.text, &self.after).unified_diff().header(&name, &name).to_string()
    }

    /// The text as it would be.
    pub fn after(&self) -> &str {
        &self.after
    }

    /// Writes it: first the copy and the record of what is replaced, then the file, in one step.
    ///
    /// # Errors
    /// [`PlanError`]; the file is then as it was.
    pub fn apply(&self) -> Result<Applied, PlanError> {
        if !self.changes() {
            if self.removes {
                self.record.write(&self.path)?;
            }
            return Ok(Applied { backup: None });
        }
        if self.removes {
            self.original.replace(&self.after)?;
            self.record.write(&self.path)?;
            if self.record.entries.is_empty() {
                self.original.drop_backup(&self.after)?;
            }
            return Ok(Applied { backup: None });
        }
        let backup = self.original.back_up()?;
        let written = self.record.write(&self.path).and_then(|()| Ok(self.original.replace(&self.after)?));
        if written.is_err() {
            // There was no change, so nothing is to be known of one. What failed is the error to report.
            let _ = self.known.write(&self.path);
            let _ = backup.as_ref().map(std::fs::remove_file);
        }
        written.map(|()| Applied { backup })
    }

    /// Whether the new text holds the same servers, and each that was changed is reached as it should be.
    fn came_out(&self, key: &str) -> bool {
        let reaches = |text: &str| -> Option<Vec<(Option<String>, String, Reach)>> {
            let document = Document::parse(text).ok()?;
            let mut reaches = Vec::new();
            for group in document.groups(key).ok()? {
                for member in document.members(group.servers).ok()? {
                    let (reach, _) = Entry::read(&document, &member.value).ok()?.reach();
                    reaches.push((group.project.clone(), member.name.as_str().to_owned(), reach));
                }
            }
            Some(reaches)
        };
        let (Some(mut want), Some(have)) = (reaches(&self.original.text), reaches(&self.after)) else { return false };
        for step in &self.steps {
            let reach = match step.outcome {
                Outcome::Installed(reach) => reach,
                Outcome::Removed { .. } => Reach::Bypasses,
                _ => continue,
            };
            for row in want.iter_mut().filter(|row| row.0 == step.project && row.1 == step.name) {
                row.2 = reach;
            }
        }
        want == have
    }
}
