//! A log in each store, filled by a guard.
#![allow(dead_code, reason = "each test file uses its part")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use attest_log::Reader;
use attest_tests::client::{Client, text};
use attest_tests::forge::Forge;
use attest_tests::postgres::Server;
use attest_tests::world::{World, must, output};
use serde_json::{Value, json};

/// Where a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    File,
    Database,
}

/// A world whose guard writes its log to one of the stores.
pub struct Stage {
    pub world: World,
    pub server: Option<Server>,
    /// What the verbs call the log.
    pub log: String,
    /// Where it is sealed.
    pub to: String,
}

impl Stage {
    pub fn new(store: Store) -> Self {
        let world = World::new();
        if store == Store::File {
            return Self { world, server: None, log: "guard.db".into(), to: "sealed".into() };
        }
        let server = Server::start();
        let log = server.url("log");
        world.edit("guard.toml", "log = \"guard.db\"", &format!("log = \"{log}\"\nside = \"side\""));
        Self { world, server: Some(server), log, to: "sealed".into() }
    }

    /// The log as this process opens it.
    pub fn reader(&self) -> Reader {
        let place = if self.server.is_some() { self.log.clone() } else { self.world.text_path("guard.db") };
        Reader::open(place).unwrap()
    }

    pub fn guard(&self) -> Client {
        Client::start(self.world.command(&self.world.guard()))
    }

    /// What a verb that reads says.
    pub fn said(&self, words: &[&str]) -> String {
        let words: Vec<&str> =
            words.iter().map(|word| if *word == "LOG" { self.log.as_str() } else { *word }).collect();
        String::from_utf8(must(self.world.attest(&words)).stdout).unwrap()
    }

    /// `attest log verify`, with the log's key and the guard's trust, which finds nothing wrong.
    pub fn verified(&self) -> Value {
        let key = self.said(&["log", "key", "LOG"]);
        let said = self.said(&["log", "verify", "LOG", "--key", key.trim(), "--trust", "guard.toml", "--json"]);
        serde_json::from_str(&said).unwrap()
    }

    /// `attest log verify` so: its exit code, and all that it says.
    pub fn verify(&self) -> (Option<i32>, String) {
        let key = self.said(&["log", "key", "LOG"]);
        let words = ["log", "verify", &self.log, "--key", key.trim(), "--trust", "guard.toml"];
        let done = output(self.world.attest(&words));
        (done.status.code(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
    }

    /// The entries that have these members.
    pub fn entries(&self, members: &[(&str, &str)]) -> Vec<Value> {
        let listed = self.said(&["log", "list", "LOG", "--json"]);
        let all = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["entry"].take());
        all.filter(|entry| members.iter().all(|(name, value)| entry[*name] == *value)).collect()
    }

    /// `attest log seal`; what was sealed.
    pub fn seal(&self, words: &[&str]) -> (u64, u64) {
        let all = [&["log", "seal", "LOG", "--to", &self.to, "--json"], words].concat();
        let said: Value = serde_json::from_str(&self.said(&all)).unwrap();
        (said["sealed"]["first"].as_u64().unwrap(), said["sealed"]["until"].as_u64().unwrap())
    }

    /// How many rows of entries the store has, and the index of the first.
    pub fn rows(&self) -> (u64, u64) {
        let asked = "SELECT count(*), coalesce(min(idx), 0) FROM";
        let Some(server) = &self.server else {
            let file = rusqlite::Connection::open(self.world.path("guard.db")).unwrap();
            return file
                .query_row(&format!("{asked} entry"), [], |row| {
                    Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned()))
                })
                .unwrap();
        };
        let said = server.sql("log", &format!("{asked} attest_log.entry"));
        let (count, first) = said.trim().split_once('|').unwrap();
        (count.parse().unwrap(), first.parse().unwrap())
    }
}

/// Makes `calls` calls, many at a time. Each is two entries.
pub fn calls(client: &mut Client, forge: &Forge, ids: std::ops::Range<u64>) {
    let ids: Vec<u64> = ids.collect();
    for some in ids.chunks(32) {
        for id in some {
            client.send(forge.call(*id, "echo", json!({ "text": format!("call {id}") })).line);
        }
        for id in some {
            let answer = client.answer(*id);
            assert!(text(&answer).contains(&format!("call {id}")), "{answer}");
        }
    }
}

/// Goes on making calls, one after the other, until it is told to end. Answers how many there were and how long the longest took.
pub fn calls_until(client: &mut Client, forge: &Forge, from: u64, over: &AtomicBool) -> (u64, Duration) {
    let (mut id, mut longest) = (from, Duration::ZERO);
    while !over.load(Ordering::SeqCst) {
        let begun = Instant::now();
        calls(client, forge, id..id + 1);
        longest = longest.max(begun.elapsed());
        id += 1;
    }
    (id - from, longest)
}
