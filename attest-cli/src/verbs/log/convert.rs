//! `attest log convert`: a log's entries in the form of another program.

use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::PathBuf;

use attest_forensics::Evidence;
use attest_forensics::export::{Count, Form, Lines, Ocsf, pass_on};

use super::search::moment;
use crate::output::Bar;
use crate::verbs::delegate::write_new_by;
use crate::{Ending, output};

/// Writes the entries of logs in a form that other programs read: JSON Lines, events of OCSF, or a table in Parquet
///
/// What is written is no evidence, and no log can be made of it again; but each log's tree is computed anew on the way, and one that is not what its
/// checkpoint is over ends in an error. Names, digests and reasons go out, as they stand in the entries; what a trail kept beside a log does not.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Logs, of verifiers, signers or audits
    #[arg(value_name = "LOG", default_value = "guard.db")]
    logs: Vec<PathBuf>,
    /// The form
    #[arg(long = "as", value_name = "FORM", value_enum)]
    form: Name,
    /// Where it goes: a file that is not there yet, whole or not at all; standard output where it is not said
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Not before this: 2026-11-27T10:00:00Z, or how long ago (`2h`)
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<u64>,
    /// Before this
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Name {
    /// A JSON object for each entry: its columns, and the whole entry
    Jsonl,
    /// Events of the Open Cybersecurity Schema Framework, a JSON object each: calls, how they ended, alerts
    Ocsf,
    /// A table with the columns of jsonl (built with --features parquet)
    Parquet,
}

pub(crate) fn run(args: &Args) -> Ending {
    // All of them are opened before anything is written.
    let logs = args.logs.iter().map(|log| Evidence::open(log)).collect::<Result<Vec<_>, _>>()?;
    let time = args.since.unwrap_or(0)..args.until.unwrap_or(u64::MAX);
    let count = match &args.out {
        Some(path) => write_new_by(path, |file| written(args.form, BufWriter::new(file), &logs, &time))?,
        None if args.form == Name::Parquet && output::is_for_a_person() => {
            return Err("a table is no text: name a file with --out, or pass it on to a program".into());
        }
        None => written(args.form, output::stream(), &logs, &time)?,
    };
    let left_out = match count.left_out {
        0 => String::new(),
        some => format!("; {some} are no events of this form"),
    };
    output::remark(format!("{} entries{left_out}", count.written));
    Ok(0)
}

fn written<W: Write + Send>(
    form: Name,
    to: W,
    logs: &[Evidence],
    time: &Range<u64>,
) -> Result<Count, Box<dyn std::error::Error>> {
    match form {
        Name::Jsonl => all(&mut Lines::new(to), logs, time),
        Name::Ocsf => all(&mut Ocsf::new(to), logs, time),
        #[cfg(feature = "parquet")]
        Name::Parquet => all(&mut attest_forensics::export::Table::new(to)?, logs, time),
        #[cfg(not(feature = "parquet"))]
        Name::Parquet => Err("this program was built without Parquet: build it with --features parquet".into()),
    }
}

fn all(form: &mut dyn Form, logs: &[Evidence], time: &Range<u64>) -> Result<Count, Box<dyn std::error::Error>> {
    let bar = Bar::of_entries();
    let mut count = Count::default();
    for evidence in logs {
        let passed = pass_on(evidence, time, form, |done, total| bar.show("read", done, total));
        if passed.is_err() {
            bar.clear();
        }
        let passed = passed?;
        count = Count { written: count.written + passed.written, left_out: count.left_out + passed.left_out };
    }
    bar.clear();
    form.end()?;
    Ok(count)
}
