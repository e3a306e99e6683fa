//! The two exchanges of the SSH agent protocol (draft-ietf-sshm-ssh-agent) that we need: list the keys, sign.
//!
//! The client crates for it, ssh-agent-client-rs 1.1 and ssh-agent-lib 0.6, build a second Ed25519, the NIST curves and RSA by
//! way of ssh-key 0.6. The first also sets no time limit and fails on an agent that holds one key it cannot parse.

use std::io::{self, Read, Write};

use crate::error::AgentError;

const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

/// OpenSSH's own limit for a message (AGENT_MAX_LEN).
const MAX_MESSAGE: u32 = 256 * 1024;
/// Name of the algorithm in keys and signatures (RFC 8709).
const ED25519: &[u8] = b"ssh-ed25519";

/// What the agent said, borrowed from its message.
pub(super) enum Answer<'a> {
    Identities(Vec<Identity<'a>>),
    Signature(&'a [u8; 64]),
}

/// A key that the agent holds.
pub(super) struct Identity<'a> {
    /// The public key in SSH's encoding (RFC 4253, section 6.6), of any algorithm.
    pub(super) blob: &'a [u8],
    /// Bytes, because nothing says that they are UTF-8.
    pub(super) comment: &'a [u8],
}

/// Asks for the list of keys.
pub(super) fn list() -> Vec<u8> {
    vec![0, 0, 0, 1, REQUEST_IDENTITIES]
}

/// Asks for a signature over `data`.
pub(super) fn sign(public: &[u8; 32], data: &[u8]) -> Result<Vec<u8>, AgentError> {
    let mut key = Vec::with_capacity(51);
    put(&mut key, ED25519)?;
    put(&mut key, public)?;
    let mut body = vec![SIGN_REQUEST];
    put(&mut body, &key)?;
    put(&mut body, data)?;
    body.extend_from_slice(&[0; 4]); // flags: only RSA has any
    let mut message = Vec::with_capacity(body.len() + 4);
    put(&mut message, &body)?;
    Ok(message)
}

/// Sends one request and reads one answer. `None`: the answer is empty or over the limit.
pub(super) fn exchange(mut stream: impl Read + Write, request: &[u8]) -> io::Result<Option<Vec<u8>>> {
    stream.write_all(request)?;
    let mut len = [0; 4];
    stream.read_exact(&mut len)?;
    let len = u32::from_be_bytes(len);
    if len == 0 || len > MAX_MESSAGE {
        return Ok(None);
    }
    let mut body = vec![0; len as usize];
    stream.read_exact(&mut body)?;
    Ok(Some(body))
}

/// Reads an answer. Bytes left over are an error everywhere.
pub(super) fn answer(body: &[u8]) -> Result<Answer<'_>, AgentError> {
    match body.split_first() {
        Some((&IDENTITIES_ANSWER, rest)) => identities(rest).map(Answer::Identities).ok_or(AgentError::Protocol),
        Some((&SIGN_RESPONSE, rest)) => signature(rest).map(Answer::Signature).ok_or(AgentError::Protocol),
        Some((&FAILURE, _)) => Err(AgentError::Refused),
        _ => Err(AgentError::Protocol),
    }
}

/// The 32 bytes of a plain Ed25519 key; `None` for any other kind.
pub(super) fn ed25519(blob: &[u8]) -> Option<&[u8; 32]> {
    tagged(blob)?.try_into().ok()
}

fn identities(rest: &[u8]) -> Option<Vec<Identity<'_>>> {
    let (count, mut rest) = rest.split_first_chunk()?;
    // The count is believed only as far as there are bytes behind it, so nothing is reserved for it.
    let mut out = Vec::new();
    for _ in 0..u32::from_be_bytes(*count) {
        let blob;
        let comment;
        (blob, rest) = take(rest)?;
        (comment, rest) = take(rest)?;
        out.push(Identity { blob, comment });
    }
    rest.is_empty().then_some(out)
}

fn signature(rest: &[u8]) -> Option<&[u8; 64]> {
    let (blob, rest) = take(rest)?;
    if !rest.is_empty() {
        return None;
    }
    tagged(blob)?.try_into().ok()
}

/// The one string after the name `ssh-ed25519`, and nothing behind it.
fn tagged(blob: &[u8]) -> Option<&[u8]> {
    let (name, rest) = take(blob)?;
    let (value, rest) = take(rest)?;
    (name == ED25519 && rest.is_empty()).then_some(value)
}

/// A string: its length in four bytes, big endian, then its bytes (RFC 4251, section 5).
fn take(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), AgentError> {
    // Refused here what the agent would refuse: it closes the connection on a larger message.
    let len = u32::try_from(bytes.len()).ok().filter(|len| *len <= MAX_MESSAGE).ok_or(AgentError::Protocol)?;
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, bytes).unwrap();
        out
    }

    #[test]
    fn a_count_without_keys_behind_it_is_refused_at_once() {
        let body = [&[IDENTITIES_ANSWER][..], &u32::MAX.to_be_bytes()].concat();
        assert!(matches!(answer(&body), Err(AgentError::Protocol)));
    }

    #[test]
    fn bytes_after_the_answer_are_refused() {
        let blob = [string(ED25519), string(&[7; 64])].concat();
        let good = [vec![SIGN_RESPONSE], string(&blob)].concat();
        assert!(matches!(answer(&good), Ok(Answer::Signature(s)) if *s == [7; 64]));
        assert!(matches!(answer(&[good, vec![0]].concat()), Err(AgentError::Protocol)));
        let inner = [vec![SIGN_RESPONSE], string(&[blob, vec![0]].concat())].concat();
        assert!(matches!(answer(&inner), Err(AgentError::Protocol)));
    }

    #[test]
    fn a_security_keys_signature_is_not_taken_for_a_plain_one() {
        let blob = [string(b"sk-ssh-ed25519@openssh.com"), string(&[7; 64])].concat();
        let body = [vec![SIGN_RESPONSE], string(&blob)].concat();
        assert!(matches!(answer(&body), Err(AgentError::Protocol)));
    }

    #[test]
    fn failure_and_unknown_messages_are_told_apart() {
        assert!(matches!(answer(&[FAILURE]), Err(AgentError::Refused)));
        assert!(matches!(answer(&[99]), Err(AgentError::Protocol)));
        assert!(matches!(answer(&[]), Err(AgentError::Protocol)));
    }

    #[test]
    fn an_oversized_answer_is_not_read() {
        struct Peer(&'static [u8]);
        impl Read for Peer {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.0.read(buf)
            }
        }
        impl Write for Peer {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                Ok(buf.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert_eq!(exchange(Peer(&[0, 4, 0, 1]), &list()).unwrap(), None);
        assert_eq!(exchange(Peer(&[0, 0, 0, 0]), &list()).unwrap(), None);
        let cut = exchange(Peer(&[0, 0, 0, 2, 5]), &list()).unwrap_err();
        assert_eq!(cut.kind(), io::ErrorKind::UnexpectedEof);
    }
}
