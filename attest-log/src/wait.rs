//! Waiting for a future on a plain thread; and the one runtime, a thread of its own, for what needs the network.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::task::unconstrained;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Parks the thread until the future is ready. Only for futures that need no reactor of this thread: channels, locks, and what
/// [`runtime`] looks after.
///
/// Within a runtime, what waits is not held to the budget that a task has between two yields: it never yields, so once that was
/// spent nobody would wake it.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(unconstrained(future));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            // A wake that comes before this leaves a token behind, so park returns at once.
            Poll::Pending => thread::park(),
        }
    }
}

/// [`block_on`] with a limit; `None` when it is over.
pub(crate) fn block_on_for<F: Future>(future: F, limit: Duration) -> Option<F::Output> {
    let end = Instant::now() + limit;
    let mut future = pin!(unconstrained(future));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Some(value);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left);
    }
}

/// The process's one thread for databases and stores elsewhere: whoever waits for them blocks, inside another runtime too.
pub(crate) fn runtime() -> io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<Option<Runtime>> = OnceLock::new();
    let made = || Builder::new_multi_thread().worker_threads(1).thread_name("attest-io").enable_all().build().ok();
    RUNTIME.get_or_init(made).as_ref().ok_or_else(|| io::Error::other("the system gives no thread for the network"))
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::sync::mpsc;
    use tokio::task::consume_budget;

    use super::*;

    #[test]
    fn who_waits_within_a_task_that_spent_its_budget_is_woken_all_the_same() {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            poll_fn(|context| {
                while pin!(consume_budget()).poll(context).is_ready() {}
                Poll::Ready(())
            })
            .await;
            let (sender, mut receiver) = mpsc::channel(1);
            assert_eq!(block_on_for(sender.send(1), Duration::from_secs(5)), Some(Ok(())));
            assert_eq!(block_on_for(receiver.recv(), Duration::from_secs(5)), Some(Some(1)));
        });
    }
}
