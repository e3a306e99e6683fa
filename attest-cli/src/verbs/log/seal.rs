//! `attest log seal`: old entries to a folder or a store.

use std::error::Error;
use std::ops::Range;
use std::path::{Path, PathBuf};

use attest_core::digest::Digest;
use attest_core::entry::Written;
use attest_log::Reader;
use attest_log::sealed::{Knows, Sealing, Step};
use serde_json::json as document;

use super::search::moment;
use crate::output::Bar;
use crate::{Ending, output};

/// Moves old entries out of the log, also while it is written: what is there stays small, and every proof stays as it was
///
/// What `export` writes goes to the place, with the tokens that came with each entry beside it, and a table in Parquet for other programs. All of it is
/// read back and checked before an entry leaves the log. Every verb reads sealed entries from there from then on, so the place must stay
/// where it is; see docs/sealing.md. Cut short, the next run finishes it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The log's file, or a database's address
    #[arg(value_name = "LOG")]
    log: PathBuf,
    /// A folder, or s3://bucket/prefix (keys, region and endpoint as AWS's programs take them from the environment)
    #[arg(long, value_name = "DEST", required_unless_present_any = ["moved_to", "shrink"])]
    to: Option<String>,
    /// Entries that are older than this: how long ago (`30d`), or a time as 2026-11-27T10:00:00Z; all that can be, where nothing is said
    #[arg(long, value_name = "TIME", value_parser = moment, requires = "to")]
    older_than: Option<u64>,
    /// Entries before this one
    #[arg(long, value_name = "INDEX", requires = "to", conflicts_with = "older_than")]
    before: Option<u64>,
    /// What was sealed is now here: checks every file, and notes the place
    #[arg(long, value_name = "DEST", conflicts_with = "to")]
    moved_to: Option<String>,
    /// Give what is free in the log's file back to the system afterwards; nobody may be writing it
    #[arg(long)]
    shrink: bool,
    /// For machines: JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Ending {
    let mut sealing = Sealing::open(&args.log)?;
    let mut beside = Beside(&args.log);
    let bar = Bar::of_entries();
    let mut tell = |step, done, all| bar.show(words(step), done, all);
    let mut said = Vec::new();
    let mut shown = serde_json::Map::new();
    if let Some(to) = &args.moved_to {
        let moved = sealing.moved(to, &mut beside, &mut tell);
        bar.clear();
        let moved = moved?;
        said.push(format!("{moved} sealed entries are read from {to} from now on"));
        shown.insert("moved".into(), moved.into());
    }
    if let Some(to) = &args.to {
        let before = match args.older_than {
            Some(time) => first_since(sealing.reader(), sealing.sealed()?, time)?,
            None => args.before.unwrap_or(u64::MAX),
        };
        let sealed = sealing.seal(to, before, &mut beside, &mut tell);
        bar.clear();
        let Range { start, end } = sealed?;
        shown.insert("sealed".into(), document!({ "first": start, "until": end }));
        said.push(match end - start {
            0 => format!("nothing to seal; entries before {end} are sealed"),
            count => format!("{count} entries sealed, {start} to {}", end - 1),
        });
    }
    if args.shrink {
        sealing.shrink()?;
    }
    if args.json {
        output::json(&serde_json::Value::Object(shown))?;
    } else {
        said.iter().for_each(output::line);
    }
    Ok(0)
}

fn words(step: Step) -> &'static str {
    match step {
        Step::Exporting => "exporting",
        Step::Writing => "writing",
        Step::Checking => "checking",
        _ => "removing",
    }
}

/// The first entry from `from` on that is not older than `time`, in milliseconds since 1970. Entries follow each other in time,
/// but for what clocks were set back.
pub(super) fn first_since(reader: &Reader, from: u64, time: u64) -> Result<u64, Box<dyn Error>> {
    let (mut low, mut high) = (from, reader.len()?);
    while low < high {
        let middle = low + (high - low) / 2;
        let body = reader.entry(middle)?.unwrap_or_default();
        // One that cannot be read has no time, and is kept.
        if Written::read(&body).is_ok_and(|entry| entry.time() < time) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// What the entries of this log name, and their table.
struct Beside<'l>(&'l Path);

impl Knows for Beside<'_> {
    fn fits(&mut self, body: &[u8], token: Option<&str>) -> bool {
        match Written::read(body) {
            Ok(entry) => entry.own_token() == token.map(Digest::of),
            // Of a later version of this program, or what somebody else appended: nobody can say.
            Err(_) => true,
        }
    }

    #[cfg(feature = "parquet")]
    fn table(&mut self, part: &Range<u64>) -> Result<Option<Vec<u8>>, Box<dyn Error + Send + Sync>> {
        use attest_forensics::Evidence;
        use attest_forensics::export::{Table, pass_on_part};

        let mut file = Vec::new();
        pass_on_part(&Evidence::open(self.0)?, part, &mut Table::with_tokens(&mut file)?)?;
        Ok(Some(file))
    }

    #[cfg(not(feature = "parquet"))]
    fn table(&mut self, _: &Range<u64>) -> Result<Option<Vec<u8>>, Box<dyn Error + Send + Sync>> {
        let Self(_) = self;
        Ok(None)
    }
}
