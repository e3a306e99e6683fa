//! Rules by name: of a JSON member, an environment variable, a flag, a header, whatever stands before `=` or `:`.

use std::collections::HashSet;

use aho_corasick::AhoCorasick;
use wildmatch::WildMatch;

use crate::config::{MAX_RULES, NameLists, RulesError};

/// What a name says of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    Nothing,
    Secret,
    /// A secret that goes on to the end of the line.
    SecretLine,
}

/// Longest name that is looked at, in bytes. A longer one counts as secret: nobody reads it anyway.
const MAX_NAME: usize = 512;

#[derive(Debug)]
pub(crate) struct Names {
    inside: AhoCorasick,
    alone: HashSet<String>,
    globs: Vec<WildMatch>,
    except: HashSet<String>,
    except_globs: Vec<WildMatch>,
    lines: Vec<String>,
}

impl Names {
    pub(crate) fn new(lists: &NameLists) -> Result<Self, RulesError> {
        let all = [&lists.secret, &lists.alone, &lists.except, &lists.lines];
        if let Some(many) = all.iter().map(|list| list.len()).find(|count| *count > MAX_RULES) {
            return Err(RulesError::TooMany(many));
        }
        for name in all.into_iter().flatten() {
            if !name.bytes().any(|c| c.is_ascii_alphanumeric()) {
                return Err(RulesError::Name(name.clone()));
            }
        }
        let alone: HashSet<String> = lists.alone.iter().map(|word| squashed(word)).collect();
        let (globs, words) = split(&lists.secret);
        let (except_globs, except) = split(&lists.except);
        let inside: Vec<String> = words.into_iter().filter(|word| !alone.contains(word)).collect();
        let inside = AhoCorasick::new(inside).map_err(|error| RulesError::Toml(error.to_string()))?;
        let lines = lists.lines.iter().map(|word| squashed(word)).collect();
        Ok(Self { inside, alone, globs, except: except.into_iter().collect(), except_globs, lines })
    }

    pub(crate) fn says(&self, name: &str) -> Says {
        if name.len() > MAX_NAME {
            return Says::Secret;
        }
        let squashed = squashed(name);
        if squashed.is_empty() {
            return Says::Nothing;
        }
        let found = self.inside.is_match(&squashed)
            || self.alone.contains(&squashed)
            || self.globs.iter().any(|glob| glob.matches(name))
            || words(name).any(|word| self.alone.contains(&word));
        if !found || self.except.contains(&squashed) {
            return Says::Nothing;
        }
        // Hyphens as underscores and camel case as words, so that `*_file` also speaks of `--token-file` and `tokenFile`.
        if !self.except_globs.is_empty() {
            let spelt = words(name).collect::<Vec<_>>().join("_");
            if self.except_globs.iter().any(|glob| glob.matches(&spelt)) {
                return Says::Nothing;
            }
        }
        if self.lines.iter().any(|line| squashed.contains(line)) { Says::SecretLine } else { Says::Secret }
    }
}

fn split(list: &[String]) -> (Vec<WildMatch>, Vec<String>) {
    let (globs, words): (Vec<&String>, Vec<&String>) = list.iter().partition(|rule| rule.contains(['*', '?']));
    let globs = globs.into_iter().map(|glob| WildMatch::new_case_insensitive(glob)).collect();
    (globs, words.into_iter().map(|word| squashed(word)).collect())
}

/// Letters and digits alone, in lower case, the two letters beyond ASCII that fold into it included (see
/// `attest_core::json::folds_to`).
fn squashed(name: &str) -> String {
    name.chars()
        .filter_map(|c| match c {
            '\u{17f}' => Some('s'),
            '\u{212a}' => Some('k'),
            c if c.is_ascii() => c.is_ascii_alphanumeric().then_some(c.to_ascii_lowercase()),
            c => c.is_alphanumeric().then_some(c),
        })
        .collect()
}

/// The words of a name, cut at anything but letters and digits and where a capital follows a small letter, in lower case.
fn words(name: &str) -> impl Iterator<Item = String> {
    name.split(|c: char| !c.is_alphanumeric()).flat_map(|part| {
        let mut words = Vec::new();
        let mut word = String::new();
        let mut small = false;
        for c in part.chars() {
            if small && c.is_uppercase() {
                words.push(std::mem::take(&mut word));
            }
            small = c.is_lowercase() || c.is_ascii_digit();
            word.push(c.to_ascii_lowercase());
        }
        if !word.is_empty() {
            words.push(word);
        }
        words
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::File;

    fn names() -> Names {
        Names::new(&File::read(crate::config::DEFAULTS).unwrap().names).unwrap()
    }

    #[test]
    fn a_word_is_found_in_every_spelling() {
        for name in [
            "password",
            "PASSWORD",
            "dbPassword",
            "MY_PASSWORD_2",
            "x-api-key",
            "apiKey",
            "API_KEY",
            "aPiKeY",
            "pass",
            "user.pass",
            "clientSecret",
            "GITHUB_TOKEN",
            "pa\u{17f}\u{17f}word",
            "\u{212a}ey_api\u{5f}\u{212a}ey",
            "to\u{212a}en",
        ] {
            assert_eq!(names().says(name), Says::Secret, "{name}");
        }
        assert_eq!(names().says("Proxy-Authorization"), Says::SecretLine);
        assert_eq!(names().says("Set-Cookie"), Says::SecretLine);
    }

    #[test]
    fn what_only_sounds_like_one_is_left() {
        for name in [
            "progressToken",
            "max_tokens",
            "prompt_tokens",
            "totalTokens",
            "passenger",
            "compass",
            "author",
            "secretary",
            "pinned",
            "sidebar",
            "significant",
            "tokenizer",
            "--token-file",
            "tokenFile",
            "",
            "name",
        ] {
            assert_eq!(names().says(name), Says::Nothing, "{name}");
        }
    }
}
