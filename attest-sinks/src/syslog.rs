//! Syslog, RFC 5424: facility `authpriv`, message id `alert`, the alert's members as structured data.

use std::time::{Duration, UNIX_EPOCH};

use syslog_fmt::v5424::{Config, Formatter, Timestamp};
use syslog_fmt::{Facility, Severity as Level};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpStream, UdpSocket, UnixDatagram};

use crate::alert::{Alert, Severity};
use crate::config::SyslogAddress;

/// One attempt.
const ATTEMPT: Duration = Duration::from_secs(10);
/// `attest` under the number that RFC 5612 sets aside for examples: we have none of our own.
const ELEMENT: &str = "attest@32473";
/// Longest value in bytes, so that a datagram has room for the message: receivers take 2,048 bytes at least
/// (RFC 5424, section 6.1), most of them 8 KiB.
const MAX_VALUE: usize = 1_024;

pub(crate) struct Syslog {
    address: SyslogAddress,
    formatter: Formatter,
    stream: Option<TcpStream>,
}

impl Syslog {
    pub(crate) fn new(address: SyslogAddress) -> Self {
        let pid = std::process::id().to_string();
        let host = rustix::system::uname().nodename().to_string_lossy().replace(|c: char| !c.is_ascii_graphic(), "");
        let hostname = Some(host.as_str()).filter(|host| !host.is_empty());
        let formatter =
            Config { facility: Facility::Authpriv, hostname, app_name: Some("attest"), proc_id: Some(&pid) };
        Self { address, formatter: formatter.into_formatter(), stream: None }
    }

    pub(crate) async fn deliver(&mut self, alert: &Alert) -> Result<(), String> {
        let message = self.format(alert).map_err(|error| error.to_string())?;
        match tokio::time::timeout(ATTEMPT, self.write(&message)).await {
            Ok(result) => result.map_err(|error| error.to_string()),
            Err(_) => {
                // Half a message may be on its way.
                self.stream = None;
                Err("not taken in time".into())
            }
        }
    }

    fn format(&self, alert: &Alert) -> std::io::Result<Vec<u8>> {
        let level = match alert.severity {
            Severity::Critical => Level::Crit,
            Severity::High => Level::Err,
            Severity::Medium => Level::Warning,
            Severity::Low => Level::Notice,
            Severity::Info => Level::Info,
        };
        let entries = alert.entries.join(",");
        let mut data = vec![("rule", plain(&alert.rule)), ("severity", alert.severity.as_str().to_owned())];
        data.extend(alert.server.as_deref().map(|server| ("server", plain(server))));
        data.extend(alert.tool.as_deref().map(|tool| ("tool", plain(tool))));
        if !entries.is_empty() {
            data.push(("entries", plain(&entries)));
        }
        let time = rfc3339(alert.time_ms);
        let data: Vec<(&str, &str)> = data.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let reason = plain(&alert.reason);
        let mut out = Vec::new();
        let time = Timestamp::PreformattedStr(&time);
        self.formatter.write_with_data(&mut out, level, time, reason.as_str(), Some("alert"), [(ELEMENT, data)])?;
        Ok(out)
    }

    async fn write(&mut self, message: &[u8]) -> std::io::Result<()> {
        match &self.address {
            SyslogAddress::Unix(path) => {
                UnixDatagram::unbound()?.send_to(message, path).await?;
            }
            SyslogAddress::Udp(address) => {
                let target = tokio::net::lookup_host(address).await?.next();
                let target = target.ok_or_else(|| std::io::Error::other(format!("{address}: no such host")))?;
                let local = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                UdpSocket::bind(local).await?.send_to(message, target).await?;
            }
            SyslogAddress::Tcp(address) => {
                // A connection that the other side closed is only seen by the write after: one more attempt on a new one.
                let mut framed = format!("{} ", message.len()).into_bytes();
                framed.extend_from_slice(message);
                if let Some(mut stream) = self.stream.take()
                    && stream.write_all(&framed).await.is_ok()
                {
                    self.stream = Some(stream);
                    return Ok(());
                }
                let mut stream = TcpStream::connect(address).await?;
                stream.write_all(&framed).await?;
                self.stream = Some(stream);
            }
        }
        Ok(())
    }
}

/// On one line and not too long: what a server says of itself must not forge a second message.
fn plain(text: &str) -> String {
    text.get(..text.floor_char_boundary(MAX_VALUE)).unwrap_or_default().replace(char::is_control, " ")
}

/// RFC 3339, in UTC, with milliseconds.
pub(crate) fn rfc3339(time_ms: u64) -> String {
    // The last moment that four digits of a year can say.
    const LAST: u64 = 253_402_300_799_000;
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(time_ms.min(LAST))).to_string()
}
