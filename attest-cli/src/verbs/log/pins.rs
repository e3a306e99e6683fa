//! The keys that somebody pins for a log, and the policy of its witnesses.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use attest_core::checkpoint::LogKeys;
use attest_core::log_policy::LogPolicy;

type Read<T> = Result<T, Box<dyn std::error::Error>>;

/// What a log is checked with.
#[derive(Debug, clap::Args)]
pub(crate) struct Pins {
    /// The log's key, as `attest log key` prints it: `<vkey>`, or `<vkey> until <size>` for a retired one; or a file with such
    /// lines. Repeat it for each key; where several logs are checked, each by the keys that bear its name
    #[arg(long = "key", value_name = "VKEY")]
    keys: Vec<String>,
    /// Which witnesses are enough (C2SP tlog-policy); a log line in it pins the log's key too
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

impl Pins {
    /// The keys, none where none is given.
    pub(crate) fn keys(&self) -> Read<Option<LogKeys>> {
        parsed(lines(&self.keys)?)
    }

    /// The keys of each of several logs, by its name.
    pub(crate) fn by_name(&self) -> Read<BTreeMap<String, LogKeys>> {
        by_name(lines(&self.keys)?)
    }

    /// The policy, none where none is given.
    pub(crate) fn policy(&self) -> Read<Option<LogPolicy>> {
        self.policy.as_deref().map(policy).transpose()
    }
}

/// The lines of keys that stand in arguments or in files.
pub(crate) fn lines(given: &[String]) -> Read<Vec<String>> {
    let mut lines = Vec::new();
    for given in given {
        if given.contains('+') {
            lines.push(given.clone());
        } else {
            let text = fs::read_to_string(given).map_err(|error| format!("cannot read the keys {given}: {error}"))?;
            lines.extend(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned));
        }
    }
    Ok(lines)
}

/// The keys of several logs, each by its log's name, which is the name of its keys.
pub(crate) fn by_name(lines: Vec<String>) -> Read<BTreeMap<String, LogKeys>> {
    let mut named = BTreeMap::<String, Vec<String>>::new();
    for line in lines {
        let name = line.split('+').next().unwrap_or_default().to_owned();
        named.entry(name).or_default().push(line);
    }
    let mut keys = BTreeMap::new();
    for (name, lines) in named {
        let of = parsed(lines).map_err(|error| {
            format!("{error} (of those named {name:?}; two logs that bear one name are checked one at a time)")
        })?;
        keys.extend(of.map(|of| (name, of)));
    }
    Ok(keys)
}

/// The keys of one log, none where there is no line.
pub(crate) fn parsed(mut lines: Vec<String>) -> Read<Option<LogKeys>> {
    if lines.is_empty() {
        return Ok(None);
    }
    // In any order on a command line: the retired ones by the size they ended at, the one in force last.
    let until = |line: &String| line.split_once(" until ").and_then(|(_, size)| size.parse::<u64>().ok());
    lines.sort_by_key(|line| until(line).unwrap_or(u64::MAX));
    LogKeys::parse(&lines).map(Some).map_err(|error| format!("--key: {error}").into())
}

fn policy(file: &Path) -> Read<LogPolicy> {
    let text = fs::read(file).map_err(|error| format!("cannot read the policy {}: {error}", file.display()))?;
    LogPolicy::parse(&text).map_err(|error| format!("{}: {error}", file.display()).into())
}
