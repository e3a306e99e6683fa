//! What becomes of a message that the rules have seen: the same in a signer's wrap, a guard and an audit.

use attest_core::alert::Action;
use attest_core::json;
use attest_core::refusal::Reason;
use attest_core::reply::{self, Shape};
use attest_core::response;
use bytes::Bytes;
use mcp_relay::{Id, ToClient, ToServer};

use crate::recorder::{Unwritten, Verdict};

/// What is to become of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Judged {
    /// It passes.
    Passes = 0,
    /// It passes, marked as untrusted.
    Labelled = 1,
    /// It is kept back.
    Held = 2,
    /// It cannot be written down, so it does not pass.
    Unwritten = 3,
}

impl Judged {
    /// By what the rules want.
    pub fn of(recorded: &Result<Verdict, Unwritten>) -> Self {
        match recorded {
            Err(_) => Self::Unwritten,
            Ok(verdict) => match verdict.wanted {
                None | Some((Action::Note, _)) => Self::Passes,
                Some((Action::Label, _)) => Self::Labelled,
                Some((Action::Hold | Action::Refuse, _)) => Self::Held,
            },
        }
    }

    /// The one of this byte.
    pub fn from_byte(byte: u8) -> Option<Self> {
        [Self::Passes, Self::Labelled, Self::Held, Self::Unwritten].into_iter().find(|judged| *judged as u8 == byte)
    }

    /// Why a call does not pass; `None` where it does.
    pub fn refuses(self) -> Option<Reason> {
        match self {
            Self::Passes | Self::Labelled => None,
            Self::Held => Some(Reason::Alert),
            Self::Unwritten => Some(Reason::TrailUnavailable),
        }
    }

    /// What goes to the server of a request that would go there as `to`; a message without `id` is nobody's to answer.
    pub fn request(self, id: Option<&Id>, to: ToServer) -> ToServer {
        match self.refuses() {
            None => to,
            Some(reason) => id.map_or(ToServer::Drop, |id| ToServer::Reply(refusal(id, reason))),
        }
    }

    /// What goes to the host of an answer that came as `line` and would go there as `to`.
    pub fn answer(self, id: Option<&Id>, line: &Bytes, to: ToClient) -> ToClient {
        let reason = match self {
            Self::Passes => return to,
            Self::Labelled => return labelled(line, to),
            Self::Held => Reason::Alert,
            // What cannot be written down is told to nobody.
            Self::Unwritten => Reason::OutcomeNotLogged,
        };
        id.map_or(ToClient::Drop, |id| ToClient::Replace(refusal(id, reason)))
    }
}

fn refusal(id: &Id, reason: Reason) -> Bytes {
    reply::refuse(Some(&id.to_value()), &reason.into(), Shape::Error).into()
}

fn labelled(line: &Bytes, to: ToClient) -> ToClient {
    let text = match &to {
        ToClient::Pass => line.clone(),
        ToClient::Replace(text) => text.clone(),
        ToClient::Resend(_) | ToClient::Drop => return to,
    };
    let message = json::parse(&text).ok();
    let marked = message.as_ref().and_then(response::as_untrusted);
    marked.map_or(to, |marked| ToClient::Replace(marked.to_canonical().into()))
}
