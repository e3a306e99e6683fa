//! `[platform]` in `agent.toml`: the machine's TPM, whose quote goes into each attestation.

use serde::Deserialize;

/// Where the attestation key is kept when nothing else is said: among the handles that an owner may use (TCG's registry of reserved
/// handles, 0x81000000 to 0x817fffff).
pub const DEFAULT_HANDLE: u32 = 0x8100_a77e;

/// A TPM, and the handle of its attestation key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    /// How it is reached: `device:/dev/tpmrm0`, `swtpm:host=127.0.0.1,port=2321`, `tabrmd`.
    pub tpm: String,
    /// The persistent handle of the attestation key.
    #[serde(default = "default_handle")]
    pub handle: u32,
}

fn default_handle() -> u32 {
    DEFAULT_HANDLE
}

#[cfg(all(test, not(feature = "tpm")))]
mod tests {
    use std::path::Path;

    use crate::Config;

    #[test]
    fn a_program_that_knows_no_tpm_says_so_and_does_not_attest_without_its_word() {
        let text = "agent = \"a\"\nissuer = \"i\"\nkey = \"k\"\nattester_key = \"l\"\ndelegation = \"d\"\nlog = \"s.db\"\n\
                    [measure]\nsigner = true\n";
        let with = format!("{text}[platform]\ntpm = \"device:/dev/tpmrm0\"\n");
        assert!(Config::parse(text, Path::new("agent.toml")).is_ok());
        let refused = Config::parse(&with, Path::new("agent.toml")).unwrap_err().to_string();
        assert!(refused.contains("--features tpm"), "{refused}");
    }
}
