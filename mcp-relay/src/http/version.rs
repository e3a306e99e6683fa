//! Which version of HTTP a client speaks, told by its first bytes.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What every connection of HTTP/2 begins with (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Most bytes that are read at one time before the version is known: as many as hyper has room for at first. If it found the
/// first request in two parts, it would hold twice that room for as long as the connection lasts.
const FIRST: usize = 8_192;

/// A version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// 1.0 and 1.1.
    One,
    /// 2.
    Two,
}

/// The version, with the bytes by which it was told.
pub(super) async fn spoken<R: AsyncRead + Unpin>(stream: &mut R) -> io::Result<(Version, Bytes)> {
    let mut first = BytesMut::with_capacity(FIRST);
    loop {
        let ended = stream.read_buf(&mut first).await? == 0;
        if first.starts_with(PREFACE) {
            return Ok((Version::Two, first.freeze()));
        }
        if ended || !PREFACE.starts_with(&first) {
            return Ok((Version::One, first.freeze()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_version_is_known_by_the_first_byte_that_differs() {
        let request = b"POST / HTTP/1.1\r\n\r\n";
        for (parts, version) in [
            (vec![&request[..]], Version::One),
            (vec![b"P", b"O"], Version::One),
            (vec![b"PRI * HTTP/2.0\r\n", b"\r\nSM\r\n\r\nmore"], Version::Two),
            (vec![b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], Version::Two),
            (vec![b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rx"], Version::One),
            (vec![b"PRI * HTTP/2.0\r\n"], Version::One),
            (vec![], Version::One),
        ] {
            let mut stream = tokio_test_stream(&parts);
            let (told, first) = spoken(&mut stream).await.unwrap();
            assert_eq!((told, &first[..]), (version, &parts.concat()[..]), "{parts:?}");
        }
    }

    fn tokio_test_stream(parts: &[&[u8]]) -> impl AsyncRead + Unpin + use<> {
        let (mut near, far) = tokio::io::duplex(64);
        let parts: Vec<Vec<u8>> = parts.iter().map(|part| part.to_vec()).collect();
        tokio::spawn(async move {
            for part in parts {
                tokio::io::AsyncWriteExt::write_all(&mut near, &part).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        far
    }
}
