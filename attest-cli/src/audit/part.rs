//! One worker's share: entries read, hashed and looked at by themselves.

use attest_core::audit::{Fact, Fault, Finding, Names, Noted, Own, look};
use attest_core::merkle::{self, Growing, Hash};
use attest_log::{Place, Reader, TILE_WIDTH};

use super::Unverified;
use super::bases::{Mine, Shared};

/// Entries of a part: whole tiles of level 0, so that each is one worker's.
pub(super) const PART: u64 = 16 * TILE_WIDTH as u64;

/// What a worker hands on.
#[derive(Default)]
pub(super) struct Part {
    /// What each entry says beside others.
    pub notes: Vec<Noted>,
    /// The hash of each.
    pub leaves: Vec<Hash>,
    /// Roots of the whole tiles.
    pub tiles: Vec<Hash>,
    /// The names that the facts number.
    pub names: Vec<Box<str>>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Whether there is not one entry.
    pub is_hole: bool,
}

/// Works through `parts` until they end or nobody wants them.
pub(super) fn work(
    log: &Place,
    parts: impl Iterator<Item = u64>,
    size: u64,
    shared: &Shared<'_>,
    mut hand_on: impl FnMut(Result<Part, Unverified>) -> bool,
) {
    let opened = Reader::open(log).map_err(Unverified::from);
    let reader = match opened {
        Ok(reader) => reader,
        Err(error) => {
            hand_on(Err(error));
            return;
        }
    };
    let mut bases = Mine::new(&reader, shared);
    for part in parts {
        let part = read(&reader, &mut bases, part * PART, ((part + 1) * PART).min(size));
        let broken = part.is_err();
        if !hand_on(part) || broken {
            return;
        }
    }
}

fn read(reader: &Reader, bases: &mut Mine<'_, '_>, from: u64, to: u64) -> Result<Part, Unverified> {
    let count = usize::try_from(to - from)?;
    let mut part = Part { notes: Vec::with_capacity(count), leaves: Vec::with_capacity(count), ..Part::default() };
    let mut names = Names::new();
    let forgotten = reader.forgotten()?;
    let mut next = from;
    let fill = |part: &mut Part, next: &mut u64, until: u64| {
        while *next < until {
            part.findings.push(Finding::at(*next, Fault::Missing));
            part.notes.push(Noted { time: 0, fact: Fact::Nothing });
            // No entry has this hash: a leaf's is of bytes that begin with another one.
            part.leaves.push([0; 32]);
            *next += 1;
        }
    };
    reader.walk_as_found(from..to, |index, body, own| -> Result<(), Unverified> {
        fill(&mut part, &mut next, index);
        part.leaves.push(merkle::leaf(body));
        let own = if own.is_none() && index < forgotten { Own::LetGo } else { own.into() };
        part.notes.push(look(index, body, own, bases, &mut names, &mut part.findings));
        next += 1;
        Ok(())
    })?;
    if next == from {
        return Ok(Part { is_hole: true, ..Part::default() });
    }
    fill(&mut part, &mut next, to);
    if let Some(error) = bases.failed.take() {
        return Err(error.into());
    }
    part.names = names.all().to_vec();
    for (tile, leaves) in (from / TILE_WIDTH as u64..).zip(part.leaves.chunks_exact(TILE_WIDTH)) {
        let mut root = Growing::new();
        leaves.iter().for_each(|leaf| root.push(*leaf));
        part.tiles.push(root.root());
        let stored = reader.stored_tile(0, tile)?.unwrap_or_default();
        let same = leaves.iter().zip(stored.chunks(32)).position(|(leaf, stored)| leaf.as_slice() != stored);
        let first = tile * TILE_WIDTH as u64;
        match same {
            Some(at) => part.findings.push(Finding::at(first + at as u64, Fault::Tile { level: 0, index: tile })),
            None if stored.len() != leaves.len() * 32 => {
                part.findings.push(Finding::of_the_log(Fault::Tile { level: 0, index: tile }));
            }
            None => {}
        }
    }
    Ok(part)
}
