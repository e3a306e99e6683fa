//! The peers' logs, by their documented paths: Signet's `audit` and AGT's `MerkleAuditChain`.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use crate::Outcome;
use crate::peer::Peer;

/// Signet 0.11: appends signed receipts one after the other, and says the rate of each thousand. It does not fsync.
///
/// # Errors
/// Signet's.
pub fn signet(folder: &Path, appends: usize) -> Outcome<Vec<f64>> {
    let peer = Peer::new()?;
    let mut rates = Vec::new();
    for _ in 0..appends.div_ceil(1_000) {
        // Signed before the clock starts: what is measured is the log.
        let receipts: Vec<Value> =
            (0..1_000).map(|_| Ok(serde_json::to_value(peer.sign()?)?)).collect::<Outcome<_>>()?;
        let begun = Instant::now();
        for receipt in &receipts {
            signet_core::audit::append(folder, receipt)?;
        }
        rates.push(1_000.0 / begun.elapsed().as_secs_f64());
    }
    Ok(rates)
}

/// Records a second of Signet's whole verification: its chain, and the signature of every record.
///
/// # Errors
/// Signet's, or a record that is not found valid.
pub fn signet_verify(folder: &Path) -> Outcome<f64> {
    let begun = Instant::now();
    let chain = signet_core::audit::verify_chain(folder)?;
    let signatures = signet_core::audit::verify_signatures(folder, &signet_core::audit::AuditFilter::default())?;
    let rate = signatures.total as f64 / begun.elapsed().as_secs_f64();
    if !chain.valid || signatures.valid != signatures.total {
        return Err("Signet's own log does not verify".into());
    }
    Ok(rate)
}

const AGT: &str = "
import sys, time
from agentmesh.governance.audit import AuditEntry, MerkleAuditChain
chain, count = MerkleAuditChain(), int(sys.argv[1])
make = lambda n: AuditEntry(event_type='tool_call', agent_did='did:agent:triage', action='create_issue', outcome='success')
entries = [make(n) for n in range(count)]
begun = time.perf_counter()
for entry in entries:
    chain.add_entry(entry)
print(count / (time.perf_counter() - begun))
";

/// AGT's chain in memory, by the Python interpreter in `ATTEST_PEERS_PYTHON` that has `agent-governance-toolkit-core`; `None`
/// without one. It keeps nothing on disk.
///
/// # Errors
/// The interpreter's.
pub fn agt(appends: usize) -> Outcome<Option<f64>> {
    let Some(python) = std::env::var_os("ATTEST_PEERS_PYTHON") else { return Ok(None) };
    let output = Command::new(python).args(["-c", AGT, &appends.to_string()]).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(Some(String::from_utf8(output.stdout)?.trim().parse()?))
}
