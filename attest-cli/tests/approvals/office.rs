//! A guard's folder with requests in it, people with keys, and the page.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use attest_core::digest::Digest;
use attest_core::json;
use attest_core::labels::Labels;
use attest_core::sign::Sign as _;
use attest_core::verifier::Verifier;
use server_verifier::approvals::{Approvals, Requests, Why};

use super::common::{NOW, REQUEST, World, check};

pub struct Office(tempfile::TempDir, World);

impl Office {
    pub fn new() -> Self {
        let office = Self(tempfile::tempdir().unwrap(), World::new());
        let jwk = |x: &str| format!("{{ kty = \"OKP\", crv = \"Ed25519\", x = \"{x}\" }}");
        let people = ["alice", "bob"].map(|name| {
            let x = office.keygen(name);
            format!("[[approver]]\nname = \"{name}\"\ngroups = [\"finance\"]\njwks = [{}]\n", jwk(&x))
        });
        office.keygen("stranger");
        let world = &office.1;
        let guard = format!(
            "audience = \"files\"\nlog = \"guard.db\"\n\
             [[attester]]\nissuer = \"acme\"\nagents = [\"a1\"]\njwk = {}\n\
             [[root]]\nissuer = \"owner\"\ntools = [\"files#*\"]\njwk = {}\n{}\
             [agents.a1]\nsystem-prompt = {{ digests = [\"{}\"] }}\n",
            jwk(&world.attester.public().x()),
            jwk(&world.root.public().x()),
            people.concat(),
            Digest::of("the prompt").to_b64()
        );
        fs::write(office.0.path().join("guard.toml"), guard).unwrap();
        office
    }

    /// The `x` of a new key.
    fn keygen(&self, name: &str) -> String {
        let mut command = self.command();
        assert!(command.args(["keygen", "--jwk", &format!("{name}.key")]).output().unwrap().status.success());
        let public = fs::read_to_string(self.0.path().join(format!("{name}.key.pub"))).unwrap();
        public.split("\"x\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_attest"));
        command.current_dir(self.0.path()).env_remove("ATTEST_GUARD_CONFIG");
        command
    }

    pub fn edit(&self, from: &str, to: &str) {
        let path = self.0.path().join("guard.toml");
        let before = fs::read_to_string(&path).unwrap();
        assert!(before.contains(from), "{before}");
        fs::write(path, before.replace(from, to)).unwrap();
    }

    /// A guard that asks people about a call with this argument, which is a JSON string's inside.
    pub fn ask(&self, path: &str) -> String {
        let trust = server_verifier::Config::read(&self.0.path().join("guard.toml")).unwrap().trust;
        let request = REQUEST.replace("/srv/a.txt", path);
        let [full, _] = self.1.forms(&request, "files");
        let accepted = check(&Verifier::new(self.1.trust()), &full, NOW).0.unwrap();
        let message = json::parse(request.as_bytes()).unwrap();
        let params = message.as_object().unwrap().get("params").unwrap().as_object().unwrap();
        let why = Why {
            by: &["two-persons".to_owned()],
            reason: "money leaves the house",
            needs: &[(2, "finance".to_owned())],
            risk: "critical",
            labels: &Labels::None,
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let approvals =
            Approvals::open(Requests::in_folder(&self.0.path().join("guard.db.approvals")), Duration::from_secs(600))
                .unwrap();
        approvals.ask(&trust, &accepted, params.get("arguments"), &why, now).unwrap().request.to_b64()
    }

    /// Exit code, standard output and standard error of `attest approvals`.
    pub fn attest(&self, args: &[&str]) -> (i32, String, String) {
        let output = self.command().arg("approvals").args(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    pub fn show(&self, id: &str) -> String {
        let (code, shown, error) = self.attest(&["show", id]);
        assert_eq!(code, 0, "{error}");
        shown
    }

    pub fn serve(&self, key: &str) -> Page {
        let mut command = self.command();
        command.args(["approvals", "serve", "--key", key]).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("http://").unwrap();
        let (host, path) = url.split_once('/').unwrap();
        let (base, login) = path.split_once('/').unwrap();
        Page { child, host: host.to_owned(), base: format!("/{base}/"), login: login.to_owned() }
    }
}

pub struct Page {
    child: Child,
    pub host: String,
    pub base: String,
    pub login: String,
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Page {
    pub fn get(&self, path: &str, cookie: &str) -> String {
        let Self { host, base, .. } = self;
        format!("GET {base}{path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n")
    }

    /// The cookie.
    pub fn log_in(&self) -> String {
        let answer = http(&self.host, &self.get(&self.login, ""));
        let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
        assert!(cookie.contains("HttpOnly; SameSite=Strict") && cookie.contains(&format!("Path={};", self.base)));
        cookie.split(';').next().unwrap().to_owned()
    }
}

/// A form that somebody sends.
#[derive(Clone)]
pub struct Sent<'a> {
    pub id: &'a str,
    pub cookie: &'a str,
    pub form: &'a str,
    pub origin: String,
    pub host: String,
    pub site: &'a str,
}

impl Sent<'_> {
    pub fn from(page: &Page) -> Self {
        let Page { host, .. } = page;
        Self { id: "", cookie: "", form: "", origin: format!("http://{host}"), host: host.clone(), site: "same-origin" }
    }

    pub fn request(&self, page: &Page) -> String {
        let Self { id, cookie, form, origin, host, site } = self;
        let body = format!("form={form}");
        format!(
            "POST {}r/{id}/approve HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nSec-Fetch-Site: {site}\r\n\
             Cookie: {cookie}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            page.base,
            body.len()
        )
    }
}

/// The whole answer to a request.
pub fn http(host: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}
