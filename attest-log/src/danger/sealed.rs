//! Sealed entries of a copy: rows again, so that anything can be done to them, and sealed anew, as whoever can write the place would.

use std::fs;
use std::path::{Path, PathBuf};

use attest_core::tile::write_bundle;
use rusqlite::params;

use super::{Copy, CopyError, Done};
use crate::error::ReadError;
use crate::place::Place;
use crate::reader::Reader;
use crate::rows::Rows as _;
use crate::sealed::{SealedPart, end_of, form};
use crate::tree::TILE_WIDTH;

const WIDTH: u64 = TILE_WIDTH as u64;

/// A row of the table of entries, without its index.
type Row = (Vec<u8>, Option<String>);

impl Copy {
    /// Puts sealed entries back among the others, as they are found where `log` has them, of which this is a copy. Answers the table
    /// of sealed parts, which is empty then.
    ///
    /// # Errors
    /// [`CopyError`]; [`ReadError::Sealed`] where they cannot be read.
    pub fn unseal(&self, log: impl Into<Place>) -> Done<Vec<SealedPart>> {
        let parts = self.connection.sealed()?;
        let end = end_of(&parts).ok_or(ReadError::Parts)?;
        let reader = Reader::open(log)?;
        self.connection.execute_batch("BEGIN")?;
        reader.walk_as_found(0..end, |index, body, token| {
            // One whose row was not removed yet is there.
            let row = "INSERT OR IGNORE INTO entry (idx, body, token) VALUES (?1, ?2, ?3)";
            self.run(row, params![index.cast_signed(), body, token])
        })?;
        self.connection.execute_batch("DELETE FROM sealed; COMMIT")?;
        Ok(parts)
    }

    /// Seals what `parts` have, into the folder that is this copy's own, and checks nothing: as far as there are entries for whole
    /// files. Tokens that were let go stay so.
    ///
    /// # Errors
    /// [`CopyError`].
    pub fn seal(&self, parts: &[SealedPart]) -> Done {
        let folder = self.sealed_at();
        self.connection.execute_batch("BEGIN")?;
        for part in parts {
            let mut until = part.first;
            while until < part.until && self.seal_bundle(&folder, until / WIDTH, !part.forgotten)? {
                until += WIDTH;
            }
            if until > part.first {
                let row = "INSERT INTO sealed (first, until, place, forgotten) VALUES (?1, ?2, ?3, ?4)";
                let (first, end) = (part.first.cast_signed(), until.cast_signed());
                self.run(row, params![first, end, folder.to_string_lossy(), part.forgotten])?;
                self.run("DELETE FROM entry WHERE idx < ?1", [end])?;
            }
            if until < part.until {
                break;
            }
        }
        self.connection.execute_batch("COMMIT")?;
        Ok(())
    }

    /// The folder of this copy's sealed entries, beside it.
    pub fn sealed_at(&self) -> PathBuf {
        self.path.with_extension("sealed")
    }

    /// The names of the files of a bundle of sealed entries, and of the tokens that came with them.
    pub fn sealed_files(&self, bundle: u64) -> [PathBuf; 2] {
        [form::entries(bundle), form::tokens(bundle)].map(|name| self.sealed_at().join(name.unwrap_or_default()))
    }

    /// Marks all sealed tokens as let go.
    ///
    /// # Errors
    /// [`CopyError`].
    pub fn mark_forgotten(&self) -> Done {
        self.run("UPDATE sealed SET forgotten = 1", [])
    }

    /// Takes the last part out of the table of what is sealed.
    ///
    /// # Errors
    /// [`CopyError`].
    pub fn drop_last_part(&self) -> Done {
        self.run("DELETE FROM sealed WHERE first = (SELECT max(first) FROM sealed)", [])
    }

    /// `false` where there are not entries enough.
    fn seal_bundle(&self, folder: &Path, bundle: u64, with_tokens: bool) -> Done<bool> {
        let range = [bundle * WIDTH, (bundle + 1) * WIDTH].map(u64::cast_signed);
        let mut statement = self
            .connection
            .prepare_cached("SELECT body, token FROM entry WHERE idx >= ?1 AND idx < ?2 ORDER BY idx")?;
        let rows = statement.query_map(range, |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (bodies, tokens): (Vec<_>, Vec<_>) = rows.collect::<rusqlite::Result<Vec<Row>>>()?.into_iter().unzip();
        if bodies.len() != TILE_WIDTH {
            return Ok(false);
        }
        let Some(file) = write_bundle(&bodies) else { return Ok(false) };
        put(folder, form::entries(bundle), &file)?;
        if with_tokens {
            put(folder, form::tokens(bundle), &form::write_tokens(&tokens).unwrap_or_default())?;
        }
        Ok(true)
    }
}

fn put(folder: &Path, name: Option<String>, bytes: &[u8]) -> Done {
    let path = folder.join(name.unwrap_or_default());
    let parent = path.parent().unwrap_or(folder);
    fs::create_dir_all(parent).and_then(|()| fs::write(&path, bytes)).map_err(|source| CopyError::Io { path, source })
}
