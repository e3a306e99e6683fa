//! Asking a measurement to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::MeasureError;

/// A wish that measuring should end, shared by whoever measures and whoever may want it to stop.
///
/// It cannot be taken back: a program that is told to end is not to begin with the next hundred gigabytes. Every clone is the same wish.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Ends every measurement that has this wish, within a mebibyte for each of its threads, and every one that begins later.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked for.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn check(&self) -> Result<(), MeasureError> {
        if self.is_cancelled() { Err(MeasureError::Cancelled) } else { Ok(()) }
    }
}
