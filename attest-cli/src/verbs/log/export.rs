//! `attest log export`: a log as static files.

use std::path::PathBuf;

use attest_log::Reader;
use attest_log::export::{Destination, export};

use super::serve::shown;
use crate::output::Bar;
use crate::{Ending, output};

/// Writes the log as static files (C2SP tlog-tiles), which any web server can serve: tiles and entries first, the checkpoint
/// last. Run again, it adds what is new; cut short, it goes on where it was.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The log's file
    #[arg(value_name = "LOG")]
    log: PathBuf,
    /// A folder, or s3://bucket/prefix (keys, region and endpoint as AWS's programs take them from the environment)
    #[arg(value_name = "DEST")]
    to: String,
    /// Export up to the newest checkpoint that witnesses cosigned
    #[arg(long)]
    cosigned: bool,
}

pub(crate) fn run(args: &Args) -> Ending {
    let to = Destination::named(&args.to)?;
    let reader = Reader::open(&args.log)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let bar = Bar::of_entries();
    let progress = |done, total| bar.show("exporting", done, total);
    let exported = runtime.block_on(export(&reader, shown(args.cosigned), &to, progress));
    bar.clear();
    let exported = exported?;
    output::line(format_args!(
        "{} entries, {} of them new; {} files written",
        exported.size,
        exported.size - exported.before,
        exported.written
    ));
    Ok(0)
}
