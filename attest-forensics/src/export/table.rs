//! Parquet: a table of entries, for DuckDB, Spark, ClickHouse and whatever else reads it.
//!
//! Written by the columns themselves, without Arrow: a row has no more shapes than text, number, and list of texts, and Arrow would be some
//! minutes of build.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::column::writer::ColumnWriterImpl;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use super::{Form, Passed};

/// The columns, in the order in which [`Column`]s are written.
const SCHEMA: &str = "message entry {
    REQUIRED BYTE_ARRAY log (STRING);
    REQUIRED INT64 index (INTEGER(64, false));
    REQUIRED INT64 time (TIMESTAMP(MILLIS, true));
    REQUIRED BYTE_ARRAY kind (STRING);
    OPTIONAL BYTE_ARRAY agent (STRING);
    OPTIONAL BYTE_ARRAY server (STRING);
    OPTIONAL BYTE_ARRAY tool (STRING);
    OPTIONAL BYTE_ARRAY verdict (STRING);
    OPTIONAL BYTE_ARRAY reason (STRING);
    OPTIONAL BYTE_ARRAY severity (STRING);
    OPTIONAL BYTE_ARRAY call (STRING);
    REQUIRED GROUP labels (LIST) { REPEATED GROUP list { REQUIRED BYTE_ARRAY element (STRING); } }
    REQUIRED GROUP destinations (LIST) { REPEATED GROUP list { REQUIRED BYTE_ARRAY element (STRING); } }
    REQUIRED GROUP commitments (LIST) { REPEATED GROUP list { REQUIRED BYTE_ARRAY element (STRING); } }
    REQUIRED BYTE_ARRAY words (STRING);
    OPTIONAL BYTE_ARRAY entry (STRING);
}";

/// What a table of sealed entries has besides, as its last column: the token that came with the entry alone.
const TOKEN: &str = "    OPTIONAL BYTE_ARRAY token (STRING);\n}";

/// What a row group holds at most: rows, and bytes of entries. All of one is held until it is written.
const ROWS: usize = 1 << 16;
const BYTES: usize = 32 << 20;

/// One column of a row group that is being put together. Its levels are those of the format: how much of what is optional is there, and whether a
/// value goes on the list of the one before.
enum Column {
    Number(Vec<i64>),
    Text { values: Vec<ByteArray>, defined: Vec<i16>, repeated: Vec<i16> },
}

impl Column {
    fn number() -> Self {
        Self::Number(Vec::new())
    }

    fn text() -> Self {
        Self::Text { values: Vec::new(), defined: Vec::new(), repeated: Vec::new() }
    }

    fn push_number(&mut self, value: u64) {
        if let Self::Number(values) = self {
            values.push(value.cast_signed());
        }
    }

    fn push(&mut self, value: Option<&str>) {
        if let Self::Text { values, defined, repeated } = self {
            values.extend(value.map(ByteArray::from));
            defined.push(i16::from(value.is_some()));
            repeated.push(0);
        }
    }

    fn push_all(&mut self, list: impl IntoIterator<Item = String>) {
        if let Self::Text { values, defined, repeated } = self {
            let before = values.len();
            for value in list {
                repeated.push(i16::from(values.len() > before));
                defined.push(1);
                values.push(ByteArray::from(value.into_bytes()));
            }
            if values.len() == before {
                defined.push(0);
                repeated.push(0);
            }
        }
    }

    fn write(&mut self, mut to: SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        match self {
            Self::Number(values) => {
                write::<Int64Type>(to.typed(), values, &[], &[])?;
                values.clear();
            }
            Self::Text { values, defined, repeated } => {
                write::<ByteArrayType>(to.typed(), values, defined, repeated)?;
                values.clear();
                defined.clear();
                repeated.clear();
            }
        }
        to.close()
    }
}

/// Writes a column with the levels that it has.
fn write<T: DataType>(
    to: &mut ColumnWriterImpl<'_, T>,
    values: &[T::T],
    defined: &[i16],
    repeated: &[i16],
) -> Result<(), ParquetError> {
    let descriptor = to.get_descriptor();
    let defined = Some(defined).filter(|_| descriptor.max_def_level() > 0);
    let repeated = Some(repeated).filter(|_| descriptor.max_rep_level() > 0);
    to.write_batch(values, defined, repeated).map(|_| ())
}

/// A table that is being written.
pub struct Table<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: [Column; 16],
    tokens: Option<Column>,
    rows: usize,
    bytes: usize,
}

impl<W: Write + Send> Table<W> {
    /// Writes to `to`.
    ///
    /// # Errors
    /// As `to`.
    pub fn new(to: W) -> io::Result<Self> {
        Self::of(to, SCHEMA, None)
    }

    /// A table with one more column, `token`: what came with each entry alone.
    ///
    /// # Errors
    /// As `to`.
    pub fn with_tokens(to: W) -> io::Result<Self> {
        let schema = SCHEMA.trim_end_matches('}').to_owned() + TOKEN;
        Self::of(to, &schema, Some(Column::text()))
    }

    fn of(to: W, schema: &str, tokens: Option<Column>) -> io::Result<Self> {
        let schema = parse_message_type(schema).map_err(io::Error::other)?;
        // A value for each row: a dictionary of these would be a second copy.
        let single = ["index", "time", "call", "words", "entry", "token"];
        let properties = single.into_iter().fold(
            WriterProperties::builder()
                .set_writer_version(WriterVersion::PARQUET_1_0)
                .set_created_by(concat!("attest ", env!("CARGO_PKG_VERSION")).to_owned())
                .set_compression(Compression::SNAPPY),
            |properties, name| properties.set_column_dictionary_enabled(ColumnPath::from(name), false),
        );
        let file = SerializedFileWriter::new(to, Arc::new(schema), Arc::new(properties.build()));
        let columns = std::array::from_fn(|n| if matches!(n, 1 | 2) { Column::number() } else { Column::text() });
        Ok(Self { file: file.map_err(io::Error::other)?, columns, tokens, rows: 0, bytes: 0 })
    }

    fn write(&mut self) -> Result<(), ParquetError> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group: SerializedRowGroupWriter<'_, W> = self.file.next_row_group()?;
        for column in self.columns.iter_mut().chain(&mut self.tokens) {
            let to =
                group.next_column()?.ok_or_else(|| ParquetError::General("a column more than the schema".into()))?;
            column.write(to)?;
        }
        group.close()?;
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }
}

impl<W: Write + Send> Form for Table<W> {
    fn entry(&mut self, Passed { log, row, body, token }: Passed<'_>) -> io::Result<bool> {
        let call = row.call.map(|call| call.to_b64());
        let [
            c_log,
            c_index,
            c_time,
            c_kind,
            c_agent,
            c_server,
            c_tool,
            c_verdict,
            c_reason,
            c_severity,
            c_call,
            c_labels,
            c_destinations,
            c_commitments,
            c_words,
            c_entry,
        ] = &mut self.columns;
        c_log.push(Some(log));
        c_index.push_number(row.index);
        // A time that the format has no number for is as far ahead as it goes.
        c_time.push_number(row.time.min(i64::MAX.cast_unsigned()));
        c_kind.push(Some(row.kind));
        c_agent.push(row.agent.as_deref());
        c_server.push(row.server.as_deref());
        c_tool.push(row.tool.as_deref());
        c_verdict.push(row.verdict);
        c_reason.push(row.reason.as_deref());
        c_severity.push(row.severity.map(|severity| severity.as_str()));
        c_call.push(call.as_deref());
        c_labels.push_all(row.labels.iter().cloned());
        c_destinations.push_all(row.destinations.iter().cloned());
        c_commitments.push_all(row.commitments.iter().map(|digest| digest.to_b64()));
        c_words.push(Some(&row.words));
        // What cannot be read as an entry need be no text either.
        c_entry.push(std::str::from_utf8(body).ok().filter(|_| row.kind != "unreadable"));
        if let Some(tokens) = &mut self.tokens {
            tokens.push(token);
        }
        self.rows += 1;
        self.bytes += body.len() + token.map_or(0, str::len);
        if self.rows >= ROWS || self.bytes >= BYTES {
            self.write().map_err(io::Error::other)?;
        }
        Ok(true)
    }

    fn end(&mut self) -> io::Result<()> {
        self.write().and_then(|()| self.file.finish().map(|_| ())).map_err(io::Error::other)?;
        self.file.inner_mut().flush()
    }
}
