//! Findings to the sinks, in their words.

use std::path::{Path, PathBuf};
use std::time::Duration;

use attest_sinks::{Alert, Config, Severity, SinkConfig};
pub use attest_sinks::{Sinks, SinksError};
use attest_watch::Finding;

/// How long sinks may take at the end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// The sinks of a configuration.
pub(crate) fn start(sinks: &[SinkConfig]) -> Result<Sinks, SinksError> {
    Sinks::start(&Config { sink: sinks.to_vec() })
}

/// The same sink, its files relative to `folder`.
pub(crate) fn within(mut sink: SinkConfig, folder: &Path) -> SinkConfig {
    let join = |path: &mut PathBuf| *path = folder.join(&*path);
    match &mut sink {
        SinkConfig::Webhook { secret_file, roots, .. } => {
            join(secret_file);
            roots.iter_mut().for_each(join);
        }
        SinkConfig::Otlp { header_file, roots, .. } => header_file.iter_mut().chain(roots).for_each(join),
        _ => {}
    }
    sink
}

/// What they are told of a finding.
pub(crate) fn alert(finding: &Finding, time: u64) -> Alert {
    use attest_core::alert::Severity as Found;
    Alert {
        time_ms: time,
        rule: finding.rule.clone(),
        severity: match finding.severity {
            Found::Info => Severity::Info,
            Found::Low => Severity::Low,
            Found::Medium => Severity::Medium,
            Found::High => Severity::High,
            Found::Critical => Severity::Critical,
        },
        reason: finding.reason.clone(),
        server: Some(finding.server.clone()),
        tool: finding.tool.clone(),
        entries: finding.entries.iter().map(u64::to_string).collect(),
    }
}
