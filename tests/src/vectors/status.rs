//! The family `status`: lists by themselves, and calls whose tokens name places in them.

use attest_core::b64 as strict;
use serde_json::{Value, json};

use super::call::{ATTESTER, Call, NOW, STRANGER, chain};
use super::file::Vector;
use super::token::{Seed, Token, b64, flipped, jwk, swap};

/// Signs the lists that `status.json` pins.
pub const STATUS: Seed = 70;
/// The file of the lists that requests are judged with: lines of name and token, a blank between them.
pub const LISTS_FILE: &str = "status.lists";
/// The list of most vectors: place 3 is not valid, 5 is suspended, 7 is of no meaning that is known, all others are valid.
const LIST: &str = "https://status.example/a";
/// A list that nobody had yet.
const UNHAD: &str = "https://status.example/unhad";
/// A list that was fresh an hour ago.
const OLD: &str = "https://status.example/old";
/// A list that is good, and past its own end.
const ENDED: &str = "https://status.example/ended";
/// A list that nobody pins.
const NOBODYS: &str = "https://status.example/nobodys";

/// As the default, with status lists; calls of the level `low` pass without a fresh one.
pub fn trust() -> Value {
    let mut trust = super::trust::default_trust();
    let pinned = [LIST, UNHAD, OLD, ENDED].map(|uri| json!({"key": jwk(STATUS), "uri": uri}));
    trust["statuses"] = json!(pinned);
    trust["stale"] = json!({"low": "accept", "medium": "refuse"});
    trust["status_age"] = json!(7_200);
    trust
}

/// A ZLIB stream of stored blocks (RFC 1950, RFC 1951 section 3.2.4), so that it hangs on no compressor.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let chunks: Vec<&[u8]> = bytes.chunks(65_535).collect();
    for (n, chunk) in chunks.iter().enumerate() {
        let length = chunk.len() as u16;
        out.push(u8::from(n + 1 == chunks.len()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(*chunk);
    }
    let (mut a, mut b) = (1u32, 0u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    out.extend((b << 16 | a).to_be_bytes());
    out
}

/// A stream of a fixed block that says a zero byte, and then, so many times, the 258 bytes before again: as small as it gets.
fn bomb(repeats: usize) -> Vec<u8> {
    let mut bits: Vec<bool> = vec![true, true, false];
    let mut code = |value: u32, length: u32| bits.extend((0..length).rev().map(|n| value >> n & 1 == 1));
    // The literal 0, then length 258 (code 285) at distance 1 (code 0), then the end.
    code(0b0011_0000, 8);
    for _ in 0..repeats {
        code(0b1100_0101, 8);
        code(0, 5);
    }
    code(0, 7);
    let mut out = vec![0x78, 0xda];
    out.extend(bits.chunks(8).map(|byte| byte.iter().enumerate().fold(0, |sum, (n, bit)| sum | u8::from(*bit) << n)));
    let size = 1 + 258 * repeats as u64;
    // Of zero bytes: the first sum stays 1, the second is their count.
    out.extend((((size % 65_521) as u32) << 16 | 1).to_be_bytes());
    out
}

fn list(uri: &str, iat: u64, places: &[u8]) -> Token {
    let claims = json!({
        "iat": iat,
        "status_list": {"bits": 2, "lst": b64(stored(places))},
        "sub": uri,
        "ttl": 3_600,
    });
    Token::new("statuslist+jwt", STATUS, claims)
}

/// Two bits each: 0, 0, 0, 1; 0, 2, 0, 3; and eight more that are valid.
const PLACES: [u8; 4] = [0b0100_0000, 0b1100_1000, 0, 0];

/// What [`LISTS_FILE`] holds.
pub fn lists() -> String {
    let mut ended = list(ENDED, NOW - 600, &PLACES);
    ended.claims["exp"] = json!(NOW - 60);
    let all = [(LIST, list(LIST, NOW - 600, &PLACES)), (OLD, list(OLD, NOW - 3_700, &PLACES)), (ENDED, ended)];
    all.iter().map(|(uri, token)| format!("{uri} {}\n", token.compact())).collect()
}

fn place(uri: &str, index: u64) -> Value {
    json!({"status_list": {"idx": index, "uri": uri}})
}

fn vector(name: &str, comment: &str, edit: impl FnOnce(&mut Call)) -> (Vector, Call) {
    let call = Call::with(edit);
    let vector = Vector::request(format!("status_{name}"), comment, call.bytes());
    (vector.with("trust", super::STATUS_FILE).with("lists", LISTS_FILE), call)
}

fn accepted(name: &str, comment: &str, edit: impl FnOnce(&mut Call)) -> Vector {
    let (vector, call) = vector(name, comment, edit);
    vector.accepted(&call.forward())
}

fn refused(code: &str, about: &str, name: &str, comment: &str, edit: impl FnOnce(&mut Call)) -> Vector {
    vector(name, comment, edit).0.refused(code).about(about)
}

fn at(token: usize, uri: &'static str, index: u64) -> impl FnOnce(&mut Call) {
    move |call| {
        call.chain = chain(3);
        match token {
            0 => call.attestation.claims["status"] = place(uri, index),
            n => call.chain[n - 1].claims["status"] = place(uri, index),
        }
    }
}

fn of_calls() -> Vec<Vector> {
    let mut all = vec![
        accepted("good", "every token names a place that is valid", |c| {
            c.attestation.claims["status"] = place(LIST, 0);
            c.chain[0].claims["status"] = place(LIST, 1);
            c.chain[1].claims["status"] = place(LIST, 15);
        }),
        accepted("none", "no token names a place", |_| {}),
    ];
    // Every hop, and nothing in its stead.
    let places = [
        ("attestation", "attestation"),
        ("delegation 0", "root"),
        ("delegation 1", "middle"),
        ("delegation 2", "leaf"),
    ];
    for (n, (about, short)) in places.into_iter().enumerate() {
        all.push(refused(
            "revoked",
            about,
            &format!("revoked_{short}"),
            &format!("the {short} was taken back"),
            at(n, LIST, 3),
        ));
        let name = format!("unknown_{short}");
        all.push(refused(
            "status-unknown",
            about,
            &name,
            &format!("the {short} is in a list that nobody had yet"),
            at(n, UNHAD, 0),
        ));
    }
    all.extend([
        refused("revoked", "attestation", "suspended", "a place that is suspended", at(0, LIST, 5)),
        refused("revoked", "attestation", "other", "a place with a value that means nothing here", at(0, LIST, 7)),
        refused("status-unknown", "attestation", "beyond", "a place behind the last of the list", at(0, LIST, 16)),
        refused(
            "status-unknown",
            "attestation",
            "far_beyond",
            "the largest number for a place",
            at(0, LIST, (1 << 53) - 1),
        ),
        refused("status-unknown", "attestation", "stale", "a list whose ttl has passed", at(0, OLD, 0)),
        refused("status-unknown", "attestation", "ended", "a list whose end has passed", at(0, ENDED, 0)),
        refused("status-unknown", "attestation", "nobodys", "a list for which no key is pinned", at(0, NOBODYS, 0)),
        refused(
            "revoked",
            "attestation",
            "stale_revoked",
            "a stale list that says that it was taken back",
            at(0, OLD, 3),
        ),
        accepted("stale_low", "a stale list, and a call that can do little harm", at(0, OLD, 0)).with("level", "low"),
        accepted("unknown_low", "a list that nobody had, and a call that can do little harm", at(0, UNHAD, 0))
            .with("level", "low"),
        refused(
            "revoked",
            "attestation",
            "revoked_low",
            "taken back, and a call that can do little harm",
            at(0, OLD, 3),
        )
        .with("level", "low"),
        refused(
            "status-unknown",
            "attestation",
            "nobodys_low",
            "nobody's list, and a call that can do little harm",
            at(0, NOBODYS, 0),
        )
        .with("level", "low"),
        refused(
            "status-unknown",
            "attestation",
            "beyond_low",
            "a place behind the last, and a call that can do little harm",
            at(0, LIST, 16),
        )
        .with("level", "low"),
        refused(
            "status-unknown",
            "attestation",
            "stale_medium",
            "a stale list, and a call of the next level",
            at(0, OLD, 0),
        )
        .with("level", "medium"),
        accepted(
            "fresh_for_the_last_second",
            "a second before the list is stale, the clocks' difference counted in",
            |c| {
                at(0, LIST, 0)(c);
                c.attestation.claims["iat"] = json!(NOW + 2_900);
                c.attestation.claims["exp"] = json!(NOW + 3_100);
                c.proof.claims["iat"] = json!(NOW + 3_000);
                c.proof.claims["exp"] = json!(NOW + 3_060);
                c.chain.iter_mut().for_each(|token| token.claims["exp"] = json!(NOW + 9_000));
            },
        )
        .at(NOW + 3_029),
        refused("status-unknown", "attestation", "stale_by_a_second", "the second in which the list is stale", |c| {
            at(0, LIST, 0)(c);
            c.attestation.claims["iat"] = json!(NOW + 2_900);
            c.attestation.claims["exp"] = json!(NOW + 3_100);
            c.proof.claims["iat"] = json!(NOW + 3_000);
            c.proof.claims["exp"] = json!(NOW + 3_060);
            c.chain.iter_mut().for_each(|token| token.claims["exp"] = json!(NOW + 9_000));
        })
        .at(NOW + 3_030),
    ]);
    let claim = |name: &str, comment: &str, status: Value| {
        let of_attestation =
            vector(&format!("claim_{name}"), comment, |c| c.attestation.claims["status"] = status.clone());
        let of_chain =
            vector(&format!("claim_{name}_delegation"), comment, |c| c.chain[1].claims["status"] = status.clone());
        [
            of_attestation.0.refused("token-claims").about("attestation"),
            of_chain.0.refused("token-claims").about("delegation 1"),
        ]
    };
    all.extend(
        [
            claim("empty", "a status that says nothing", json!({})),
            claim("text", "a status that is no object", json!(LIST)),
            claim("two", "another mechanism beside the list", {
                let mut two = place(LIST, 0);
                two["status_assertion"] = json!({});
                two
            }),
            claim("member", "a member that a place does not have", {
                let mut more = place(LIST, 0);
                more["status_list"]["bits"] = json!(1);
                more
            }),
            claim("no_idx", "a place without its number", json!({"status_list": {"uri": LIST}})),
            claim("no_uri", "a place without its list", json!({"status_list": {"idx": 0}})),
            claim("idx_negative", "a number below zero", json!({"status_list": {"idx": -1, "uri": LIST}})),
            claim("idx_text", "a number as a string", json!({"status_list": {"idx": "0", "uri": LIST}})),
            claim("uri_empty", "a list without a name", json!({"status_list": {"idx": 0, "uri": ""}})),
        ]
        .concat(),
    );
    all
}

/// A list by itself: what becomes of it where [`LIST`] is asked for, and how it reads.
fn of_lists() -> Vec<Vector> {
    let alone = |name: &str, comment: &str, expect: &str, text: String| {
        Vector::new("status-list", format!("status_list_{name}"), comment, text)
            .with("trust", super::STATUS_FILE)
            .with("now", &NOW.to_string())
            .with("expect", expect)
    };
    let edited = |name: &str, comment: &str, expect: &str, edit: fn(&mut Token)| {
        let mut token = list(LIST, NOW - 600, &PLACES);
        edit(&mut token);
        alone(name, comment, expect, token.compact())
    };
    let claims = |name: &str, comment: &str, edit: fn(&mut Value)| {
        let mut token = list(LIST, NOW - 600, &PLACES);
        edit(&mut token.claims);
        alone(name, comment, "token-claims", token.compact())
    };
    let of_bytes = |name: &str, comment: &str, expect: &str, bits: u64, bytes: Vec<u8>| {
        let mut token = list(LIST, NOW - 600, &[]);
        token.claims["status_list"] = json!({"bits": bits, "lst": b64(bytes)});
        alone(name, comment, expect, token.compact())
    };
    let zeros = |count: usize| stored(&vec![0; count]);
    vec![
        edited("good", "a list of sixteen places", "accept", |_| {}).with("marked", "3:1 5:2 7:3"),
        // The example of section 4.1 of the draft, with its own compression: sixteen places of one bit.
        of_bytes(
            "draft_one_bit",
            "the draft's example of one bit",
            "accept",
            1,
            strict::decode("eNrbuRgAAhcBXQ").unwrap(),
        )
        .with("marked", "0:1 3:1 4:1 5:1 7:1 8:1 9:1 13:1 15:1"),
        of_bytes(
            "draft_two_bits",
            "the draft's example of two bits",
            "accept",
            2,
            strict::decode("eNo76fITAAPfAgc").unwrap(),
        )
        .with("marked", "0:1 1:2 3:3 5:1 7:1 8:1 9:2 10:3 11:3"),
        of_bytes("four_bits", "places of four bits", "accept", 4, stored(&[0x21, 0xf0])).with("marked", "0:1 1:2 3:15"),
        of_bytes("eight_bits", "places of eight bits", "accept", 8, stored(&[0, 1, 255])).with("marked", "1:1 2:255"),
        edited("forever", "a list without ttl and end, which is fresh for the configured time", "accept", |t| {
            t.claims.as_object_mut().unwrap().remove("ttl");
        })
        .with("marked", "3:1 5:2 7:3"),
        of_bytes("largest", "1 MiB of places", "accept", 1, zeros(1 << 20)).with("marked", "none"),
        of_bytes("too_large", "a byte more than 1 MiB", "token-claims", 1, zeros((1 << 20) + 1)),
        of_bytes("bomb", "a few kilobytes that come to 16 MiB", "token-claims", 1, bomb(65_536)),
        of_bytes("bomb_that_fits", "the same, small enough", "accept", 1, bomb(8)).with("marked", "none"),
        of_bytes("no_bytes", "a stream that holds nothing", "token-claims", 1, stored(&[])),
        of_bytes("trailing", "a byte behind the stream", "token-claims", 2, [stored(&PLACES), vec![0]].concat()),
        of_bytes("cut", "a stream without its end", "token-claims", 2, {
            let mut cut = stored(&PLACES);
            cut.pop();
            cut
        }),
        of_bytes("checksum", "a stream with another checksum", "token-claims", 2, {
            let mut wrong = stored(&PLACES);
            *wrong.last_mut().unwrap() ^= 1;
            wrong
        }),
        of_bytes(
            "raw_deflate",
            "DEFLATE without the ZLIB around it",
            "token-claims",
            2,
            stored(&PLACES)[2..11].to_vec(),
        ),
        of_bytes("no_stream", "bytes that are no stream", "token-claims", 2, b"not a stream".to_vec()),
        of_bytes("three_bits", "places of three bits", "token-claims", 3, stored(&PLACES)),
        of_bytes("zero_bits", "places of no bits", "token-claims", 0, stored(&PLACES)),
        claims("lst_padded", "padded base64", |c| {
            c["status_list"]["lst"] = json!(format!("{}==", c["status_list"]["lst"].as_str().unwrap()));
        }),
        claims("lst_array", "an array of bytes for the stream", |c| c["status_list"]["lst"] = json!([1])),
        claims("list_member", "a member that a list does not have", |c| {
            c["status_list"]["aggregation_uri"] = json!("x")
        }),
        claims("unknown_claim", "a claim that a list's token does not have", |c| c["iss"] = json!("acme")),
        claims("no_sub", "a list that does not say which", |c| drop(c.as_object_mut().unwrap().remove("sub"))),
        claims("no_iat", "a list without its time", |c| drop(c.as_object_mut().unwrap().remove("iat"))),
        claims("no_list", "a token without its list", |c| drop(c.as_object_mut().unwrap().remove("status_list"))),
        claims("ttl_zero", "a list that is never fresh", |c| c["ttl"] = json!(0)),
        claims("ttl_text", "a ttl as a string", |c| c["ttl"] = json!("3600")),
        claims("exp_before_iat", "a list that ended before it began", |c| c["exp"] = c["iat"].clone()),
        edited("other_typ", "a token of another type", "token-header", |t| t.typ = "eat+jwt"),
        edited("not_canonical", "claims in another spelling", "token-not-canonical", |t| {
            t.payload = |payload| swap(payload, "\"iat\":", "\"iat\": ");
        }),
        edited("another", "another list than was asked for", "other-list", |t| t.claims["sub"] = json!(OLD)),
        edited("future", "a list of tomorrow", "future", |t| t.claims["iat"] = json!(NOW + 86_400)),
        edited("signature_flipped", "a signature with one bit wrong", "signature", |t| t.signature = flipped),
        edited("by_a_stranger", "a list by a key that nobody pins", "signature", |t| {
            (t.kid, t.by) = (STRANGER, STRANGER)
        }),
        edited("by_the_attester", "a list by a key that is pinned in another role", "signature", |t| {
            (t.kid, t.by) = (ATTESTER, ATTESTER);
        }),
        edited("older", "a list that is older than the one that is held", "older", |t| {
            t.claims["iat"] = json!(NOW - 601)
        })
        .with("lists", LISTS_FILE),
        edited("same", "the list that is held", "accept", |_| {})
            .with("lists", LISTS_FILE)
            .with("marked", "3:1 5:2 7:3"),
        edited("newer", "a list that is newer by a second", "accept", |t| t.claims["iat"] = json!(NOW - 599))
            .with("lists", LISTS_FILE)
            .with("marked", "3:1 5:2 7:3"),
    ]
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    [of_calls(), of_lists()].concat()
}
