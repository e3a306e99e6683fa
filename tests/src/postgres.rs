//! A PostgreSQL server of a test's own: its programs as the system has them, its data and its socket in a folder that goes
//! with it. One that is to be reached over TCP listens on this machine's loopback alone.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code outside a #[test] function")]
#![allow(dead_code, reason = "each test file uses its part")]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// Who the server runs as where the tests run as root, which it refuses.
const USER: &str = "postgres";
const PORT: u16 = 5432;

/// A server. It is stopped, and its data is gone, when this is dropped.
pub struct Server {
    programs: PathBuf,
    folder: TempDir,
    /// Where it listens over TCP, and whether with TLS.
    tcp: Option<(u16, bool)>,
}

impl Server {
    /// Makes one with an empty database `log`.
    pub fn start() -> Self {
        let server = Self::prepared();
        server.make();
        server.up();
        server.sql("postgres", "CREATE DATABASE log");
        server
    }

    /// That over TCP too, where every user needs this password: with TLS alone, by this certificate and key; or, without one, as it is.
    pub fn listening(password: &str, certificate: Option<[&Path; 2]>) -> Self {
        let mut server = Self::prepared();
        server.make();
        for (file, name) in certificate.iter().flatten().zip(["server.crt", "server.key"]) {
            let path = server.data().join(name);
            fs::copy(file, &path).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            server.give(&path);
        }
        let line = if certificate.is_some() { "hostssl" } else { "host" };
        let access = format!("local all all trust\n{line} all all 127.0.0.1/32 scram-sha-256\n");
        fs::write(server.data().join("pg_hba.conf"), access).unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        server.tcp = Some((free, certificate.is_some()));
        server.up();
        server.sql("postgres", &format!("ALTER USER attest PASSWORD '{password}'; "));
        server.sql("postgres", "CREATE DATABASE log");
        server
    }

    /// Its port on this machine's loopback.
    pub fn port(&self) -> u16 {
        self.tcp.map_or(PORT, |(port, _)| port)
    }

    fn make(&self) {
        let data = self.data();
        let made = self.run(
            "initdb",
            ["-U", "attest", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D"]
                .map(OsStr::new)
                .into_iter()
                .chain([data.as_os_str()]),
        );
        assert!(made.status.success(), "{made:?}");
    }

    fn prepared() -> Self {
        let folder = tempfile::Builder::new().prefix("attest-pg-").tempdir_in("/tmp").unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let server = Self { programs: programs(), folder, tcp: None };
        server.give(server.folder.path());
        server
    }

    /// To whom the server runs as.
    fn give(&self, path: &Path) {
        if is_root() {
            assert!(Command::new("chown").args([USER.as_ref(), path.as_os_str()]).status().unwrap().success());
        }
    }

    /// A standby that follows this server; this one acknowledges no commit any more that the standby has not on its disk.
    pub fn standby(&self) -> Self {
        let standby = Self::prepared();
        let from = format!("host={} user=attest application_name=standby", self.socket().display());
        let data = standby.data();
        let copied = standby.run(
            "pg_basebackup",
            [
                "-R".as_ref(),
                "-X".as_ref(),
                "stream".as_ref(),
                "-c".as_ref(),
                "fast".as_ref(),
                "-d".as_ref(),
                from.as_ref(),
                "-D".as_ref(),
                data.as_os_str(),
            ],
        );
        assert!(copied.status.success(), "{copied:?}");
        standby.up();
        self.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'standby'");
        self.sql("postgres", "SELECT pg_reload_conf()");
        // Asynchronous until the server has seen the standby and read that.
        for _ in 0..200 {
            if self.sql("postgres", "SELECT sync_state FROM pg_stat_replication").trim() == "sync" {
                return standby;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("the standby does not follow");
    }

    /// Makes a standby a server that takes writes.
    pub fn promote(&self) {
        let data = self.data();
        let done = self.run("pg_ctl", ["promote".as_ref(), "-w".as_ref(), "-D".as_ref(), data.as_os_str()]);
        assert!(done.status.success(), "{done:?}");
    }

    /// Starts it.
    pub fn up(&self) {
        let (data, log) = (self.data(), self.folder.path().join("server.log"));
        let (listen, ssl) = match self.tcp {
            Some((_, ssl)) => ("127.0.0.1", if ssl { "on" } else { "off" }),
            None => ("''", "off"),
        };
        let options = format!(
            "-c listen_addresses={listen} -c ssl={ssl} -c unix_socket_directories={} -c port={} -c shared_buffers=32MB \
             -c max_connections=60",
            self.socket().display(),
            self.port()
        );
        // What is left of one that was killed may take a moment to notice.
        for _ in 0..50 {
            let up = self.run(
                "pg_ctl",
                [
                    "start".as_ref(),
                    "-w".as_ref(),
                    "-D".as_ref(),
                    data.as_os_str(),
                    "-l".as_ref(),
                    log.as_os_str(),
                    "-o".as_ref(),
                    options.as_ref(),
                ],
            );
            if up.status.success() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("the server does not start: {}", fs::read_to_string(&log).unwrap_or_default());
    }

    /// Stops it: `fast` in good order, `immediate` as a crash does.
    pub fn down(&self, mode: &str) {
        let data = self.data();
        let down = self.run(
            "pg_ctl",
            ["stop".as_ref(), "-m".as_ref(), mode.as_ref(), "-w".as_ref(), "-D".as_ref(), data.as_os_str()],
        );
        assert!(down.status.success(), "{down:?}");
    }

    /// Ends its first process with `kill -9`; the others notice, and end too.
    pub fn kill(&self) {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let pid = file.lines().next().unwrap();
        assert!(Command::new("kill").args(["-9", pid]).status().unwrap().success());
    }

    /// Runs SQL as whoever owns the log; says what it answered.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let done = self.psql(database, sql).output().unwrap();
        assert!(done.status.success(), "{sql}: {done:?}");
        String::from_utf8(done.stdout).unwrap()
    }

    /// Sets a log's tables back to what they were in version 1 or 2.
    pub fn set_back(&self, version: u8) {
        let tables = if version == 1 { "attest_log.sealed, attest_log.side_file" } else { "attest_log.side_file" };
        self.sql(
            "log",
            &format!(
                "ALTER TABLE attest_log.replay DROP hash, DROP hash_rest, ADD UNIQUE (scope, jti);
                 CREATE INDEX replay_expires ON attest_log.replay (expires);
                 ALTER TABLE attest_log.entry ALTER body SET STORAGE EXTENDED, ALTER token SET STORAGE EXTENDED, RESET (toast_tuple_target);
                 DROP TABLE {tables};
                 UPDATE attest_log.meta SET version = {version}"
            ),
        );
    }

    /// [`Server::sql`], to be run by the test.
    pub fn psql(&self, database: &str, sql: &str) -> Command {
        let mut command = Command::new(self.programs.join("psql"));
        command.args([
            "-X",
            "-A",
            "-t",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "attest",
            "-d",
            database,
            "-c",
            sql,
            "-h",
        ]);
        command.arg(self.socket()).args(["-p", &self.port().to_string()]);
        command
    }

    /// The address of a database of this server.
    pub fn url(&self, database: &str) -> String {
        url(&[self.socket()], database)
    }

    /// The folder of its socket.
    pub fn socket(&self) -> &Path {
        self.folder.path()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn run<'a>(&self, program: &str, arguments: impl IntoIterator<Item = &'a OsStr>) -> Output {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", USER, "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        // A server that is started here must hold no pipe of ours open.
        let output = self.folder.path().with_extension("output");
        let file = fs::File::create(&output).unwrap();
        command.args(arguments).current_dir("/tmp").stdin(Stdio::null());
        let status = command.stdout(file.try_clone().unwrap()).stderr(file).status().unwrap();
        let stdout = fs::read(&output).unwrap();
        let _ = fs::remove_file(&output);
        Output { status, stdout, stderr: Vec::new() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.data();
        let _ =
            self.run("pg_ctl", ["stop".as_ref(), "-m".as_ref(), "immediate".as_ref(), "-D".as_ref(), data.as_os_str()]);
    }
}

/// The address of a database that is at one of these sockets.
pub fn url(sockets: &[&Path], database: &str) -> String {
    let hosts: Vec<_> = sockets.iter().map(|socket| format!("host={}", socket.display())).collect();
    format!("postgresql:///{database}?user=attest&{}", hosts.join("&"))
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.trim_ascii() == b"0"
}

/// The newest version that is installed.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.max_by_key(|version| version.file_name().to_string_lossy().parse::<u32>().unwrap_or(0));
    newest.unwrap_or_else(|| panic!("no PostgreSQL here; run scripts/setup-test-env")).path().join("bin")
}
