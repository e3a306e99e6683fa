//! What one cosignature costs a witness: the checkpoint's signature, the consistency proof, its own signature.

use std::hint::black_box;
use std::time::Duration;

use attest_core::checkpoint::{Checkpoint, LogKeys};
use attest_core::cosignature;
use attest_core::merkle::{check_consistency, leaf};
use attest_core::note::{Kind, Vkey};
use attest_core::sign::{MemoryKey, Sign as _};
use attest_log::{Log, LogKey, Options, Reader, Record};

use crate::Outcome;
use crate::clock::cpu;

/// CPU time for one, of a log of `entries` that grew by a tenth: the median of `rounds`.
///
/// # Errors
/// The log's.
pub fn cosigning(entries: u64, rounds: usize) -> Outcome<Duration> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("log.db");
    let (log_key, witness) = (MemoryKey::from_seed(&[3; 32]), MemoryKey::from_seed(&[4; 32]));
    let vkey = Vkey::new("log.example", Kind::Log, log_key.public().clone())?;
    let name = Vkey::new("witness.example", Kind::Witness, witness.public().clone())?;
    let (log, _) = Log::open(&path, LogKey::new("log.example", log_key)?, Options::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let log = std::sync::Arc::new(log);
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..entries {
            let log = log.clone();
            tasks.spawn(async move { log.append(Record::new(n.to_be_bytes()), 1).await.map(drop) });
            if n % 2_000 == 1_999 {
                while let Some(done) = tasks.join_next().await {
                    done??;
                }
            }
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        Ok::<_, Box<dyn std::error::Error>>(())
    })?;
    let reader = Reader::open(&path)?;
    let old = entries - entries / 10;
    let (old_root, proof, note) = (reader.root(old)?, reader.consistency(old, entries)?, reader.checkpoint()?);
    black_box(leaf(b"warm"));
    let keys = LogKeys::new(Vec::new(), vkey)?;
    let mut times = Vec::new();
    for _ in 0..rounds {
        let begun = cpu();
        let Checkpoint { size, root, .. } = keys.open(note.as_bytes())?;
        check_consistency(old, &old_root, size, &root, &proof)?;
        let text = Checkpoint { origin: keys.origin().to_owned(), size, root }.to_text();
        black_box(cosignature::sign(&text, 1_800_000_000, &name, &witness)?);
        times.push(cpu() - begun);
    }
    Ok(crate::figures::quantile(&mut times, 50))
}
