//! `cargo bench -p attest-forensics --bench find -- FOLDER ENTRIES`: a log of many entries made, indexed and searched, with times and memory.
#![allow(clippy::print_stdout, reason = "a benchmark says what it found")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use attest_core::digest::Digest;
use attest_forensics::{Query, Search, Trace};
use attest_keys::SecretKey;
use attest_log::{Log, LogKey, Record};

/// Agents; the first of each million calls is by one of its own.
const AGENTS: u64 = 1_000;
const TOOLS: u64 = 50;
/// Appends under way.
const CALLERS: u64 = 256;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let folder = arguments.first().map_or_else(std::env::temp_dir, Into::into);
    let entries: u64 = arguments.get(1).map_or(Ok(100_000), |text| text.parse())?;
    let place = tempfile::tempdir_in(folder)?;
    let log = place.path().join("many.db");
    let begun = Instant::now();
    fill(&log, entries)?;
    println!("{entries} entries written in {:.1?}, {} MB", begun.elapsed(), size(&log)?);
    let begun = Instant::now();
    let search = Search::open(&[&log], |_, _, _| ())?;
    let index = attest_forensics::path_of(&log);
    println!("indexed in {:.1?}, {} MB; most memory so far {} MB", begun.elapsed(), size(&index)?, memory()?);
    drop(search);
    let begun = Instant::now();
    let search = Search::open(&[&log], |_, _, _| ())?;
    println!("opened again in {:.1?}", begun.elapsed());
    let one = |of: Query| (of, 50);
    let agent = || Some(format!("agent-{}", AGENTS / 2));
    let call = call(entries / 2 / 2 * 2);
    let cases = [
        ("everything, the first page", one(Query::default())),
        ("the last page", one(Query { below: Some(50), ..Query::default() })),
        ("by an agent of a thousand", one(Query { agent: agent(), ..Query::default() })),
        ("by one that called once in a million", one(Query { agent: Some("rare-0".to_owned()), ..Query::default() })),
        ("by an agent, one tool", one(Query { agent: agent(), tool: Some("tool-7".to_owned()), ..Query::default() })),
        (
            "two that never meet",
            one(Query { agent: Some("rare-0".to_owned()), tool: Some("tool-7".to_owned()), ..Query::default() }),
        ),
        ("refused", one(Query { verdict: Some("deny".to_owned()), ..Query::default() })),
        ("refused for a rare reason", one(Query { reason: Some("replay".to_owned()), ..Query::default() })),
        ("with a rare label", one(Query { label: Some("pii".to_owned()), ..Query::default() })),
        ("with a label of every tenth", one(Query { label: Some("financial".to_owned()), ..Query::default() })),
        (
            "a second in the middle",
            one(Query { since: Some(time(entries / 2)), until: Some(time(entries / 2) + 1_000), ..Query::default() }),
        ),
        (
            "a tool, before a time in the middle",
            one(Query { tool: Some("tool-7".to_owned()), until: Some(time(entries / 2)), ..Query::default() }),
        ),
        ("about one call", one(Query { call: Some(call), ..Query::default() })),
    ];
    for (what, (query, most)) in cases {
        let mut times = Vec::new();
        let mut found = 0;
        for _ in 0..5 {
            let begun = Instant::now();
            found = search.find(&query, most)?.len();
            times.push(begun.elapsed());
        }
        times.sort_unstable();
        let (first, middle) = (times.last().copied().unwrap_or_default(), times.get(2).copied().unwrap_or_default());
        println!("{what:<40} {found:>3} found and proved  {middle:>10.2?}  at worst {first:>10.2?}");
    }
    let begun = Instant::now();
    Trace::of(&search.sources(), call, None)?;
    println!("trace of one call in {:.2?}; most memory {} MB", begun.elapsed(), memory()?);
    Ok(())
}

fn time(n: u64) -> u64 {
    1_800_000_000_000 + n / 20
}

fn call(n: u64) -> Digest {
    Digest::of(format!("call {n}"))
}

/// A decision, and then its outcome.
fn body(n: u64) -> String {
    let at = n - n % 2;
    let (call, time) = (call(at), time(n));
    if n % 2 == 1 {
        return format!(
            "{{\"audience\":\"files\",\"call\":\"{call}\",\"result\":\"{call}\",\"status\":\"result\",\"time\":{time},\"type\":\"outcome\"}}"
        );
    }
    let agent = if at.is_multiple_of(1_000_000) {
        format!("rare-{}", at / 1_000_000)
    } else {
        format!("agent-{}", at / 2 % AGENTS)
    };
    let tool = at / 2 / 7 % TOOLS;
    if at % 200 == 198 {
        let reason = if at % 1_000_000 == 999_998 { "replay" } else { "tool-not-granted" };
        return format!(
            "{{\"agent\":\"{agent}\",\"audience\":\"files\",\"call\":\"{call}\",\"decision\":\"deny\",\"key\":\"{call}\",\"policy\":\"{call}\",\"reason\":\"{reason}\",\"time\":{time},\"tool\":\"tool-{tool}\",\"type\":\"decision\"}}"
        );
    }
    let labels = match at {
        at if at % 1_000_000 == 500_000 => ",\"labels\":[\"pii\"]",
        at if at.is_multiple_of(20) => ",\"labels\":[\"financial\"]",
        _ => "",
    };
    format!(
        "{{\"agent\":\"{agent}\",\"attestation\":\"{call}\",\"audience\":\"files\",\"call\":\"{call}\",\"context\":\"BQUFBQUFBQUFBQUFBQUFBQ\",\"decision\":\"allow\",\"delegation\":[\"{call}\"],\"key\":\"{call}\"{labels},\"params\":\"{call}\",\"policy\":\"{call}\",\"time\":{time},\"tool\":\"tool-{tool}\",\"type\":\"decision\"}}"
    )
}

fn fill(path: &Path, entries: u64) -> Outcome<()> {
    let key = path.with_added_extension("key");
    SecretKey::generate()?.write(&key, attest_keys::Form::Pem)?;
    let source = attest_keys::KeySource::parse(key.to_str().ok_or("a folder that is UTF-8")?)?;
    let key = LogKey::of_log(path, Some(&source), "files")?;
    let (log, _) = Log::open(path, key, attest_log::Options::default())?;
    let log = Arc::new(log);
    let next = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..CALLERS {
            let (log, next) = (log.clone(), next.clone());
            tasks.spawn(async move {
                loop {
                    let n = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if n >= entries {
                        return Ok::<_, String>(());
                    }
                    let record = Record::new(body(n).into_bytes());
                    log.append(record, time(n) / 1_000).await.map_err(|error| error.to_string())?;
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        Ok::<_, Box<dyn Error + Send + Sync>>(())
    })?;
    log.close()?;
    Ok(())
}

fn size(path: &Path) -> Outcome<u64> {
    let of = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    Ok((of(path) + of(Path::new(&wal))) / 1_000_000)
}

/// The most memory that this process ever held, in megabytes.
fn memory() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1_000)
}
