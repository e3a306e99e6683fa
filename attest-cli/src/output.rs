//! The one file that prints.

#![allow(clippy::print_stderr, reason = "this is the file that prints")]

use std::fmt::Display;
use std::io::{ErrorKind, Write as _};
use std::time::{Duration, Instant};

/// One line of what was asked for, on standard output.
pub(crate) fn line(text: impl Display) {
    put(format_args!("{text}\n"));
}

/// Text as it is, on standard output. Whoever reads may stop reading (`| head`): then there is nothing more to do.
pub(crate) fn text(text: impl Display) {
    put(format_args!("{text}"));
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
        let bar = indicatif::ProgressBar::new(0);
        let style = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        if let Ok(style) = indicatif::ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        Self(bar, Instant::now())
    }

    /// A bar that counts things.
    pub(crate) fn counting() -> Self {
        let bar = Self::new();
        if let Ok(style) = indicatif::ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {per_sec} {eta}") {
            bar.0.set_style(style);
        }
        bar
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
