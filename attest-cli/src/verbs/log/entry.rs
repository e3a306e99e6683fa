//! The entry that `attest log show` and `attest log prove` are asked for, wherever it is.

use std::path::{Path, PathBuf};

use attest_forensics::trace::Traced;
use attest_log::Reader;

use super::search::open;
use super::several::{name, shown};
use crate::output;
use crate::verbs::bundle::named;
use crate::verbs::moment::numbered;

type Failure = Box<dyn std::error::Error>;

/// Logs, and an entry in one of them.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// The log's file; several where the entry is named by its call
    #[arg(value_name = "LOG", required = true)]
    logs: Vec<PathBuf>,
    /// The entry's index; or the call that it is of: the hash of its proof, or its first 8 characters or more, behind `--` where it begins with a
    /// hyphen; or LOG#N, entry N of that log. Of a call's entries it is the server's decision, or else the caller's own
    #[arg(value_name = "ENTRY")]
    entry: String,
}

/// Where the entry is, or has to be: none was looked for that is named by its index.
pub(super) struct Found {
    pub(super) reader: Reader,
    pub(super) index: u64,
    /// The log's file, or its database's address.
    pub(super) file: String,
    /// The log's name, where several were named.
    pub(super) name: Option<String>,
}

impl Which {
    pub(super) fn find(&self) -> Result<Found, Failure> {
        if let Ok(index) = self.entry.parse() {
            return match self.logs.as_slice() {
                [log] => self.at(log, index),
                logs => Err(format!(
                    "each of these {} logs may have an entry {index}: name it as LOG#{index}, or by its call (the hash of its proof; `attest log \
                     search` finds calls)",
                    logs.len()
                )
                .into()),
            };
        }
        if let Some((log, index)) = numbered(&self.entry) {
            return self.at(&log, index);
        }
        let search = open(&self.logs)?;
        let call = named(&search, &self.entry)?;
        let traced = Traced::of(&search.sources(), call, None)?;
        let main = traced.main().ok_or_else(|| format!("no entry is of the call {call}"))?;
        let log = |n: usize| self.logs.get(n).ok_or("the log is not open");
        let mut others = Vec::new();
        for said in traced.says.iter().filter(|said| (said.log, said.row.index) != (main.log, main.row.index)) {
            others.push(format!("{}#{} ({})", shown(log(said.log)?), said.row.index, said.row.kind));
        }
        if !others.is_empty() {
            output::remark(format!("other entries of this call: {}", others.join(", ")));
        }
        self.at(log(main.log)?, main.row.index)
    }

    fn at(&self, log: &Path, index: u64) -> Result<Found, Failure> {
        let reader = Reader::open(log)?;
        let name = if self.logs.len() > 1 { Some(name(&reader)?) } else { None };
        Ok(Found { reader, index, file: shown(log), name })
    }
}
