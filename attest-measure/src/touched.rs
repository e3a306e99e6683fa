//! The kernel's word that a file was touched (inotify).

use std::io;
use std::path::Path;

use futures_util::StreamExt as _;
use inotify::{EventStream, Inotify, WatchMask};

/// Files that are watched, until the first of them is touched. What it was does not matter: what comes after it is for the next watch, which is a new one,
/// since a file that took another's place is another file.
#[must_use]
pub struct Touched(EventStream<Vec<u8>>);

impl Touched {
    /// Watches these files. Needs a tokio runtime with I/O.
    ///
    /// # Errors
    /// One of them is not there, or the kernel watches no more (`fs.inotify.max_user_watches`).
    pub fn watch(files: impl IntoIterator<Item = impl AsRef<Path>>) -> io::Result<Self> {
        let inotify = Inotify::init()?;
        let touched = WatchMask::MODIFY | WatchMask::ATTRIB | WatchMask::MOVE_SELF | WatchMask::DELETE_SELF;
        for file in files {
            inotify.watches().add(file, touched)?;
        }
        Ok(Self(inotify.into_event_stream(vec![0; 4096])?))
    }

    /// Until one of them is touched.
    pub async fn wait(&mut self) {
        if !matches!(self.0.next().await, Some(Ok(_))) {
            std::future::pending::<()>().await;
        }
    }
}
