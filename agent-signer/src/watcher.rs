//! Watching the agent's files while nobody calls.
//!
//! Every call looks at the files anyway. This is for what a look cannot see, and for knowing at once: the kernel says when a file is
//! touched (inotify), and now and then one file is read again, whatever its times say.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use inotify::{EventStream, Inotify, WatchMask};
use tokio::time::{Instant, sleep, sleep_until};

use crate::service::Signer;

/// How long after a first touch the rest of a change may take to come.
const SETTLES: Duration = Duration::from_millis(200);
/// How soon after a measurement the next one begins: whoever writes all the time must not keep a core busy.
const PAUSE: Duration = Duration::from_secs(2);

/// Runs until it is dropped.
pub(crate) async fn watch(signer: Arc<Signer>) {
    let every = Duration::from_secs(signer.config().measure.recheck_seconds);
    let mut next = Instant::now() + every;
    loop {
        // What is watched is what was measured last: a file that took another's place is another file.
        let mut touched = Touched::new(&signer).await;
        loop {
            tokio::select! {
                () = touched.wait() => {
                    sleep(SETTLES).await;
                    signer.look().await;
                    sleep(PAUSE).await;
                    break;
                }
                () = sleep_until(next), if !every.is_zero() => {
                    signer.read_again().await;
                    next = Instant::now() + every;
                }
            }
        }
    }
}

/// The kernel's word that a file was touched.
struct Touched(Option<EventStream<Vec<u8>>>);

impl Touched {
    /// Where the kernel watches no more files (`fs.inotify.max_user_watches`), calls alone look.
    async fn new(signer: &Signer) -> Self {
        let files = signer.files().await;
        let watched = Inotify::init().and_then(|inotify| {
            let touched = WatchMask::MODIFY | WatchMask::ATTRIB | WatchMask::MOVE_SELF | WatchMask::DELETE_SELF;
            for file in files {
                inotify.watches().add(file, touched)?;
            }
            inotify.into_event_stream(vec![0; 4096])
        });
        Self(watched.inspect_err(|error| tracing::warn!("changes show with the next call alone: {error}")).ok())
    }

    /// What it was does not matter: what comes after it is for the next watch, which is a new one.
    async fn wait(&mut self) {
        if let Some(stream) = &mut self.0
            && matches!(stream.next().await, Some(Ok(_)))
        {
            return;
        }
        std::future::pending().await
    }
}
