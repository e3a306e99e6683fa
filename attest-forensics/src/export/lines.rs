//! JSON Lines: an object for each entry.

use std::io::{self, Write};

use attest_core::json::{self, Value};
use serde::Serialize;

use super::{Form, Passed};
use crate::row::Row;

/// A line for each entry: the log's name, the columns of [`Row`], and the whole entry.
pub struct Lines<W>(W);

#[derive(Serialize)]
struct Line<'l> {
    log: &'l str,
    #[serde(flatten)]
    row: &'l Row,
    /// `null` of one that cannot be read.
    entry: Option<Value<'l>>,
}

impl<W: Write> Lines<W> {
    /// Writes to `to`, in small pieces.
    pub fn new(to: W) -> Self {
        Self(to)
    }
}

impl<W: Write> Form for Lines<W> {
    fn entry(&mut self, Passed { log, row, body, .. }: Passed<'_>) -> io::Result<bool> {
        serde_json::to_writer(&mut self.0, &Line { log, row, entry: json::parse(body).ok() })?;
        self.0.write_all(b"\n")?;
        Ok(true)
    }

    fn end(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
