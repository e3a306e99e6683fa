//! An agent on real SDKs, between the scripted API of its model and a guard.

use std::ffi::OsString;
use std::process::Command;

use attest_tests::listening::Listening;
use attest_tests::real::env;
use attest_tests::world::{AUDIENCE, World, output, tests_folder};
use serde_json::Value;

/// A world whose agent is measured by its turns, and the API.
pub struct Place {
    pub world: World,
    pub api: Listening,
}

impl Place {
    pub fn new(turns: &[&str]) -> Self {
        let world = World::with(&["echo"], &["--prompt", "prompt.txt", "--weights", "weights.bin"]);
        world.edit("agent.toml", "[measure]\n", &format!("[measure]\nturns = {turns:?}\n"));
        let mut api = world.place(Command::new("python3"));
        api.arg("-SE").arg(tests_folder().join("tests/turns/api_server.py")).arg("requests");
        Self { api: Listening::start(api), world }
    }

    /// Has the guard accept this digest of a component alone, in use.
    pub fn require(&self, component: &str, digest: &str) {
        let guard = self.world.read("guard.toml");
        let is_other = |line: &&str| !line.starts_with(&format!("{component} "));
        let agents = "[agents.\"tester\"]";
        let line = format!("{agents}\n{component} = {{ digests = [\"{digest}\"], grade = \"in-use\" }}");
        let kept = guard.lines().filter(is_other).map(|l| if l == agents { line.clone() } else { l.to_owned() });
        self.world.write("guard.toml", kept.collect::<Vec<_>>().join("\n") + "\n");
    }

    /// What the API was asked, oldest first.
    pub fn requests(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.world.path("requests")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn model_relay(&self) -> Command {
        let url = self.api.url().to_owned();
        self.world.attest(&["model-relay", "--config", "agent.toml", "--provider", "scripted", "--upstream", &url])
    }

    /// A relay that listens.
    pub fn relay(&self, allow: &[&str]) -> Listening {
        let mut command = self.model_relay();
        for path in allow {
            command.args(["--allow", path]);
        }
        Listening::start(command)
    }

    /// A relay that starts a command.
    pub fn relay_before(&self, words: &[&str]) -> Listening {
        let mut command = self.model_relay();
        command.arg("--").args(words);
        Listening::start(command)
    }

    fn agent(&self, steps: &[Value]) -> Vec<OsString> {
        let agent = tests_folder().join("tests/turns/agent.py");
        let mut words: Vec<OsString> = vec![env("models/bin/python").into(), agent.into()];
        words.push(Value::from(steps).to_string().into());
        let wrap = self.world.wrap(AUDIENCE, &self.world.guard());
        words.push(wrap.get_program().into());
        words.extend(wrap.get_args().map(OsString::from));
        words
    }

    /// Runs the agent as a command of the relay; what came of each step.
    pub fn run(&self, steps: &[Value]) -> Vec<Value> {
        let mut command = self.model_relay();
        command.arg("--").args(self.agent(steps));
        self.answers(command, steps)
    }

    /// Runs the agent beside a relay that listens.
    pub fn run_at(&self, relay: &Listening, steps: &[Value]) -> Vec<Value> {
        let mut command = self.world.command(&self.agent(steps));
        command.env("ANTHROPIC_BASE_URL", relay.url()).env("OPENAI_BASE_URL", format!("{}/v1", relay.url()));
        self.answers(command, steps)
    }

    fn answers(&self, mut command: Command, steps: &[Value]) -> Vec<Value> {
        for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
            command.env_remove(proxy);
        }
        let ended = output(command);
        let said = String::from_utf8_lossy(&ended.stderr);
        // The agent's own code.
        assert_eq!(ended.status.code(), Some(7), "{said}");
        let lines = String::from_utf8(ended.stdout).unwrap();
        let answers: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(answers.len(), steps.len(), "{said}");
        answers
    }
}
