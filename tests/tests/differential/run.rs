//! A run over many documents: each judged by us and read by the others, and what has been seen.

use std::collections::BTreeMap;

use super::lines::Lines;
use super::oracle::{Mode, Oracle};
use super::ours::{Verdict, judge};
use super::random::Random;
use super::seeds::Seeds;
use super::{bytes, shape};

/// The document of a seed and an index.
pub fn document(seed: u64, index: u64, seeds: &Seeds) -> Vec<u8> {
    let random = &mut Random::of(seed, index);
    let mut tree = seeds.any(random);
    // Untouched ones among them, so that calls are let in at all.
    for _ in 0..*random.pick(&[0, 1, 1, 1, 1, 1, 2, 2, 3, 5]) {
        shape::mutate(&mut tree, seeds, random);
    }
    let airy = random.once_in(3);
    let mut out = Vec::new();
    tree.write(random, airy, &mut out);
    for _ in 0..*random.pick(&[0, 0, 0, 0, 1, 1, 2]) {
        let mut other = Vec::new();
        seeds.any(random).write(random, false, &mut other);
        out = bytes::mutate(out, &other, random);
    }
    out
}

/// What is asked about one document, and why.
struct Question {
    index: u64,
    about: About,
    document: Vec<u8>,
}

enum About {
    /// A refused document: shows only which readings the generator reaches.
    Refused,
    /// A document that passes as a body.
    Body,
    /// Lines that pass.
    Lines,
    /// Bytes forwarded for a call, which has this normal form.
    Forwarded(Vec<u8>),
    /// A document that our reader takes, with its normal form.
    Plain(Vec<u8>),
}

/// The two oracles, the relay and what they have said so far.
pub struct Run {
    seed: u64,
    oracles: [(&'static str, Oracle); 2],
    lines: Lines,
    verdicts: BTreeMap<&'static str, u64>,
    /// By reading: how many documents it found a call in.
    readings: BTreeMap<String, u64>,
    /// What passes and is a call; what is forwarded and read otherwise; what is taken and read otherwise.
    failures: [Vec<String>; 3],
}

impl Run {
    pub fn start(seed: u64) -> Self {
        let oracles = [("node", Oracle::node()), ("python", Oracle::python())];
        let (verdicts, readings) = (BTreeMap::new(), BTreeMap::new());
        Self { seed, oracles, lines: Lines::start(), verdicts, readings, failures: Default::default() }
    }

    /// Has everybody read these documents.
    pub fn look_at(&mut self, documents: Vec<(u64, Vec<u8>)>) {
        let (indices, documents): (Vec<u64>, Vec<Vec<u8>>) = documents.into_iter().unzip();
        let passed = self.lines.passed(&documents);
        let mut questions = Vec::new();
        for ((index, document), passed) in indices.into_iter().zip(documents).zip(passed) {
            let mut ask = |about, document| questions.push(Question { index, about, document });
            let (verdict, form) = judge(&document);
            if let Some(form) = form {
                ask(About::Plain(form), document.clone());
            }
            let name = match verdict {
                Verdict::Refused => {
                    ask(About::Refused, document);
                    "refused"
                }
                Verdict::Other => {
                    ask(About::Body, document);
                    "other"
                }
                Verdict::Call { forward, form } => {
                    ask(About::Forwarded(form), forward);
                    "call"
                }
            };
            // A line that is blank passes too, and holds nothing.
            if !passed.iter().all(u8::is_ascii_whitespace) {
                ask(About::Lines, passed);
            }
            *self.verdicts.entry(name).or_default() += 1;
        }
        let asked: Vec<(Mode, &[u8])> = questions.iter().map(|q| (q.about.mode(), q.document.as_slice())).collect();
        for (_, oracle) in &mut self.oracles {
            oracle.ask(&asked);
        }
        for at in 0..self.oracles.len() {
            let (name, answers) = (self.oracles[at].0, self.oracles[at].1.answers());
            for (question, answer) in questions.iter().zip(answers) {
                self.hear(name, question, &answer);
            }
        }
    }

    fn hear(&mut self, oracle: &'static str, question: &Question, answer: &[u8]) {
        let text = String::from_utf8_lossy(answer);
        let wrong = match &question.about {
            About::Refused => {
                self.count(oracle, &text);
                None
            }
            About::Body | About::Lines => {
                let bad: Vec<&str> = text.split(',').filter(|name| !name.is_empty()).collect();
                (!bad.is_empty()).then(|| (0, format!("passes, but is a call to {}", bad.join(", "))))
            }
            About::Forwarded(form) | About::Plain(form) if answer == form => None,
            About::Forwarded(form) => Some((1, format!("is forwarded as {:?}, but read as {text:?}", lossy(form)))),
            About::Plain(form) => Some((2, format!("is {:?} to us, but {text:?}", lossy(form)))),
        };
        if let Some((kind, wrong)) = wrong {
            let (seed, index) = (self.seed, question.index);
            let shown = question.document.escape_ascii();
            self.failures[kind]
                .push(format!("ATTEST_SEED={seed} ATTEST_ONE={index}: {oracle}: {wrong}\n    b\"{shown}\""));
        }
    }

    fn count(&mut self, oracle: &str, names: &str) {
        for name in names.split(',').filter(|name| !name.is_empty()) {
            *self.readings.entry(format!("{oracle}: {name}")).or_default() += 1;
        }
    }

    /// Fails where something was wrong, and shows the first few.
    pub fn report(&self) {
        println!("{:?}", self.verdicts);
        println!("{} readings find calls in what is refused", self.readings.len());
        let [pass, forwarded, taken] = self.failures.each_ref().map(Vec::len);
        let shown: Vec<&str> = self.failures.iter().flat_map(|kind| kind.iter().take(4)).map(String::as_str).collect();
        assert!(
            shown.is_empty(),
            "{pass} pass and are calls, {forwarded} are forwarded and {taken} taken otherwise than read; the first:\n{}",
            shown.join("\n")
        );
    }

    /// A generator that makes nothing of a kind would let every test of that kind pass.
    pub fn must_have_seen_enough(&self, documents: u64) {
        for (verdict, share) in [("call", 10), ("other", 5), ("refused", 10)] {
            let seen = self.verdicts.get(verdict).copied().unwrap_or(0);
            assert!(seen * 100 >= documents * share, "{verdict}: {seen} of {documents}");
        }
        // One of each kind of reading: what it finds, we refused.
        for kind in [
            "node: utf-8/own",
            "node: utf-8/array/own",
            "node: utf-8/fold-last",
            "node: utf-8/fold-first",
            "node: utf-16le/own",
            "node: utf-16be/own",
            "node: iconv-utf-32/own",
            "node: utf-8/trim/own",
            "node: utf-8/nul/own",
            "node: utf-8/lines/own",
            "node: utf-8/readline/own",
            "python: json.loads",
            "python: pydantic",
            "python: utf-8/last",
            "python: utf-8/first",
            "python: utf-8/fold-last",
            "python: utf-8/fold-first",
            "python: utf-8/array/last",
            "python: utf-8/stream/last",
            "python: utf-8-sig/last",
            "python: utf-8-replace/last",
            "python: utf-8-ignore/last",
            "python: latin-1/last",
            "python: utf-16-replace/last",
            "python: utf-16-be-replace/last",
            "python: utf-32-replace/last",
            "python: utf-32-be-replace/last",
            "python: utf-8/strip/last",
            "python: utf-8/nul/last",
            "python: utf-8/universal/last",
            "python: utf-8/splitlines/last",
        ] {
            assert!(self.readings.contains_key(kind), "no document was a call to {kind}");
        }
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl About {
    fn mode(&self) -> Mode {
        match self {
            Self::Refused | Self::Lines => Mode::Hunt,
            Self::Body => Mode::HuntInBody,
            Self::Forwarded(_) => Mode::Forwarded,
            Self::Plain(_) => Mode::Plain,
        }
    }
}
