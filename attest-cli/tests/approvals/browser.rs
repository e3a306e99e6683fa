//! A headless Chromium, and a server with a page that wants something of another.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::office::http;

const SOON: Duration = Duration::from_millis(100);

pub fn found() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name))).find(|file| file.exists())
}

pub struct Browser {
    child: Child,
    host: String,
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Browser {
    pub fn start(chromium: &Path) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut command = Command::new(chromium);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]);
        command.arg("--host-resolver-rules=MAP rebound.example 127.0.0.1");
        command.arg(format!("--user-data-dir={}", profile.path().display())).arg("about:blank");
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let told = profile.path().join("DevToolsActivePort");
        let mut browser = Self { child, host: String::new(), _profile: profile };
        for _ in 0..300 {
            let text = std::fs::read_to_string(&told).unwrap_or_default();
            if let Some((port, _)) = text.split_once('\n') {
                browser.host = format!("127.0.0.1:{port}");
                return browser;
            }
            std::thread::sleep(SOON);
        }
        panic!("the browser does not start");
    }

    fn ask(&self, method: &str, path: &str) -> String {
        http(&self.host, &format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.host))
    }

    /// A new tab.
    pub fn open(&self, url: &str) {
        let url: String = url.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = self.ask("PUT", &format!("/json/new?{url}"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Until a tab has this title.
    pub fn await_title(&self, title: &str) {
        let wanted = format!("\"title\": \"{title}\"");
        let mut tabs = String::new();
        for _ in 0..100 {
            tabs = self.ask("GET", "/json/list");
            if tabs.contains(&wanted) {
                return;
            }
            std::thread::sleep(SOON);
        }
        panic!("no tab {title:?}: {tabs}");
    }
}

/// A page on another site that tries what a page can.
pub struct Attacker {
    pub url: String,
    done: Receiver<()>,
}

impl Attacker {
    /// It knows even the page's path.
    pub fn start(base: &str, id: &str) -> Self {
        let page = format!(
            "<iframe name=f></iframe><iframe src=\"{base}r/{id}\"></iframe>\
             <form id=a method=post target=f action=\"{base}r/{id}/approve\"><input name=form value=x></form>\
             <script>a.submit();\
             const post={{method:'POST',mode:'no-cors',credentials:'include',body:new URLSearchParams('form=x')}};\
             const send=word=>fetch('{base}r/{id}/'+word,post).catch(()=>0);\
             const read=fetch('{base}r/{id}',{{credentials:'include'}}).then(a=>a.text()).catch(()=>'');\
             Promise.all([send('approve'),send('refuse'),read]).then(([,,text])=>\
             setTimeout(()=>fetch(text?'/read':'/done'),1000));</script>"
        );
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
        let (tell, done) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
                let mut head = [0; 4096];
                let read = stream.read(&mut head).unwrap_or(0);
                let head = String::from_utf8_lossy(&head[..read]);
                let body = if head.starts_with("GET / ") { page.as_str() } else { "" };
                let length = body.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
                if head.starts_with("GET /done ") && tell.send(()).is_err() {
                    return;
                }
            }
        });
        Self { url, done }
    }

    /// Until it tried everything, and read nothing.
    pub fn await_done(&self) {
        self.done.recv_timeout(Duration::from_secs(30)).unwrap();
    }
}
