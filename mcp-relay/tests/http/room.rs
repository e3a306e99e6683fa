//! Room for the bodies of requests, all callers together.

use mcp_relay::http::Limits;

use crate::remote::Remote;
use crate::world::{CALL, DONE, World};

#[tokio::test]
async fn bodies_beyond_the_room_for_them_are_told_to_come_again_and_room_is_given_back() {
    let mut remote = Remote::start().await;
    let world = World::start(Limits { held: 1_024, ..Limits::default() }, &remote.url).await;
    // Each takes all the room there is, so the second would find none if the first kept it.
    for _ in 0..3 {
        let mut client = world.post("", CALL).await;
        remote.next().await.json(DONE);
        assert_eq!(client.answer().await.body, DONE);
        let long = format!("{CALL}{}", " ".repeat(2_000));
        assert_eq!(world.post("", &long).await.answer().await.status, 503);
    }
    assert!(remote.is_quiet());
}

#[tokio::test]
async fn a_request_that_waits_for_its_answer_holds_its_room() {
    let mut remote = Remote::start().await;
    let world = World::start(Limits { held: 1_024, ..Limits::default() }, &remote.url).await;
    let mut first = world.post("", CALL).await;
    let waiting = remote.next().await;
    assert_eq!(world.post("", CALL).await.answer().await.status, 503);
    waiting.json(DONE);
    assert_eq!(first.answer().await.body, DONE);
    let mut again = world.post("", CALL).await;
    remote.next().await.json(DONE);
    assert_eq!(again.answer().await.body, DONE);
}
