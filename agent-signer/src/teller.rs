//! Tells the signer of each turn before it goes to the model.

use std::sync::Arc;
use std::time::Duration;

use attest_core::digest::Digest;
use attest_measure::ModelRef;
use bytes::Bytes;
use model_relay::Untold;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use crate::given::Turn;
use crate::launch::Target;
use crate::link::{Link, LinkError};
use crate::wire::{Kind, Sent};

/// How long the signer may take to take note. It does nothing but remember three digests.
const PATIENCE: Duration = Duration::from_secs(10);
/// Before the next try with a signer that is just ending.
const PAUSE: Duration = Duration::from_millis(50);

/// A line to the signer, opened again when it has gone away.
#[derive(Clone)]
pub(crate) struct Teller(Arc<Inner>);

struct Inner {
    target: Target,
    provider: String,
    link: Mutex<Option<Arc<Link>>>,
}

impl Teller {
    /// A line to the signer at `target`, which is started if there is none. Fails where it cannot be reached: a relay that
    /// could pass nothing says so at once.
    pub async fn open(target: Target, provider: String) -> Result<Self, Untold> {
        let teller = Self(Arc::new(Inner { target, provider, link: Mutex::default() }));
        teller.say(None).await.map(|()| teller)
    }

    async fn link(&self) -> Result<Arc<Link>, LinkError> {
        // One turn opens the link, the others wait for it.
        let mut link = self.0.link.lock().await;
        if let Some(link) = link.as_ref().filter(|link| !link.is_gone()) {
            return Ok(link.clone());
        }
        let opened = Arc::new(Link::open(&self.0.target, None).await?);
        *link = Some(opened.clone());
        Ok(opened)
    }

    /// Tells a turn, or only looks that somebody is there. A signer that is just ending still takes a connection, and then
    /// hangs up: three tries.
    async fn say(&self, turn: Option<Bytes>) -> Result<(), Untold> {
        for _ in 0..3 {
            match self.link().await {
                Ok(link) => {
                    let Some(turn) = &turn else { return Ok(()) };
                    match link.ask(Kind::Turn, turn.clone()).await {
                        Some(answer) if answer.kind == Kind::Noted => return Ok(()),
                        _ => sleep(PAUSE).await,
                    }
                }
                Err(LinkError::Io(error)) => {
                    tracing::info!("the signer hung up: {error}");
                    sleep(PAUSE).await;
                }
                Err(error) => return Err(Untold(error.to_string())),
            }
        }
        Err(Untold("it hangs up; `attest signer run` shows why".to_owned()))
    }

    fn turn_of(&self, turn: &model_relay::Turn) -> Turn {
        let model = turn.model.as_deref().and_then(|model| ModelRef::new(&self.0.provider, model, None).ok());
        Turn {
            system_prompt: turn.system_prompt.as_deref().map(Digest::of),
            model_ref: model.map(|model| model.digest()),
            config: turn.settings.as_deref().map(Digest::of),
        }
    }
}

impl model_relay::Teller for Teller {
    async fn turn(&self, turn: model_relay::Turn) -> Result<(), Untold> {
        let payload = serde_json::to_vec(&Sent::of(&self.turn_of(&turn)));
        let payload = Bytes::from(payload.map_err(|error| Untold(error.to_string()))?);
        let told = self.say(Some(payload));
        let late =
            || Untold(format!("it does not answer within {} s; end it with `attest signer stop`", PATIENCE.as_secs()));
        timeout(PATIENCE, told).await.map_err(|_| late())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn teller() -> Teller {
        let target = Target::Socket("nowhere".into());
        Teller(Arc::new(Inner { target, provider: "api.example".into(), link: Mutex::default() }))
    }

    #[test]
    fn what_a_turn_does_not_show_is_absent() {
        let turn =
            model_relay::Turn { system_prompt: None, model: Some(String::new()), settings: None, has_tools: true };
        assert_eq!(teller().turn_of(&turn), Turn::default());
    }

    #[test]
    fn a_turn_is_measured_by_its_bytes_and_arrives_as_it_was() {
        let (prompt, settings) = ("p\n".to_owned(), br#"{"max_tokens":5}"#.to_vec());
        let shown = model_relay::Turn {
            system_prompt: Some(prompt.clone()),
            model: Some("m".to_owned()),
            settings: Some(settings.clone()),
            has_tools: true,
        };
        let turn = teller().turn_of(&shown);
        assert_eq!(turn.system_prompt, Some(Digest::of(&prompt)));
        assert_eq!(turn.model_ref, Some(Digest::of(r#"{"model":"m","provider":"api.example","snapshot":null}"#)));
        assert_eq!(turn.config, Some(Digest::of(&settings)));
        assert_eq!(Sent::of(&turn).turn(), Some(turn));
        let sent: Sent = serde_json::from_str(r#"{"system_prompt":"x"}"#).unwrap();
        assert_eq!(sent.turn(), None);
    }

    #[tokio::test]
    async fn without_a_signer_nothing_is_told() {
        let turn = model_relay::Turn { system_prompt: None, model: None, settings: None, has_tools: true };
        let untold = model_relay::Teller::turn(&teller(), turn).await.unwrap_err();
        assert!(untold.to_string().contains("attest signer run"), "{untold}");
    }
}
