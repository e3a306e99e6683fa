//! A connection: who it is made with, what is asked of the server, and what its errors mean.
//!
//! Callers block as they do for a file, and may do so on any thread, inside a runtime too. Whoever waits for an answer does the
//! driver's work meanwhile; the one thread for the whole process only says when there is something on a socket.

use std::cell::RefCell;
use std::env;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::task::unconstrained;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::{AsyncMessage, Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::StopReason;
use crate::place::Shared;
use crate::store::Failed;
use crate::wait::{block_on_for, runtime};

/// For one address of several.
const CONNECT_ONE: Duration = Duration::from_secs(3);
/// For all of them.
const CONNECT: Duration = Duration::from_secs(8);
/// Longer than the server waits for a lock, so that its own answer comes first.
pub(super) const PATIENCE: Duration = Duration::from_secs(12);

/// What a session is told at its beginning. Locks are waited for a few seconds, and who holds them asleep loses them.
/// `pg_temp` stands last, so that nobody's temporary table takes the place of one of ours.
const SETTINGS: &str = "
SET search_path = attest_log, pg_temp;
SET synchronous_commit = on;
SET lock_timeout = '5s';
SET idle_in_transaction_session_timeout = '30s';
SET client_min_messages = warning;
SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;";

/// What a session that writes is told too. Its statements are planned once, when the tables may still be empty, and each
/// looks up a few rows: a plan that reads a whole table would be kept, and cost more with every entry. Where the tables have
/// grown such a plan counts as dear, and would be compiled at every execution.
const WRITING: &str = "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan; SET jit = off;";

/// What went wrong with the database of a shared log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// The server or the way to it.
    #[error("{}", said(.0))]
    Server(#[from] tokio_postgres::Error),
    /// No answer.
    #[error("PostgreSQL did not answer in time")]
    Slow,
    /// The system gives no thread, or no certificates of authorities that may vouch for the server.
    #[error("{0}")]
    System(#[from] io::Error),
    /// The server cannot keep what the log promises.
    #[error("the server has {name} = {is}, and the log needs {name} = {needs}; set that in postgresql.conf")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What it is.
        is: String,
        /// What it must be.
        needs: &'static str,
    },
}

/// The driver's own words leave out what the server said.
fn said(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), std::error::Error::source(error)) {
        (Some(db), _) => format!("{} (code {})", db.message(), db.code().code()),
        (None, Some(source)) => format!("{error}: {source}{}", advice(source)),
        (None, None) => error.to_string(),
    }
}

/// What to do about a certificate that is not believed.
fn advice(source: &(dyn std::error::Error + 'static)) -> &'static str {
    let wrapped = source.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    match wrapped.and_then(|error| error.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => "; name the server in the address as its certificate does (and its number in hostaddr)",
        Some(rustls::Error::InvalidCertificate(_)) => {
            "; name a file with the certificate of the server's authority in SSL_CERT_FILE"
        }
        _ => "",
    }
}

impl PostgresError {
    /// What it means for a batch that nothing was committed of.
    pub(super) fn failed(&self) -> Failed {
        let Self::Server(error) = self else { return Failed::Away };
        let Some(code) = error.code().map(|code| code.code().as_bytes()) else { return Failed::Away };
        match code {
            // Serialization failure, deadlock.
            b"40001" | b"40P01" => Failed::Again,
            // Lost connections, want of memory, disk or connections, a server that goes, comes, stands by or was told to
            // cancel, a lock that is held for long: all this passes. So does what follows an error (25P02), of which the
            // answers may be seen first.
            [b'0', b'8', ..] | [b'5', b'3', ..] | [b'5', b'7', ..] | b"25006" | b"25P02" | b"25P03" | b"55P03" => {
                Failed::Away
            }
            [b'X', b'X', ..] => StopReason::Corrupt.into(),
            // Keys that should be free are taken.
            [b'2', b'3', ..] => StopReason::Inconsistent.into(),
            _ => StopReason::Postgres { code: code.try_into().unwrap_or(*b"?????") }.into(),
        }
    }
}

/// A connection that is ready to be used.
pub(crate) struct Session {
    client: Client,
    /// A warning came since this was last asked.
    warned: Arc<AtomicBool>,
    /// What sends and receives; `None` once the connection is closed. It goes with the session, and with it a row that others
    /// may wait for.
    driver: RefCell<Option<Driver>>,
}

type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Session {
    /// Connects; to whichever of several servers takes writes, where `writes`.
    pub(super) fn connect(shared: &Shared, writes: bool) -> Result<Self, PostgresError> {
        let mut config: Config = shared.url().parse()?;
        prepare(&mut config, writes);
        let tls = tls(&config)?;
        let runtime = runtime()?;
        let mut connecting = runtime.spawn(async move { config.connect(tls).await });
        let Some(connected) = block_on_for(&mut connecting, CONNECT) else {
            connecting.abort();
            return Err(PostgresError::Slow);
        };
        let (client, mut connection) = connected.map_err(io::Error::other)??;
        let warned = Arc::<AtomicBool>::default();
        let told = Arc::clone(&warned);
        // Polled now and then within a task, whose budget is not for this.
        let driver = Box::pin(unconstrained(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notice(notice) = message {
                    tracing::warn!("PostgreSQL says: {}", notice.message());
                    told.store(true, Ordering::Release);
                }
            }
        }));
        let session = Self { client, warned, driver: RefCell::new(Some(driver)) };
        session.execute(SETTINGS)?;
        if writes {
            session.execute(WRITING)?;
        }
        session.judge(writes)?;
        Ok(session)
    }

    /// Never by the server's word alone: what was set is asked back.
    fn judge(&self, writes: bool) -> Result<(), PostgresError> {
        let needed =
            [("server_encoding", "UTF8"), ("fsync", "on"), ("full_page_writes", "on"), ("synchronous_commit", "on")];
        let asked = needed.into_iter().take(if writes { needed.len() } else { 1 });
        for (name, needs) in asked {
            let is: String =
                self.wait(self.client.query_one(&format!("SELECT current_setting('{name}')"), &[]))?.try_get(0)?;
            if is != needs {
                return Err(PostgresError::Setting { name, is, needs });
            }
        }
        Ok(())
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Whether the connection is gone, as far as can be told without asking the server. Nobody looked while nobody waited.
    pub(super) fn is_closed(&self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.client.is_closed()
    }

    /// Waits for an answer, but not for ever.
    pub(super) fn wait<T>(
        &self,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, PostgresError> {
        self.wait_for(answer, PATIENCE)
    }

    /// [`Session::wait`] with a limit of its own.
    pub(super) fn wait_for<T>(
        &self,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
        limit: Duration,
    ) -> Result<T, PostgresError> {
        let mut answer = pin!(answer);
        let driven = poll_fn(|context| {
            if let Poll::Ready(answer) = answer.as_mut().poll(context) {
                return Poll::Ready(answer);
            }
            self.drive(context);
            answer.as_mut().poll(context)
        });
        Ok(block_on_for(driven, limit).ok_or(PostgresError::Slow)??)
    }

    /// Sends what was asked, and hands over what came.
    fn drive(&self, context: &mut Context<'_>) {
        let mut driver = self.driver.borrow_mut();
        if driver.as_mut().is_some_and(|driver| driver.as_mut().poll(context).is_ready()) {
            *driver = None;
        }
    }

    /// Whether the server warned of something since this was asked before: of a commit, that it may not have reached the
    /// standby it was to wait for.
    pub(super) fn was_warned(&self) -> bool {
        self.warned.swap(false, Ordering::AcqRel)
    }
}

fn prepare(config: &mut Config, writes: bool) {
    if config.get_password().is_none()
        && let Ok(password) = env::var("PGPASSWORD")
    {
        config.password(password);
    }
    if config.get_application_name().is_none() {
        config.application_name("attest");
    }
    config.connect_timeout(CONNECT_ONE).tcp_user_timeout(PATIENCE).keepalives_idle(Duration::from_secs(10));
    if writes {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    // Nobody listens on a machine's own sockets. Elsewhere a server that offers no TLS may be somebody else's.
    if config.get_ssl_mode() == SslMode::Prefer {
        config.ssl_mode(if is_local(config) { SslMode::Disable } else { SslMode::Require });
    }
}

fn is_local(config: &Config) -> bool {
    config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback)
        && config.get_hosts().iter().all(|host| match host {
            Host::Unix(_) => true,
            Host::Tcp(name) => {
                name == "localhost" || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
            }
        })
}

fn tls(config: &Config) -> Result<MakeRustlsConnect, PostgresError> {
    let mut roots = RootCertStore::empty();
    if config.get_ssl_mode() != SslMode::Disable {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(io::Error::other(
                "the system names no certificate authorities; install ca-certificates, or name a file in SSL_CERT_FILE",
            )
            .into());
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(io::Error::other)?.with_root_certificates(roots).with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
