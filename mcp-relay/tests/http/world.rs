//! A relay between a client and a server of the test's, with an interceptor that tells what it hears.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use attest_core::json::Value;
use bytes::Bytes;
use http::Uri;
use http::request::Parts;
use mcp_relay::http::{Callers, Endpoint, Exchange, Exchanges, HostName, Limits, Listener, Relay, Upstream};
use mcp_relay::{BoxFuture, Defect, Exit, Handling, Interceptor, Refusal, ToClient, ToServer};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::support::soon;

/// What an interceptor hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Client(String),
    Defect(Defect),
    Server(String),
    ClientGone,
    ServerGone,
}

pub use Heard::{ClientGone, ServerGone};

/// A server's message that is heard.
pub fn server(line: &str) -> Heard {
    Heard::Server(line.to_owned())
}

type OnClient = Box<dyn Fn(Bytes) -> Handling<ToServer> + Send + Sync>;
type OnServer = Box<dyn Fn(Bytes) -> Handling<ToClient> + Send + Sync>;

/// What the interceptors do.
pub struct Rules {
    pub client: OnClient,
    pub server: OnServer,
    /// What is said at the end.
    pub left: Vec<Bytes>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            client: Box::new(|_| Handling::Now(ToServer::Pass)),
            server: Box::new(|_| Handling::Now(ToClient::Pass)),
            left: Vec::new(),
        }
    }
}

impl Rules {
    pub fn client(rule: impl Fn(Bytes) -> Handling<ToServer> + Send + Sync + 'static) -> Self {
        Self { client: Box::new(rule), ..Self::default() }
    }

    pub fn server(rule: impl Fn(Bytes) -> Handling<ToClient> + Send + Sync + 'static) -> Self {
        Self { server: Box::new(rule), ..Self::default() }
    }
}

struct Recorders {
    rules: Arc<Rules>,
    opened: AtomicUsize,
    bad: Arc<AtomicUsize>,
    tell: mpsc::UnboundedSender<(usize, Heard)>,
}

impl Exchanges for Recorders {
    type Interceptor = Recorder;

    fn open(&self, _: &Parts) -> Recorder {
        let number = self.opened.fetch_add(1, Ordering::SeqCst);
        Recorder { number, rules: self.rules.clone(), tell: self.tell.clone() }
    }

    fn bad_http(&self) {
        self.bad.fetch_add(1, Ordering::SeqCst);
    }
}

/// Tells the test what it hears, with the number of its exchange.
struct Recorder {
    number: usize,
    rules: Arc<Rules>,
    tell: mpsc::UnboundedSender<(usize, Heard)>,
}

impl Recorder {
    fn tell(&self, heard: Heard) {
        // The test may have heard enough.
        let _ = self.tell.send((self.number, heard));
    }
}

impl Interceptor for Recorder {
    fn client_message(&self, line: Bytes, _: &Value<'_>) -> Handling<ToServer> {
        self.tell(Heard::Client(String::from_utf8(line.to_vec()).unwrap()));
        (self.rules.client)(line)
    }

    fn client_defect(&self, defect: Defect, id: Option<&Value<'_>>) -> Handling<Refusal> {
        self.tell(Heard::Defect(defect));
        let reply = defect.reply(id);
        Handling::later(async move { Refusal::Reply(reply) })
    }

    fn server_message(&self, line: Bytes, _: Option<&Value<'_>>) -> Handling<ToClient> {
        self.tell(Heard::Server(String::from_utf8(line.to_vec()).unwrap()));
        (self.rules.server)(line)
    }

    fn server_gone(&self, _: Option<Exit>) -> BoxFuture<Vec<Bytes>> {
        self.tell(ServerGone);
        let left = self.rules.left.clone();
        Box::pin(async move { left })
    }

    fn client_gone(&self) -> BoxFuture<()> {
        self.tell(ClientGone);
        Box::pin(std::future::ready(()))
    }
}

impl Exchange for Recorder {}

/// How a world is made.
pub struct Setup {
    pub rules: Rules,
    pub limits: Limits,
    pub endpoint: Endpoint,
    pub callers: Callers,
    pub host: HostName,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            rules: Rules::default(),
            limits: Limits::default(),
            endpoint: Endpoint::Path("/mcp".to_owned()),
            callers: Callers::Anybody,
            host: HostName::Clients,
        }
    }
}

impl From<Rules> for Setup {
    fn from(rules: Rules) -> Self {
        Self { rules, ..Self::default() }
    }
}

impl From<Limits> for Setup {
    fn from(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }
}

impl Setup {
    pub async fn start(self, url: &Uri) -> World {
        let upstream = Upstream::new(&url.to_string(), self.host, None).unwrap();
        self.over(upstream, Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap())
    }

    pub fn over(self, upstream: Upstream, listener: Listener) -> World {
        let address = listener.address().unwrap();
        let bad = Arc::new(AtomicUsize::new(0));
        let (tell, heard) = mpsc::unbounded_channel();
        let exchanges = Recorders { rules: Arc::new(self.rules), opened: AtomicUsize::new(0), bad: bad.clone(), tell };
        let relay = Relay::new(upstream, exchanges, self.endpoint, self.callers, self.limits);
        let (stop, stopped) = oneshot::channel::<()>();
        let limits = self.limits;
        let serving = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            listener.serve(relay.clone(), &limits, stopped).await;
            relay.close().await;
        });
        World { address, heard, bad, stop, serving }
    }
}

/// The relay at work.
pub struct World {
    pub address: SocketAddr,
    heard: mpsc::UnboundedReceiver<(usize, Heard)>,
    bad: Arc<AtomicUsize>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl World {
    pub async fn start(setup: impl Into<Setup>, url: &Uri) -> Self {
        setup.into().start(url).await
    }

    pub async fn connect(&self) -> Raw {
        Raw::over(TcpStream::connect(self.address).await.unwrap())
    }

    /// Sends one POST on a connection of its own.
    pub async fn post(&self, head: &str, body: &str) -> Raw {
        let mut client = self.connect().await;
        client.send(&post(head, body)).await;
        client
    }

    /// Sends one request without a body on a connection of its own; `line` is method and target.
    pub async fn read(&self, line: &str, head: &str) -> Raw {
        let mut client = self.connect().await;
        client.send(&format!("{line} HTTP/1.1\r\nhost: localhost\r\n{head}\r\n")).await;
        client
    }

    /// The next thing heard, with the number of the exchange.
    pub async fn heard(&mut self) -> (usize, Heard) {
        soon(self.heard.recv()).await.unwrap()
    }

    /// Expects the next thing of an exchange.
    #[track_caller]
    pub fn hears(&mut self, exchange: usize, what: Heard) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move { assert_eq!(self.heard().await, (exchange, what), "{caller}") }
    }

    /// Connections on which no HTTP was spoken, so far.
    pub fn bad_http(&self) -> usize {
        self.bad.load(Ordering::SeqCst)
    }

    /// Ends the relay; whatever was not heard before, and how many connections had no HTTP on them.
    pub async fn finish(mut self) -> (Vec<(usize, Heard)>, usize) {
        self.stop.send(()).unwrap();
        soon(self.serving).await.unwrap();
        let mut rest = Vec::new();
        while let Ok(heard) = self.heard.try_recv() {
            rest.push(heard);
        }
        (rest, self.bad.load(Ordering::SeqCst))
    }

    /// Ends the relay, having heard everything.
    #[track_caller]
    pub fn has_said_all(self) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move { assert_eq!(self.finish().await, (Vec::new(), 0), "{caller}") }
    }
}

/// The bytes of a POST.
pub fn post(head: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{head}\r\n{body}"
    )
}

/// A client's connection, byte by byte.
pub struct Raw(BufReader<TcpStream>);

/// An answer that was read whole, its chunks put together.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Raw {
    pub fn over(stream: TcpStream) -> Self {
        Self(BufReader::new(stream))
    }

    pub async fn send(&mut self, bytes: &str) {
        soon(self.0.get_mut().write_all(bytes.as_bytes())).await.unwrap();
    }

    /// What comes up to and with `marker`.
    pub async fn until(&mut self, marker: &str) -> String {
        let mut read = Vec::new();
        while !read.ends_with(marker.as_bytes()) {
            let byte = soon(self.0.read_u8()).await;
            let so_far = || String::from_utf8_lossy(&read).into_owned();
            read.push(byte.unwrap_or_else(|error| panic!("{error} before {marker:?}, after {:?}", so_far())));
        }
        String::from_utf8(read).unwrap()
    }

    /// The next answer, whole.
    pub async fn answer(&mut self) -> Answer {
        let head = self.until("\r\n\r\n").await.to_ascii_lowercase();
        let status = head["http/1.1 ".len()..][..3].parse().unwrap();
        let field =
            |name: &str| head.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).map(str::to_owned);
        let mut body = Vec::new();
        if let Some(length) = field("content-length") {
            body.resize(length.parse().unwrap(), 0);
            soon(self.0.read_exact(&mut body)).await.unwrap();
        } else if field("transfer-encoding").is_some() {
            loop {
                let size = usize::from_str_radix(self.until("\r\n").await.trim_end(), 16).unwrap();
                let mut chunk = vec![0; size + 2];
                soon(self.0.read_exact(&mut chunk)).await.unwrap();
                if size == 0 {
                    break;
                }
                body.extend_from_slice(&chunk[..size]);
            }
        }
        Answer { status, head, body: String::from_utf8(body).unwrap() }
    }

    /// Waits until the relay closes the connection; what came before.
    pub async fn end(&mut self) -> String {
        String::from_utf8(self.closes().await).unwrap()
    }

    /// The same where it may be anything.
    pub async fn closes(&mut self) -> Vec<u8> {
        let mut read = Vec::new();
        // A reset closes as well.
        let _ = soon(self.0.read_to_end(&mut read)).await;
        read
    }

    /// Reads so many bytes.
    pub async fn skip(&mut self, bytes: usize) {
        soon(self.0.read_exact(&mut vec![0; bytes])).await.unwrap();
    }

    /// Waits for the first byte.
    pub async fn stirs(&mut self) {
        assert!(!soon(self.0.fill_buf()).await.unwrap().is_empty());
    }
}

pub const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}"#;
pub const DONE: &str = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
pub const PROGRESS: &str = r#"{"jsonrpc":"2.0","method":"notifications/progress"}"#;
