//! TOML to JSON text, for the strict reader.
//!
//! Never by way of `toml::Table` or any other type that serde fills: those take a table with the one member
//! `$__toml_private_datetime` for a date, so that two documents would have one digest. (`serde_json` has the same with its
//! own names.) The tree of the parser itself has no such names.

use attest_core::json::{self, write_string};
use toml::de::{DeTable, DeValue};

use crate::error::ConfigError;

/// JSON text with the members in any order.
pub(crate) fn to_json(bytes: &[u8]) -> Result<Vec<u8>, ConfigError> {
    let text = str::from_utf8(bytes).map_err(|e| ConfigError::Toml { offset: e.valid_up_to() })?;
    let table = DeTable::parse(text).map_err(|e| ConfigError::Toml { offset: e.span().map_or(0, |s| s.start) })?;
    let mut out = Vec::with_capacity(bytes.len());
    write_table(table.get_ref(), "", &mut out)?;
    Ok(out)
}

/// `key` is where the table stands, for messages.
fn write_table(table: &DeTable<'_>, key: &str, out: &mut Vec<u8>) -> Result<(), ConfigError> {
    out.push(b'{');
    for (i, (name, value)) in table.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        let name: &str = name.get_ref();
        write_string(name, out);
        out.push(b':');
        let key = if key.is_empty() { name.to_owned() } else { [key, ".", name].concat() };
        write_value(value.get_ref(), &key, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_value(value: &DeValue<'_>, key: &str, out: &mut Vec<u8>) -> Result<(), ConfigError> {
    match value {
        DeValue::String(s) => write_string(s, out),
        DeValue::Boolean(b) => out.extend_from_slice(if *b { b"true" } else { b"false" }),
        DeValue::Datetime(d) => write_string(&d.to_string(), out),
        DeValue::Table(table) => write_table(table, key, out)?,
        DeValue::Integer(n) => {
            let number = i64::from_str_radix(n.as_str(), n.radix());
            write_number(number.ok().map(|n| n.to_string()), key, out)?;
        }
        DeValue::Float(x) => {
            // Rust's shortest form of a finite number is JSON and reads back as the same double.
            let number = x.as_str().parse().ok().filter(|x: &f64| x.is_finite());
            write_number(number.map(|x| format!("{x:?}")), key, out)?;
        }
        DeValue::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_value(item.get_ref(), &format!("{key}[{i}]"), out)?;
            }
            out.push(b']');
        }
    }
    Ok(())
}

/// The strict reader is asked at once, because its own message could not name the key.
fn write_number(number: Option<String>, key: &str, out: &mut Vec<u8>) -> Result<(), ConfigError> {
    let number = number.filter(|n| json::parse(n.as_bytes()).is_ok());
    let number = number.ok_or_else(|| ConfigError::Number { key: key.to_owned() })?;
    out.extend_from_slice(number.as_bytes());
    Ok(())
}
