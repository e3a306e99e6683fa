//! The rules as data: which are on, how bad what they find is, what is to be done, and their thresholds.
//!
//! A file says what differs from [`Rules::default`], which `rules.toml` of this crate spells out. An attacker who can change
//! the file can silence alerts, but not the entries that they would have rested on: a replay with other rules finds them.

use core::num::{NonZeroU32, NonZeroU64};

use attest_core::alert::{Action, Severity};
use attest_core::seen::{Mark, Marks};
use serde::de::{Deserialize, Deserializer, Error as _};

/// The default set, as a file that can be copied and changed.
pub const DEFAULT: &str = include_str!("rules.toml");
/// Most calls that a rule remembers the times of, per tool, server or destination.
pub const MAX_FREQUENCY: u32 = 1_000;

/// What is wrong with a file of rules.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RulesError {
    /// It is no TOML, or has a rule or member that there is not, or a value that is not of its form.
    #[error("{0}")]
    Form(#[from] toml::de::Error),
    /// A threshold of `frequency` past what is remembered.
    #[error("`{0}` of the rule `frequency` is above {MAX_FREQUENCY}: that many calls are not remembered; set it lower")]
    Frequency(&'static str),
}

/// A rule, but for its thresholds.
pub(crate) trait Rule {
    /// Its name.
    const NAME: &'static str;
    /// Severity and action, if it is on.
    fn on(&self) -> Option<(Severity, Action)>;
}

macro_rules! rules {
    ($(
        $(#[$doc:meta])*
        $field:ident: $type:ident = $name:literal, $severity:ident, $action:ident {
            $($(#[$t_doc:meta])* $threshold:ident: $t_type:ty = $default:expr,)*
        }
    )+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
            #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
            pub struct $type {
                /// Whether it is looked at.
                pub on: bool,
                /// How bad what it finds is.
                #[serde(deserialize_with = "severity")]
                pub severity: Severity,
                /// What is to be done.
                #[serde(deserialize_with = "action")]
                pub action: Action,
                $($(#[$t_doc])* pub $threshold: $t_type,)*
            }

            impl Default for $type {
                fn default() -> Self {
                    Self { on: true, severity: Severity::$severity, action: Action::$action, $($threshold: $default,)* }
                }
            }

            impl Rule for $type {
                const NAME: &'static str = $name;

                fn on(&self) -> Option<(Severity, Action)> {
                    self.on.then_some((self.severity, self.action))
                }
            }
        )+

        /// All rules.
        #[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        pub struct Rules {
            $($(#[$doc])* pub $field: $type,)+
        }

        impl Rules {
            /// The strongest action of any rule that is on.
            pub fn strongest(&self) -> Action {
                let actions = [$(self.$field.on().map(|(_, action)| action),)+];
                actions.into_iter().flatten().max().unwrap_or(Action::Note)
            }
        }

        /// The names of all rules.
        pub const NAMES: &[&str] = &[$($name,)+];
    };
}

rules! {
    /// A call whose arguments break the tool's schema.
    outside_schema: OutsideSchema = "outside-schema", Medium, Note {}
    /// A call with arguments of a shape that this tool never got, after many calls.
    unlike_before: UnlikeBefore = "unlike-before", Low, Note {
        /// How many calls of the tool come first.
        after: u32 = 20,
    }
    /// Too many calls within a time.
    frequency: Frequency = "frequency", Medium, Note {
        /// More of one tool than this.
        tool: NonZeroU32 = some(60),
        /// More of one server.
        server: NonZeroU32 = some(120),
        /// More that name one destination.
        destination: NonZeroU32 = some(60),
        /// Within so many seconds.
        seconds: NonZeroU64 = some64(60),
    }
    /// Refusals of one server in a row.
    denial_streak: DenialStreak = "denial-streak", High, Note {
        /// How many; again after as many more.
        after: NonZeroU32 = some(5),
    }
    /// A call of a tool that can carry data out, after something suspicious was seen.
    out_after_suspicion: OutAfterSuspicion = "out-after-suspicion", High, Note {
        /// What is suspicious.
        marks: Kinds = Kinds::suspicious(),
        /// For so many seconds after a result; a listed tool stays suspicious until it is another or gone.
        seconds: u64 = 3_600,
    }
    /// A call of a tool that can do harm where it is, after something suspicious was seen.
    danger_after_suspicion: DangerAfterSuspicion = "danger-after-suspicion", High, Note {
        /// What is suspicious.
        marks: Kinds = Kinds::suspicious(),
        /// For so many seconds after a result; a listed tool stays suspicious until it is another or gone.
        seconds: u64 = 3_600,
    }
    /// A tool that is another under the same name.
    tool_changed: ToolChanged = "tool-changed", High, Note {}
    /// A server that asks something of the client.
    server_asks: ServerAsks = "server-asks", Medium, Note {
        /// By these methods.
        methods: Vec<String> = ["sampling/createMessage", "elicitation/create", "roots/list"].map(str::to_owned).into(),
    }
    /// Marks in what a server says of itself, of a tool, or in a result or request.
    hidden_instructions: HiddenInstructions = "hidden-instructions", High, Note {
        /// Which.
        marks: Kinds = Kinds::suspicious(),
    }
    /// A call after a marked result: the first ones, and later one that goes where the result said.
    uses_poisoned: UsesPoisoned = "uses-poisoned", High, Note {
        /// With which marks.
        marks: Kinds = Kinds::suspicious(),
        /// How many calls after it.
        calls: u32 = 1,
        /// How many seconds a destination of it is remembered.
        seconds: u64 = 86_400,
    }
    /// A tool, destination or server for the first time.
    first_seen: FirstSeen = "first-seen", Info, Note {
        /// How many calls are seen first: in a new log everything is new.
        after: u32 = 20,
    }
    /// The agent is not what was measured before.
    state_drift: StateDrift = "state-drift", Medium, Note {}
    /// Times that do not go on as they should.
    clock_jump: ClockJump = "clock-jump", Medium, Note {
        /// Back by more seconds than this.
        back: u64 = 5,
        /// Ahead by more seconds than this, from one event to the next.
        ahead: NonZeroU64 = some64(604_800),
        /// Between a call and its answer another time than went by, by more seconds than this.
        apart: u64 = 30,
    }
    /// A call that was refused.
    refused: Refused = "refused", Low, Note {}
    /// A message that cannot be judged.
    opaque: Opaque = "opaque", Low, Note {}
}

impl Rules {
    /// Reads a file of rules.
    ///
    /// # Errors
    /// [`RulesError`]: with line and column.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        let rules: Self = toml::from_str(text)?;
        let Frequency { tool, server, destination, .. } = &rules.frequency;
        for (count, name) in [(tool, "tool"), (server, "server"), (destination, "destination")] {
            if count.get() > MAX_FREQUENCY {
                return Err(RulesError::Frequency(name));
            }
        }
        Ok(rules)
    }
}

/// Kinds of marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kinds(Vec<Mark>);

impl Kinds {
    /// Of these.
    pub fn of(marks: impl IntoIterator<Item = Mark>) -> Self {
        Self(marks.into_iter().collect())
    }

    /// Those that honest texts seldom have; markup and encoded data are common on web pages.
    fn suspicious() -> Self {
        Self::of([Mark::Addressed, Mark::Bidi, Mark::Escape, Mark::Invisible, Mark::SecretPath])
    }

    /// Those of `marks` that are of these kinds, as words for a reason; none where there are none.
    pub(crate) fn among(&self, marks: &Marks) -> Option<String> {
        let found: Vec<&str> =
            marks.iter().filter(|(mark, _)| self.0.contains(mark)).map(|(m, _)| m.as_str()).collect();
        (!found.is_empty()).then(|| found.join(", "))
    }

    /// Whether some of `marks` are of these kinds.
    pub(crate) fn any(&self, marks: &Marks) -> bool {
        self.0.iter().any(|mark| marks.get(*mark) > 0)
    }
}

impl<'de> Deserialize<'de> for Kinds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = Vec::<String>::deserialize(deserializer)?;
        let all = || Mark::ALL.map(Mark::as_str).join(", ");
        let one = |word: &String| {
            Mark::parse(word).ok_or_else(|| D::Error::custom(format!("there is no mark {word:?}; there are {}", all())))
        };
        words.iter().map(one).collect::<Result<_, _>>().map(Self)
    }
}

fn severity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Severity, D::Error> {
    let word = String::deserialize(deserializer)?;
    let all = || Severity::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ");
    Severity::parse(&word)
        .ok_or_else(|| D::Error::custom(format!("there is no severity {word:?}; there are {}", all())))
}

fn action<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Action, D::Error> {
    let word = String::deserialize(deserializer)?;
    let all = || Action::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ");
    Action::parse(&word).ok_or_else(|| D::Error::custom(format!("there is no action {word:?}; there are {}", all())))
}

const fn some(count: u32) -> NonZeroU32 {
    match NonZeroU32::new(count) {
        Some(count) => count,
        None => NonZeroU32::MIN,
    }
}

const fn some64(count: u64) -> NonZeroU64 {
    match NonZeroU64::new(count) {
        Some(count) => count,
        None => NonZeroU64::MIN,
    }
}

/// Whether this rule is about calls that were refused: what it finds did not happen, and whoever is refused must not open what others are
/// judged by.
pub fn is_of_refusals(rule: &str) -> bool {
    ["refused", "denial-streak"].contains(&rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_defaults_names_every_rule_and_is_what_holds_without_a_file() {
        assert_eq!(Rules::parse(DEFAULT).unwrap(), Rules::default());
        assert_eq!(Rules::parse("").unwrap(), Rules::default());
        for name in NAMES {
            assert!(DEFAULT.contains(&format!("\n[{name}]\n")), "{name}");
        }
    }

    #[test]
    fn a_file_says_only_what_differs() {
        let rules = Rules::parse("[frequency]\ntool = 3\naction = \"refuse\"\n[opaque]\non = false").unwrap();
        assert_eq!((rules.frequency.tool.get(), rules.frequency.server.get()), (3, 120));
        assert_eq!((rules.frequency.action, rules.opaque.on), (Action::Refuse, false));
    }

    #[test]
    fn what_is_wrong_in_a_file_is_named_with_its_line() {
        let cases = [
            ("[freqency]\n", "freqency"),
            ("\n[frequency]\ntools = 3", "line 3"),
            ("[frequency]\ntool = 0", "line 2"),
            ("[frequency]\ntool = -1", "line 2"),
            ("[frequency]\ntool = 100000", "above 1000"),
            ("[opaque]\nseverity = \"bad\"", "info, low, medium, high, critical"),
            ("[opaque]\naction = \"drop\"", "note, label, hold, refuse"),
            ("[hidden-instructions]\nmarks = [\"odd\"]", "secret-path"),
            ("[opaque\n", "line 1"),
        ];
        for (text, said) in cases {
            let error = Rules::parse(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
