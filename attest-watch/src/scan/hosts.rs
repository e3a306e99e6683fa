//! Hosts of URLs and domains of mail addresses.

/// Longest stretch that is looked at for a host: a name of 253 bytes, and what may stand before it.
const WINDOW: usize = 1_024;

/// The host after `://`, which ends at `end`.
pub(super) fn of_url(text: &str, end: usize) -> Option<&str> {
    let rest = head(text.get(end..)?);
    let authority = rest.split(|c: char| ends_host(c) || matches!(c, '/' | '?' | '#' | '\\')).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next()?,
        None => host.split(':').next()?,
    };
    let host = host.trim_end_matches(['.', ',', ';', '!']);
    (!host.is_empty()).then_some(host)
}

/// The domain after an `@` that ends at `end`, with something before it.
pub(super) fn of_mail(text: &str, end: usize) -> Option<&str> {
    let before = text.get(..end.checked_sub(1)?)?.chars().next_back()?;
    if before.is_whitespace() {
        return None;
    }
    let rest = head(text.get(end..)?);
    let domain = rest.split(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '-'))).next()?;
    let domain = domain.trim_end_matches(['.', '-']);
    is_domain(domain).then_some(domain)
}

/// The host of a whole string that is `host`, `host:port` or `host/path`.
pub(super) fn bare(text: &str) -> Option<&str> {
    let host = text.trim().split(['/', ':', '?', '#']).next()?;
    let plain = host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-'));
    (plain && is_domain(host)).then_some(host)
}

fn is_domain(text: &str) -> bool {
    let last = text.rsplit_once('.').map(|(_, last)| last);
    last.is_some_and(|last| last.chars().any(char::is_alphabetic)) && !text.starts_with('.')
}

fn ends_host(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '<' | '>' | '`' | '(' | ')' | '{' | '}' | '|')
}

fn head(text: &str) -> &str {
    text.get(..text.floor_char_boundary(WINDOW)).unwrap_or(text)
}
