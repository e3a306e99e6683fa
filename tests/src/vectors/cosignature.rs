//! The family `cosignature`: cosignatures in a checkpoint.

use super::file::Vector;
use super::log::{
    LOG, ONE, TIME, TWO, TYPE_LOG, TYPE_WITNESS, WITNESS_ONE, WITNESS_TWO, cosignature, cosigned_message,
    example_checkpoint, example_text, line, log_vkey, note, one_vkey, signature, two_vkey, vkey, witness_line,
};
use super::points;

fn cosigned(name: &str, comment: &str, note: impl Into<Vec<u8>>) -> Vector {
    Vector::new("cosignature", format!("cosignature_{name}"), comment, note).with("vkey", &one_vkey())
}

fn good(name: &str, comment: &str, note: String, time: u64) -> Vector {
    cosigned(name, comment, note).with("expect", "accept").with("time", &time.to_string())
}

/// The example's checkpoint with these lines of witnesses.
fn with(lines: &str) -> String {
    note(&example_text(), LOG) + lines
}

/// The first witness's line around any bytes.
fn by_one(bytes: &[u8]) -> String {
    line(ONE, TYPE_WITNESS, WITNESS_ONE, bytes)
}

fn refused(name: &str, comment: &str, lines: &str, code: &str) -> Vector {
    cosigned(name, comment, with(lines)).with("expect", code)
}

/// A time and a signature over any message.
fn timed(time: u64, message: impl AsRef<[u8]>) -> Vec<u8> {
    [&time.to_be_bytes()[..], &signature(WITNESS_ONE, message)].concat()
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    let text = example_text();
    let right = cosignature(&text, TIME, WITNESS_ONE);
    let one = by_one(&right);
    let two = witness_line(&text, TIME + 1, TWO, WITNESS_TWO);
    let longer = format!("{text}more\n");
    let at = |time: u64| witness_line(&text, time, ONE, WITNESS_ONE);
    let mut flipped = right.clone();
    flipped[71] ^= 1;
    let mut later = right.clone();
    later[7] += 1;
    let mut little = right.clone();
    little[..8].reverse();
    let message = cosigned_message(&text, TIME);
    let time = format!("time {TIME}");
    let unreduced = [&TIME.to_be_bytes()[..], &points::unreduced_s(WITNESS_ONE, message.as_bytes())].concat();
    vec![
        good("good", "the page's example", example_checkpoint(), TIME),
        good("good_two", "two witnesses, and the first is asked about", with(&(one.clone() + &two)), TIME),
        good("good_second", "the same, and the second is asked about", with(&(one.clone() + &two)), TIME + 1)
            .with("vkey", &two_vkey()),
        good(
            "good_before_the_log",
            "the witness's line before the log's",
            format!("{text}\n{one}{}", &with("")[text.len() + 1..]),
            TIME,
        ),
        good(
            "good_extension",
            "over a further line",
            note(&longer, LOG) + &witness_line(&longer, TIME, ONE, WITNESS_ONE),
            TIME,
        ),
        good("good_twice", "the same line twice", with(&(one.clone() + &one)), TIME),
        good("good_first_second", "at the first second of 1970 but one", with(&at(1)), 1),
        good("good_last_second", "at the last second that there is", with(&at(i64::MAX as u64)), i64::MAX as u64),
        good("good_without_log", "not signed by the log, which is another question", format!("{text}\n{one}"), TIME),
        refused("time_0", "at no time", &at(0), "bad-signature"),
        refused("time_2_63", "at 2^63", &at(1 << 63), "bad-signature"),
        refused("time_largest", "at 2^64 - 1", &at(u64::MAX), "bad-signature"),
        refused("time_changed", "one second later than was signed", &by_one(&later), "bad-signature"),
        refused("time_little_endian", "the time's bytes in the other order", &by_one(&little), "bad-signature"),
        refused("absent", "cosigned by the other witness alone", &two, "not-signed"),
        refused(
            "other_name",
            "under another name",
            &line("other.example", TYPE_WITNESS, WITNESS_ONE, &right),
            "not-signed",
        ),
        refused(
            "id_of_the_other_type",
            "under the id of type 01",
            &line(ONE, TYPE_LOG, WITNESS_ONE, &right),
            "not-signed",
        ),
        refused("flipped", "a bit of the signature flipped", &by_one(&flipped), "bad-signature"),
        refused(
            "by_another",
            "by the other witness, under this one's id",
            &by_one(&cosignature(&text, TIME, WITNESS_TWO)),
            "bad-signature",
        ),
        refused(
            "text_alone",
            "a signature over the text alone, like a log's",
            &by_one(&timed(TIME, &text)),
            "bad-signature",
        ),
        refused(
            "other_header",
            "another header",
            &by_one(&timed(TIME, message.replace("/v1", "/v2"))),
            "bad-signature",
        ),
        refused("no_header", "no header", &by_one(&timed(TIME, format!("{time}\n{text}"))), "bad-signature"),
        refused(
            "leading_zero",
            "the time with a leading zero in what was signed",
            &by_one(&timed(TIME, message.replace("time ", "time 0"))),
            "bad-signature",
        ),
        refused(
            "other_text",
            "over another checkpoint",
            &by_one(&cosignature(&longer, TIME, WITNESS_ONE)),
            "bad-signature",
        ),
        refused("without_time", "a signature without a time", &by_one(&right[8..]), "bad-signature"),
        refused("71_bytes", "a byte too few", &by_one(&right[..71]), "bad-signature"),
        refused("73_bytes", "a byte too many", &by_one(&[&right[..], &[0]].concat()), "bad-signature"),
        refused("1_byte", "one byte", &by_one(&[0]), "bad-signature"),
        refused("unreduced", "a signature with S + L for S", &by_one(&unreduced), "bad-signature"),
        refused("two_times", "two cosignatures of one witness", &(one.clone() + &at(TIME + 9)), "bad-signature"),
        refused(
            "second_line",
            "a second line in the witness's name that is not its own",
            &(one + &by_one(&flipped)),
            "bad-signature",
        ),
        refused("cut_off", "a line without its line feed", two.trim_end(), "bad-note"),
        cosigned("log", "the log's own line, asked for as a cosignature", with(""))
            .with("vkey", &log_vkey())
            .with("expect", "bad-signature"),
        cosigned(
            "timed_log",
            "a time and its signature under a log's id",
            with(&line("x", TYPE_LOG, WITNESS_ONE, &cosignature(&text, TIME, WITNESS_ONE))),
        )
        .with("vkey", &vkey("x", TYPE_LOG, WITNESS_ONE))
        .with("expect", "bad-signature"),
    ]
}
