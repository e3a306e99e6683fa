//! What wraps and their signer say to each other over the socket. Internal: both ends are of one version.
//!
//! A frame is its length (4 bytes, big-endian, of what follows), a kind (1 byte), a number that ties an answer to its
//! question (4 bytes), and the payload.

use std::io;

use attest_core::digest::{Digest, Salt};
use attest_core::labels::Labels;
use attest_core::limits::MAX_REQUEST;
use attest_core::nonce::Nonce;
use attest_core::receipt::{self, Bad, Defect, Proved, Verdict};
use attest_trail::How;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::config::Receipts;
use crate::given::Turn;

/// Longest frame: twice the longest request, with room for its proof.
const MAX_FRAME: usize = 2 * (MAX_REQUEST + (512 << 10));

/// Kinds of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Wrap: [`Hello`]. Signer: [`Welcome`].
    Hello = 1,
    /// Wrap: a message to be signed.
    Call = 2,
    /// Signer: the signed message ([`Signed`]).
    Signed = 3,
    /// Signer: the line to answer the client with.
    Refused = 4,
    /// Wrap: hash of the call proof (32 bytes), then how the call ended ([`Ended`]); no answer.
    Ended = 5,
    /// Anybody: end the signer.
    Stop = 6,
    /// Wrap: a message to be signed, also in the form that has hashes in place of tokens.
    CallShort = 7,
    /// Wrap: a message that passes, for the trail ([`Passing`]). Answered only where its number is not 0.
    Passing = 8,
    /// Signer: what is to become of it (a byte of [`attest_trail::Judged`]).
    Judged = 9,
    /// Wrap: the TLS key that the server showed (SubjectPublicKeyInfo, DER), before what it said under it; no answer.
    Met = 12,
    /// Model relay: a turn that is about to go to the model ([`Sent`]).
    Turn = 10,
    /// Signer: it counts from the next call on.
    Noted = 11,
    /// Wrap: a message to be signed again, for a verifier that asked for more ([`Again`]).
    CallAgain = 14,
    /// Wrap: what the host is about to see ([`crate::lineage::Saw`]).
    Saw = 13,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        const ALL: [Kind; 14] = [
            Kind::Hello,
            Kind::Call,
            Kind::Signed,
            Kind::Refused,
            Kind::Ended,
            Kind::Stop,
            Kind::CallShort,
            Kind::Passing,
            Kind::Judged,
            Kind::Met,
            Kind::Turn,
            Kind::Noted,
            Kind::Saw,
            Kind::CallAgain,
        ];
        ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// A wrap introduces itself.
#[derive(Debug, Serialize, Deserialize)]
pub struct Hello {
    /// Version of its software.
    pub version: String,
    /// The server that its calls are made out to; `None` for one that only asks.
    pub audience: Option<String>,
    /// How the server is reached, for the trail.
    pub how: Option<How>,
}

/// The signer introduces itself.
#[derive(Debug, Serialize, Deserialize)]
pub struct Welcome {
    /// Version of its software.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// The agent.
    pub agent: String,
    /// The context, in base64url.
    pub context: String,
    /// What is asked of the receipts of the server that the wrap named.
    pub receipts: Receipts,
    /// The pinned keys of that server's log, in the lines of `agent.toml`; empty where there are none.
    pub log_keys: Vec<String>,
    /// What the trail asks for.
    pub trail: Trailing,
    /// The labels of what this server says without a receipt; `None` where nothing is kept of what was seen.
    pub labels: Option<Vec<String>>,
}

/// What a signer's trail asks of a wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trailing {
    /// There is none.
    #[default]
    Off,
    /// To be shown what passes.
    Told,
    /// To be asked before an answer goes on: a rule may stop it.
    Asked,
}

/// A message for the trail.
#[derive(Clone, Debug)]
pub struct Passing {
    /// Whether the server sent it.
    pub from_server: bool,
    /// Keeps apart requests of the same id over HTTP.
    pub exchange: u64,
    /// The message as it came.
    pub line: Bytes,
}

impl Passing {
    /// Puts it into a payload.
    pub fn to_payload(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(9 + self.line.len());
        out.put_u8(u8::from(self.from_server));
        out.put_u64(self.exchange);
        out.put_slice(&self.line);
        out.freeze()
    }

    /// Reads a payload.
    pub fn from_payload(mut payload: Bytes) -> Option<Self> {
        if payload.len() < 9 {
            return None;
        }
        let from_server = payload.get_u8() == 1;
        Some(Self { from_server, exchange: payload.get_u64(), line: payload })
    }
}

/// The payload of a call to be signed: its exchange, and the message.
pub fn call_payload(exchange: u64, message: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(8 + message.len());
    out.put_u64(exchange);
    out.put_slice(message);
    out.freeze()
}

/// Reads it.
pub fn call_of(mut payload: Bytes) -> Option<(u64, Bytes)> {
    (payload.len() >= 8).then(|| (payload.get_u64(), payload))
}

/// A message to be signed again.
#[derive(Clone, Debug)]
pub struct Again {
    /// As of the first time.
    pub exchange: u64,
    /// What the verifier gave.
    pub nonce: Nonce,
    /// Whether the agent is to be measured and attested again for it.
    pub reattest: bool,
    /// The message.
    pub line: Bytes,
}

impl Again {
    /// Puts it into a payload.
    pub fn to_payload(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(41 + self.line.len());
        out.put_u64(self.exchange);
        out.put_slice(&self.nonce.0);
        out.put_u8(u8::from(self.reattest));
        out.put_slice(&self.line);
        out.freeze()
    }

    /// Reads a payload.
    pub fn from_payload(mut payload: Bytes) -> Option<Self> {
        if payload.len() < 41 {
            return None;
        }
        let (exchange, mut nonce) = (payload.get_u64(), Nonce([0; 32]));
        payload.copy_to_slice(&mut nonce.0);
        Some(Self { exchange, nonce, reattest: payload.get_u8() == 1, line: payload })
    }
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: Kind,
    /// Ties an answer to its question.
    pub number: u32,
    /// The rest.
    pub payload: Bytes,
}

/// A call that may leave: what a `Signed` frame holds.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Hash of the call proof.
    pub call: Digest,
    /// What its outcome is salted with.
    pub salt: Salt,
    /// The digest of its parameters in the call proof.
    pub params: Digest,
    /// Names the credentials in it.
    pub credentials: Digest,
    /// The message to send on.
    pub full: Bytes,
    /// The same with hashes in place of its tokens; empty where it was not asked for.
    pub short: Bytes,
}

/// Bytes of a payload before the two messages: three digests, a salt, the length of the short one.
const FIXED: usize = 32 + 16 + 32 + 32 + 4;

impl Signed {
    /// Puts it into a payload.
    pub fn to_payload(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(FIXED + self.short.len() + self.full.len());
        out.put_slice(&self.call.0);
        out.put_slice(&self.salt.0);
        out.put_slice(&self.params.0);
        out.put_slice(&self.credentials.0);
        // Shorter than a frame, whose length fits.
        out.put_u32(u32::try_from(self.short.len()).unwrap_or_default());
        out.put_slice(&self.short);
        out.put_slice(&self.full);
        out.freeze()
    }

    /// Reads a payload.
    pub fn from_payload(mut payload: Bytes) -> Option<Self> {
        if payload.len() < FIXED {
            return None;
        }
        let (mut call, mut salt) = (Digest([0; 32]), Salt([0; 16]));
        let (mut params, mut credentials) = (Digest([0; 32]), Digest([0; 32]));
        payload.copy_to_slice(&mut call.0);
        payload.copy_to_slice(&mut salt.0);
        payload.copy_to_slice(&mut params.0);
        payload.copy_to_slice(&mut credentials.0);
        let short = payload.get_u32() as usize;
        if payload.len() < short {
            return None;
        }
        let short = payload.split_to(short);
        Some(Self { call, salt, params, credentials, full: payload, short })
    }
}

/// What a turn shows: digests in base64url, absent where it shows nothing.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sent {
    system_prompt: Option<String>,
    model_ref: Option<String>,
    config: Option<String>,
}

impl Sent {
    /// For the way to the signer.
    pub fn of(turn: &Turn) -> Self {
        let text = |digest: Option<Digest>| digest.map(Digest::to_b64);
        Self { system_prompt: text(turn.system_prompt), model_ref: text(turn.model_ref), config: text(turn.config) }
    }

    /// The turn; `None` where a digest is none.
    pub fn turn(&self) -> Option<Turn> {
        let digest = |text: &Option<String>| match text {
            Some(text) => Digest::from_b64(text).map(Some),
            None => Some(None),
        };
        let [system_prompt, model_ref, config] = [&self.system_prompt, &self.model_ref, &self.config].map(digest);
        Some(Turn { system_prompt: system_prompt?, model_ref: model_ref?, config: config? })
    }
}

/// How a call ended, as the wrap saw it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ended {
    /// Hash of the call proof, in base64url.
    pub call: String,
    /// The word of the entry.
    pub status: String,
    /// Salted digest of the result, in base64url.
    pub result: Option<String>,
    /// What became of the receipt; absent where none was asked for.
    pub receipt: Option<Checked>,
}

/// What became of a receipt.
#[derive(Debug, Serialize, Deserialize)]
pub struct Checked {
    /// The word of the defect; absent where there is none.
    defect: Option<String>,
    index: u64,
    log: String,
    size: u64,
    labels: Vec<String>,
    /// Receipt and proof.
    text: Option<String>,
}

impl Checked {
    /// For the way to the signer.
    pub fn of(verdict: &Verdict) -> Self {
        let text = receipt::kept(verdict).map(str::to_owned);
        match verdict {
            Ok(Proved { index, log, labels, size, .. }) => {
                let labels = labels.iter().map(str::to_owned).collect();
                Self { defect: None, index: *index, log: log.clone(), size: *size, labels, text }
            }
            Err(Bad { defect, .. }) => {
                let (defect, labels) = (Some(defect.word().to_owned()), Vec::new());
                Self { defect, index: 0, log: String::new(), size: 0, labels, text }
            }
        }
    }

    /// What the wrap found; `None` for words that nobody says.
    pub fn verdict(self) -> Option<Verdict> {
        let text = self.text.filter(|text| text.len() <= receipt::MAX_RECEIPT);
        match self.defect {
            Some(word) => {
                let defect = Defect::ALL.into_iter().find(|defect| defect.word() == word)?;
                Some(Err(Bad { defect, text }))
            }
            None => {
                let labels = Labels::of(&self.labels)?;
                Some(Ok(Proved { index: self.index, labels, log: self.log, size: self.size, text: text? }))
            }
        }
    }
}

/// Writes one frame; the caller flushes.
pub async fn write(to: &mut (impl AsyncWrite + Unpin), frame: &Frame) -> io::Result<()> {
    let mut head = BytesMut::with_capacity(9);
    let length = u32::try_from(frame.payload.len() + 5).map_err(|_| io::ErrorKind::InvalidInput)?;
    head.put_u32(length);
    head.put_u8(frame.kind as u8);
    head.put_u32(frame.number);
    to.write_all(&head).await?;
    to.write_all(&frame.payload).await
}

/// Reads one frame; `None` at the end.
pub async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Frame>> {
    let length = match from.read_u32().await {
        Ok(length) => length as usize,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    if !(5..=MAX_FRAME).contains(&length) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let kind = Kind::of(from.read_u8().await?).ok_or(io::ErrorKind::InvalidData)?;
    let number = from.read_u32().await?;
    // Grown as bytes come, so that a length alone buys no memory.
    let mut payload = Vec::new();
    from.take(length as u64 - 5).read_to_end(&mut payload).await?;
    if payload.len() != length - 5 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(Frame { kind, number, payload: payload.into() }))
}
