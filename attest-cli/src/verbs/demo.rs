//! `attest demo`: everything once, with real processes and real files, on an empty machine and without network.

pub(crate) mod cases;
pub(crate) mod client;
pub(crate) mod folder;
pub(crate) mod notes;
pub(crate) mod server;
pub(crate) mod show;
pub(crate) mod stage;
pub(crate) mod tamper;
pub(crate) mod widened;

use std::path::{Path, PathBuf};

use attest_log::Reader;

use self::folder::Folder;
use self::stage::Stage;
use crate::{Ending, output};

/// Shows in a minute what attest does: one call let in, and each way of spoiling it refused, with its reason.
///
/// Makes a folder with keys, a small agent and a server of notes, and runs them as processes of their own. Needs no
/// network. The folder stays. Exits with 1 if anything comes out otherwise than it should.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder to make; a new attest-demo in the working directory if not given
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

/// Entries of the log that are shown.
const SHOWN: u64 = 6;

pub(crate) fn run(args: Args) -> Ending {
    let program = std::env::current_exe()?;
    let folder = Folder::make(args.dir, &program)?;
    let signers = Signers([&folder.agent, &folder.hasty, &folder.widened]);
    show::opening(&folder);
    let mut stage = Stage::new(&folder, program.clone());
    cases::play(&mut stage);
    drop(signers);
    let entries = Reader::open(&folder.log)?.len()?;
    let last = SHOWN.to_string();
    let (listed, list) =
        stage.attest(&["log".as_ref(), "list".as_ref(), "--last".as_ref(), last.as_ref(), folder.log.as_ref()])?;
    show::log(entries, &list);
    if stage.broken > 0 || !listed {
        show::broken(&folder, stage.broken.max(1));
        return Ok(1);
    }
    show::closing(&folder, &program);
    Ok(0)
}

/// Signers that the wraps start, ended whichever way the demo ends.
struct Signers<'a>([&'a Path; 3]);

impl Drop for Signers<'_> {
    fn drop(&mut self) {
        for config in self.0 {
            if let Err(error) = agent_signer::args::stop_signer(config) {
                output::remark(format!("the signer of {} may still run: {error}", config.display()));
            }
        }
    }
}
