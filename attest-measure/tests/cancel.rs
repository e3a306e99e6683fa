//! A measurement that is asked to stop.
#![allow(clippy::unwrap_used, reason = "a helper of tests fails its test")]

use std::fs::{self, File};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use attest_measure::{Cache, Cancel, FileSet, MeasureError, Progress};

/// Longer than anybody would wait. A file of nothing but a hole takes no disk.
const HUGE: u64 = 1 << 40;

#[test]
fn what_is_asked_to_stop_ends_within_a_mebibyte_for_each_thread_and_does_not_begin_again() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a.bin", "b.bin"] {
        File::create(dir.path().join(name)).unwrap().set_len(HUGE).unwrap();
    }
    let cancel = Cancel::default();
    let set = FileSet::new([dir.path()]).cancelled_by(cancel.clone());
    let after = AtomicU64::new(0);
    let report = |_: Progress| {
        after.fetch_add(u64::from(cancel.is_cancelled()), Ordering::Relaxed);
        cancel.cancel();
    };
    assert!(matches!(set.manifest(&report), Err(MeasureError::Cancelled)));
    assert!(after.load(Ordering::Relaxed) <= 1, "the other thread may have had a mebibyte in its hands");
    assert!(matches!(set.manifest(&report), Err(MeasureError::Cancelled)));
    assert!(matches!(set.clone().manifest_and_tensors(&report), Err(MeasureError::Cancelled)));
    assert!(after.load(Ordering::Relaxed) <= 1, "nothing was read");
    assert!(set.stamp().is_ok(), "a look is not a measurement");
}

#[test]
fn what_was_hashed_before_the_stop_is_not_hashed_again() {
    let dir = tempfile::tempdir().unwrap();
    let (weights, at) = (dir.path().join("weights"), dir.path().join("cache"));
    fs::create_dir(&weights).unwrap();
    fs::write(weights.join("done.bin"), vec![1; 3 << 20]).unwrap();
    File::create(weights.join("huge.bin")).unwrap().set_len(HUGE).unwrap();
    // What was written just now is not remembered.
    std::thread::sleep(Duration::from_millis(2100));
    let kept = || fs::read_to_string(at.join("digests")).unwrap_or_default().lines().any(|line| !line.is_empty());
    let set = |paths: &[&str]| {
        let paths = paths.iter().map(|name| weights.join(name));
        FileSet::new(paths).remembered(Some(Arc::new(Cache::open(&at).unwrap())))
    };
    let cancel = Cancel::default();
    let stopped = set(&["done.bin", "huge.bin"]).cancelled_by(cancel.clone());
    let stopped = stopped.manifest(&|_| {
        if kept() {
            cancel.cancel();
        }
    });
    assert!(matches!(stopped, Err(MeasureError::Cancelled)));
    let reports = AtomicU64::new(0);
    set(&["done.bin"])
        .manifest(&|_| {
            reports.fetch_add(1, Ordering::Relaxed);
        })
        .unwrap();
    assert_eq!(reports.into_inner(), 1, "taken in one step from the last time, and not read");
}
