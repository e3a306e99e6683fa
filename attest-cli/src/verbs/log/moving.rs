//! `attest log move`: a log put into another storage.

use std::path::{Path, PathBuf};

use attest_log::{Place, move_log};

use crate::output::Bar;
use crate::{Ending, output};

/// Moves a log from a file into a PostgreSQL database that several verifiers share, or back
///
/// Stop whoever writes it first. Every receipt and every proof of it stays valid, and every call that was made stays a replay. The old
/// place keeps its entries, says where the log went, and takes no more.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where it is: a file, or postgresql://…
    #[arg(value_name = "FROM")]
    from: PathBuf,
    /// Where it goes, and where there is no log: a file, or postgresql://…
    #[arg(value_name = "TO")]
    to: PathBuf,
    /// For machines: JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Ending {
    let (from, to) = (Place::from(&args.from), Place::from(&args.to));
    let bar = Bar::of_entries();
    let moved = move_log(&from, &to, |done, total| bar.show("moving", done, total));
    bar.clear();
    let moved = moved?;
    if args.json {
        output::json(&serde_json::json!({
            "entries": moved.entries, "open_calls": moved.open_calls, "replay_keys": moved.replay_keys, "to": to.to_string(),
            "tokens": moved.tokens,
        }))?;
        return Ok(0);
    }
    output::line(format_args!(
        "{} entries, {} tokens and {} replay keys are at {to} now; name that in guard.toml",
        moved.entries, moved.tokens, moved.replay_keys
    ));
    if moved.open_calls > 0 {
        output::line(format_args!(
            "{} calls have no outcome yet; whoever opens the log next closes them as unknown",
            moved.open_calls
        ));
    }
    for left in beside(&from) {
        output::remark(format_args!(
            "{} stays where it is; move it beside the log, or into the guard's side folder",
            left.display()
        ));
    }
    Ok(0)
}

/// What lies beside a log's file and is of use to whoever goes on: what is kept, requests, status lists.
fn beside(from: &Place) -> Vec<PathBuf> {
    let Place::File(path) = from else { return Vec::new() };
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Vec::new() };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let own = [".lock", ".head"].map(|suffix| format!("{name}{suffix}"));
    let files = folder.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    let is_beside = |file: &PathBuf| {
        let file = file.file_name().and_then(|file| file.to_str()).unwrap_or_default();
        file.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')) && !own.iter().any(|own| own == file)
    };
    let mut left: Vec<_> = files.filter(is_beside).collect();
    left.sort();
    left
}
