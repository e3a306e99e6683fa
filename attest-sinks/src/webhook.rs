//! Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`.
//!
//! The body is `{"type":"attest.alert","timestamp":"…","data":{…}}`. The id stays over all attempts, so that a receiver can tell a
//! repetition; time and signature are each attempt's own, or a late one would be refused as old.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderValue;
use http::header::{HeaderMap, HeaderName};
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP};

use crate::alert::Alert;
use crate::config::{SinksError, secret};
use crate::http::Post;
use crate::syslog::rfc3339;

pub(crate) struct Webhook {
    post: Post,
    signer: standardwebhooks::Webhook,
}

impl Webhook {
    pub(crate) fn new(url: &str, secret_file: &Path, roots: Option<&Path>) -> Result<Self, SinksError> {
        let wrong = || SinksError::Secret {
            path: secret_file.into(),
            expected: "webhook secret: whsec_ and base64 of 24 to 64 bytes",
        };
        let text = secret(secret_file)?;
        // The standard asks for 24 to 64 bytes; the crate takes anything, the empty key too.
        let encoded = text.strip_prefix("whsec_").ok_or_else(wrong)?;
        if !(32..=88).contains(&encoded.len()) {
            return Err(wrong());
        }
        let signer = standardwebhooks::Webhook::new(&text).map_err(|_| wrong())?;
        Ok(Self { post: Post::new(url, roots)?, signer })
    }

    pub(crate) async fn deliver(&self, alert: &Alert) -> Result<(), String> {
        let mut random = [0u8; 16];
        getrandom::fill(&mut random).map_err(|error| error.to_string())?;
        let id = format!("msg_{:032x}", u128::from_be_bytes(random));
        let body =
            format!(r#"{{"type":"attest.alert","timestamp":"{}","data":{}}}"#, rfc3339(alert.time_ms), alert.to_json());
        let headers = || {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?.as_secs();
            let signature =
                self.signer.sign(&id, now.cast_signed(), body.as_bytes()).map_err(|error| error.to_string())?;
            let mut headers = HeaderMap::new();
            for (name, value) in [
                (HEADER_WEBHOOK_ID, id.as_str()),
                (HEADER_WEBHOOK_TIMESTAMP, &now.to_string()),
                (HEADER_WEBHOOK_SIGNATURE, &signature),
            ] {
                let value: HeaderValue = value.parse().map_err(|_| name.to_owned())?;
                headers.insert(HeaderName::from_static(name), value);
            }
            Ok(headers)
        };
        self.post.send(body.clone(), headers).await
    }
}
