//! Durable appends with several callers, ours beside plain SQLite that writes the same rows in groups of as many.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use attest_log::{Log, Record, ReplayKey, Token};
use rusqlite::{Connection, params};

use super::{Figure, fsync_probe, open, random};
use crate::Outcome;
use crate::figures::quantile;

/// Length of an entry and of the token beside it, as those of a real call are.
pub const BODY: usize = 600;
/// As above.
pub const TOKEN: usize = 800;
const SCOPE: &[u8] = b"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
const EXPIRES: u64 = 2_000_000_000;

/// The same rows by one thread in transactions of `group` records, nobody waiting: what SQLite itself can do.
///
/// # Errors
/// SQLite's.
pub fn plain(folder: &Path, group: usize, span: Duration) -> Outcome<Figure> {
    let fsync = fsync_probe(folder)?;
    let db = Connection::open(folder.join("plain.db"))?;
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE entry (idx INTEGER PRIMARY KEY, body BLOB NOT NULL, token TEXT) STRICT;
         CREATE TABLE replay (idx INTEGER PRIMARY KEY, scope BLOB NOT NULL, jti BLOB NOT NULL, expires INTEGER NOT NULL)
             STRICT;",
    )?;
    let (body, token) = (vec![b'x'; BODY], "t".repeat(TOKEN));
    let (mut count, mut times, begun) = (0i64, Vec::new(), Instant::now());
    while begun.elapsed() < span {
        let started = Instant::now();
        db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for _ in 0..group {
            let jti = random()?;
            db.prepare_cached("INSERT INTO entry (idx, body, token) VALUES (?1, ?2, ?3)")?
                .execute(params![count, body, token])?;
            db.prepare_cached("INSERT INTO replay (idx, scope, jti, expires) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![count, SCOPE, jti.as_slice(), EXPIRES.cast_signed()])?;
            count += 1;
        }
        db.prepare_cached("COMMIT")?.execute([])?;
        times.push(started.elapsed());
    }
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    Ok(Figure { rate, p50: quantile(&mut times, 50), p99: quantile(&mut times, 99), fsync })
}

/// The log with `callers` tasks, each with one append at a time, each append a call's decision: proof token, replay key,
/// shared tokens that change every 1,000 calls, and its proof of inclusion.
///
/// # Errors
/// The log's.
pub fn ours(folder: &Path, callers: usize, span: Duration) -> Outcome<Figure> {
    let fsync = fsync_probe(folder)?;
    let log = Arc::new(open(&folder.join("ours.db"))?);
    let (mut times, took) = appended(&log, callers, span)?;
    log.close()?;
    let rate = times.len() as f64 / took.as_secs_f64();
    Ok(Figure { rate, p50: quantile(&mut times, 50), p99: quantile(&mut times, 99), fsync })
}

/// How long each append took, and all of them together: `callers` tasks, each with one append at a time.
///
/// # Errors
/// The log's.
pub fn appended(log: &Arc<Log>, callers: usize, span: Duration) -> Outcome<(Vec<Duration>, Duration)> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let begun = Instant::now();
    let times: Result<Vec<Duration>, String> = runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for caller in 0..callers {
            tasks.spawn(call(Arc::clone(log), caller, begun, span));
        }
        let mut times = Vec::new();
        while let Some(done) = tasks.join_next().await {
            times.extend(done.map_err(|e| e.to_string())??);
        }
        Ok(times)
    });
    Ok((times?, begun.elapsed()))
}

async fn call(log: Arc<Log>, caller: usize, begun: Instant, span: Duration) -> Result<Vec<Duration>, String> {
    let (mut times, mut tokens) = (Vec::new(), Vec::new());
    while begun.elapsed() < span {
        if times.len() % 1_000 == 0 {
            let token = |what: &str| Token::new(format!("{what}.{caller}.{}.{}", times.len(), "t".repeat(600)));
            tokens = vec![token("att"), token("leaf")];
        }
        let started = Instant::now();
        let jti = random().map_err(|e| e.to_string())?;
        let record = Record {
            body: vec![b'x'; BODY],
            tokens: tokens.clone(),
            token: Some(Token::hashed([0; 32], "t".repeat(TOKEN))),
            replay: Some(ReplayKey::new(SCOPE, &jti, EXPIRES).map_err(|e| e.to_string())?),
            prove: true,
            ..Record::default()
        };
        log.append(record, 1_000_000_000).await.map_err(|e| e.to_string())?;
        times.push(started.elapsed());
    }
    Ok(times)
}
