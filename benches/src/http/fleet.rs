//! All that is compared, started and listening: the endpoint, and what stands in front of it.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::process::Process;
use crate::Outcome;
use crate::parties::AUDIENCE;
use crate::stdio::Place;

/// What its callers send to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Signed calls with every token.
    Full,
    /// Signed calls that name the tokens by their hashes.
    Short,
    /// Calls that are not signed.
    Plain,
    /// The unsigned method `ping`.
    Ping,
}

/// A process that is called, and with what.
pub struct Target {
    /// In the tables.
    pub name: &'static str,
    /// What its callers send.
    pub body: Body,
    /// Looks at its callers' messages, so that each call must be one of its own.
    pub guards: bool,
    /// It.
    pub process: Process,
    /// One more that belongs to it, between it and the endpoint.
    pub behind: Option<Process>,
}

impl Target {
    /// CPU time of what stands between caller and endpoint.
    pub fn cpu(&self) -> Outcome<Duration> {
        let behind = self.behind.as_ref().map_or(Ok(Duration::ZERO), Process::cpu)?;
        Ok(self.process.cpu()? + behind)
    }
}

/// All targets.
pub struct Fleet {
    /// In the order of the tables: the endpoint alone first.
    pub targets: Vec<Target>,
    /// Ends after those that stand in front of it.
    _memory: tempfile::TempDir,
}

/// Names by which the reports find what they compare.
pub(super) const ALONE: &str = "endpoint alone";
pub(super) const PLAIN: &str = "plain proxy";
pub(super) const PLAIN_PING: &str = "plain proxy, ping";
const NGINX: &str = "nginx";
const BARE: &str = "bare relay";
const GUARD: &str = "guard, log in memory";

/// Those on which many connections are opened: what stands in front of an endpoint.
pub const IDLE: [&str; 4] = [PLAIN, NGINX, BARE, GUARD];

impl Fleet {
    /// Starts everything. `nginx` is its program; without one it is left out.
    pub fn start(place: &Place, nginx: Option<&Path>) -> Outcome<Self> {
        let memory = tempfile::tempdir_in("/dev/shm")?;
        let echo = Process::listening(place.program_command("http-echo"), false)?;
        let url = echo.url.clone();
        let mut targets = vec![Target { name: ALONE, body: Body::Full, guards: false, process: echo, behind: None }];
        let mut add = |name, body, guards, process| {
            targets.push(Target { name, body, guards, process, behind: None });
        };
        let plain = |url: &str| {
            let mut command = place.program_command("plain-proxy");
            command.arg(url);
            Process::listening(command, false)
        };
        add(PLAIN, Body::Full, false, plain(&url)?);
        if let Some(program) = nginx {
            add(NGINX, Body::Full, false, start_nginx(program, &url, memory.path())?);
        }
        let mut bare = place.program_command("mcp-relay-bare");
        bare.args(["--listen", "127.0.0.1:0", "--upstream", &url]);
        add(BARE, Body::Full, false, Process::listening(bare, false)?);
        let log = |name: &str| memory.path().join(name);
        add(GUARD, Body::Full, true, guard(place, &url, &log("full.db"))?);
        add("same, tokens by hash", Body::Short, true, guard(place, &url, &log("short.db"))?);
        add("guard, log on disk", Body::Full, true, guard(place, &url, &place.folder().join("http.db"))?);
        add(PLAIN_PING, Body::Ping, false, plain(&url)?);
        add("guard, ping", Body::Ping, true, guard(place, &url, &log("ping.db"))?);
        let behind = guard(place, &url, &log("both.db"))?;
        let front = wrap(place, &behind.url)?;
        targets.push(Target {
            name: "wrap + guard",
            body: Body::Plain,
            guards: true,
            process: front,
            behind: Some(behind),
        });
        Ok(Self { targets, _memory: memory })
    }

    /// Whether there is a target with this name.
    pub fn has(&self, name: &str) -> bool {
        self.targets.iter().any(|target| target.name == name)
    }
}

/// `attest guard` on loopback in front of `url`, with this log.
pub(super) fn guard(place: &Place, url: &str, log: &Path) -> Outcome<Process> {
    let name = log.file_stem().and_then(|name| name.to_str()).ok_or("no name")?;
    let config = place.folder().join(format!("guard-http-{name}.toml"));
    let text = fs::read_to_string(place.folder().join("guard.toml"))?;
    fs::write(&config, text.replace("\"guard.db\"", &format!("{:?}", log.display().to_string())))?;
    let mut command = place.attest("guard");
    command.arg("--config").arg(config).args(["--listen", "127.0.0.1:0", "--upstream", url]);
    Process::listening(command, true)
}

/// `attest wrap` on loopback in front of the guard at `url`.
pub(super) fn wrap(place: &Place, url: &str) -> Outcome<Process> {
    let mut command = place.wrap_command("agent.toml", AUDIENCE);
    command.args(["--listen", "127.0.0.1:0", "--upstream", url]);
    Process::listening(command, true)
}

/// nginx as a plain reverse proxy, connections kept on both sides, nothing written per request.
fn start_nginx(program: &Path, url: &str, folder: &Path) -> Outcome<Process> {
    // It cannot choose a free port itself.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let upstream = url.strip_prefix("http://").and_then(|rest| rest.split('/').next()).ok_or("no address")?;
    let at = folder.display();
    let config = format!(
        "daemon off;
worker_processes 2;
worker_rlimit_nofile 20000;
pid {at}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 19000; multi_accept on; }}
http {{
    access_log off;
    tcp_nodelay on;
    keepalive_timeout 300s;
    keepalive_requests 100000000;
    client_body_temp_path {at}/body;
    proxy_temp_path {at}/proxy;
    fastcgi_temp_path {at}/fastcgi;
    uwsgi_temp_path {at}/uwsgi;
    scgi_temp_path {at}/scgi;
    upstream endpoint {{
        server {upstream};
        keepalive 512;
        keepalive_requests 100000000;
    }}
    server {{
        listen {address} backlog=4096;
        location /mcp {{
            proxy_pass http://endpoint;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
        }}
    }}
}}
"
    );
    let path = folder.join("nginx.conf");
    fs::write(&path, config)?;
    let mut command = Command::new(program);
    command.arg("-p").arg(folder).arg("-c").arg(path).args(["-e", "stderr"]).stdout(Stdio::null());
    let process = Process::silent(command, format!("http://{address}/mcp"))?;
    let begun = Instant::now();
    // It tells nobody when it listens.
    while std::net::TcpStream::connect(address).is_err() {
        if begun.elapsed() > Duration::from_secs(10) {
            return Err("nginx does not listen".into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(process)
}

/// Where nginx is: as `NGINX_PROGRAM` says, or where Debian puts it.
pub fn nginx() -> Option<PathBuf> {
    let named = std::env::var_os("NGINX_PROGRAM").map(PathBuf::from);
    named.into_iter().chain([PathBuf::from("/usr/sbin/nginx")]).find(|path| path.exists())
}
