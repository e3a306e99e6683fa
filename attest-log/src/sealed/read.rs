//! Sealed entries, read.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use attest_core::merkle;
use attest_core::tile::{FULL, read_bundle};

use super::form;
use super::home::{Home, PartError};
use super::{SealedPart, end_of, forgotten_of};
use crate::error::ReadError;
use crate::place::Place;
use crate::rows::{EachEntry, Rows};
use crate::tree::TILE_WIDTH;

const WIDTH: u64 = TILE_WIDTH as u64;
/// Files that are remembered, of each sort: a walk needs one, a trace a few.
const REMEMBERED: usize = 8;

/// The sealed part of a log, as its reader knows it.
pub(crate) struct Sealed {
    log: Place,
    /// As they were when it was last asked. There only come more.
    parts: RefCell<Vec<SealedPart>>,
    homes: RefCell<HashMap<PathBuf, Arc<Home>>>,
    bodies: RefCell<Recent<Bodies>>,
    tokens: RefCell<Recent<Tokens>>,
}

type Tokens = Vec<Option<String>>;

/// A bundle.
struct Bodies {
    entries: Vec<Vec<u8>>,
    /// The first that is not the one that the tree was made of.
    wrong: Option<usize>,
}

/// By bundle, the newest last.
struct Recent<T>(Vec<(u64, Arc<T>)>);

impl<T> Recent<T> {
    fn get(&self, bundle: u64) -> Option<Arc<T>> {
        self.0.iter().find(|(of, _)| *of == bundle).map(|(_, kept)| Arc::clone(kept))
    }

    fn add(&mut self, bundle: u64, kept: &Arc<T>) {
        if self.0.len() >= REMEMBERED {
            self.0.remove(0);
        }
        self.0.push((bundle, Arc::clone(kept)));
    }
}

impl Sealed {
    pub(crate) fn of(log: Place) -> Self {
        Self {
            log,
            parts: RefCell::default(),
            homes: RefCell::default(),
            bodies: RefCell::new(Recent(Vec::new())),
            tokens: RefCell::new(Recent(Vec::new())),
        }
    }

    /// The part that an entry is in, as far as it is known.
    pub(crate) fn known(&self, index: u64) -> Option<SealedPart> {
        self.parts.borrow().iter().find(|part| (part.first..part.until).contains(&index)).cloned()
    }

    /// The part that an entry is in, which is asked for where it is not known.
    pub(crate) fn part(&self, rows: &dyn Rows, index: u64) -> Result<Option<SealedPart>, ReadError> {
        if let Some(part) = self.known(index) {
            return Ok(Some(part));
        }
        let parts = rows.sealed()?;
        end_of(&parts).ok_or(ReadError::Parts)?;
        *self.parts.borrow_mut() = parts;
        Ok(self.known(index))
    }

    /// The bytes of an entry of a part, which are those that the tree was made of.
    pub(crate) fn body(&self, rows: &dyn Rows, part: &SealedPart, index: u64) -> Result<Vec<u8>, ReadError> {
        let bodies = self.bodies(rows, part, index / WIDTH)?;
        let body = usize::try_from(index % WIDTH).ok().filter(|at| bodies.wrong.is_none_or(|wrong| *at < wrong));
        let body = body.and_then(|at| bodies.entries.get(at));
        body.cloned().ok_or_else(|| altered(part, index))
    }

    /// The token that came with an entry of a part, as it stands.
    pub(crate) fn token(&self, rows: &dyn Rows, part: &SealedPart, index: u64) -> Result<Option<String>, ReadError> {
        let tokens = self.tokens(rows, part, index / WIDTH)?;
        Ok(usize::try_from(index % WIDTH).ok().and_then(|at| tokens.get(at)).cloned().flatten())
    }

    /// Shows entries of a part. Where `checked`, none that is not the one that the tree was made of. Answers whether `each`
    /// wants more.
    pub(crate) fn walk(
        &self,
        rows: &dyn Rows,
        part: &SealedPart,
        range: Range<u64>,
        checked: bool,
        each: &mut EachEntry<'_>,
    ) -> Result<bool, ReadError> {
        for bundle in range.start / WIDTH..range.end.div_ceil(WIDTH) {
            let (bodies, tokens) = (self.bodies(rows, part, bundle)?, self.tokens(rows, part, bundle)?);
            let entries = bodies.entries.iter().zip(tokens.iter()).enumerate();
            for (index, (at, (body, token))) in (bundle * WIDTH..).zip(entries) {
                if !range.contains(&index) {
                    continue;
                }
                if checked && bodies.wrong.is_some_and(|wrong| wrong <= at) {
                    return Err(altered(part, index));
                }
                if !each(index, body, token.as_deref()) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn bodies(&self, rows: &dyn Rows, part: &SealedPart, bundle: u64) -> Result<Arc<Bodies>, ReadError> {
        if let Some(kept) = self.bodies.borrow().get(bundle) {
            return Ok(kept);
        }
        let entries = self.get(part, bundle, form::entries(bundle), |file| {
            Some(read_bundle(file, FULL)?.into_iter().map(<[u8]>::to_vec).collect::<Vec<_>>())
        })?;
        let tile = rows.tile(0, bundle.cast_signed())?.unwrap_or_default();
        let mut hashes = tile.chunks_exact(32);
        let wrong = entries.iter().position(|body| hashes.next() != Some(merkle::leaf(body).as_slice()));
        let bodies = Arc::new(Bodies { entries, wrong });
        self.bodies.borrow_mut().add(bundle, &bodies);
        Ok(bodies)
    }

    fn tokens(&self, rows: &dyn Rows, part: &SealedPart, bundle: u64) -> Result<Arc<Tokens>, ReadError> {
        if let Some(kept) = self.tokens.borrow().get(bundle) {
            return Ok(kept);
        }
        let none = || vec![None; TILE_WIDTH];
        let tokens = if part.forgotten {
            none()
        } else {
            match self.get(part, bundle, form::tokens(bundle), form::read_tokens) {
                Ok(tokens) => tokens,
                // Let go since the table was read.
                Err(_) if forgotten_of(&rows.sealed()?) > bundle * WIDTH => none(),
                Err(error) => return Err(error),
            }
        };
        let tokens = Arc::new(tokens);
        self.tokens.borrow_mut().add(bundle, &tokens);
        Ok(tokens)
    }

    fn get<T>(
        &self,
        part: &SealedPart,
        bundle: u64,
        name: Option<String>,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, ReadError> {
        let failed = |source| ReadError::Sealed {
            first: bundle * WIDTH,
            last: bundle * WIDTH + (WIDTH - 1),
            place: part.place.clone(),
            name: name.clone().unwrap_or_default().into(),
            source,
        };
        let home = self.home(part).map_err(failed)?;
        let file = home.get(name.clone()).map_err(failed)?;
        read(&file).ok_or_else(|| failed(PartError::Form))
    }

    fn home(&self, part: &SealedPart) -> Result<Arc<Home>, PartError> {
        if let Some(home) = self.homes.borrow().get(&part.place) {
            return Ok(Arc::clone(home));
        }
        let home = Arc::new(Home::open(&part.place, &self.log)?);
        self.homes.borrow_mut().insert(part.place.clone(), Arc::clone(&home));
        Ok(home)
    }
}

fn altered(part: &SealedPart, index: u64) -> ReadError {
    ReadError::SealedEntry {
        index,
        place: part.place.clone(),
        name: form::entries(index / WIDTH).unwrap_or_default().into(),
    }
}
