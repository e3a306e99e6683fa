//! What the error of a store means for whoever runs this.

use std::error::Error as _;
use std::iter::successors;

use object_store::Error;

/// What an S3-compatible store, or what stands in the way to it, says; and what that means.
const MEANINGS: [(&str, &str); 7] = [
    (
        "invalid peer certificate",
        "the store's certificate is not believed: name a file with its authority's certificate in SSL_CERT_FILE, and the store in AWS_ENDPOINT_URL as its certificate does",
    ),
    (NO_BUCKET, "there is no such bucket: make it, or correct the address or AWS_ENDPOINT_URL"),
    ("InvalidAccessKeyId", "the store does not know this key: correct AWS_ACCESS_KEY_ID or AWS_ENDPOINT_URL"),
    ("SignatureDoesNotMatch", "that is not the key's secret: correct AWS_SECRET_ACCESS_KEY"),
    (
        "AccessDenied",
        "this key may not do that there: it needs s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket; ask whoever runs the store",
    ),
    // Where the library asks for a key that the environment does not have.
    ("//169.254.", "there is no key in the environment: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
    ("error sending request", "the store cannot be reached: does it run, and is AWS_ENDPOINT_URL its address?"),
];
const NO_BUCKET: &str = "NoSuchBucket";
/// Most of the store's own words.
const LINE: usize = 300;

/// In one line: what it means, where that can be told, and what was said.
pub(crate) fn words(error: &Error) -> String {
    let mut said = error.to_string();
    // What the library leaves out is why there was no connection.
    let cause =
        successors(error.source(), |error| <dyn std::error::Error>::source(*error)).last().map(ToString::to_string);
    if let Some(cause) = cause.filter(|cause| !said.contains(cause)) {
        said = format!("{said}: {cause}");
    }
    let meaning = MEANINGS.iter().find(|(part, _)| said.contains(part));
    // The store's own page, whose code has been read.
    let head = meaning.and_then(|_| said.split_once('<')).map_or(said.as_str(), |(head, _)| head);
    let line: String =
        head.trim_end_matches([' ', ':']).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line: String = line.chars().take(LINE).collect();
    match meaning {
        Some((_, meaning)) => format!("{meaning} ({line})"),
        None => line,
    }
}

/// Whether it says that there is no such file: in a store that is there.
pub(crate) fn is_absent(error: &Error) -> bool {
    matches!(error, Error::NotFound { .. }) && !error.to_string().contains(NO_BUCKET)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn not_found(body: &str) -> Error {
        Error::NotFound { path: "files/checkpoint".into(), source: format!("404: <?xml?>\n<Code>{body}</Code>").into() }
    }

    #[test]
    fn a_bucket_that_is_not_there_is_no_file_that_is_not_there() {
        assert!(is_absent(&not_found("NoSuchKey")));
        assert!(!is_absent(&not_found("NoSuchBucket")));
        assert!(!is_absent(&Error::PermissionDenied { path: String::new(), source: "NoSuchKey".into() }));
    }

    #[test]
    fn what_is_said_is_one_line() {
        let bucket = words(&not_found("NoSuchBucket"));
        assert!(bucket.starts_with("there is no such bucket") && bucket.ends_with("404)"), "{bucket}");
        let other = words(&not_found(&format!("\x1b[31m{}", "x".repeat(400))));
        assert!(!other.contains(char::is_control) && other.len() == LINE, "{other}");
    }
}
