//! Where an agent that is started by [`run`](crate::run) finds what was measured: the files of a [`View`].

use std::path::{Path, PathBuf};

use attest_measure::{FileSet, MeasureError, View};

use crate::config::Measure;

/// The weights' folder in a view.
pub(crate) fn weights(view: &Path) -> PathBuf {
    view.join("weights")
}

/// The system prompt in a view.
pub(crate) fn system_prompt(view: &Path) -> PathBuf {
    view.join("system-prompt")
}

/// The settings' file in a view: its name's ending says how it is read.
pub(crate) fn config(view: &Path, path: &Path) -> PathBuf {
    path.extension().map_or_else(|| view.join("config"), |ending| view.join("config").with_extension(ending))
}

/// What the agent is to open: one path for each component that is held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The model: its file where it is one, else the folder.
    pub(crate) weights: Option<PathBuf>,
    pub(crate) system_prompt: Option<PathBuf>,
    pub(crate) config: Option<PathBuf>,
}

/// Opens and copies what is measured.
pub(crate) fn fill(view: &mut View, measure: &Measure) -> Result<Shown, MeasureError> {
    let folder = view.folder().to_owned();
    let name = |path: &Path| path.strip_prefix(&folder).unwrap_or(path).to_string_lossy().into_owned();
    let mut shown = Shown::default();
    if !measure.weights.is_empty() {
        let all = view.hold(&name(&weights(&folder)), &FileSet::new(&measure.weights))?;
        let single = match &measure.weights[..] {
            [one] if one.is_file() => one.file_name().map(|name| all.join(name)),
            _ => None,
        };
        shown.weights = Some(single.unwrap_or(all));
    }
    if let Some(path) = &measure.system_prompt {
        shown.system_prompt = Some(view.copy(&name(&system_prompt(&folder)), path)?);
    }
    if let Some(path) = &measure.config {
        shown.config = Some(view.copy(&name(&config(&folder, path)), path)?);
    }
    Ok(shown)
}
