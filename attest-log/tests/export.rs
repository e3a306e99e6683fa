//! Exports, read by somebody else's code.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use attest_core::checkpoint::{Checkpoint, LogKeys};
use attest_core::merkle;
use attest_core::note::Note;
use attest_core::sign::MemoryKey;
use attest_core::tile::{Resource, Tile, bundles, read_bundle, tiles};
use attest_log::export::{Destination, ExportError, Exported, export};
use attest_log::{Log, LogKey, Options, Reader, Record, Shown, Site};
use rusqlite::Connection;
use tlog_tiles::tile::{Tile as GoTile, TileHashReader, TileReader};
use tlog_tiles::tlog::{self, HashReader as _};

#[cfg(feature = "s3")]
#[path = "../../tests/src/s3.rs"]
mod server;

fn key(seed: u8) -> LogKey {
    LogKey::new("log.example", MemoryKey::from_seed(&[seed; 32])).unwrap()
}

fn log(path: &Path, entries: u64) -> Log {
    let options = Options { group_window: Some(std::time::Duration::from_millis(1)), ..Options::default() };
    let (log, recovery) = Log::open(path, key(1), options).unwrap();
    append(&log, recovery.next..entries);
    log
}

fn append(log: &Log, entries: std::ops::Range<u64>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let mut tasks = Vec::new();
    // In order of their number, many per fsync.
    for at in entries {
        let mut append = Box::pin(log.append(Record::new(format!("{{\"at\":{at}}}")), 1));
        let first = runtime.block_on(std::future::poll_fn(|cx| std::task::Poll::Ready(append.as_mut().poll(cx))));
        match first {
            std::task::Poll::Ready(done) => drop(done.unwrap()),
            std::task::Poll::Pending => tasks.push(append),
        }
        if tasks.len() > 500 {
            tasks.drain(..).for_each(|task| drop(runtime.block_on(task).unwrap()));
        }
    }
    tasks.into_iter().for_each(|task| drop(runtime.block_on(task).unwrap()));
}

fn run(log: &Path, to: &Path, shown: Shown) -> Result<Exported, ExportError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let reader = Reader::open(log).unwrap();
    runtime.block_on(export(&reader, shown, &Destination::folder(to)?, |_, _| {}))
}

/// Files of a tree, by `tlog_tiles`, which checks each tile against the root before it answers.
struct Files(PathBuf);

impl TileReader for Files {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[GoTile]) -> Result<Vec<Vec<u8>>, tlog::Error> {
        let read = |tile: &GoTile| {
            // Go's path is `tile/8/<level>/…`.
            let path = tile.path().replacen("tile/8/", "tile/", 1);
            fs::read(self.0.join(&path)).map_err(|error| panic!("{path}: {error}"))
        };
        tiles.iter().map(read).collect()
    }

    fn save_tiles(&self, _: &[GoTile], _: &[Vec<u8>]) {}
}

/// Reads the whole export from its files alone: the checkpoint's signature, every entry by a proof of somebody else's code.
fn check(folder: &Path) -> Checkpoint {
    let note = fs::read(folder.join("checkpoint")).unwrap();
    let keys = LogKeys::new(Vec::new(), key(1).vkey().clone()).unwrap();
    let checkpoint = keys.open(&note).unwrap();
    let files = Files(folder.to_owned());
    let hashes = TileHashReader::new(checkpoint.size, tlog::Hash(checkpoint.root), &files);
    for bundle in bundles(checkpoint.size) {
        let bytes = fs::read(folder.join(Resource::Entries(bundle).to_string())).unwrap();
        let entries = read_bundle(&bytes, bundle.width()).unwrap();
        let first = bundle.first_entry();
        let indexes: Vec<u64> = (first..).take(entries.len()).map(|at| tlog::stored_hash_index(0, at)).collect();
        let proved = hashes.read_hashes(&indexes).unwrap();
        for (at, (entry, hash)) in (first..).zip(entries.iter().zip(proved)) {
            assert_eq!(merkle::leaf(entry), hash.0, "entry {at}");
            assert_eq!(*entry, format!("{{\"at\":{at}}}").as_bytes());
        }
    }
    // Every file of this tree is there, also those that no proof above needed.
    for tile in tiles(checkpoint.size) {
        let bytes = fs::read(folder.join(Resource::Tile(tile).to_string())).unwrap();
        assert_eq!(bytes.len(), 32 * usize::from(tile.width()));
    }
    checkpoint
}

fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(here) = folders.pop() {
        for file in fs::read_dir(here).unwrap() {
            let path = file.unwrap().path();
            if path.is_dir() {
                folders.push(path)
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned())
            }
        }
    }
    found.sort();
    found
}

#[test]
fn an_export_holds_what_another_reader_needs_and_grows_with_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (path, to) = (folder.path().join("log.db"), folder.path().join("public/log"));
    let mut before = 0;
    for size in [0, 1, 5, 5, 255, 256, 257, 700, 65_536, 66_000] {
        let log = log(&path, size);
        let exported = run(&path, &to, Shown::Newest).unwrap();
        assert_eq!((exported.size, exported.before), (size, before));
        let again = run(&path, &to, Shown::Newest).unwrap();
        assert_eq!((again.written, again.before), (0, size), "nothing is left to do");
        assert_eq!(check(&to).size, size);
        // Full tiles and bundles are written once, and nothing below them is touched.
        let new = tiles(size).filter(|tile| Tile::of_tree(tile.level(), tile.index(), before) != Some(*tile));
        let new: u64 = new.map(|tile| if tile.level() == 0 { 2 } else { 1 }).sum();
        assert_eq!(exported.written, new + u64::from(size != before || size == 0));
        before = size;
        drop(log);
    }
    // No partial tile whose full one is there: those of 66,000, and no other.
    let partial: Vec<String> = files(&to).into_iter().filter(|file| file.contains(".p/")).collect();
    let expected = ["tile/0/257.p/208", "tile/1/001.p/1", "tile/2/000.p/1", "tile/entries/257.p/208"];
    assert_eq!(partial, expected);
}

#[test]
fn what_a_run_that_was_cut_short_has_written_is_kept_and_what_is_wrong_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let (path, to) = (folder.path().join("log.db"), folder.path().join("to"));
    drop(log(&path, 600));
    let whole = run(&path, &to, Shown::Newest).unwrap();
    fs::remove_file(to.join("checkpoint")).unwrap();
    fs::write(to.join("tile/0/001"), "half").unwrap();
    fs::remove_file(to.join("tile/entries/000")).unwrap();
    let again = run(&path, &to, Shown::Newest).unwrap();
    assert_eq!((again.written, again.kept), (3, whole.written - 3), "two files and the checkpoint");
    check(&to);
}

#[test]
fn an_export_never_goes_back_and_never_to_another_tree() {
    let folder = tempfile::tempdir().unwrap();
    let (path, to) = (folder.path().join("log.db"), folder.path().join("to"));
    drop(log(&path, 300));
    run(&path, &to, Shown::Newest).unwrap();
    let other = folder.path().join("other.db");
    let written = files(&to);
    drop(log(&other, 200));
    assert!(matches!(run(&other, &to, Shown::Newest), Err(ExportError::Longer { there: 300, here: 200 })));
    let (fork, _) = Log::open(folder.path().join("fork.db"), key(1), Options::default()).unwrap();
    append(&fork, 100..450);
    assert!(matches!(run(&folder.path().join("fork.db"), &to, Shown::Newest), Err(ExportError::Forked { there: 300 })));
    let (foreign, _) = Log::open(folder.path().join("foreign.db"), key(2), Options::default()).unwrap();
    append(&foreign, 0..450);
    assert!(matches!(run(&folder.path().join("foreign.db"), &to, Shown::Newest), Err(ExportError::Foreign(_))));
    assert_eq!(files(&to), written);
    assert_eq!(check(&to).size, 300);
}

#[test]
fn a_changed_entry_or_tile_is_not_published() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    drop(log(&path, 1_000));
    let spoilt = |name: &str, statement: &str| {
        let copy = folder.path().join(name);
        fs::copy(&path, &copy).unwrap();
        assert_eq!(Connection::open(&copy).unwrap().execute(statement, []).unwrap(), 1);
        let to = folder.path().join(name.to_owned() + ".to");
        let error = run(&copy, &to, Shown::Newest).unwrap_err();
        assert!(!to.join("checkpoint").exists(), "{name}");
        error
    };
    let entry = spoilt("entry", "UPDATE entry SET body = x'7b7d' WHERE idx = 300");
    assert!(matches!(entry, ExportError::Entry { index: 300 }), "{entry}");
    // One in a part of the tree that the root was not computed from.
    let tile = "UPDATE tile SET hashes = CAST(x'01' || substr(hashes, 2) AS BLOB) WHERE level = 0 AND idx = 1";
    let tile = spoilt("tile", tile);
    assert!(matches!(tile, ExportError::Entry { index: 256 }), "{tile}");
    // Nor is this one: the root comes from the level above.
    drop(log(&path, 65_600));
    let above = "UPDATE tile SET hashes = CAST(x'01' || substr(hashes, 2) AS BLOB) WHERE level = 1 AND idx = 0";
    let above = spoilt("above", above);
    assert!(matches!(above, ExportError::Tile { level: 1, index: 0 }), "{above}");
}

#[test]
fn the_cosigned_checkpoint_is_shown_where_it_is_the_newest_or_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (path, to) = (folder.path().join("log.db"), folder.path().join("to"));
    let log = log(&path, 10);
    assert!(matches!(run(&path, &to, Shown::Cosigned), Err(ExportError::NotCosigned)));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    // Another line behind it: the witness itself does not matter here.
    let line = log.checkpoint().lines().last().unwrap().replace("log.example", "witness.example");
    let cosigned = format!("{}{line}\n", log.checkpoint());
    runtime.block_on(log.keep_cosigned(10, cosigned.clone())).unwrap();
    let (newest, only) = (Site::open(&path, Shown::Newest).unwrap(), Site::open(&path, Shown::Cosigned).unwrap());
    assert_eq!(newest.get("checkpoint").body, cosigned.as_bytes());
    assert_eq!(only.get("checkpoint").body, cosigned.as_bytes());
    append(&log, 10..20);
    assert_eq!(newest.get("checkpoint").body, log.checkpoint().as_bytes());
    assert_eq!(only.get("checkpoint").body, cosigned.as_bytes());
    assert_eq!(run(&path, &to, Shown::Cosigned).unwrap().size, 10);
    assert_eq!(check(&to).size, 10);
    assert_eq!(run(&path, &to, Shown::Newest).unwrap().size, 20);
    assert_eq!(check(&to).size, 20);
}

#[test]
fn a_log_is_served_as_c2sp_has_it_and_partial_tiles_only_where_they_exist() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let log = log(&path, 600);
    let site = Site::open(&path, Shown::Newest).unwrap();
    let shown = site.get("checkpoint");
    assert_eq!((shown.status, shown.content_type, shown.cache), (200, "text/plain; charset=utf-8", "no-store"));
    let note = Note::parse(&shown.body).unwrap();
    assert_eq!(Checkpoint::parse(note.text()).unwrap().size, 600);
    for tile in tiles(600) {
        let answer = site.get(&Resource::Tile(tile).to_string());
        assert_eq!((answer.status, answer.content_type), (200, "application/octet-stream"));
        assert!(answer.cache.contains("immutable"));
        assert_eq!(answer.body.len(), 32 * usize::from(tile.width()));
    }
    for bundle in bundles(600) {
        let answer = site.get(&Resource::Entries(bundle).to_string());
        assert_eq!(answer.status, 200);
        let entries = read_bundle(&answer.body, bundle.width()).unwrap();
        assert_eq!(entries[0], format!("{{\"at\":{}}}", bundle.first_entry()).as_bytes());
    }
    // Of trees that were: the beginning of what is there now.
    let whole = site.get("tile/0/002.p/88").body;
    assert_eq!(site.get("tile/0/002.p/7").body, whole[..7 * 32]);
    assert_eq!(site.get("tile/0/001.p/255").status, 200);
    assert_eq!(read_bundle(&site.get("tile/entries/002.p/7").body, 7).unwrap().len(), 7);
    for nothing in [
        "tile/0/002",
        "tile/0/002.p/89",
        "tile/0/003",
        "tile/0/003.p/1",
        "tile/1/000",
        "tile/1/000.p/3",
        "tile/2/000.p/1",
        "tile/entries/002",
        "tile/entries/002.p/89",
        "tile/entries/003.p/1",
        "",
        "tile",
        "tile/0/2",
        "tile/0/002.p/0",
        "tile/0/002.p/088",
        "tile/8/0/002",
        "../log.db",
        "checkpoint/",
    ] {
        assert_eq!(site.get(nothing).status, 404, "{nothing}");
    }
    // It follows the log.
    append(&log, 600..700);
    assert_eq!(site.get("tile/0/002.p/89").status, 200);
}

/// Against a real server.
#[cfg(feature = "s3")]
mod s3 {
    use super::*;

    #[test]
    fn an_export_to_a_store_is_the_one_to_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db");
        let server = server::Server::open();
        // Anybody may read what is published, as it would be.
        let policy = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::logs/*"}]}"#;
        assert!(server.ask("PUT", "/logs?policy", policy).0.starts_with("http/1.1 20"));
        let endpoint = format!("http://{}", server.address());
        let settings = [
            ("aws_endpoint", &*endpoint),
            ("aws_allow_http", "true"),
            ("aws_region", "us-east-1"),
            ("aws_access_key_id", "test"),
            ("aws_secret_access_key", "test"),
        ];
        let to = Destination::s3("s3://logs/one/log", &settings).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for size in [200, 600, 66_000] {
            drop(log(&path, size));
            let exported =
                runtime.block_on(export(&Reader::open(&path).unwrap(), Shown::Newest, &to, |_, _| {})).unwrap();
            let again = runtime.block_on(export(&Reader::open(&path).unwrap(), Shown::Newest, &to, |_, _| {})).unwrap();
            assert_eq!((exported.size, again.written), (size, 0));
        }
        assert!(server.ask("GET", "/logs/one/log/tile/0/002.p/88", "").0.contains(" 404 "), "the full one is there");
        // Back into a folder, by plain HTTP, to be read as any other.
        let back = folder.path().join("back");
        let resources = tiles(66_000).map(Resource::Tile).chain(bundles(66_000).map(Resource::Entries));
        for resource in resources.chain([Resource::Checkpoint]) {
            let name = resource.to_string();
            let (head, body) = server.ask("GET", &format!("/logs/one/log/{name}"), "");
            let (kind, cache) = match resource {
                Resource::Checkpoint => ("text/plain; charset=utf-8", "no-cache"),
                _ => ("application/octet-stream", "immutable"),
            };
            assert!(head.contains(kind) && head.contains(cache), "{name}: {head}");
            fs::create_dir_all(back.join(&name).parent().unwrap()).unwrap();
            fs::write(back.join(&name), body).unwrap();
        }
        assert_eq!(check(&back).size, 66_000);
        assert!(matches!(Destination::s3("s3://", &settings), Err(ExportError::Address(_))));
    }
}
