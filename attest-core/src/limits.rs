//! Sizes past which nothing is read. Each is checked before the work it bounds.

/// Longest request line or body, in bytes; a relay may set less.
pub const MAX_REQUEST: usize = 4 << 20;
/// Longest token, in bytes (the delegation draft recommends 64 KiB, section 4.3.1).
pub const MAX_TOKEN: usize = 65_536;
/// Longest sum of all tokens of one proof, in bytes.
pub const MAX_PROOF: usize = 262_144;
/// Longest sum of all texts that a proof discloses, in bytes.
pub const MAX_DISCLOSED: usize = 262_144;
/// Most texts that a proof discloses: there is a rule for so many components.
pub const MAX_DISCLOSURES: usize = 4;
/// Most tokens in a delegation chain: a root and eight derivations.
pub const MAX_CHAIN: usize = 9;
/// Longest life of a call proof, in seconds.
pub const MAX_CALL_LIFE: u64 = 300;
/// Longest time for which a call may be named as the cause of others, in seconds.
pub const MAX_CAUSE_LIFE: u64 = 86_400;
/// Longest life of a declassification, in seconds.
pub const MAX_DECLASSIFICATION_LIFE: u64 = 600;
/// Longest life of an approval, in seconds: a day.
pub const MAX_APPROVAL_LIFE: u64 = 86_400;
/// Most approvals that count for one call.
pub const MAX_APPROVALS: usize = 64;
/// Longest life of an attestation, in seconds.
pub const MAX_ATTESTATION_LIFE: u64 = 3_600;
/// Longest life of a delegation token, in seconds (90 days).
pub const MAX_DELEGATION_LIFE: u64 = 90 * 86_400;
/// Longest token of a status list, in bytes: a list that does not compress, encoded twice.
pub const MAX_STATUS_TOKEN: usize = 2 << 20;
/// Largest status list, in bytes, after decompression: eight million places of one bit.
pub const MAX_STATUS_LIST: usize = 1 << 20;
/// Longest time for which a status list is fresh, in seconds: a day.
pub const MAX_STATUS_AGE: u64 = 86_400;
/// Longest name (issuer, agent, audience, tool), in bytes.
pub const MAX_NAME: usize = 256;
/// Most tools in one delegation token.
pub const MAX_TOOLS: usize = 256;
/// Most constrained arguments of one tool.
pub const MAX_ARGUMENTS: usize = 64;
/// Deepest nesting of constraints.
pub const MAX_CONSTRAINT_DEPTH: usize = 16;
/// Most constraints and listed values in one token.
pub const MAX_CONSTRAINT_NODES: usize = 1_024;
/// Most clauses of one `all` or `any`: matching them is cubic.
pub const MAX_CLAUSES: usize = 128;
/// Most elements of an array argument that `contains` or `subset` looks at; a longer one is not allowed by them.
pub const MAX_COMPARED_ITEMS: usize = 4_096;
/// Most `_meta` members that a call proof names.
pub const MAX_META_NAMES: usize = 64;
/// Most labels in one set; a larger one counts as every label.
pub const MAX_LABELS: usize = 32;
/// Most receipts that a call shows: one for each set of labels of its context that no other holds.
pub const MAX_SHOWN: usize = 16;
/// Most declassifications that a call brings.
pub const MAX_DECLASSIFICATIONS: usize = 4;
/// Most components that a token pins of one holder, and most digests of one of them.
pub const MAX_PINS: usize = 16;
/// Longest time for which an attestation of a pinned holder stands for what was derived under it, in seconds.
pub const MAX_PIN_AGE: u64 = MAX_DELEGATION_LIFE;
