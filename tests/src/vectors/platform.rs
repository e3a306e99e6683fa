//! The family `platform`: a quote of a TPM beside an attestation's claims. The quotes are written by hand, as no TPM of ours would.

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};

use super::PLATFORM_FILE;
use super::call::{AGENT, Call, NOW, measurement};
use super::file::Vector;
use super::token::{Seed, b64, canonical, hash, jwk, stray_bit};

/// The pinned key of the newcomer's machine.
pub const MACHINE: Seed = 1;
/// The pinned key of another agent's machine.
const OTHER_MACHINE: Seed = 2;
/// A key that nobody pins.
const STRANGE_MACHINE: Seed = 3;

/// The values of PCR 0 to 7 that are accepted, as a quote has them.
pub fn registers() -> [u8; 32] {
    digest("the registers")
}

fn digest(bytes: impl AsRef<[u8]>) -> [u8; 32] {
    attest_core::digest::Digest::of(bytes).0
}

fn key(seed: Seed) -> SigningKey {
    SigningKey::from_slice(&[seed; 32]).unwrap()
}

/// The JWK of a machine's key.
pub fn machine(seed: Seed) -> Value {
    let point = key(seed).verifying_key().to_sec1_point(false);
    json!({"crv": "P-256", "kty": "EC", "x": b64(&point.as_bytes()[1..33]), "y": b64(&point.as_bytes()[33..])})
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

/// A quote in the making: the fields of a `TPMS_ATTEST`, and who signs it.
#[derive(Clone)]
struct Quote {
    magic: [u8; 4],
    kind: [u8; 2],
    signer: Vec<u8>,
    over: Vec<u8>,
    safe: u8,
    selection: Vec<u8>,
    pcrs: Vec<u8>,
    after: &'static [u8],
    /// Whose key is named, and who signs.
    ak: Seed,
    by: Seed,
    signature: fn(&SigningKey, &[u8]) -> Vec<u8>,
}

impl Quote {
    fn over(over: [u8; 32]) -> Self {
        Self {
            magic: *b"\xffTCG",
            kind: [0x80, 0x18],
            signer: [&[0x00, 0x0b][..], &[7; 32]].concat(),
            over: over.to_vec(),
            safe: 1,
            selection: vec![0, 0, 0, 1, 0x00, 0x0b, 3, 0xff, 0, 0],
            pcrs: registers().to_vec(),
            after: &[],
            ak: MACHINE,
            by: MACHINE,
            signature: sign,
        }
    }

    fn submods(&self) -> Value {
        let clock =
            [&1_000_000_u64.to_be_bytes()[..], &3_u32.to_be_bytes(), &1_u32.to_be_bytes(), &[self.safe]].concat();
        let quote = [
            &self.magic[..],
            &self.kind,
            &sized(&self.signer),
            &sized(&self.over),
            &clock,
            &0x2024_0101_0000_0000_u64.to_be_bytes(),
            &self.selection,
            &sized(&self.pcrs),
            self.after,
        ]
        .concat();
        json!({"platform": {
            "ak": hash(canonical(&machine(self.ak))),
            "format": "tpm2-quote/1",
            "quote": b64(&quote),
            "sig": b64((self.signature)(&key(self.by), &quote)),
        }})
    }
}

fn sign(key: &SigningKey, bytes: &[u8]) -> Vec<u8> {
    let signature: Signature = key.sign(bytes);
    signature.to_bytes().to_vec()
}

/// The newcomer's call, quoted after `claims` and before `edit` had their way.
fn call(claims: impl FnOnce(&mut Value), edit: impl FnOnce(&mut Quote), after: impl FnOnce(&mut Value)) -> Call {
    Call::with(|call| {
        let token = &mut call.attestation.claims;
        token["sub"] = json!("newcomer");
        claims(token);
        let mut quote = Quote::over(digest(canonical(token)));
        edit(&mut quote);
        token["submods"] = quote.submods();
        after(token);
    })
}

fn vector(name: &str, comment: &str, call: &Call) -> Vector {
    Vector::request(format!("platform_{name}"), comment, call.bytes()).with("trust", PLATFORM_FILE)
}

fn accepted() -> Vec<Vector> {
    let quoted = |name, comment, edit: fn(&mut Quote)| {
        let call = call(|_| {}, edit, |_| {});
        vector(name, comment, &call).accepted(&call.forward())
    };
    let ignored = |name, comment, edit: fn(&mut Quote)| {
        let call = call(|claims| claims["sub"] = json!("analyst"), edit, |_| {});
        vector(name, comment, &call).accepted(&call.forward())
    };
    vec![
        quoted("good", "a quote over the claims, by the pinned key, of the accepted registers", |_| {}),
        quoted("other_s", "the same signature with n - s for s", |q| {
            q.signature = |key, bytes| {
                let signature = Signature::from_slice(&sign(key, bytes)).unwrap();
                let (r, s) = signature.split_scalars();
                Signature::from_scalars(r, -s).unwrap().to_bytes().to_vec()
            };
        }),
        quoted("not_safe", "a clock that may have gone back", |q| q.safe = 0),
        quoted("signer_by_handle", "a signer that is named by four bytes", |q| q.signer = vec![0x81, 0, 0, 1]),
        quoted("signer_empty", "a signer that is not named", |q| q.signer.clear()),
        quoted("signer_sha512", "a signer with the longest name", |q| q.signer = vec![7; 66]),
        ignored("not_required", "a quote that nobody asks for", |_| {}),
        ignored("not_required_wrong", "a quote that nobody asks for, by nobody, over something else", |q| {
            (q.ak, q.by, q.over, q.pcrs) = (STRANGE_MACHINE, OTHER_MACHINE, vec![1; 32], vec![2; 32]);
        }),
        {
            let call = Call::default();
            vector("not_required_none", "no quote where none is required", &call).accepted(&call.forward())
        },
    ]
}

fn malformed() -> Vec<Vector> {
    let refused = |name: String, comment: &str, call: &Call| {
        vector(&name, comment, call).refused("token-claims").about("attestation")
    };
    let quote = |name: &str, comment, edit: fn(&mut Quote)| {
        refused(format!("quote_{name}"), comment, &call(|_| {}, edit, |_| {}))
    };
    let claims = |name: &str, comment, edit: fn(&mut Value)| {
        refused(name.to_owned(), comment, &call(|_| {}, |_| {}, |claims| edit(&mut claims["submods"])))
    };
    let mut all: Vec<Vector> = ["ak", "format", "quote", "sig"]
        .iter()
        .map(|member| {
            let call = call(
                |_| {},
                |_| {},
                |claims| {
                    claims["submods"]["platform"].as_object_mut().unwrap().remove(*member);
                },
            );
            refused(format!("no_{member}"), &format!("no member {member}"), &call)
        })
        .collect();
    all.extend([
        claims("submods_null", "submods that are null", |s| *s = Value::Null),
        claims("submods_empty", "submods of nothing", |s| *s = json!({})),
        claims("submods_array", "submods that are an array", |s| *s = json!([s["platform"]])),
        claims("submods_other", "another submodule beside the platform", |s| s["gpu"] = json!({})),
        claims("unknown_member", "a member that a platform does not have", |s| s["platform"]["pcrs"] = json!([])),
        claims("other_format", "a format that this version does not know", |s| {
            s["platform"]["format"] = json!("tpm2-quote/2");
        }),
        claims("ak_short", "a thumbprint of 31 bytes", |s| s["platform"]["ak"] = json!(b64([1; 31]))),
        claims("ak_key", "the key in place of its thumbprint", |s| s["platform"]["ak"] = machine(MACHINE)),
        claims("sig_short", "a signature of 63 bytes", |s| s["platform"]["sig"] = json!(b64([1; 63]))),
        claims("sig_der", "a signature in DER", |s| {
            let signature: Signature = key(MACHINE).sign(b"a");
            s["platform"]["sig"] = json!(b64(signature.to_der().as_bytes()));
        }),
        claims("quote_padded", "a quote with padding", |s| {
            let quote = format!("{}=", s["platform"]["quote"].as_str().unwrap());
            s["platform"]["quote"] = json!(quote);
        }),
        claims("sig_stray_bit", "a signature with an unused bit set", |s| {
            let signature = stray_bit(s["platform"]["sig"].as_str().unwrap());
            s["platform"]["sig"] = json!(signature);
        }),
        claims("quote_empty", "an empty quote", |s| s["platform"]["quote"] = json!("")),
        quote("magic", "another magic number", |q| q.magic = *b"\xfeTCG"),
        quote("certify", "a statement about a key (TPM_ST_ATTEST_CERTIFY)", |q| q.kind = [0x80, 0x17]),
        quote("signer_long", "a signer with a name of 67 bytes", |q| q.signer = vec![7; 67]),
        quote("over_short", "31 bytes that are quoted over", |q| q.over.truncate(31)),
        quote("over_long", "33 bytes that are quoted over", |q| q.over.push(0)),
        quote("over_nothing", "nothing that is quoted over", |q| q.over.clear()),
        quote("safe_two", "a truth value of 2", |q| q.safe = 2),
        quote("no_selection", "a selection of no bank", |q| q.selection = vec![0, 0, 0, 0]),
        quote("two_selections", "a selection of two banks", |q| {
            q.selection = vec![0, 0, 0, 2, 0x00, 0x0b, 3, 0xff, 0, 0, 0x00, 0x0b, 3, 0, 0, 0];
        }),
        quote("bank_sha1", "the bank of SHA-1", |q| q.selection[5] = 0x04),
        quote("bank_sha384", "the bank of SHA-384", |q| q.selection[5] = 0x0c),
        quote("select_two_bytes", "a selection of two bytes", |q| {
            q.selection = vec![0, 0, 0, 1, 0x00, 0x0b, 2, 0xff, 0];
        }),
        quote("select_fewer", "PCR 0 to 6", |q| q.selection[7] = 0x7f),
        quote("select_more", "PCR 0 to 8", |q| q.selection[8] = 1),
        quote("select_resettable", "PCR 16 to 23, which anybody can set", |q| {
            (q.selection[7], q.selection[9]) = (0, 0xff);
        }),
        quote("pcrs_short", "a digest of SHA-1's size", |q| q.pcrs.truncate(20)),
        quote("pcrs_long", "a digest of SHA-384's size", |q| q.pcrs.resize(48, 0)),
        quote("longer", "a byte after the quote", |q| q.after = &[0]),
        {
            let call = call(|claims| claims["sub"] = json!("analyst"), |q| q.after = &[0], |_| {});
            refused("not_required_malformed".to_owned(), "a quote that nobody asks for and that is none", &call)
        },
    ]);
    all
}

fn refused() -> Vec<Vector> {
    let refused = |code: &str, name: &str, comment, edit: fn(&mut Quote)| {
        vector(name, comment, &call(|_| {}, edit, |_| {})).refused(code)
    };
    // A good quote, over claims that were others then.
    let replayed = |name: &str, comment, then: fn(&mut Value)| {
        let mut call = call(then, |_| {}, |_| {});
        let quoted = call.attestation.claims["submods"].take();
        call.attestation.claims = Call::default().attestation.claims;
        call.attestation.claims["sub"] = json!("newcomer");
        call.attestation.claims["submods"] = quoted;
        vector(name, comment, &call).refused("platform-binding")
    };
    vec![
        {
            let call = Call::with(|call| call.attestation.claims["sub"] = json!("newcomer"));
            vector("missing", "no quote where one is required", &call).refused("platform-missing")
        },
        refused("unknown-platform", "of_a_stranger", "a quote by a key that nobody pins", |q| {
            (q.ak, q.by) = (STRANGE_MACHINE, STRANGE_MACHINE);
        }),
        refused("unknown-platform", "of_another_agent", "a quote by a key that is pinned for another agent", |q| {
            (q.ak, q.by) = (OTHER_MACHINE, OTHER_MACHINE);
        }),
        refused(
            "platform-signature",
            "signature_of_another",
            "another machine's signature under the key's name",
            |q| {
                q.by = OTHER_MACHINE;
            },
        ),
        refused("platform-signature", "signature_flipped", "a signature with one bit wrong", |q| {
            q.signature = |key, bytes| {
                let mut signature = sign(key, bytes);
                signature[10] ^= 1;
                signature
            };
        }),
        refused("platform-signature", "signature_of_other_bytes", "a signature over other bytes", |q| {
            q.signature = |key, bytes| sign(key, &bytes[1..]);
        }),
        refused("platform-signature", "signature_zero", "a signature of zeros", |q| q.signature = |_, _| vec![0; 64]),
        refused("platform-signature", "signature_s_plus_n", "an s that is not below the order", |q| {
            q.signature = |key, bytes| {
                let mut signature = sign(key, bytes);
                signature[32..].fill(0xff);
                signature
            };
        }),
        refused("platform-signature", "signature_swapped", "s before r", |q| {
            q.signature = |key, bytes| {
                let mut signature = sign(key, bytes);
                signature.rotate_left(32);
                signature
            };
        }),
        refused("platform-binding", "over_something", "a quote over something else", |q| q.over = vec![1; 32]),
        replayed("replayed", "the quote of an earlier attestation of the same state", |claims| {
            (claims["iat"], claims["exp"]) = (json!(NOW - 200), json!(NOW + 100));
            claims["jti"] = json!(b64([8; 16]));
        }),
        replayed("other_jti", "a quote over another jti", |claims| claims["jti"] = json!(b64([8; 16]))),
        replayed("other_iat", "a quote over another time", |claims| claims["iat"] = json!(NOW - 11)),
        replayed("other_exp", "a quote over another end", |claims| claims["exp"] = json!(NOW + 291)),
        replayed("other_agent", "a quote over another agent's claims", |claims| claims["sub"] = json!("blank")),
        replayed("other_issuer", "a quote over another issuer's claims", |claims| claims["iss"] = json!("other")),
        replayed("other_key", "a quote over another call key", |claims| claims["cnf"]["jwk"] = jwk(AGENT + 10)),
        replayed("other_state", "a quote over another prompt", |claims| {
            claims["measurements"][0] = measurement("system-prompt", &hash("the next prompt"), 1);
        }),
        replayed("other_grade", "a quote over another grade", |claims| {
            claims["measurements"][0] = measurement("system-prompt", &hash("the prompt"), 0);
        }),
        {
            // What is quoted over must not have the quote in it: nobody could make it.
            let call = call(|claims| claims["submods"] = json!({}), |_| {}, |_| {});
            vector("over_empty_submods", "a quote over the claims with empty submods", &call)
                .refused("platform-binding")
        },
        refused("platform-state", "other_registers", "a machine that was started in another way", |q| {
            q.pcrs = digest("other registers").to_vec();
        }),
    ]
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    [accepted(), malformed(), refused()].concat()
}
