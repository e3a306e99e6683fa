//! The family `json`: which bytes are one strict JSON text, and their canonical form.

use super::file::Vector;
use super::token::b64;

type Row<'a> = (&'a str, &'a str, &'a [u8]);

/// Name, comment, body; the canonical bytes.
const ACCEPTED: &[(Row<'_>, &[u8])] = &[
    (
        ("literals", "RFC 8785, section 3.2.2: literals in an object", b"{\"literals\":[null,true,false]}"),
        b"{\"literals\":[null,true,false]}",
    ),
    (
        (
            "numbers",
            "RFC 8785, section 3.2.2.3: numbers",
            b"[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001]",
        ),
        b"[333333333.3333333,1e+30,4.5,0.002,1e-27]",
    ),
    (
        ("strings", "RFC 8785, section 3.2.2.2: a string", br#""\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/""#),
        "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"".as_bytes(),
    ),
    (
        (
            "order_of_names",
            "RFC 8785, section 3.2.3: names in the order of their UTF-16 code units",
            br#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#,
        ),
        "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}".as_bytes(),
    ),
    (
        ("short_escapes", "the escapes that have a short form, and one that has none", br#""\b\t\n\f\r\u001f\u007f""#),
        b"\"\\b\\t\\n\\f\\r\\u001f\x7f\"",
    ),
    (("nul_escaped", "U+0000 as an escape is a character like any other", br#""\u0000""#), br#""\u0000""#),
    (
        ("line_separators", "U+2028 and U+2029 stand as they are", "\"\u{2028}\u{2029}\"".as_bytes()),
        "\"\u{2028}\u{2029}\"".as_bytes(),
    ),
    (("noncharacter", "U+FFFF is allowed", "\"\u{ffff}\"".as_bytes()), "\"\u{ffff}\"".as_bytes()),
    (("no_normalisation", "a letter with a combining mark is not composed", b"\"e\xcc\x81\""), b"\"e\xcc\x81\""),
    (
        ("white_space", "all four kinds of white space", b" \t\r\n{ \"a\" :\t[ ] , \"b\"\n:\r{ } } "),
        b"{\"a\":[],\"b\":{}}",
    ),
    (("scalar", "a text need not be an object", b"\"a\""), b"\"a\""),
    (("minus_zero", "minus zero is zero", b"-0"), b"0"),
    (("minus_zero_fraction", "minus zero in a longer spelling", b"-0.0e-3"), b"0"),
    (("integral_fraction", "1.0 is 1", b"1.0"), b"1"),
    (("largest_safe_integer", "2^53 - 1", b"9007199254740991"), b"9007199254740991"),
    (("smallest_safe_integer", "-(2^53 - 1)", b"-9007199254740991"), b"-9007199254740991"),
    (("1e21", "from 10^21 on numbers are written with an exponent, so no digits are made up", b"1e21"), b"1e+21"),
    (("1e21_digits", "10^21 in digits", b"1000000000000000000000"), b"1e+21"),
    (
        (
            "rounds_up_to_1e21",
            "an integer below 10^21 whose nearest double is 10^21: the double counts, not the digits",
            b"999999999999999999999",
        ),
        b"1e+21",
    ),
    (
        ("rounds_down_below_2_53", "a fraction whose nearest double is 2^53 - 1", b"9007199254740991.4"),
        b"9007199254740991",
    ),
    (("largest_double", "the largest double", b"1.7976931348623157e308"), b"1.7976931348623157e+308"),
    (("smallest_double", "the smallest double", b"5e-324"), b"5e-324"),
    (("underflow", "too small for a double: zero, as every reader has it", b"1e-400"), b"0"),
    (("millionth", "10^-6, the smallest power of ten without an exponent", b"1e-6"), b"0.000001"),
    (("ten_millionth", "10^-7, which has an exponent", b"0.0000001"), b"1e-7"),
    (("millionth_digits", "digits behind 10^-6", b"-0.00000123"), b"-0.00000123"),
    (("long_decimal", "digits past what a double holds", b"0.1000000000000000055511151231257827"), b"0.1"),
    (
        (
            "magic_raw_value",
            "the magic key of serde_json's raw_value is a member like any other",
            br#"{"$serde_json::private::RawValue":"\"/etc/shadow\""}"#,
        ),
        br#"{"$serde_json::private::RawValue":"\"/etc/shadow\""}"#,
    ),
    (
        (
            "magic_number",
            "the magic key of serde_json's arbitrary_precision is a member like any other",
            br#"{"$serde_json::private::Number":"1e400"}"#,
        ),
        br#"{"$serde_json::private::Number":"1e400"}"#,
    ),
    (
        ("proto", "__proto__ is a member like any other", br#"{"__proto__":{"a":1},"a":2}"#),
        br#"{"__proto__":{"a":1},"a":2}"#,
    ),
    (("empty_name", "an empty name is a name", br#"{"":1}"#), br#"{"":1}"#),
    (
        ("surrogate_pair", "a surrogate pair in escapes is one character", br#""\ud83d\ude00""#),
        "\"\u{1f600}\"".as_bytes(),
    ),
];

/// Refused because servers would disagree about them.
const NOT_STRICT: &[Row<'_>] = &[
    ("empty", "no text at all", b""),
    ("only_white_space", "nothing but white space", b" \n"),
    ("byte_order_mark", "a byte-order mark in front", b"\xef\xbb\xbf{}"),
    ("utf_16_le", "UTF-16, little-endian", b"{\0}\0"),
    ("utf_16_be", "UTF-16, big-endian", b"\0{\0}"),
    ("utf_16_mark", "UTF-16 with a byte-order mark", b"\xff\xfe{\0}\0"),
    ("gzip", "an empty gzip stream", b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0"),
    ("two_texts", "two texts, one after the other", b"{}{}"),
    ("two_lines", "two texts on two lines", b"{}\n{}"),
    ("nul_behind", "a NUL behind the text", b"{}\0"),
    ("comma_behind", "a comma behind the text", b"{},"),
    ("overlong", "an overlong UTF-8 spelling", b"\"\xc0\xaf\""),
    ("encoded_surrogate", "a surrogate in UTF-8 (CESU-8)", b"\"\xed\xa0\xbd\xed\xb8\x80\""),
    ("beyond_unicode", "a character above U+10FFFF", b"\"\xf4\x90\x80\x80\""),
    ("bad_byte", "the byte FF in a string", b"\"\xff\""),
    ("bad_byte_in_name", "the byte FF in a name", b"{\"\xff\":1}"),
    ("bad_byte_behind_escape", "the byte FF behind an escape", b"\"\\n\xff\""),
    ("cut_character", "a character cut short", b"\"\xe2\x82\""),
    ("lone_high_surrogate", "the first half of a surrogate pair alone", br#""\ud83d""#),
    ("lone_low_surrogate", "the second half of a surrogate pair alone", br#""\ude00""#),
    ("swapped_surrogates", "the halves of a surrogate pair in the wrong order", br#""\ude00\ud83d""#),
    ("two_high_surrogates", "the first half of a surrogate pair twice", br#""\ud83d\ud83d""#),
    ("two_low_surrogates", "the second half of a surrogate pair twice", br#""\udc00\udc00""#),
    ("surrogate_before_private", "the first half of a surrogate pair before U+E000", br#""\ud83d\ue000""#),
    ("surrogate_before_letter", "the first half of a surrogate pair before an escaped letter", br#""\ud83d\u0061""#),
    ("surrogate_in_name", "a lone surrogate in a name", br#"{"\ud83d":1}"#),
    ("leading_zero", "a leading zero", b"01"),
    ("minus_leading_zero", "a leading zero behind a minus", b"-01"),
    ("plus", "a plus in front of a number", b"+1"),
    ("no_integer_part", "a number without an integer part", b".5"),
    ("no_fraction", "a point without digits behind it", b"1."),
    ("no_fraction_in_array", "a point without digits behind it, the array going on", b"[1.,2]"),
    ("no_fraction_exponent", "a point with an exponent behind it", b"1.e5"),
    ("no_exponent_sign", "an exponent of a sign alone", b"1e+"),
    (
        "no_fraction_2_53",
        "a point without digits behind 2^53: no number, so not one out of range",
        b"9007199254740992.",
    ),
    ("no_exponent_2_53", "an exponent without digits behind 2^53", b"9007199254740992e"),
    ("letter_behind_number", "a letter behind a number that is in range", b"9007199254740991x"),
    ("second_fraction", "a second point behind a number that is in range", b"1.5.5"),
    ("no_exponent", "an exponent without digits", b"1e"),
    ("only_minus", "a minus alone", b"-"),
    ("hexadecimal", "a hexadecimal number", b"0x10"),
    ("nan", "NaN", b"NaN"),
    ("infinity", "Infinity", b"Infinity"),
    ("minus_infinity", "-Infinity", b"-Infinity"),
    ("arabic_digit", "a digit that is not ASCII", b"\xd9\xa1"),
    ("capital_literal", "a literal with a capital", b"True"),
    ("cut_literal", "a literal cut short", b"tru"),
    ("trailing_comma_array", "a comma before the end of an array", b"[1,]"),
    ("leading_comma_array", "a comma before the first element", b"[,1]"),
    ("double_comma_array", "two commas between elements", b"[1,,2]"),
    ("only_comma_array", "a comma alone", b"[,]"),
    ("leading_comma_object", "a comma before the first member", b"{,\"a\":1}"),
    ("double_comma_object", "two commas between members", b"{\"a\":1,,\"b\":2}"),
    ("duplicate_then_defect", "a name twice and a defect behind it: the object never closes", br#"{"a":1,"a":2,b}"#),
    ("trailing_comma_object", "a comma before the end of an object", b"{\"a\":1,}"),
    ("missing_comma", "no comma between elements", b"[1 2]"),
    ("missing_colon", "no colon behind a name", b"{\"a\" 1}"),
    ("missing_value", "no value behind a colon", b"{\"a\":}"),
    ("number_as_name", "a number for a name", b"{1:1}"),
    ("bare_name", "a name without quotes", b"{a:1}"),
    ("single_quotes", "single quotes", b"{'a':1}"),
    ("comment", "a comment", b"{/**/}"),
    ("line_comment", "a comment to the end of the line", b"{}//"),
    ("raw_newline", "a line feed in a string, not escaped", b"\"a\nb\""),
    ("raw_tab", "a tab in a string, not escaped", b"\"a\tb\""),
    ("raw_nul", "a NUL in a string, not escaped", b"\"a\0b\""),
    ("raw_nul_behind_escape", "a NUL in a string with escapes, not escaped", b"\"\\n\0\""),
    ("unknown_escape", "an escape that JSON does not have", br#""\x41""#),
    ("short_escape", "a \\u with three digits", br#""\u041""#),
    ("sign_in_escape", "a \\u with a sign among its digits", br#""\u+041""#),
    ("open_string", "a string without an end", b"\"a"),
    ("open_escape", "a string that ends in a backslash", b"\"a\\"),
    ("open_array", "an array without an end", b"[1"),
    ("open_object", "an object without an end", b"{\"a\":1"),
    ("mixed_brackets", "an array closed like an object", b"[1}"),
    ("form_feed", "a form feed as white space", b"\x0c{}"),
    ("no_break_space", "a no-break space as white space", b"\xc2\xa0{}"),
];

const DUPLICATES: &[Row<'_>] = &[
    ("duplicate", "the same member twice", br#"{"a":1,"a":1}"#),
    ("duplicate_apart", "the same member twice, another between them", br#"{"a":1,"b":2,"a":3}"#),
    ("duplicate_escaped", "the same member twice, once spelt with an escape", br#"{"a":1,"\u0061":2}"#),
    ("duplicate_deep", "the same member twice, deep inside", br#"{"a":[{"b":{"c":1,"d":2,"c":3}}]}"#),
    ("duplicate_then_garbage", "a name twice, and a defect behind the object", br#"{"a":1,"a":2}x"#),
    ("duplicate_empty", "the empty name twice", br#"{"":1,"":2}"#),
];

const NUMBER_RANGE: &[Row<'_>] = &[
    ("2_53", "2^53: from here on a double no longer holds every integer", b"9007199254740992"),
    ("minus_2_53", "-(2^53)", b"-9007199254740992"),
    ("2_53_plus_1", "2^53 + 1, which a double cannot hold", b"9007199254740993"),
    ("2_53_letter", "a letter behind 2^53: the number ends before it", b"9007199254740992x"),
    ("2_53_second_fraction", "a second point behind 2^53 and a half", b"9007199254740992.5."),
    ("duplicate_then_range", "a name twice and a number out of range behind it", br#"{"a":1,"a":9007199254740992}"#),
    ("2_53_fraction", "2^53 with a fraction of zero", b"9007199254740992.0"),
    ("rounds_up_to_2_53", "a fraction whose nearest double is 2^53", b"9007199254740991.6"),
    ("1e20", "10^20, whose canonical form would be digits", b"1e20"),
    ("minus_1e20", "-(10^20)", b"-1E+20"),
    ("u64_max", "2^64 - 1", b"18446744073709551615"),
    ("1e400", "too large for a double", b"1e400"),
    ("minus_1e400", "too large for a double, negative", b"-1e400"),
    ("digits_400", "400 digits", &[b'9'; 400]),
];

/// The family.
pub fn vectors() -> Vec<Vector> {
    let vector = |(name, comment, body): &Row<'_>| Vector::new("json", format!("json_{name}"), comment, *body);
    let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
    let objects = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    let good =
        |(row, canonical): &(Row<'_>, &[u8])| vector(row).with("expect", "accept").with("canonical", &b64(canonical));
    let mut all: Vec<Vector> = ACCEPTED.iter().map(good).collect();
    for (rows, code) in
        [(NOT_STRICT, "not-strict-json"), (DUPLICATES, "duplicate-member"), (NUMBER_RANGE, "number-range")]
    {
        all.extend(rows.iter().map(|row| vector(row).with("expect", code)));
    }
    all.push(good(&(("depth_64", "64 levels, the deepest that is read", &nested(64)), &nested(64))));
    all.push(vector(&("depth_65", "65 levels of arrays", &nested(65))).with("expect", "too-large"));
    all.push(vector(&("depth_65_objects", "65 levels of objects", objects(65).as_bytes())).with("expect", "too-large"));
    all.push(
        vector(&("depth_unclosed", "a hundred thousand open brackets", &[b'['; 100_000])).with("expect", "too-large"),
    );
    all
}
