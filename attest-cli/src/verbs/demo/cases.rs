//! The cases: one call that is let in, and each way of spoiling it.

use std::ffi::OsStr;

use attest_core::refusal::Reason;
use attest_core::tools::qualified;
use serde_json::{Value, json as document};

use super::client::{Answer, Client};
use super::folder::{AUDIENCE, NOTE, OTHER_NOTE, SKEW};
use super::notes::{DELETE, READ};
use super::stage::{Stage, Verdict};
use super::tamper::REPLAYED;

type Failure = Box<dyn std::error::Error>;

fn note() -> Value {
    document!({ "path": NOTE })
}

/// Plays the cases of one conversation.
type Group = fn(&mut Stage<'_>) -> Result<(), Failure>;

/// Plays all cases. Each group is one conversation; a group that breaks off does not stop the next.
pub(crate) fn play(stage: &mut Stage<'_>) {
    let groups: [(&str, Group); 7] = [
        ("a signed call", replay),
        ("arguments changed on the way", arguments),
        ("another server's call", audience),
        ("a proof that has expired", expired),
        ("a changed agent", state),
        ("a widened delegation", widened),
        ("no proof at all", unsigned),
    ];
    for (what, group) in groups {
        if let Err(error) = group(stage) {
            stage.lost(what, &error);
        }
    }
}

fn reads(client: &mut Client) -> Result<Answer, Failure> {
    client.call(READ, &note())
}

fn replay(stage: &mut Stage<'_>) -> Result<(), Failure> {
    let mut client = stage.agent(&stage.folder.agent, AUDIENCE, &["replay"])?;
    stage.case(&mut client, "a signed call of read_note", Verdict::Accepted, reads);
    stage.receipt();
    let replayed = Verdict::refused(Reason::Replay, None);
    stage.case(&mut client, "the same bytes sent once more", replayed, |c| c.answer_to(REPLAYED));
    client.end()
}

fn arguments(stage: &mut Stage<'_>) -> Result<(), Failure> {
    let mut client = stage.agent(&stage.folder.agent, AUDIENCE, &["replace", NOTE, OTHER_NOTE])?;
    let changed = Verdict::refused(Reason::ParamsMismatch, None);
    stage.case(&mut client, "its arguments changed in transit", changed, reads);
    client.end()
}

fn audience(stage: &mut Stage<'_>) -> Result<(), Failure> {
    let mut client = stage.agent(&stage.folder.agent, "mail.demo", &[])?;
    let elsewhere = Verdict::refused(Reason::WrongAudience, None);
    stage.case(&mut client, "made out to another server", elsewhere, reads);
    client.end()
}

fn expired(stage: &mut Stage<'_>) -> Result<(), Failure> {
    let mut client = stage.agent(&stage.folder.hasty, AUDIENCE, &["hold", &SKEW.to_string()])?;
    let late = Verdict::refused(Reason::Expired, None);
    stage.case(&mut client, "held back until its proof expired", late, reads);
    client.end()
}

/// All in one conversation: the agent changes under the running wrap, and is let in again when it is what it was.
fn state(stage: &mut Stage<'_>) -> Result<(), Failure> {
    let folder = stage.folder;
    let mut client = stage.agent(&folder.agent, AUDIENCE, &[])?;
    folder.change_prompt()?;
    let prompt = Verdict::refused(Reason::StateMismatch, Some("system-prompt"));
    stage.case(&mut client, "a sentence added to the prompt", prompt, reads);
    folder.restore_prompt()?;
    folder.change_weights()?;
    let weights = Verdict::refused(Reason::StateMismatch, Some("model-weights"));
    stage.case(&mut client, "one byte of the weights changed", weights, reads);
    folder.change_weights()?;
    stage.case(&mut client, "prompt and weights as they were", Verdict::Accepted, reads);
    let ungranted = Verdict::refused(Reason::ToolNotGranted, None);
    stage.case(&mut client, "delete_note, which nobody granted", ungranted, |c| c.call(DELETE, &note()));
    client.end()
}

fn widened(stage: &mut Stage<'_>) -> Result<(), Failure> {
    let folder = stage.folder;
    let mut client = stage.agent(&folder.widened, AUDIENCE, &[])?;
    let (key, public, out) = (folder.key(), folder.path.join("keys/agent.key.pub"), folder.path.join("never.chain"));
    let tool = qualified(AUDIENCE, DELETE);
    let words: [&OsStr; 11] = [
        "delegate".as_ref(),
        "--key".as_ref(),
        key.as_ref(),
        "--to".as_ref(),
        public.as_ref(),
        "--parent".as_ref(),
        folder.chain.as_ref(),
        "--tool".as_ref(),
        tool.as_ref(),
        "--out".as_ref(),
        out.as_ref(),
    ];
    let by_tool = || Verdict::refused_by_us("signs nothing wider than its parent");
    let seen = match stage.attest(&words)? {
        (false, said) if said.contains("refused to sign") => Ok(by_tool()),
        (_, said) => Err(format!("attest delegate: {said}")),
    };
    stage.note(&mut client, "`attest delegate` asked to grant it", by_tool(), seen);
    let wide = Verdict::refused(Reason::Widened, None);
    stage.case(&mut client, "its chain widened by hand instead", wide, |c| c.call(DELETE, &note()));
    client.end()
}

fn unsigned(stage: &mut Stage<'_>) -> Result<(), Failure> {
    let mut client = stage.stranger()?;
    let nobody = Verdict::refused(Reason::NoProof, None);
    stage.case(&mut client, "a call without a proof", nobody, reads);
    client.end()
}
