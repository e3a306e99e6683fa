//! What goes into one batch, and how the database is asked.

use std::process::Child;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use attest_log::{AppendError, Record};

use super::postgres::Server;
use super::{NOW, call, decision, open, outcome};

/// Another verifier's transaction, as far as those who wait can tell.
struct Held<'s> {
    server: &'s Server,
    holder: Child,
}

impl<'s> Held<'s> {
    fn of(server: &'s Server) -> Self {
        let take = "BEGIN; SELECT FROM attest_log.state FOR UPDATE; SELECT pg_sleep(60)";
        let holder = server.psql("log", take).spawn().unwrap();
        let held = Self { server, holder };
        held.until("wait_event = 'PgSleep'");
        held
    }

    fn until(&self, what: &str) {
        let asked = format!("SELECT count(*) FROM pg_stat_activity WHERE {what}");
        for _ in 0..400 {
            if self.server.sql("log", &asked).trim() == "1" {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("nobody is there with {what}");
    }

    fn release(mut self) {
        self.server.sql("log", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
        self.holder.wait().unwrap();
    }
}

#[test]
fn whoever_comes_while_the_log_is_waited_for_shares_the_batch() {
    let server = Server::start();
    let log = Arc::new(open(server.url("log")).0);
    log.append_blocking(decision(1), NOW).unwrap();
    let batches = || server.sql("log", "SELECT batch FROM attest_log.instance").trim().parse::<u64>().unwrap();
    let before = batches();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let again = Record { replay: None, ..decision(1) };
    let verdicts = runtime.block_on(async {
        let append = |record: Record| {
            let log = Arc::clone(&log);
            tokio::spawn(async move { log.append(record, NOW).await.map(|made| made.index) })
        };
        let held = Held::of(&server);
        let mut waiting = vec![append(decision(2))];
        tokio::task::yield_now().await;
        held.until("wait_event_type = 'Lock'");
        // An outcome of a call that is open, one of a call that never was, and a call that is open already.
        waiting.extend([decision(3), outcome(1), outcome(9), again].map(append));
        tokio::task::yield_now().await;
        held.release();
        let mut verdicts = Vec::new();
        for one in waiting {
            verdicts.push(one.await.unwrap());
        }
        verdicts
    });
    assert_eq!(verdicts[..4], [Ok(1), Ok(2), Ok(3), Err(AppendError::NotOpen)]);
    // Closed in this very batch, so it may be opened once more.
    assert_eq!(verdicts[4], Ok(4));
    assert_eq!(batches(), before + 1);
    let open = server.sql("log", "SELECT string_agg(encode(hash, 'hex'), ' ' ORDER BY idx) FROM attest_log.open_call");
    let hex = |n| call(n).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(open.trim(), [2, 3, 1].map(hex).join(" "));
}

#[test]
fn cosigned_checkpoints_of_one_batch_are_in_its_transaction_whatever_their_number() {
    let server = Server::start();
    let log = Arc::new(open(server.url("log")).0);
    log.append_blocking(decision(1), NOW).unwrap();
    let batches = || server.sql("log", "SELECT batch FROM attest_log.instance").trim().parse::<u64>().unwrap();
    let before = batches();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let keep = |size, note: &'static str| {
            let log = Arc::clone(&log);
            tokio::spawn(async move { log.keep_cosigned(size, note.to_owned()).await })
        };
        let held = Held::of(&server);
        let mut waiting = vec![keep(1, "one")];
        tokio::task::yield_now().await;
        held.until("wait_event_type = 'Lock'");
        waiting.extend([keep(2, "two"), keep(1, "one again")]);
        tokio::task::yield_now().await;
        held.release();
        for one in waiting {
            one.await.unwrap().unwrap();
        }
    });
    assert_eq!(batches(), before + 1);
    let kept = "SELECT string_agg(size || ' ' || note, ', ' ORDER BY size) FROM attest_log.cosigned WHERE xmin = (SELECT xmin FROM attest_log.instance)";
    assert_eq!(server.sql("log", kept).trim(), "1 one again, 2 two");
}

/// A verifier that opens an empty log plans its statements before there is anything to choose a plan by.
#[test]
fn an_append_reads_no_whole_table_however_the_log_began() {
    let server = Server::start();
    let log = open(server.url("log")).0;
    for n in 0..200 {
        log.append_blocking(decision(n), NOW).unwrap();
        log.append_blocking(outcome(n), NOW).unwrap();
    }
    log.close().unwrap();
    let read = "SELECT relname, seq_tup_read FROM pg_stat_user_tables WHERE seq_tup_read > 400
                AND relname IN ('entry', 'replay', 'token', 'open_call', 'tile')";
    // The figures are there once the session that they are of has ended.
    server.sql("log", "SELECT pg_sleep(0.5)");
    let written = "SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'entry'";
    assert_eq!(server.sql("log", written).trim(), "400");
    assert_eq!(server.sql("log", read).trim(), "", "rows read one after the other, by table");
}
