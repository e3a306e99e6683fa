use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::Signer as _;
use tpm2_protocol::TpmUnmarshal as _;
use tpm2_protocol::data::{TpmsAttest, TpmuAttest};

use super::*;
use crate::json;

fn quote(over: Digest, pcrs: Digest) -> Vec<u8> {
    let signer = [&[0, 34, 0, 0x0b][..], &[7; 32]].concat();
    let clock = [0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 3, 0, 0, 0, 4, 1];
    let over = [&[0, 32][..], &over.0].concat();
    let pcrs = [&[0, 32][..], &pcrs.0].concat();
    [&MAGIC[..], &QUOTE, &signer, &over, &clock, &[0; 8], &SELECTION, &pcrs].concat()
}

fn good() -> Vec<u8> {
    quote(Digest::of("claims"), Digest::of("registers"))
}

fn key(seed: u8) -> (SigningKey, PlatformKey) {
    let signing = SigningKey::from_slice(&[seed; 32]).unwrap();
    let point = signing.verifying_key().to_sec1_point(false);
    let half = |range| <[u8; 32]>::try_from(&point.as_bytes()[range]).unwrap();
    let public = PlatformKey::new(&half(1..33), &half(33..65)).unwrap();
    (signing, public)
}

#[test]
fn a_quote_is_read_and_says_what_it_is_over() {
    let expected = Quote { over: Digest::of("claims"), pcrs: Digest::of("registers") };
    assert_eq!(Quote::read(&good()), Some(expected));
}

#[test]
fn whatever_is_cut_off_or_added_is_no_quote() {
    let good = good();
    for end in 0..good.len() {
        assert_eq!(Quote::read(&good[..end]), None, "{end}");
    }
    assert_eq!(Quote::read(&[&good[..], &[0]].concat()), None);
    assert_eq!(Quote::read(&vec![0xff; 1 << 20]), None);
}

/// Where a byte may be anything: the signer's name, the clock but for `safe`, the firmware's version, and the two digests.
fn is_free(at: usize) -> bool {
    (8..42).contains(&at) || (44..92).contains(&at) || (93..101).contains(&at) || (113..).contains(&at)
}

#[test]
fn no_other_byte_of_a_quote_can_be_another_one() {
    let good = good();
    for at in 0..good.len() {
        for change in 1..=255 {
            let mut other = good.clone();
            other[at] ^= change;
            let safe_or_not = at == 92 && change == 1;
            assert_eq!(Quote::read(&other).is_some(), is_free(at) || safe_or_not, "byte {at} changed by {change}");
        }
    }
}

#[test]
fn what_is_read_is_what_another_reader_of_tpm_structures_reads() {
    let good = good();
    let (theirs, rest) = TpmsAttest::unmarshal(&good).unwrap();
    let TpmuAttest::Quote(quoted) = &theirs.attested else { panic!("{theirs:?}") };
    let ours = Quote::read(&good).unwrap();
    assert!(rest.is_empty());
    assert_eq!(theirs.extra_data.as_ref(), ours.over.0);
    assert_eq!(quoted.pcr_digest.as_ref(), ours.pcrs.0);
    // Ours reads less than theirs, and nothing that theirs does not.
    for at in 0..good.len() {
        for change in 1..=255 {
            let mut other = good.clone();
            other[at] ^= change;
            if Quote::read(&other).is_some() {
                let (_, rest) = TpmsAttest::unmarshal(&other).unwrap_or_else(|e| panic!("byte {at}, {change}: {e:?}"));
                assert!(rest.is_empty());
            }
        }
    }
}

#[test]
fn a_signature_is_by_the_key_over_the_exact_bytes_with_either_s() {
    let (signing, public) = key(1);
    let signature: Signature = signing.sign(&good());
    let bytes = |signature: &Signature| <[u8; 64]>::try_from(signature.to_bytes().as_slice()).unwrap();
    let platform = |quote, signature| Platform::new(public.thumbprint(), quote, signature).unwrap();
    assert!(platform(good(), bytes(&signature)).is_by(&public));
    assert!(!platform(good(), bytes(&signature)).is_by(&key(2).1));
    assert!(!platform(quote(Digest::of("other"), Digest::of("registers")), bytes(&signature)).is_by(&public));
    // A TPM writes either of s and n - s, and the token's own signature is over the one that stands there.
    let (r, s) = signature.split_scalars();
    let negated = Signature::from_scalars(r, -s).unwrap();
    assert!(platform(good(), bytes(&negated)).is_by(&public));
    assert!(!platform(good(), [0; 64]).is_by(&public));
    assert!(!platform(good(), [0xff; 64]).is_by(&public));
}

#[test]
fn a_key_is_a_point_of_the_curve_in_exactly_four_members() {
    let (_, public) = key(1);
    let (x, y) = (public.key.to_sec1_point(false), public.key.to_sec1_point(false));
    let (x, y) = (b64::encode(&x.as_bytes()[1..33]), b64::encode(&y.as_bytes()[33..]));
    let read = |text: String| PlatformKey::from_jwk(&json::parse(text.as_bytes()).unwrap());
    let good = format!(r#"{{"y":"{y}","x":"{x}","kty":"EC","crv":"P-256"}}"#);
    assert_eq!(read(good.clone()), Some(public));
    assert_eq!(read(good.replace("P-256", "P-384")), None);
    assert_eq!(read(good.replace("EC", "OKP")), None);
    assert_eq!(read(good.replace("{\"y\"", "{\"d\":\"AA\",\"y\"")), None);
    assert_eq!(read(good.replace(&y, &x)), None, "not on the curve");
    assert_eq!(read(format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}"}}"#)), None);
}
