//! The demo server's tools: notes as files in a folder. And how often a tool ran, which is the server's own word.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Names of the tools, what each does, and the arguments it takes.
pub(crate) const TOOLS: [(&str, &str, &[&str]); 3] = [
    (READ, "Reads a note", &["path"]),
    ("write_note", "Writes a note, over what it held", &["path", "text"]),
    (DELETE, "Deletes a note", &["path"]),
];
/// Name of the tool that reads.
pub(crate) const READ: &str = "read_note";
/// Name of the tool that deletes.
pub(crate) const DELETE: &str = "delete_note";

/// A folder of notes.
pub(crate) struct Notes {
    folder: PathBuf,
    /// Held while a tool runs, so that the count is exact.
    running: Mutex<()>,
}

impl Notes {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, running: Mutex::new(()) }
    }

    /// How many calls of tools came to this server, over all its processes.
    pub(crate) fn tool_runs(&self) -> io::Result<u64> {
        match fs::read_to_string(self.counter()) {
            Ok(text) => text.trim().parse().map_err(|_| io::ErrorKind::InvalidData.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    fn counter(&self) -> PathBuf {
        self.folder.join("tool-runs")
    }

    /// Runs a tool. `argument` gives the text of an argument by name.
    pub(crate) fn run<'a>(&self, tool: &str, argument: impl Fn(&str) -> Option<&'a str>) -> Result<String, String> {
        let _running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        // Counted before anything can go wrong with it: a call that came this far got past the guard.
        let runs = self.tool_runs().and_then(|runs| fs::write(self.counter(), format!("{}\n", runs + 1)));
        runs.map_err(|e| format!("cannot count: {e}"))?;
        let wanted = |name: &str| argument(name).ok_or_else(|| format!("{tool} needs the argument {name}"));
        let note = self.note(wanted("path")?)?;
        let failed = |e: io::Error| format!("{}: {e}", note.display());
        match tool {
            READ => fs::read_to_string(&note).map_err(failed),
            "write_note" => fs::write(&note, wanted("text")?).map(|()| "written".to_owned()).map_err(failed),
            DELETE => fs::remove_file(&note).map(|()| "deleted".to_owned()).map_err(failed),
            _ => Err(format!("there is no tool {tool}")),
        }
    }

    /// The file of a note: a plain name, so that no call leaves the folder.
    fn note(&self, name: &str) -> Result<PathBuf, String> {
        let mut parts = Path::new(name).components();
        match (parts.next(), parts.next()) {
            (Some(Component::Normal(only)), None) if only == name => Ok(self.folder.join("notes").join(only)),
            _ => Err(format!("{name:?} is no plain file name")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_counted_also_by_the_next_process_and_none_leaves_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("notes")).unwrap();
        fs::write(folder.path().join("outside"), "no note").unwrap();
        let notes = Notes::new(folder.path().to_owned());
        let path = |name: &'static str| move |argument: &str| (argument == "path").then_some(name);
        let write = |argument: &str| Some(if argument == "path" { "a.txt" } else { "text" });
        assert_eq!(notes.run("write_note", write), Ok("written".to_owned()));
        assert_eq!(notes.run(READ, path("a.txt")), Ok("text".to_owned()));
        for outside in ["../outside", "/etc/passwd", "..", "", "./a.txt", "a.txt/"] {
            assert!(notes.run(READ, path(outside)).is_err(), "{outside}");
        }
        assert_eq!(notes.run(DELETE, path("a.txt")), Ok("deleted".to_owned()));
        assert_eq!(Notes::new(folder.path().to_owned()).tool_runs().unwrap(), 9);
    }
}
