//! Appends per second with 1, 16 and 64 callers, each beside plain SQLite writing the same rows in groups of as many,
//! and beside an fsync probe: `cargo run --release -p attest-log --example append_rate [directory] [seconds]`.
//!
//! An fsync takes 0.15 ms or 4 ms on the same disk from one minute to the next. So the two are run in turns, each
//! figure is the best of three, and the probe of that turn is printed with it. Figures of different runs do not compare.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use attest_core::sign::MemoryKey;
use attest_log::{Log, LogKey, Options, Record, ReplayKey, Token};
use rusqlite::{Connection, params};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const BODY: usize = 700;
const TURNS: usize = 3;
const LOOK_UPS: u32 = 100_000;

/// What one turn measured.
#[derive(Clone, Default)]
struct Figure {
    rate: f64,
    p50: Duration,
    p99: Duration,
    fsync: Duration,
    /// One question to the replay window, with all keys of the turn in it.
    look_up: Duration,
}

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().unwrap_or_else(|| std::env::temp_dir().to_string_lossy().into_owned());
    let seconds: f64 = arguments.next().map_or(Ok(1.5), |text| text.parse())?;
    let span = Duration::from_secs_f64(seconds);
    let place = tempfile::tempdir_in(directory)?;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{:>7}  {:<13} {:>10}  {:>9}  {:>9}  {:>11}",
        "callers", "what", "appends/s", "p50", "p99", "fsync probe"
    )?;
    for callers in [1usize, 16, 64] {
        let (mut plain, mut ours) = (Figure::default(), Figure::default());
        for turn in 0..TURNS {
            let folder = place.path().join(format!("{callers}-{turn}"));
            std::fs::create_dir(&folder)?;
            plain = better(plain, plain_sqlite(&folder, callers, span)?);
            ours = better(ours, attest_log(&folder, callers, span)?);
        }
        for (what, figure) in [("plain SQLite", &plain), ("attest-log", &ours)] {
            writeln!(
                out,
                "{callers:>7}  {what:<13} {:>10.0}  {:>9.2?}  {:>9.2?}  {:>11.2?}",
                figure.rate, figure.p50, figure.p99, figure.fsync
            )?;
        }
        let ratio = 100.0 * ours.rate / plain.rate;
        let look_up = ours.look_up;
        writeln!(out, "{:>7}  {:<13} {ratio:>9.0}%  replay look-up {look_up:.2?}", "", "ratio")?;
    }
    Ok(())
}

fn better(a: Figure, b: Figure) -> Figure {
    if a.rate > b.rate { a } else { b }
}

/// Median time to append 4 KiB to a file and fsync it.
fn fsync_probe(folder: &Path) -> Outcome<Duration> {
    let mut file = File::create(folder.join("probe"))?;
    let mut times = Vec::new();
    for _ in 0..21 {
        let begun = Instant::now();
        file.write_all(&[0u8; 4096])?;
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    Ok(quantile(&mut times, 50))
}

fn quantile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times.get(times.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default()
}

/// The same rows by one thread in transactions of `group` records, nobody waiting: what SQLite itself can do.
fn plain_sqlite(folder: &Path, group: usize, span: Duration) -> Outcome<Figure> {
    let fsync = fsync_probe(folder)?;
    let db = Connection::open(folder.join("plain.db"))?;
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE entry (idx INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
         CREATE TABLE replay (scope BLOB NOT NULL, jti BLOB NOT NULL, expires INTEGER NOT NULL,
             PRIMARY KEY (scope, jti)) STRICT, WITHOUT ROWID;",
    )?;
    let body = vec![b'x'; BODY];
    let (mut count, mut times, begun) = (0i64, Vec::new(), Instant::now());
    while begun.elapsed() < span {
        let started = Instant::now();
        db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for _ in 0..group {
            let jti = random();
            db.prepare_cached("INSERT INTO entry (idx, body) VALUES (?1, ?2)")?.execute(params![count, body])?;
            db.prepare_cached("INSERT INTO replay (scope, jti, expires) VALUES (?1, ?2, ?3)")?.execute(params![
                SCOPE,
                jti.as_slice(),
                EXPIRES.cast_signed()
            ])?;
            count += 1;
        }
        db.prepare_cached("COMMIT")?.execute([])?;
        times.push(started.elapsed());
    }
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    Ok(Figure { rate, p50: quantile(&mut times, 50), p99: quantile(&mut times, 99), fsync, look_up: Duration::ZERO })
}

const SCOPE: &[u8] = b"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
const EXPIRES: u64 = 2_000_000_000;

/// The log with `callers` tasks, each with one append at a time and two tokens that change every 1,000 calls.
fn attest_log(folder: &Path, callers: usize, span: Duration) -> Outcome<Figure> {
    let fsync = fsync_probe(folder)?;
    let (log, _) = Log::open(folder.join("ours.db"), key()?, Options::default())?;
    let log = Arc::new(log);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let begun = Instant::now();
    let times = runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for caller in 0..callers {
            tasks.spawn(call(Arc::clone(&log), caller, begun, span));
        }
        let mut times = Vec::new();
        while let Some(done) = tasks.join_next().await {
            times.extend(done??);
        }
        Outcome::Ok(times)
    });
    let mut times = times?;
    let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
    let key = ReplayKey::new(SCOPE, &random(), EXPIRES)?;
    let asked = Instant::now();
    let seen = (0..LOOK_UPS).filter(|_| log.seen(std::hint::black_box(&key))).count();
    let look_up = asked.elapsed() / LOOK_UPS;
    if seen > 0 {
        return Err("a key that nobody used was seen".into());
    }
    log.close()?;
    Ok(Figure { rate, p50: quantile(&mut times, 50), p99: quantile(&mut times, 99), fsync, look_up })
}

async fn call(log: Arc<Log>, caller: usize, begun: Instant, span: Duration) -> Outcome<Vec<Duration>> {
    let (mut times, mut tokens) = (Vec::new(), Vec::new());
    while begun.elapsed() < span {
        if times.len() % 1_000 == 0 {
            let token = |what: &str| Token::new(format!("{what}.{caller}.{}.{}", times.len(), "t".repeat(600)));
            tokens = vec![token("att"), token("leaf")];
        }
        let started = Instant::now();
        let record = Record {
            body: vec![b'x'; BODY],
            tokens: tokens.clone(),
            replay: Some(ReplayKey::new(SCOPE, &random(), EXPIRES)?),
            ..Record::default()
        };
        log.append(record, 1_000_000_000).await?;
        times.push(started.elapsed());
    }
    Ok(times)
}

/// The key that signs a checkpoint at each commit.
fn key() -> Outcome<LogKey> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    Ok(LogKey::new("log.example/rate", MemoryKey::from_seed(&seed))?)
}

/// 22 bytes like the text of a 128-bit `jti`.
fn random() -> [u8; 22] {
    let mut bytes = [0u8; 22];
    // Only the bytes' spread matters here, so a failure of the source is left as zeros and shows as a replay.
    let _ = getrandom::fill(&mut bytes);
    bytes
}
