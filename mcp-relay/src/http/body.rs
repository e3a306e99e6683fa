//! Bodies, read whole, and the room that is left for them.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

/// Bytes that room for bodies is counted in: what a part of a body takes at the least.
const PAGE: usize = 1_024;

/// Room for the bodies of requests, all callers together, counted in pages.
#[derive(Debug)]
pub struct Room(Semaphore);

impl Room {
    /// Room for so many bytes.
    pub fn of(bytes: usize) -> Self {
        Self(Semaphore::new((bytes / PAGE).min(Semaphore::MAX_PERMITS)))
    }

    /// Room for one body, none of it taken yet.
    pub fn for_a_body(&self) -> Held<'_> {
        Held { room: self, taken: None }
    }
}

/// What one body takes of the room; dropped, it gives it back.
#[derive(Debug)]
pub struct Held<'a> {
    room: &'a Room,
    taken: Option<SemaphorePermit<'a>>,
}

impl Held<'_> {
    /// Takes room for so many bytes more; false where there is none.
    pub fn take(&mut self, bytes: usize) -> bool {
        let pages = u32::try_from(bytes.div_ceil(PAGE)).unwrap_or(u32::MAX);
        let Ok(more) = self.room.0.try_acquire_many(pages) else { return false };
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            None => self.taken = Some(more),
        }
        true
    }
}

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// Longer than the limit.
    TooLong,
    /// Not there in time.
    Late,
    /// It broke off, or is framed wrong.
    Broken,
    /// There is no room for it now.
    NoRoom,
}

/// Reads a body whole. `time` is for all of it. `take` says of each part whether there is room for so many bytes.
///
/// # Errors
/// [`Unread`].
pub async fn collect<R>(
    body: R,
    limit: usize,
    time: Duration,
    mut take: impl FnMut(usize) -> bool,
) -> Result<Bytes, Unread>
where
    R: http_body::Body<Data = Bytes>,
{
    if body.size_hint().lower() > limit as u64 {
        return Err(Unread::TooLong);
    }
    let until = Instant::now() + time;
    let mut body = std::pin::pin!(body);
    let mut first = Bytes::new();
    let mut more = BytesMut::new();
    while let Some(frame) = timeout_at(until, body.frame()).await.map_err(|_| Unread::Late)? {
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
        if first.len() + more.len() + data.len() > limit {
            return Err(Unread::TooLong);
        }
        if !take(data.len()) {
            return Err(Unread::NoRoom);
        }
        // Nearly every body comes in one piece, and then is not copied.
        if first.is_empty() {
            first = data;
        } else {
            more.extend_from_slice(&data);
        }
    }
    if more.is_empty() {
        return Ok(first);
    }
    Ok([first, more.freeze()].concat().into())
}
