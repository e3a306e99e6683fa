//! `attest verify` of a bundle.

use std::fs;
use std::path::Path;

use attest_core::checkpoint::LogKeys;
use attest_forensics::Bundle;
use attest_forensics::bundle::MAX_BUNDLE;
use server_verifier::Config;

use crate::{Ending, output};

/// The bundle in a file, if there is one.
pub(crate) fn read(file: &Path) -> Result<Option<Bundle>, Box<dyn std::error::Error>> {
    use std::io::Read as _;
    let Ok(opened) = fs::File::open(file) else { return Ok(None) };
    let mut beginning = Vec::new();
    let longest = MAX_BUNDLE as u64 + 1;
    let mut from = opened.take(longest);
    from.by_ref().take(64).read_to_end(&mut beginning)?;
    if !std::str::from_utf8(&beginning).is_ok_and(Bundle::is_one) {
        return Ok(None);
    }
    from.read_to_end(&mut beginning)?;
    Bundle::read(&beginning).map(Some).map_err(|error| format!("{}: {error}", file.display()).into())
}

/// Checks it; a log whose key nobody pins proves nothing, unless that is said to be enough.
pub(super) fn check(
    bundle: &Bundle,
    keys: &[LogKeys],
    config: Option<&Config>,
    (unpinned, json): (bool, bool),
) -> Ending {
    let report = bundle.check(keys, config.map(|config| &config.trust));
    let strangers = report.logs.iter().filter(|log| !log.pinned).count();
    if json {
        output::json(&report)?;
    } else {
        for fault in &report.faults {
            let place = fault.index.map_or_else(String::new, |index| format!(", entry {index}"));
            output::line(format!("WRONG  {}{place}: {}", fault.log.escape_debug(), fault.what.escape_debug()));
        }
        for log in &report.logs {
            let pinned = if log.pinned { "pinned" } else { "NOT PINNED: the bundle's own" };
            output::line(format!(
                "{}: {} entries proved in its tree of {}, key {pinned}",
                log.origin.escape_debug(),
                log.entries,
                log.size
            ));
        }
        output::line(format!(
            "{} calls, {} signatures hold, {} disclosed texts are what entries commit to",
            report.calls, report.signatures, report.disclosed
        ));
        if report.unpinned > 0 {
            output::line(format!(
                "{} signatures by keys that nobody pins: attesters' and roots' are in the guard.toml of --config",
                report.unpinned
            ));
        }
        if strangers > 0 && !unpinned {
            output::line(
                "FAIL  without the log's own key anybody could have made this; give it by --key (`attest log key` prints it), or say --unpinned",
            );
        }
    }
    Ok(if report.faults.is_empty() && (strangers == 0 || unpinned) { 0 } else { 2 })
}
