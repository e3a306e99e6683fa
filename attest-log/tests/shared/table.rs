//! The crash table of a shared log: its connection is lost at every single message of an append, either way.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use attest_log::AppendError;

use super::postgres::{self, Server};
use super::{Ledger, NOW, decision, open, verify};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    ToServer,
    ToClient,
}

/// Which message is the one that does not arrive any more: so many are let through that way.
type Cut = Arc<Mutex<Option<(Way, usize)>>>;

fn is_cut(cut: &Cut, way: Way) -> bool {
    let mut cut = cut.lock().unwrap();
    match &mut *cut {
        Some((armed, left)) if *armed == way => match left.checked_sub(1) {
            Some(less) => *left = less,
            None => *cut = None,
        },
        _ => return false,
    }
    cut.is_none()
}

/// Passes on whole messages (PostgreSQL 15, section 55.2): a type, but for the client's first one, and a length that counts itself.
fn pass(from: &mut impl Read, to: &mut impl Write, way: Way, cut: &Cut) -> io::Result<()> {
    let mut has_type = way == Way::ToClient;
    loop {
        let mut head = vec![0; if has_type { 5 } else { 4 }];
        from.read_exact(&mut head)?;
        let length = u32::from_be_bytes(*head.last_chunk().unwrap());
        let mut message = head;
        from.take(u64::from(length) - 4).read_to_end(&mut message)?;
        has_type = true;
        if is_cut(cut, way) {
            return Ok(());
        }
        to.write_all(&message)?;
    }
}

/// A socket that is the server's until the cut.
fn between(folder: &Path, server: &Path) -> Cut {
    let listener = UnixListener::bind(folder.join(".s.PGSQL.5432")).unwrap();
    let (server, cut) = (server.join(".s.PGSQL.5432"), Cut::default());
    let told = Arc::clone(&cut);
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), UnixStream::connect(&server).unwrap());
            for way in [Way::ToServer, Way::ToClient] {
                let (mut client, mut server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let cut = Arc::clone(&told);
                thread::spawn(move || {
                    let _ = match way {
                        Way::ToServer => pass(&mut client, &mut server, way, &cut),
                        Way::ToClient => pass(&mut server, &mut client, way, &cut),
                    };
                    let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
                });
            }
        }
    });
    cut
}

#[test]
fn a_connection_lost_at_any_message_loses_nothing_acknowledged_and_leaves_nothing_else() {
    let server = Server::start();
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let cut = between(folder.path(), server.socket());
    let cut_off = open(postgres::url(&[folder.path()], "log")).0;
    let other = open(server.url("log")).0;
    let ledger = Ledger::default();
    let note = |n: u64, index| assert_eq!(ledger.lock().unwrap().insert(index, format!("decision {n}")), None);
    let mut n = 0;
    for way in [Way::ToServer, Way::ToClient] {
        for message in 0.. {
            n += 2;
            // What the other one did is learnt in the batch that is cut.
            note(n, other.append_blocking(decision(n), NOW).unwrap().index);
            *cut.lock().unwrap() = Some((way, message));
            let answer = cut_off.append_blocking(decision(n + 1), NOW).map(|made| made.index);
            let was_cut = cut.lock().unwrap().take().is_none();
            match answer {
                Ok(index) => note(n + 1, index),
                // It can be told, so the same call is no replay.
                Err(AppendError::Unavailable) => note(n + 1, super::append(&cut_off, &decision(n + 1)).unwrap()),
                Err(error) => panic!("{way:?}, message {message}: {error}"),
            }
            if !was_cut {
                assert!(message > 20, "an append has more messages {way:?} than {message}");
                break;
            }
        }
    }
    assert_eq!(verify(server.url("log"), &ledger), ledger.lock().unwrap().len() as u64);
}
