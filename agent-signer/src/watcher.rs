//! Watching the agent's files while nobody calls.
//!
//! Every call looks at the files anyway. This is for what a look cannot see, and for knowing at once: the kernel says when a file is
//! touched (inotify), and now and then one file is read again, whatever its times say.

use std::sync::Arc;
use std::time::Duration;

use attest_measure::Touched;
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
        let mut touched = Watched::new(&signer).await;
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

/// Where the kernel watches no more files, calls alone look.
struct Watched(Option<Touched>);

impl Watched {
    async fn new(signer: &Signer) -> Self {
        let watched = Touched::watch(signer.files().await);
        Self(watched.inspect_err(|error| tracing::warn!("changes show with the next call alone: {error}")).ok())
    }

    async fn wait(&mut self) {
        match &mut self.0 {
            Some(touched) => touched.wait().await,
            None => std::future::pending().await,
        }
    }
}
