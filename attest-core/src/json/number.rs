//! Numbers: which are allowed, and how they are written.

/// 2^53: from here on a double no longer holds every integer.
const EXACT_LIMIT: f64 = 9_007_199_254_740_992.0;
/// From here on ECMAScript writes an exponent, so that no digits are made up.
const EXPONENT_FROM: f64 = 1e21;

/// Reads the text of a JSON number (its grammar already checked). `None` where the value is outside what we sign.
pub(super) fn read(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    if !value.is_finite() {
        return None;
    }
    let magnitude = value.abs();
    // Every double from 2^53 on is integral, so the two bounds are the whole rule. Without it the canonical form is not
    // idempotent: 1e20 is written as 100000000000000000000, which the next reader would have to refuse.
    if (EXACT_LIMIT..EXPONENT_FROM).contains(&magnitude) {
        return None;
    }
    Some(if value == 0.0 { 0.0 } else { value })
}

/// Appends the number as ECMAScript's `Number::toString` does (RFC 8785, section 3.2.2.3).
pub(super) fn write(value: f64, out: &mut Vec<u8>) {
    // The common case, a small integer, without the general algorithm.
    if value.fract() == 0.0 && value.abs() < EXACT_LIMIT {
        let mut digits = [0u8; 20];
        let mut n = value.abs() as u64;
        let mut start = digits.len();
        for (at, slot) in digits.iter_mut().enumerate().rev() {
            *slot = b'0' + (n % 10) as u8;
            n /= 10;
            start = at;
            if n == 0 {
                break;
            }
        }
        if value < 0.0 {
            out.push(b'-');
        }
        out.extend_from_slice(digits.get(start..).unwrap_or_default());
        return;
    }
    out.extend_from_slice(ryu_js::Buffer::new().format_finite(value).as_bytes());
}
