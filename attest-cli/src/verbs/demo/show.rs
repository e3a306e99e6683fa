//! The demo on the screen.

use std::path::Path;

use anstyle::{AnsiColor, Style};
use attest_core::receipt::Opened;

use super::folder::Folder;
use super::stage::{Row, Verdict};
use crate::output;

const GOOD: Style = AnsiColor::Green.on_default();
const REFUSED: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const FAINT: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// What was made.
pub(crate) fn opening(folder: &Folder) {
    let path = folder.path.display();
    output::line(format!("{BOLD}attest demo{BOLD:#} in {path}"));
    output::line(
        "an agent: prompt, settings, 4 MiB of weights; a server of notes; keys; a grant of read_note, write_note",
    );
    output::line(format!("{FAINT}agent > wrap > (somebody on the way) > guard > server: real processes{FAINT:#}"));
    output::line("");
}

/// One case.
pub(crate) fn row(row: &Row) {
    let what = row.what;
    let runs = row.runs.map_or("?".to_owned(), |runs| runs.to_string());
    let (style, verdict, reason) = match &row.seen {
        Ok(verdict) => words(verdict),
        Err(error) => (BAD, "failed", error.clone()),
    };
    output::line(format!("{what:<35} {style}{verdict:<9}{style:#} {reason:<39} tool runs: {runs}"));
    if !row.held() {
        let ((_, verdict, reason), runs) = (words(&row.expected), row.expected_runs);
        output::line(format!("{BAD}^ NOT AS EXPECTED{BAD:#}, which is: {verdict} {reason}, tool runs: {runs}"));
    }
}

/// The receipt that came with an answer.
pub(crate) fn receipt(seen: &Result<Opened, String>) {
    match seen {
        Ok(Opened { receipt, size, .. }) => output::line(format!(
            "{FAINT}  its receipt: the log {} held the decision as entry {} of {size} before the call ran; the proof checks offline{FAINT:#}",
            receipt.log, receipt.index
        )),
        Err(error) => output::line(format!("{BAD}^ NOT AS EXPECTED{BAD:#}: {error}")),
    }
}

fn words(verdict: &Verdict) -> (Style, &'static str, String) {
    match verdict {
        Verdict::Accepted => (GOOD, "accepted", String::new()),
        Verdict::Refused { reason, about: Some(about), .. } => (REFUSED, "refused", format!("{reason} ({about})")),
        Verdict::Refused { reason, told, .. } if told != reason => {
            (REFUSED, "refused", format!("{reason} (caller told: {told})"))
        }
        Verdict::Refused { reason, .. } => (REFUSED, "refused", reason.clone()),
    }
}

/// The end of the server's log, as `attest log list` prints it.
pub(crate) fn log(entries: u64, list: &str) {
    output::line("");
    output::line(format!("{BOLD}the server's log{BOLD:#} has {entries} entries; the last of them:"));
    for line in list.lines() {
        output::line(format!("{FAINT}{line}{FAINT:#}"));
    }
}

/// Index of the first call in the log: after the entry of the guard's start.
const FIRST_CALL: u64 = 1;

/// How to play on.
pub(crate) fn closing(folder: &Folder, program: &Path) {
    let attest = quoted(program);
    output::line("");
    output::line(format!("{BOLD}play on:{BOLD:#} the folder stays; no process of it runs any more"));
    output::line(format!("  {attest} log show {} {FIRST_CALL}", quoted(&folder.log)));
    output::line(format!(
        "  edit {}, then: {attest} measure --config {}",
        quoted(&folder.prompt),
        quoted(&folder.agent)
    ));
    output::line(format!("  give your MCP host the server in {}", quoted(&folder.host)));
}

/// Some cases did not come out as expected.
pub(crate) fn broken(folder: &Folder, count: usize) {
    output::line(format!(
        "{BAD}{count} case(s) did NOT come out as expected{BAD:#}; the processes' own words: {}",
        quoted(&folder.messages)
    ));
}

/// A path as a shell reads it back.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%:,=".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_only_where_a_shell_would_take_it_apart() {
        assert_eq!(quoted(Path::new("/a/b-1.db")), "/a/b-1.db");
        assert_eq!(quoted(Path::new("/a b/c")), "'/a b/c'");
        assert_eq!(quoted(Path::new("/it's $HOME")), r"'/it'\''s $HOME'");
    }
}
