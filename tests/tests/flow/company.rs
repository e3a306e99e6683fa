//! Two agents and three servers, each with its own guard, keys and log.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use attest_core::attestation::Attestation;

use attest_core::digest::{Digest, Jti, Salt};
use attest_core::json;
use attest_core::jws::Unverified;
use attest_core::names::{CAUSE, RECEIPT};
use attest_core::note::{Kind, Vkey};
use attest_core::request::attested;
use attest_core::sign::Sign as _;
use attest_core::signing::{Credentials, Form, Lineage, Particulars, sign_call};
use attest_keys::{Form as KeyForm, SecretKey, public_jwk, write_public};
use attest_tests::binaries::attest;
use attest_tests::client::Client;
use attest_tests::forge::now;
use attest_tests::world::{must, must_fail, tests_folder};
use serde_json::Value;
use tempfile::TempDir;

/// The configuration of the agent A.
pub const FOR_A: &str = "a.toml";

/// All of them, in a folder.
pub struct Company {
    folder: TempDir,
    /// Whether B passes on whom it works for.
    manner: &'static str,
}

/// The servers as A's host has them.
pub struct Host {
    pub finance: Client,
    pub mail: Client,
    pub assistant: Client,
}

impl Host {
    pub fn end(mut self) {
        self.finance.end();
        self.mail.end();
        self.assistant.end();
    }
}

/// What a forger adds to a call of B's.
#[derive(Default)]
pub struct Added {
    pub receipts: Vec<(Digest, Arc<str>)>,
}

impl Company {
    pub fn new(manner: &'static str) -> Self {
        let company = Self { folder: tempfile::Builder::new().prefix("attest-test-").tempdir().unwrap(), manner };
        fs::create_dir_all(company.path("keys")).unwrap();
        fs::create_dir_all(company.path("run")).unwrap();
        fs::create_dir_all(company.path("declassified")).unwrap();
        for name in ["a", "b", "attester", "owner", "treasurer", "finance", "mail", "assistant"] {
            let key = SecretKey::generate().unwrap();
            key.write(&company.path(&format!("keys/{name}.key")), KeyForm::Pem).unwrap();
            let public = company.path(&format!("keys/{name}.key.pub"));
            write_public(&public, key.public(), KeyForm::Pem).unwrap();
        }
        for agent in ["a", "b"] {
            company.write(&format!("{agent}.prompt"), format!("You are {agent}."));
            company.write(&format!("{agent}.toml"), company.agent(agent));
        }
        for server in ["finance", "mail", "assistant"] {
            company.write(&format!("{server}.toml"), company.guard(server));
        }
        // A may read, ask and send; what it read may reach B, and nobody else. B may send.
        let a = [
            "--tool",
            "finance#read_report",
            "--tool",
            "assistant#ask",
            "--tool",
            "mail#send",
            "--release",
            "assistant#ask=financial",
            "--release",
            "finance#read_report=financial",
        ];
        company.root("a", "a-all.chain", &a);
        company.root(
            "a",
            "a.chain",
            &[
                "--tool",
                "finance#read_report",
                "--tool",
                "assistant#ask",
                "--release",
                "assistant#ask=financial",
                "--release",
                "finance#read_report=financial",
                "--release",
                "finance#read_report=financial",
            ],
        );
        company.root("b", "b.chain", &["--tool", "mail#send"]);
        company
    }

    fn agent(&self, agent: &str) -> String {
        let servers = ["finance", "mail", "assistant"]
            .map(|server| format!("[[server]]\naudience = \"{server}\"\nlog_keys = [\"{}\"]\n", self.log_key(server)));
        let chain = if agent == "a" { "a-all" } else { "b" };
        format!(
            "agent = \"{agent}\"\nissuer = \"acme\"\nkey = \"keys/{agent}.key\"\nattester_key = \"keys/attester.key\"\n\
             delegation = \"{chain}.chain\"\nlog = \"{agent}.db\"\n[measure]\nsystem_prompt = \"{agent}.prompt\"\n\
             [flow]\ndeclassified = \"declassified\"\n{}",
            servers.concat()
        )
    }

    fn guard(&self, server: &str) -> String {
        let others = ["finance", "mail", "assistant"].into_iter().filter(|other| *other != server);
        let others = others.map(|other| format!("[[server]]\nlog_keys = [\"{}\"]\n", self.log_key(other)));
        let prompt = |agent: &str| Digest::of(format!("You are {agent}.")).to_b64();
        let flow = match server {
            "finance" => "labels = [\"financial\"]",
            "assistant" => "tell_server = true",
            _ => "",
        };
        format!(
            "audience = \"{server}\"\nlog = \"{server}.db\"\nlog_key = \"keys/{server}.key\"\n\
             [[attester]]\nissuer = \"acme\"\nagents = [\"a\", \"b\"]\njwk = {}\n\
             [[root]]\nissuer = \"owner\"\ntools = [\"{server}#*\", \"finance#*\", \"mail#*\", \"assistant#*\"]\nlabels = [\"financial\"]\njwk = {}\n\
             [[declassifier]]\nlabels = [\"financial\"]\njwk = {}\n{}\
             [flow]\n{flow}\n\
             [agents.a]\nsystem-prompt = {{ digests = [\"{}\"], grade = \"on-disk\" }}\n\
             [agents.b]\nsystem-prompt = {{ digests = [\"{}\"], grade = \"on-disk\" }}\n",
            self.jwk("attester"),
            self.jwk("owner"),
            self.jwk("treasurer"),
            others.collect::<String>(),
            prompt("a"),
            prompt("b"),
        )
    }

    fn key(&self, name: &str) -> SecretKey {
        SecretKey::read(&self.path(&format!("keys/{name}.key"))).unwrap()
    }

    fn log_key(&self, server: &str) -> String {
        Vkey::new(server, Kind::Log, self.key(server).public().clone()).unwrap().to_string()
    }

    fn jwk(&self, name: &str) -> String {
        let jwk: Value = serde_json::from_str(&public_jwk(self.key(name).public())).unwrap();
        format!("{{ kty = \"OKP\", crv = \"Ed25519\", x = {} }}", jwk["x"])
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{name} has no {from:?}");
        self.write(name, text.replacen(from, to, 1));
    }

    pub fn attest(&self, words: &[&str]) -> Command {
        let mut command = Command::new(attest());
        command.args(words);
        self.place(command)
    }

    fn place(&self, mut command: Command) -> Command {
        command.current_dir(self.folder.path());
        command.env("XDG_RUNTIME_DIR", self.path("run")).env("XDG_CACHE_HOME", self.path("cache"));
        command
    }

    fn root(&self, to: &str, chain: &str, grant: &[&str]) {
        let to = format!("keys/{to}.key.pub");
        let mut command = self.attest(&[
            "delegate",
            "--key",
            "keys/owner.key",
            "--issuer",
            "owner",
            "--passes",
            "1",
            "--to",
            &to,
            "--out",
            chain,
        ]);
        command.args(grant);
        must(command);
    }

    /// B gets from A what A has of mail, and what this says besides.
    pub fn pass_on(&self, release: &str) {
        let mut grant = vec![
            "--tool",
            "finance#read_report",
            "--tool",
            "assistant#ask",
            "--tool",
            "mail#send",
            "--release",
            "assistant#ask=financial",
            "--release",
            "finance#read_report=financial",
        ];
        if !release.is_empty() {
            grant.extend(["--release", release]);
        }
        self.root("a", "passed.root", &grant);
        self.derive("passed.root", &["--tool", "mail#send"]);
    }

    fn derive(&self, parent: &str, grant: &[&str]) {
        let mut command = self.attest(&[
            "delegate",
            "--key",
            "keys/a.key",
            "--to",
            "keys/b.key.pub",
            "--parent",
            parent,
            "--out",
            "passed.chain",
        ]);
        command.args(grant);
        must(command);
        self.edit("b.toml", "delegation = \"b.chain\"", "delegation = \"passed.chain\"");
    }

    /// The owner of the data lets A have both, and the pair reach one recipient; A passes it on.
    pub fn grant_jointly(&self, to: &str) {
        self.write(
            "joint.toml",
            format!(
                "[tools.\"finance#read_report\"]\n[tools.\"assistant#ask\"]\n[tools.\"mail#send\"]\n\
                 to = {{ constraint_type = \"exact\", value = \"{to}\" }}\nbody = {{ constraint_type = \"wildcard\" }}\n\
                 [flow]\norigin = \"self\"\n[flow.release]\n\"assistant#ask\" = [\"financial\"]\n\"finance#read_report\" = [\"financial\"]\n\"mail#send\" = [\"financial\"]\n"
            ),
        );
        self.root("a", "joint.root", &["--grant", "joint.toml"]);
        self.write(
            "mail-only.toml",
            format!(
                "[tools.\"mail#send\"]\nto = {{ constraint_type = \"exact\", value = \"{to}\" }}\n\
                 body = {{ constraint_type = \"wildcard\" }}\n"
            ),
        );
        self.derive("joint.root", &["--grant", "mail-only.toml"]);
    }

    pub fn delegate_fails(&self, words: &[&str]) -> String {
        let mut command = self.attest(&["delegate"]);
        command.args(words);
        must_fail(command)
    }

    /// The treasurer lets the report reach this recipient, once.
    pub fn declassify(&self, to: &str) {
        self.write("arguments.json", serde_json::json!({"to": to, "body": "revenue: 7"}).to_string());
        let words = ["declassify", "--key", "keys/treasurer.key", "--to", "keys/b.key.pub", "--tool", "mail#send"];
        let mut command = self.attest(&words);
        command.args(["--arguments", "arguments.json", "--labels", "financial", "--out", "declassified/report.json"]);
        must(command);
    }

    fn server(&self, kind: &str) -> Vec<OsString> {
        let script = tests_folder().join("tests/flow/server.py");
        let mut words: Vec<OsString> = vec!["python3".into(), "-SE".into(), script.into(), kind.into()];
        words.extend([self.path("sent").into(), self.manner.into()]);
        if kind == "assistant" {
            words.extend(self.wrapped("b.toml", "mail"));
        }
        words
    }

    fn guarded(&self, server: &str) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec![attest().into(), "guard".into(), "--config".into()];
        words.extend([self.path(&format!("{server}.toml")).into(), "--".into()]);
        words.extend(self.server(server));
        words
    }

    fn wrapped(&self, agent: &str, server: &str) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec![attest().into(), "wrap".into(), "--config".into(), self.path(agent).into()];
        words.extend(["--audience".into(), server.into(), "--".into()]);
        words.extend(self.guarded(server));
        words
    }

    fn start(&self, words: &[OsString]) -> Client {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        let mut client = Client::start(self.place(command));
        let about = serde_json::json!({"name": "host", "version": "1"});
        let id = client.ask(
            "initialize",
            serde_json::json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": about}),
        );
        assert!(client.answer(id)["result"].is_object(), "{}", client.said());
        client
    }

    /// The servers as A's host starts them. B's own mail server is another process of the same kind, over the same log: so A has one of its own.
    pub fn host_of_a(&self) -> Host {
        let [finance, mail, assistant] = ["finance", "own-mail", "assistant"].map(|server| {
            if server == "own-mail" {
                let text = fs::read_to_string(self.path("mail.toml")).unwrap();
                self.write("own-mail.toml", text.replace("log = \"mail.db\"", "log = \"own-mail.db\""));
                let mut words = self.wrapped("a.toml", "mail");
                for word in &mut words {
                    if *word == *self.path("mail.toml").as_os_str() {
                        *word = self.path("own-mail.toml").into();
                    }
                }
                return self.start(&words);
            }
            self.start(&self.wrapped("a.toml", server))
        });
        Host { finance, mail, assistant }
    }

    /// The mails that were sent.
    pub fn sent(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("sent")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The receipt for reading the report, by the finance server's log.
    pub fn receipt_of_finance(&self) -> (Digest, Arc<str>) {
        let chain = fs::read_to_string(self.path("a.chain")).unwrap();
        let line = self.signed("a", &chain, "finance", "read_report", serde_json::json!({}), &Added::default());
        let mut client = self.start(&self.guarded("finance"));
        client.send(line);
        let answer = client.answer(7);
        client.end();
        let receipt = answer["result"]["_meta"][RECEIPT][0]["receipt"].as_str().unwrap().to_owned();
        (Digest::of(&receipt), receipt.into())
    }

    /// A call of B's, made with its key and without its signer.
    pub fn forged_by_b(&self, add: impl FnOnce(&mut Added)) -> Value {
        let mut added = Added::default();
        add(&mut added);
        let chain = fs::read_to_string(self.path("b.chain")).unwrap();
        let mail = serde_json::json!({"to": "cfo@example.org", "body": "revenue: 7"});
        let line = self.signed("b", &chain, "mail", "send", mail, &added);
        let mut client = self.start(&self.guarded("mail"));
        client.send(line);
        let answer = client.answer(7);
        client.end();
        answer
    }

    fn signed(&self, agent: &str, chain: &str, audience: &str, tool: &str, arguments: Value, added: &Added) -> Vec<u8> {
        let issued = must(self.attest(&["issue", "--config", &format!("{agent}.toml")])).stdout;
        let attestation = String::from_utf8(issued).unwrap();
        assert!(Unverified::<Attestation>::read(attestation.trim()).is_ok());
        let chain: Vec<&str> = chain.split_whitespace().collect();
        let credentials = Credentials::new(attestation.trim(), &chain).unwrap();
        let params = serde_json::json!({"name": tool, "arguments": arguments});
        let request =
            serde_json::json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}).to_string();
        let message = json::parse(request.as_bytes()).unwrap();
        let call = attested(&message).unwrap();
        let fresh = |salt: &str| *Digest::of(format!("{salt}{:?}", std::time::Instant::now())).0.first_chunk().unwrap();
        let particulars = Particulars {
            audience,
            context: Jti([5; 16]),
            id: Jti(fresh("id")),
            salt: Salt(fresh("salt")),
            now: now(),
            life: 60,
            nonce: None,
            lineage: Lineage { receipts: &added.receipts, ..Lineage::default() },
        };
        let key = self.key(agent);
        let signed = sign_call(&call, &credentials, particulars, &key).unwrap();
        signed.request(Form::Full)
    }

    /// The line in which the assistant is asked, as it comes from its guard, and the token in it.
    pub fn what_b_is_told(&self) -> (String, Option<String>) {
        let chain = fs::read_to_string(self.path("a.chain")).unwrap();
        let mut line = self.signed("a", &chain, "assistant", "ask", serde_json::json!({}), &Added::default());
        // Whatever a caller puts there is not what the server sees.
        let text = String::from_utf8(line).unwrap();
        line = text
            .replacen("\"_meta\":{", &format!("\"_meta\":{{\"{CAUSE}\":{{\"decision\":\"mine\"}},"), 1)
            .into_bytes();
        let mut words: Vec<OsString> = vec![attest().into(), "guard".into(), "--config".into()];
        words.extend([self.path("assistant.toml").into(), "--".into(), "tee".into(), self.path("told").into()]);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        let mut client = Client::start(self.place(command));
        client.send(line);
        client.find("the server's echo", |_| true);
        client.end();
        let line = fs::read_to_string(self.path("told")).unwrap();
        let value: Value = serde_json::from_str(line.trim()).unwrap();
        let told = value["params"]["_meta"][CAUSE]["decision"].as_str().map(str::to_owned);
        (line, told)
    }

    /// Every log says of itself what is true.
    pub fn logs_are_whole(&self) {
        for server in ["finance", "mail", "assistant"] {
            let log = format!("{server}.db");
            if self.path(&log).exists() {
                let trust = format!("{server}.toml");
                must(self.attest(&["log", "verify", &log, "--key", &self.log_key(server), "--trust", &trust]));
            }
        }
        must(self.attest(&["log", "verify", "a.db", "--unpinned"]));
    }

    /// B's log held against the mail server's.
    pub fn reconciled(&self, more: &[&str]) -> (Option<i32>, String) {
        self.run(&[&["log", "reconcile", "b.db", "mail.db"][..], more].concat())
    }

    /// The exit code of a command and what it printed; what it said besides, where it printed nothing.
    pub fn run(&self, words: &[&str]) -> (Option<i32>, String) {
        let output = self.attest(words).output().unwrap();
        let said = if output.stdout.is_empty() { output.stderr } else { output.stdout };
        (output.status.code(), String::from_utf8(said).unwrap())
    }

    pub fn stop_signer(&self, config: &str) {
        must(self.attest(&["signer", "stop", "--config", config]));
    }
}

impl Drop for Company {
    fn drop(&mut self) {
        for config in [FOR_A, "b.toml"] {
            let mut stop = self.attest(&["signer", "stop", "--config", config]);
            let _ = stop.stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
    }
}
