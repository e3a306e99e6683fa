//! Rounds in which every target has its turn.

use std::hint::black_box;
use std::time::{Duration, Instant};

use attest_core::signing::Form;
use bytes::Bytes;
use ed25519_dalek::{Signer as _, SigningKey};

use super::caller::{PING, Turn, turn};
use super::fleet::{Body, Fleet, Target};
use crate::Outcome;
use crate::calls::numbered;
use crate::figures::quantile;
use crate::stdio::{Place, Signing, fsync};

/// What one round measured.
#[derive(Debug)]
pub struct Round {
    /// A write of 4 KiB made durable, at this time.
    pub fsync: Duration,
    /// One signature check, at this time.
    pub check: Duration,
    /// In the order of the targets.
    pub turns: Vec<Turn>,
}

/// What the rounds share.
pub struct Bench<'a> {
    /// Who is called.
    pub fleet: &'a Fleet,
    place: &'a Place,
    signing: Signing,
    /// The next id; none is used twice.
    next: u64,
}

impl<'a> Bench<'a> {
    /// Of this fleet.
    pub fn new(fleet: &'a Fleet, place: &'a Place) -> Outcome<Self> {
        Ok(Self { fleet, place, signing: Signing::new(place)?, next: 1 })
    }

    /// `count` bodies for one turn of a target, signed now.
    pub fn bodies(&mut self, body: Body, count: u64) -> Outcome<Vec<Bytes>> {
        let ids = self.next..self.next + count;
        self.next = ids.end;
        let signed = |it: &mut Self, form| it.signing.calls(it.place, ids.clone(), form);
        let bodies = match body {
            Body::Full => signed(self, Form::Full)?,
            Body::Short => {
                let mut bodies = self.bodies(Body::Full, 1)?.into_iter().map(Vec::from).collect::<Vec<_>>();
                bodies.extend(signed(self, Form::Short)?);
                bodies
            }
            Body::Plain => ids.map(|id| numbered(id).into_bytes()).collect(),
            Body::Ping => vec![PING.as_bytes().to_vec(); usize::try_from(count)?],
        };
        Ok(bodies.into_iter().map(Bytes::from).collect())
    }

    /// One round: `count` calls to each target over `width` connections.
    pub async fn round(&mut self, width: usize, count: u64) -> Outcome<Round> {
        let (fsync, check, mut turns) = (fsync(self.place.folder())?, check()?, Vec::new());
        // Whoever looks at nothing may get the same calls as his neighbour.
        let same = self.bodies(Body::Full, count)?;
        let fleet: &Fleet = self.fleet;
        for target in &fleet.targets {
            let bodies = match target {
                Target { guards: false, body: Body::Full, .. } => same.clone(),
                _ => self.bodies(target.body, count)?,
            };
            turns.push(turn(target, width, bodies).await.map_err(|error| format!("{}: {error}", target.name))?);
        }
        Ok(Round { fsync, check, turns })
    }
}

/// Median time of one `verify_strict` over as many bytes as a call proof signs.
fn check() -> Outcome<Duration> {
    let (key, message) = (SigningKey::from_bytes(&[7; 32]), [b'x'; 820]);
    let signature = key.sign(&message);
    let mut times = Vec::new();
    for _ in 0..101 {
        let begun = Instant::now();
        key.verifying_key().verify_strict(black_box(&message), &signature)?;
        times.push(begun.elapsed());
    }
    Ok(quantile(&mut times, 50))
}
