//! Many connections on which nothing happens.

use std::time::Duration;

use bytes::Bytes;

use super::caller::{Caller, PING, turn};
use super::fleet::Target;
use super::process::Memory;
use super::rounds::Bench;
use crate::Outcome;
use crate::figures::quantile;

/// Calls by one caller whose time is taken.
const CALLS: u64 = 200;
/// Connections that are opened, or asked, at one time.
const AT_ONCE: usize = 64;

/// What many connections do to a target.
#[derive(Clone, Debug)]
pub struct Idle {
    /// The target's name.
    pub name: &'static str,
    /// Memory before, with the connections open, and after each made one request.
    pub memory: [Memory; 3],
    /// Memory once they closed.
    pub after: Memory,
    /// Median time of a call by one more caller, before and while they are idle.
    pub call: [Duration; 2],
}

/// Opens `count` connections to the target with this name, and looks what they cost.
pub async fn idle(bench: &mut Bench<'_>, name: &'static str, count: usize) -> Outcome<Idle> {
    let fleet = bench.fleet;
    let target = fleet.targets.iter().find(|target| target.name == name).ok_or("no such target")?;
    let before = median(bench, target).await?;
    let mut memory = [target.process.memory()?; 3];
    let address = target.process.address()?;
    let mut callers = Vec::with_capacity(count);
    while callers.len() < count {
        // Each is accepted before long, so the queue of the listener never is full.
        let some = AT_ONCE.min(count - callers.len());
        let opened = (0..some).map(|_| tokio::task::spawn_local(async move { Caller::open(address).await.ok() }));
        for caller in opened.collect::<Vec<_>>() {
            callers.push(caller.await?.ok_or("a connection was not taken")?);
        }
    }
    // A connection is open before its process has taken it: this answer comes after the last one was.
    let mut last = Caller::open(address).await?;
    last.ask(Bytes::from_static(PING.as_bytes())).await?;
    set(&mut memory, 1, target)?;
    let mut asked = Vec::with_capacity(count);
    let mut rest = callers.into_iter();
    loop {
        let some = rest.by_ref().take(AT_ONCE).map(|mut caller| {
            tokio::task::spawn_local(async move {
                let done = caller.ask(Bytes::from_static(PING.as_bytes())).await.map_err(|error| error.to_string());
                done.map(|()| caller)
            })
        });
        let some: Vec<_> = some.collect();
        if some.is_empty() {
            break;
        }
        for caller in some {
            asked.push(caller.await??);
        }
    }
    set(&mut memory, 2, target)?;
    let while_idle = median(bench, target).await?;
    drop((asked, last));
    tokio::time::sleep(Duration::from_millis(500)).await;
    Ok(Idle { name, memory, after: target.process.memory()?, call: [before, while_idle] })
}

fn set(memory: &mut [Memory; 3], n: usize, target: &Target) -> Outcome<()> {
    *memory.get_mut(n).ok_or("no such moment")? = target.process.memory()?;
    Ok(())
}

async fn median(bench: &mut Bench<'_>, target: &Target) -> Outcome<Duration> {
    let bodies = bench.bodies(target.body, CALLS)?;
    Ok(quantile(&mut turn(target, 1, bodies).await?.times, 50))
}
