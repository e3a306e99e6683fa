//! The client of witnesses, against witnesses of every sort.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod trees;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use attest_core::cosignature;
use attest_core::log_policy::LogPolicy;
use attest_core::note::{Kind, Note, Vkey};
use attest_core::sign::{MemoryKey, Sign as _};
use attest_core::witness::AddCheckpoint;
use attest_keys::KeySource;
use attest_log::witness::Witness;
use attest_log::witness::client::{Client, ClientError, Failed, Round, Times};
use attest_log::{Log, LogKey, Options, Reader, Record, clock};
use trees::{Signed, Tree};

const ORIGIN: &str = "log.example";
const QUICK: Times = Times { request: Duration::from_millis(500), rest: Duration::from_millis(200), skew: 30 };

/// A log with `entries`, and what it was asked to be read with.
struct World {
    folder: tempfile::TempDir,
    log: Log,
    reader: Arc<Mutex<Reader>>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db");
        let (log, _) = Log::open(&path, key(), Options::default()).unwrap();
        let reader = Arc::new(Mutex::new(Reader::open(&path).unwrap()));
        let world = Self { folder, log, reader };
        world.grow(5);
        world
    }

    fn grow(&self, entries: u64) {
        for at in 0..entries {
            self.log.append_blocking(Record::new(format!("{{\"at\":{at}}}")), 1).unwrap();
        }
    }

    /// A real witness named `name`, which watches the log.
    fn witness(&self, name: &str) -> (Vkey, String) {
        let witness = self.watching(name);
        (witness.vkey().clone(), serve(move |body| real(&witness, body)))
    }

    fn watching(&self, name: &str) -> Witness {
        let folder = self.folder.path().join(name);
        let source = KeySource::File(self.folder.path().join(format!("{name}.key")));
        Witness::open(&folder, &source, &format!("{name}.example"), &[key().vkey().to_string()]).unwrap()
    }

    fn round(&self, client: &mut Client) -> Round {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(client.round(&self.log.checkpoint(), &self.reader, clock::now()))
    }
}

fn key() -> LogKey {
    LogKey::new(ORIGIN, MemoryKey::from_seed(&[1; 32])).unwrap()
}

fn real(witness: &Witness, body: &[u8]) -> (u16, Vec<u8>) {
    let answer = witness.add_checkpoint(body, clock::now());
    (answer.status, answer.body)
}

fn policy(needed: usize, witnesses: &[(&Vkey, &str)]) -> LogPolicy {
    let mut text = String::new();
    let mut names = String::new();
    for (at, (vkey, url)) in witnesses.iter().enumerate() {
        text += &format!("witness w{at} {vkey} {url}\n");
        names += &format!(" w{at}");
    }
    text += &format!("group g {needed}{names}\nquorum g\n");
    LogPolicy::parse(text.as_bytes()).unwrap()
}

fn client(policy: LogPolicy) -> Client {
    Client::new(policy, None, QUICK).unwrap()
}

/// An HTTP server that answers bodies, until the test ends. Its URL.
fn serve(answer: impl Fn(&[u8]) -> (u16, Vec<u8>) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/prefix/", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = Arc::clone(&answer);
            thread::spawn(move || {
                let mut input = BufReader::new(stream.try_clone().unwrap());
                let mut output = stream;
                loop {
                    let (mut first, mut length) = (String::new(), 0);
                    loop {
                        let mut line = String::new();
                        if input.read_line(&mut line).unwrap_or(0) == 0 {
                            return;
                        }
                        if let Some(told) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                            length = told.trim().parse().unwrap();
                        }
                        if first.is_empty() {
                            first.clone_from(&line);
                        }
                        if line == "\r\n" {
                            break;
                        }
                    }
                    assert_eq!(first, "POST /prefix/add-checkpoint HTTP/1.1\r\n");
                    let mut body = vec![0; length];
                    input.read_exact(&mut body).unwrap();
                    let (status, body) = answer(&body);
                    let head = format!(
                        "HTTP/1.1 {status} x\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: {}\r\n\r\n",
                        body.len()
                    );
                    if output.write_all(&[head.as_bytes(), &body].concat()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

/// A witness's key in memory, for one that does what it likes.
fn crooked(seed: u8) -> (Vkey, MemoryKey) {
    let key = MemoryKey::from_seed(&[seed; 32]);
    (Vkey::new("crooked.example", Kind::Witness, key.public().clone()).unwrap(), key)
}

/// Cosigns whatever it is given, at `time`, with `key` under the name `vkey`.
fn cosigning(vkey: Vkey, key: MemoryKey, time: impl Fn() -> u64 + Send + Sync + 'static) -> String {
    serve(move |body| {
        let request = AddCheckpoint::parse(body).unwrap();
        let note = Note::parse(request.checkpoint.as_bytes()).unwrap();
        (200, cosignature::sign(note.text(), time(), &vkey, &key).unwrap().into_bytes())
    })
}

/// Nobody listens there.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn failure<'r>(round: &'r Round, name: &str) -> &'r Failed {
    let (_, said) = round.answers.iter().find(|(other, _)| other == name).expect(name);
    said.as_ref().expect_err(name)
}

#[test]
fn cosignatures_of_all_witnesses_come_with_the_checkpoint_and_again_as_the_log_grows() {
    let world = World::new();
    let (a, b) = (world.witness("a"), world.witness("b"));
    let policy = policy(2, &[(&a.0, &a.1), (&b.0, &b.1)]);
    let mut client = client(policy.clone());
    for grown in [0, 1, 300, 0] {
        world.grow(grown);
        let round = world.round(&mut client);
        let note = round.note.unwrap();
        assert!(note.starts_with(&*world.log.checkpoint()));
        let witnessed = policy.witnessed(&Note::parse(note.as_bytes()).unwrap()).unwrap();
        assert!(witnessed.met && witnessed.cosigned.len() == 2, "{witnessed:?}");
    }
    // One that knows nothing of what they have seen asks once more.
    world.grow(7);
    let mut fresh = Client::new(policy, None, QUICK).unwrap();
    assert!(world.round(&mut fresh).note.is_some());
}

#[test]
fn a_witness_that_is_down_is_no_harm_while_the_others_are_enough() {
    let world = World::new();
    let (a, b, c) = (world.witness("a"), world.witness("b"), crooked(9).0);
    let down = nobody();
    let members: [(&Vkey, &str); 3] = [(&a.0, &a.1), (&c, &down), (&b.0, &b.1)];
    let round = world.round(&mut client(policy(2, &members)));
    assert!(round.note.is_some());
    assert!(matches!(failure(&round, "w1"), Failed::Unreachable(_)), "{round:?}");
    let round = world.round(&mut client(policy(3, &members)));
    assert!(round.note.is_none(), "three were asked for");
}

#[test]
fn a_witness_that_does_not_answer_holds_nobody_up_for_long() {
    let world = World::new();
    let (a, c) = (world.witness("a"), crooked(9).0);
    let silent = serve(|_| {
        loop {
            thread::sleep(Duration::from_secs(60));
        }
    });
    let begun = Instant::now();
    let round = world.round(&mut client(policy(1, &[(&a.0, &a.1), (&c, &silent)])));
    assert!(round.note.is_some());
    let round = world.round(&mut client(policy(2, &[(&a.0, &a.1), (&c, &silent)])));
    assert!(round.note.is_none());
    assert!(matches!(failure(&round, "w1"), Failed::Unreachable(_)), "{round:?}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn a_cosignature_by_another_key_or_over_another_text_does_not_count() {
    let world = World::new();
    let a = world.witness("a");
    let (vkey, _) = crooked(9);
    let (other_vkey, other_key) = crooked(8);
    let another = cosigning(other_vkey, other_key, clock::now);
    let round = world.round(&mut client(policy(2, &[(&a.0, &a.1), (&vkey, &another)])));
    assert!(round.note.is_none());
    assert!(matches!(failure(&round, "w1"), Failed::Answer(_)), "{round:?}");

    let (vkey, key) = crooked(9);
    let pinned = vkey.clone();
    let other_text = serve(move |_| {
        let text = format!("{ORIGIN}\n1\n{}\n", "A".repeat(43) + "=");
        (200, cosignature::sign(&text, clock::now(), &vkey, &key).unwrap().into_bytes())
    });
    let round = world.round(&mut client(policy(2, &[(&a.0, &a.1), (&pinned, &other_text)])));
    assert!(round.note.is_none());
    assert!(matches!(failure(&round, "w1"), Failed::Answer(_)), "{round:?}");
}

#[test]
fn a_cosignature_of_another_time_does_not_count() {
    let world = World::new();
    for shift in [-1_000i64, 1_000] {
        let (vkey, key) = crooked(9);
        let pinned = vkey.clone();
        let off = cosigning(vkey, key, move || clock::now().checked_add_signed(shift).unwrap());
        let round = world.round(&mut client(policy(1, &[(&pinned, &off)])));
        assert!(round.note.is_none(), "{shift}");
        assert!(matches!(failure(&round, "w0"), Failed::Clock { .. }), "{round:?}");
    }
}

#[test]
fn what_is_no_answer_of_the_protocol_is_said_and_does_not_count() {
    let world = World::new();
    let vkey = crooked(9).0;
    for (status, body) in [
        (200, &b""[..]),
        (200, b"nonsense\n"),
        (200, &[0xff; 70_000]),
        (204, b""),
        (302, b""),
        (400, b""),
        (403, b""),
        (404, b""),
        (409, b"many\n"),
        (409, b"3"),
        (409, b"3\n"),
        (422, b""),
        (500, b""),
    ] {
        let url = serve(move |_| (status, body.to_vec()));
        let round = world.round(&mut client(policy(1, &[(&vkey, &url)])));
        assert!(round.note.is_none(), "{status}");
        assert_eq!(failure(&round, "w0").is_alarm(), status == 422, "{status}: {round:?}");
    }
}

#[test]
fn a_witness_that_has_seen_another_log_of_this_name_raises_an_alarm() {
    let world = World::new();
    let seen = |name: &str, old, size, tree: &Tree| {
        let witness = world.watching(name);
        let log = Signed::new(ORIGIN, 1);
        assert_eq!(witness.add_checkpoint(tree.add(&log, old, size).to_text().as_bytes(), 1).status, 200);
        (witness.vkey().clone(), serve(move |body| real(&witness, body)))
    };
    let other = Tree::new(20, 0, "another");
    let longer = seen("longer", 0, 20, &other);
    let round = world.round(&mut client(policy(1, &[(&longer.0, &longer.1)])));
    assert_eq!(*failure(&round, "w0"), Failed::Behind { cosigned: 20, size: 5 });
    let fork = seen("fork", 0, 4, &other);
    let round = world.round(&mut client(policy(1, &[(&fork.0, &fork.1)])));
    assert_eq!(*failure(&round, "w0"), Failed::Forked { cosigned: 4 });
    let same_size = seen("same", 0, 5, &other);
    let round = world.round(&mut client(policy(1, &[(&same_size.0, &same_size.1)])));
    assert_eq!(*failure(&round, "w0"), Failed::Forked { cosigned: 5 });
}

#[test]
fn a_log_with_a_new_key_is_cosigned_by_those_who_were_told_of_it() {
    let world = World::new();
    let a = world.watching("a");
    let vkey = a.vkey().clone();
    let url = serve(move |body| real(&a, body));
    let mut asking = client(policy(1, &[(&vkey, &url)]));
    assert!(world.round(&mut asking).note.is_some());
    // The old key's last entry.
    let new = LogKey::new(ORIGIN, MemoryKey::from_seed(&[2; 32])).unwrap();
    let last = Record { next_key: Some(Box::new(new.vkey().clone())), ..Record::new("{}") };
    world.log.append_blocking(last, 1).unwrap();
    assert!(world.round(&mut asking).note.is_some(), "still the old key's");
    let World { folder, log, reader } = world;
    log.close().unwrap();
    drop(log);
    let (log, _) = Log::open(folder.path().join("log.db"), new, Options::default()).unwrap();
    let world = World { folder, log, reader };
    world.grow(3);
    let round = world.round(&mut asking);
    assert_eq!(*failure(&round, "w0"), Failed::UnknownKey);
    // Another one with the same state, as it is restarted with both lines.
    let lines = world.reader.lock().unwrap().log_keys().unwrap().to_lines();
    assert_eq!(lines.len(), 2);
    let from = world.folder.path().join("a");
    let to = world.folder.path().join("b");
    std::fs::create_dir(&to).unwrap();
    for file in std::fs::read_dir(from).unwrap().map(|file| file.unwrap()) {
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
    let source = KeySource::File(world.folder.path().join("a.key"));
    let told = Witness::open(&to, &source, "a.example", &lines).unwrap();
    let url = serve(move |body| real(&told, body));
    let mut asking = client(policy(1, &[(&vkey, &url)]));
    assert!(world.round(&mut asking).note.is_some());
}

#[test]
fn a_policy_that_cannot_be_asked_is_refused() {
    let (one, two) = (crooked(8).0, crooked(9).0);
    let refused = |text: String| Client::new(LogPolicy::parse(text.as_bytes()).unwrap(), None, QUICK).err().unwrap();
    assert!(matches!(refused("quorum none\n".into()), ClientError::NoQuorum));
    assert!(matches!(refused(format!("witness a {one}\nquorum a\n")), ClientError::TooFew));
    for url in ["ftp://x", "x", "http://", "/x", "http://x/?q"] {
        assert!(matches!(refused(format!("witness a {one} {url}\nquorum a\n")), ClientError::Url { .. }), "{url}");
    }
    let some = format!("witness a {one} http://x\nwitness b {two}\ngroup g any a b\nquorum g\n");
    Client::new(LogPolicy::parse(some.as_bytes()).unwrap(), None, QUICK).unwrap();
    let some = LogPolicy::parse(some.as_bytes()).unwrap();
    let missing = Client::new(some, Some(Path::new("/nonexistent")), QUICK);
    assert!(matches!(missing, Err(ClientError::Roots { .. })));
}
