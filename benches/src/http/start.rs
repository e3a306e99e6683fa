//! From a process's start to its first answer, and what it holds then.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::caller::Caller;
use super::fleet::{Body, guard, wrap};
use super::process::{Memory, Process, family, memory, with_word};
use super::rounds::Bench;
use crate::Outcome;
use crate::calls::numbered;
use crate::stdio::{Arrangement, Conversation, Place, plain};

/// What one way of starting measured, once per try.
#[derive(Clone, Debug)]
pub struct Start {
    /// What was started.
    pub name: &'static str,
    /// From the first process's start to the first call's answer.
    pub first: Vec<Duration>,
    /// Memory of each process, with its name, after that answer.
    pub memory: Vec<(&'static str, Memory)>,
}

impl Start {
    fn new(name: &'static str) -> Self {
        Self { name, first: Vec::new(), memory: Vec::new() }
    }
}

/// All ways, `tries` times each in turns.
pub async fn starts(bench: &mut Bench<'_>, place: &Place, tries: usize) -> Outcome<Vec<Start>> {
    let mut all = [
        Start::new("endpoint alone, stdio"),
        Start::new("wrap + guard, stdio, signer running"),
        Start::new("wrap + guard, stdio, signer started too"),
        Start::new("guard alone, HTTP, signed call"),
        Start::new("wrap + guard, HTTP, signer running"),
        Start::new("wrap + guard, HTTP, signer started too"),
    ];
    let echo = Process::listening(place.program_command("http-echo"), false)?;
    for _ in 0..tries {
        let [alone, stdio_warm, stdio_cold, guard_alone, http_warm, http_cold] = &mut all;
        over_stdio(place, Arrangement::Direct, alone)?;
        place.stop_signer();
        over_stdio(place, Arrangement::Both, stdio_cold)?;
        over_stdio(place, Arrangement::Both, stdio_warm)?;
        let call = bench.bodies(Body::Full, 1)?.pop().ok_or("no call")?;
        over_http(place, &echo.url, Some(call), guard_alone).await?;
        place.stop_signer();
        over_http(place, &echo.url, None, http_cold).await?;
        over_http(place, &echo.url, None, http_warm).await?;
    }
    Ok(all.into())
}

fn over_stdio(place: &Place, arrangement: Arrangement, start: &mut Start) -> Outcome<()> {
    let begun = Instant::now();
    let mut conversation = Conversation::open(place.command(arrangement))?;
    conversation.sequential(&plain(1..2))?;
    start.first.push(begun.elapsed());
    if arrangement == Arrangement::Both {
        // The wrap started the guard, and the guard the server.
        let wrap = conversation.id();
        let guard = *family(wrap).get(1).ok_or("no guard")?;
        start.memory = vec![("wrap", of(wrap)?), ("guard", of(guard)?), ("signer", signer(place)?)];
    }
    Ok(())
}

async fn over_http(place: &Place, url: &str, signed: Option<Bytes>, start: &mut Start) -> Outcome<()> {
    let begun = Instant::now();
    let guard = guard(place, url, &place.folder().join("start.db"))?;
    let front = if signed.is_none() { Some(wrap(place, &guard.url)?) } else { None };
    let mut caller = Caller::open(front.as_ref().unwrap_or(&guard).address()?).await?;
    caller.ask(signed.unwrap_or_else(|| numbered(1).into())).await?;
    start.first.push(begun.elapsed());
    start.memory = vec![("guard", of(guard.id())?)];
    if let Some(wrap) = front {
        start.memory.extend([("wrap", of(wrap.id())?), ("signer", signer(place)?)]);
    }
    Ok(())
}

fn of(id: u32) -> Outcome<Memory> {
    memory(std::iter::once(id))
}

fn signer(place: &Place) -> Outcome<Memory> {
    let config = place.agent_config();
    let with_config = with_word(config.to_str().ok_or("no text")?)?;
    let signers = with_word("signer")?;
    memory(with_config.into_iter().filter(|id| signers.contains(id)))
}
