//! Clients that go away, and work that is done to its end all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mcp_relay::{Handling, ToClient, ToServer};
use tokio::sync::Semaphore;

use crate::remote::Remote;
use crate::world::{CALL, ClientGone, DONE, Heard, Rules, ServerGone, Setup, World, server};

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_cancels() {
    let mut remote = Remote::start().await;
    let mut world = World::start(Setup::default(), &remote.url).await;
    let client = world.post("", CALL).await;
    let waiting = remote.next().await;
    drop(client);
    waiting.closed().await;
    world.hears(0, Heard::Client(CALL.into())).await;
    world.hears(0, ClientGone).await;
    world.hears(0, ServerGone).await;
    world.has_said_all().await;
}

#[tokio::test]
async fn a_client_that_leaves_a_get_cancels_it_too() {
    let mut remote = Remote::start().await;
    let mut world = World::start(Setup::default(), &remote.url).await;
    let client = world.read("GET /mcp", "").await;
    let waiting = remote.next().await;
    drop(client);
    waiting.closed().await;
    world.hears(0, ClientGone).await;
    world.hears(0, ServerGone).await;
    world.has_said_all().await;
}

#[tokio::test]
async fn every_exchange_hears_its_end_once_whatever_the_answer() {
    let mut remote = Remote::start().await;
    let mut world = World::start(Setup::default(), &remote.url).await;
    for (number, (line, status, body)) in
        [("GET /mcp", 405, "no"), ("DELETE /mcp", 204, ""), ("GET /.well-known/x", 200, DONE)].into_iter().enumerate()
    {
        let mut client = world.read(line, "").await;
        remote.next().await.answer(status, &[], body);
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.body.as_str()), (status, body));
        world.hears(number, ServerGone).await;
    }
    // Only what streams was looked at, so nothing else is shown.
    for (number, (status, body)) in [(204, ""), (200, DONE)].into_iter().enumerate() {
        let mut client = world.read("GET /mcp", "").await;
        remote.next().await.answer(status, &[("content-type", "application/json")], body);
        let answer = client.answer().await;
        assert!(answer.status == 405 && !answer.body.contains("result"), "{answer:?}");
        world.hears(3 + number, ServerGone).await;
    }
    let rules = |verdict: fn() -> ToServer| Rules::client(move |_| Handling::Now(verdict()));
    for (verdict, status) in [((|| ToServer::Drop) as fn() -> ToServer, 202), (|| ToServer::Reply(DONE.into()), 200)] {
        let mut world = World::start(rules(verdict), &remote.url).await;
        assert_eq!(world.post("", CALL).await.answer().await.status, status);
        world.heard().await;
        world.hears(0, ServerGone).await;
        world.has_said_all().await;
    }
    assert!(remote.is_quiet());
    world.has_said_all().await;
}

/// Work that goes on when the test allows it, and whether it came to its end.
#[derive(Clone)]
struct Work {
    go: Arc<Semaphore>,
    done: Arc<AtomicBool>,
}

impl Work {
    fn new() -> Self {
        Self { go: Arc::new(Semaphore::new(0)), done: Arc::default() }
    }

    async fn run(self) {
        self.go.acquire().await.unwrap().forget();
        self.done.store(true, Ordering::SeqCst);
    }
}

/// Long enough for the relay to notice that another client is gone.
async fn others_are_served(world: &mut World) {
    for _ in 0..10 {
        assert_eq!(world.read("GET /elsewhere", "").await.answer().await.status, 404);
    }
}

#[tokio::test]
async fn a_decision_that_takes_long_is_not_dropped_with_its_client() {
    let remote = Remote::start().await;
    let work = Work::new();
    let rule = work.clone();
    let rules = Rules::client(move |_| {
        let work = rule.clone();
        Handling::later(async move {
            work.run().await;
            ToServer::Pass
        })
    });
    let mut world = World::start(rules, &remote.url).await;
    let client = world.post("", CALL).await;
    world.hears(0, Heard::Client(CALL.into())).await;
    drop(client);
    others_are_served(&mut world).await;
    work.go.add_permits(1);
    world.hears(0, ClientGone).await;
    world.hears(0, ServerGone).await;
    assert!(work.done.load(Ordering::SeqCst));
    world.has_said_all().await;
}

#[tokio::test]
async fn writing_down_an_answer_is_not_dropped_with_its_client() {
    let mut remote = Remote::start().await;
    let work = Work::new();
    let rule = work.clone();
    let rules = Rules::server(move |_| {
        let work = rule.clone();
        Handling::later(async move {
            work.run().await;
            ToClient::Pass
        })
    });
    let mut world = World::start(rules, &remote.url).await;
    let client = world.post("", CALL).await;
    remote.next().await.json(DONE);
    world.hears(0, Heard::Client(CALL.into())).await;
    world.hears(0, server(DONE)).await;
    drop(client);
    others_are_served(&mut world).await;
    work.go.add_permits(1);
    world.hears(0, ServerGone).await;
    assert!(work.done.load(Ordering::SeqCst));
    world.has_said_all().await;
}

#[tokio::test]
async fn the_relay_ends_only_after_exchanges_wrote_down_their_end() {
    let mut remote = Remote::start().await;
    let work = Work::new();
    let rule = work.clone();
    let rules = Rules::server(move |_| {
        let work = rule.clone();
        Handling::later(async move {
            work.run().await;
            ToClient::Pass
        })
    });
    let mut world = World::start(rules, &remote.url).await;
    let client = world.post("", CALL).await;
    remote.next().await.json(DONE);
    world.heard().await;
    world.hears(0, server(DONE)).await;
    drop(client);
    others_are_served(&mut world).await;
    let later = work.clone();
    let ((rest, _), ()) = tokio::join!(world.finish(), async move {
        // By now the relay was told to end.
        tokio::task::yield_now().await;
        later.go.add_permits(1);
    });
    assert!(work.done.load(Ordering::SeqCst));
    assert_eq!(rest, [(0, ServerGone)]);
}
