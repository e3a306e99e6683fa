//! The one file that prints.

#![allow(clippy::print_stderr, reason = "this is the file that prints")]

mod compared;
mod rows;

use std::fmt::Display;
use std::io::{ErrorKind, Write as _};
use std::time::{Duration, Instant};

pub(crate) use compared::compared;
pub(crate) use rows::{place, row, said, time};

/// One line of what was asked for, on standard output.
pub(crate) fn line(text: impl Display) {
    put(format_args!("{text}\n"));
}

/// Text as it is, on standard output. Whoever reads may stop reading (`| head`): then there is nothing more to do.
pub(crate) fn text(text: impl Display) {
    put(format_args!("{text}"));
}

/// Standard output as it is, for bytes and for much text: no colours, and only as many lines as fit a buffer at a time.
pub(crate) fn stream() -> impl std::io::Write + Send {
    std::io::BufWriter::with_capacity(1 << 16, Stream)
}

/// Whether standard output is a terminal.
pub(crate) fn is_for_a_person() -> bool {
    use std::io::IsTerminal as _;
    std::io::stdout().is_terminal()
}

struct Stream;

impl std::io::Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match std::io::stdout().write(bytes) {
            // As with `text`.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
            written => written,
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stdout().flush()
    }
}

fn put(text: std::fmt::Arguments<'_>) {
    match anstream::stdout().write_fmt(text) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            remark(format!("attest: cannot write to standard output: {error}"));
            std::process::exit(1);
        }
        Ok(()) => {}
    }
}

/// A remark for the person at the terminal, on standard error.
pub(crate) fn remark(text: impl Display) {
    eprintln!("{text}");
}

/// Where a program listens, for the person who started it, or the program that did.
pub(crate) fn listening(url: &str) {
    remark(format_args!("listening on {url}"));
}

/// Why the program ends.
pub(crate) fn failure(error: &dyn std::error::Error) {
    eprintln!("attest: {error}");
}

/// What was asked for, for a machine: one JSON document in one line.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<(), Box<dyn std::error::Error>> {
    line(serde_json::to_string(value)?);
    Ok(())
}

/// Says the one line that a parent waits for, then closes standard output so that the parent can go on.
pub(crate) fn ready(word: &str) {
    line(word);
    let _ = std::io::stdout().flush();
    // The parent reads to the end; standard output becomes the null device, so that a stray print harms nobody.
    if let Ok(null) = std::fs::OpenOptions::new().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(null);
    }
}

/// The text of a file, or of standard input for `-`.
pub(crate) fn input(file: &std::path::Path) -> Result<String, Box<dyn std::error::Error>> {
    use std::io::Read as _;
    /// More than any request or bundle of tokens that a verifier reads.
    const LONGEST: u64 = 16 << 20;
    let mut text = String::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().take(LONGEST).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|f| f.take(LONGEST).read_to_string(&mut text))
    };
    read.map_err(|e| format!("cannot read {}: {e}", file.display()))?;
    Ok(text)
}

/// A progress bar on standard error; nothing where that is no terminal, or where the work is short.
pub(crate) struct Bar(indicatif::ProgressBar, Instant);

/// How long work may take before a bar is worth its flicker.
const SHORT: Duration = Duration::from_millis(500);

impl Bar {
    pub(crate) fn new() -> Self {
        Self::styled("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
    }

    fn styled(style: &str) -> Self {
        let bar = indicatif::ProgressBar::new(0);
        if let Ok(style) = indicatif::ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        Self(bar, Instant::now())
    }

    /// Of entries, not bytes.
    pub(crate) fn of_entries() -> Self {
        Self::styled("{msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}")
    }

    pub(crate) fn show(&self, what: &'static str, done: u64, total: u64) {
        if self.1.elapsed() < SHORT {
            return;
        }
        self.0.set_length(total);
        self.0.set_message(what);
        self.0.set_position(done);
    }

    pub(crate) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

/// Above what is said of one log of several: its file (or what else names it), and its name where that is known. `n` counts from 0.
pub(crate) fn section(n: usize, file: &str, name: Option<&str>) {
    let gap = if n > 0 { "\n" } else { "" };
    let name = name.map_or_else(String::new, |name| format!("  ({})", name.escape_debug()));
    line(format!("{gap}{}{name}", file.escape_debug()));
}

/// What a verification of a whole log came to, for a person. `taken` says whether the log's key is believed.
pub(crate) fn verified(report: &crate::audit::Report, all: bool, taken: bool) {
    let counts = &report.counts;
    let faults = report.findings.len() as u64 + report.more;
    let most = if all { usize::MAX } else { 1 };
    for finding in report.findings.iter().take(most) {
        let place = finding.index.map_or("the log".to_owned(), |index| format!("entry {index}"));
        line(format!("WRONG  {place}: {} ({})", finding.fault, finding.fault.check()));
    }
    if faults > most as u64 {
        line(format!("       and {} more; see them with --all", faults - most as u64));
    }
    line(format!(
        "{} entries: {} calls, {} refused, {} outcomes, {} open; {} tokens in the store",
        report.entries, counts.calls, counts.denied, counts.outcomes, counts.open, report.tokens
    ));
    let seconds = report.elapsed.as_secs_f64().max(0.001);
    line(format!("{} signatures checked in {seconds:.2} s", report.signatures));
    if report.unchecked > 0 {
        line(format!(
            "{} signatures not checked: their keys are those of attesters and roots; pin them with --trust guard.toml",
            report.unchecked
        ));
    }
    match report.witnessed {
        Some((size, time)) => {
            let time = i64::try_from(time).ok().and_then(|time| jiff::Timestamp::from_second(time).ok());
            let time = time.map_or_else(String::new, |time| format!(" ({time})"));
            line(format!("enough witnesses saw the first {size} entries{time}"));
        }
        None if report.cosigned > 0 => {
            line(format!("{} cosigned checkpoints; whose, --policy FILE says", report.cosigned));
        }
        None => {}
    }
    match (faults, taken, report.pinned) {
        (1.., _, _) => line("the log is NOT whole"),
        (0, false, _) => line(
            "not verified: no key was pinned, so the log has its own word for what it is. Give its key with --key, or say --unpinned",
        ),
        (0, true, true) => line("the log is whole"),
        (0, true, false) => line("the log is whole, as far as its own word for its key goes"),
    }
}

/// What noticed each attack, for a person.
pub(crate) fn attacks(rows: &[crate::attack::Row]) {
    use crate::attack::{By, Who};
    let widest = rows.iter().map(|row| row.attack.len()).max().unwrap_or(0);
    line(format!("{:<widest$}  {:<10}  start   verify  receipt witness", "attack", "by"));
    for row in rows {
        let by = match row.who {
            Who::Writer => "writer",
            Who::KeyHolder => "key holder",
        };
        let mark = |by| if row.caught_by.contains(&by) { "caught" } else { "-" };
        let [start, verify, receipt, witness] = [By::Start, By::Verify, By::Receipt, By::Witness].map(mark);
        let bad = if row.as_it_should { "" } else { "  NOT NOTICED" };
        line(
            format!("{:<widest$}  {by:<10}  {start:<7} {verify:<7} {receipt:<7} {witness:<7}{bad}", row.attack)
                .trim_end(),
        );
    }
    let missed = rows.iter().filter(|row| !row.as_it_should).count();
    match missed {
        0 => line(format!("{} attacks, each noticed by what has to notice it", rows.len())),
        _ => line(format!("{missed} of {} attacks were NOT noticed by what has to notice them", rows.len())),
    }
}

/// What two logs of the same calls came to, for a person.
pub(crate) fn reconciled(report: &crate::reconcile::Report) {
    for found in &report.found {
        let side = |whose: &str, index: Option<u64>| index.map(|index| format!("{whose}'s entry {index}"));
        let places: Vec<String> =
            [side("caller", found.caller), side("server", found.server)].into_iter().flatten().collect();
        line(format!("DIFFER  call {}: {} ({})", found.call, found.what, places.join(", ")));
    }
    line(format!(
        "{} calls of {} to {} in both logs",
        report.both,
        report.agent.escape_debug(),
        report.audience.escape_debug()
    ));
    let aside = |count, what| {
        if count > 0 {
            line(format!("{count} {what}"));
        }
    };
    aside(report.receipts, "receipts that the server's log honours");
    aside(
        report.unlogged,
        "that only the caller has: refused before they were logged, never answered, or in flight at the end",
    );
    aside(report.unknown, "of which one side does not know the end");
    aside(report.outside, "outside the time that the other log covers");
    line(match report.found.len() {
        0 => "the two logs agree".to_owned(),
        count => format!("the two logs differ in {count} places; see the proofs with --json or --proofs FOLDER"),
    });
}

/// Every server of the hosts, for a person.
pub(crate) fn hosts(servers: &[attest_hosts::Server], unread: &[String]) {
    let mut file = None;
    for server in servers {
        if file != Some(&server.path) {
            line(format!("{}  {}", server.host, server.path.display()));
            file = Some(&server.path);
        }
        let reach = if server.disabled { format!("disabled, {}", server.reach) } else { server.reach.to_string() };
        let project = server.project.as_ref().map_or_else(String::new, |project| format!("  (project {project})"));
        line(format!(
            "  {reach:<9}  {:<7}  {}: {}{project}",
            server.transport.to_string(),
            server.name.escape_debug(),
            server.why
        ));
    }
    for error in unread {
        line(format!("NOT READ  {error}"));
    }
    let count = servers.iter().filter(|server| server.bypasses()).count();
    line(match (count, unread.len()) {
        (0, 0) => format!("{} servers; none bypasses attest", servers.len()),
        (0, files) => format!("{} servers; {files} files could not be read and may hold more", servers.len()),
        (count, _) => {
            format!(
                "{count} of {} servers bypass attest; `attest hosts install` puts it in between, or says why not",
                servers.len()
            )
        }
    });
}

/// What becomes, or became, of one host's configuration, for a person.
pub(crate) fn plan(plan: &attest_hosts::Plan, applied: Option<&attest_hosts::Applied>) {
    use attest_hosts::{Outcome, Transport};
    if plan.steps.is_empty() {
        return;
    }
    line(format!("{}  {}", plan.host, plan.path.display()));
    for step in &plan.steps {
        let name = step.name.escape_debug();
        let project = step.project.as_ref().map_or_else(String::new, |project| format!(" (project {project})"));
        match &step.outcome {
            Outcome::Installed(reach) => {
                line(format!("  {reach}  {name}{project}"));
                if step.transport != Transport::Stdio {
                    line(
                        "           if it asks for a sign-in, the host can no longer give it: give a token's header in agent.toml",
                    );
                }
            }
            Outcome::Already(reach) => line(format!("  {reach}  {name}{project}: already")),
            Outcome::Removed { exact: true } => line(format!("  removed  {name}{project}: as it was")),
            Outcome::Removed { exact: false } => {
                line(format!("  removed  {name}{project}: its server is back, edits made since stay"));
            }
            Outcome::Left(why) => line(format!("  LEFT     {name}{project}: {why}")),
            _ => {}
        }
    }
    match applied {
        None if plan.changes() => line("  nothing is written: this is a dry run"),
        Some(attest_hosts::Applied { backup: Some(backup) }) => line(format!("  copied before: {}", backup.display())),
        _ => {}
    }
    if applied.is_some() && plan.changes() {
        line("  restart the host to have it take effect");
    }
}

/// What the doctor found, for a person.
pub(crate) fn findings(findings: &[crate::doctor::Finding]) {
    use crate::doctor::Level;
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    for finding in findings {
        let level = match finding.level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Wrong => "WRONG",
        };
        line(format!("{level:<7}  {:<10}  {}", finding.about, finding.text));
    }
    line(match (count(Level::Wrong), count(Level::Warning)) {
        (0, 0) => "nothing is wrong".to_owned(),
        (0, warnings) => format!("nothing is wrong; {warnings} warnings"),
        (wrong, _) => format!("{wrong} of {} findings are wrong", findings.len()),
    });
}
