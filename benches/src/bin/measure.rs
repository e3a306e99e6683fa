//! Whole processes that hash files in the page cache, in turns:
//! `cargo run --release -p attest-benches --bin measure [rounds] [GiB] [directory]`.
//!
//! `attest` is taken from the folder that this program is in, `openssl` from the path, and the tool of OpenSSF Model Signing from the Python that the variable
//! `MODEL_SIGNING_PYTHON` names; without it that peer is left out. The bare loop, read and `sha2` and nothing else, is this program itself.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use attest_benches::Outcome;
use attest_benches::figures::Spread;
use sha2::{Digest as _, Sha256};

/// What the bare loop reads at a time.
const CHUNK: usize = 1 << 17;
const BARE: &str = "--bare";
/// Its manifest and no signature, so that only the hashing is compared.
const PEER: &str = "import sys, model_signing.hashing as h; c = h.Config(); \
    getattr(c, 'use_' + sys.argv[1] + '_serialization')(hashing_algorithm='sha256'); c.hash(sys.argv[2])";

/// A process that is measured.
struct Contender {
    name: &'static str,
    command: Box<dyn Fn() -> Command>,
    seconds: Vec<f64>,
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((threads, files)) = arguments.strip_prefix(&[BARE.to_owned()]).and_then(|rest| rest.split_first()) {
        return bare(threads.parse()?, files);
    }
    let number = |n: usize, usual| arguments.get(n).map_or(Ok(usual), |text| text.parse());
    let (rounds, gib): (u64, u64) = (number(0, 5)?, number(1, 2)?);
    let parent = arguments.get(2).map_or_else(std::env::temp_dir, Into::into);
    let folder = tempfile::tempdir_in(parent)?;
    for parts in [4, 1] {
        let place = Place::new(folder.path(), parts, gib << 30)?;
        let mut contenders = place.contenders()?;
        // The first round reads the files into the page cache and is thrown away.
        for round in 0..=rounds {
            for contender in &mut contenders {
                let begun = Instant::now();
                let status = (contender.command)().stdout(Stdio::null()).stderr(Stdio::null()).status()?;
                if !status.success() {
                    return Err(format!("{}: {status}", contender.name).into());
                }
                if round > 0 {
                    contender.seconds.push(begun.elapsed().as_secs_f64());
                }
            }
        }
        report(&contenders, parts, gib)?;
        std::fs::remove_dir_all(&place.folder)?;
    }
    Ok(())
}

/// A folder with an agent whose weights are files of random bytes.
struct Place {
    folder: PathBuf,
    files: Vec<PathBuf>,
}

impl Place {
    fn new(parent: &Path, parts: u64, size: u64) -> Outcome<Self> {
        let folder = parent.join(format!("{parts} parts"));
        let weights = folder.join("weights");
        std::fs::create_dir_all(&weights)?;
        let files = (0..parts).map(|n| weights.join(format!("{n}.bin"))).collect::<Vec<_>>();
        let mut block = vec![0; 1 << 20];
        for path in &files {
            let mut file = File::create(path)?;
            for _ in 0..(size / parts) >> 20 {
                getrandom::fill(&mut block)?;
                file.write_all(&block)?;
            }
        }
        let said = r#"agent = "a"
issuer = "i"
key = "agent.key"
attester_key = "attester.key"
delegation = "chain"
log = "signer.db"
[measure]
weights = ["weights"]
"#;
        std::fs::write(folder.join("agent.toml"), said)?;
        Ok(Self { folder, files })
    }

    fn contenders(&self) -> Outcome<Vec<Contender>> {
        let own = std::env::current_exe()?;
        let attest = own.with_file_name("attest");
        let run = |program: &Path, words: &[&str], paths: &[PathBuf]| {
            let (program, paths) = (program.to_owned(), paths.to_owned());
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            Box::new(move || {
                let mut command = Command::new(&program);
                command.args(&words).args(&paths);
                command
            })
        };
        let agent = [self.folder.join("agent.toml")];
        let weights = [self.folder.join("weights")];
        let mut all = vec![
            ("attest measure", run(&attest, &["measure", "--no-cache", "--config"], &agent)),
            ("bare sha2, one thread", run(&own, &[BARE, "1"], &self.files)),
            ("bare sha2, two threads", run(&own, &[BARE, "2"], &self.files)),
            ("openssl dgst -sha256", run(Path::new("openssl"), &["dgst", "-sha256"], &self.files)),
        ];
        if let Some(python) = std::env::var_os("MODEL_SIGNING_PYTHON") {
            let python = PathBuf::from(python);
            all.push(("model_signing, per file", run(&python, &["-c", PEER, "file"], &weights)));
            all.push(("model_signing, sharded", run(&python, &["-c", PEER, "shard"], &weights)));
        }
        Ok(all.into_iter().map(|(name, command)| Contender { name, command, seconds: Vec::new() }).collect())
    }
}

fn report(contenders: &[Contender], parts: u64, gib: u64) -> Outcome<()> {
    let spreads: Vec<Spread> = contenders.iter().map(|c| Spread::of(c.seconds.iter().copied())).collect();
    let ours = spreads.first().map_or(0.0, |spread| spread.middle);
    let mut out = std::io::stdout().lock();
    writeln!(out, "{gib} GiB in {parts} files: seconds (lowest to highest), and as many times as long as ours")?;
    for (contender, Spread { low, middle, high }) in contenders.iter().zip(&spreads) {
        writeln!(out, "{:<26} {middle:6.2} ({low:.2} to {high:.2}) {:6.2}", contender.name, middle / ours)?;
    }
    Ok(())
}

/// Reads and hashes, each file by one thread.
fn bare(threads: usize, files: &[String]) -> Outcome<()> {
    let left = Mutex::new(files.iter());
    let failed = thread::scope(|scope| {
        let work = || -> std::io::Result<()> {
            let mut buffer = vec![0; CHUNK];
            loop {
                let Some(path) = left.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next() else {
                    return Ok(());
                };
                let (mut file, mut hash) = (File::open(path)?, Sha256::new());
                loop {
                    match file.read(&mut buffer)? {
                        0 => break,
                        n => hash.update(buffer.get(..n).unwrap_or_default()),
                    }
                }
                std::hint::black_box(hash.finalize());
            }
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().any(|thread| !matches!(thread.join(), Ok(Ok(()))))
    });
    if failed { Err("a file cannot be read".into()) } else { Ok(()) }
}
