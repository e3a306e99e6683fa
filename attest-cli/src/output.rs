//! The one file that prints.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the file that prints")]

use std::fmt::Display;

/// One line of what was asked for, on standard output.
pub(crate) fn line(text: impl Display) {
    println!("{text}");
}

/// A remark for the person at the terminal, on standard error.
pub(crate) fn remark(text: impl Display) {
    eprintln!("{text}");
}

/// Why the program ends.
pub(crate) fn failure(error: &dyn std::error::Error) {
    eprintln!("attest: {error}");
}

/// What was asked for, for a machine: one JSON document in one line.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<(), Box<dyn std::error::Error>> {
    println!("{}", serde_json::to_string(value)?);
    Ok(())
}

/// Says the one line that a parent waits for, then closes standard output so that the parent can go on.
pub(crate) fn ready(word: &str) {
    use std::io::Write as _;
    println!("{word}");
    let _ = std::io::stdout().flush();
    // The parent reads to the end; standard output becomes the null device, so that a stray print harms nobody.
    if let Ok(null) = std::fs::OpenOptions::new().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(null);
    }
}
