//! Database servers of a test's own: on loopback, in a temporary folder, ended with the test.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The password of every user that a test makes.
pub(crate) const PASSWORD: &str = "s3cret-Word";

/// A word for whoever reads the test's output.
#[allow(clippy::print_stderr)]
pub(crate) fn say(words: &str) {
    eprintln!("{words}");
}

/// Kinds of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    MariaDb,
    Postgres,
    Mongo,
}

/// A server that runs.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) port: u16,
    child: Child,
    folder: tempfile::TempDir,
}

/// The first of these that exists, by path or on the PATH.
fn program(names: &[&str]) -> Option<PathBuf> {
    let on_path = |name: &str| {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let folders: Vec<PathBuf> = std::env::split_paths(&folders).chain(["/usr/sbin".into()]).collect();
        folders.into_iter().map(|f| f.join(name)).find(|p| p.is_file())
    };
    names.iter().find_map(|name| {
        if name.starts_with('/') { Some(PathBuf::from(name)).filter(|p| p.is_file()) } else { on_path(name) }
    })
}

/// Where Debian keeps the newest PostgreSQL.
fn postgres_folder() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|e| e.path().join("bin"));
    versions.filter(|p| p.join("initdb").is_file()).max()
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|o| o.stdout.starts_with(b"0\n"))
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    listener.local_addr().expect("bound").port()
}

fn quietly(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

/// PostgreSQL refuses to run as root: then its own user runs it.
fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command
}

impl Server {
    /// Starts one, with a database `erp`, an owner without a password on this machine, and a user `reader` who reads it; `None`,
    /// with a word why, where it is not installed or does not run here.
    pub(crate) fn start(kind: Kind) -> Option<Server> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let child = match kind {
            Kind::MariaDb => Server::mariadb(&folder, port),
            Kind::Postgres => Server::postgres(&folder, port),
            Kind::Mongo => Server::mongo(&folder, port),
        };
        let Some(child) = child else {
            say(&format!("skipped: {kind:?} is not installed or cannot be set up; `./check` installs it where it may"));
            return None;
        };
        let mut server = Server { kind, port, child, folder };
        if !server.answers() {
            say(&format!("skipped: {kind:?} does not run on this machine"));
            return None;
        }
        server.prepare();
        Some(server)
    }

    fn mariadb(folder: &tempfile::TempDir, port: u16) -> Option<Child> {
        let (server, install) = (program(&["mariadbd", "mysqld"])?, program(&["mariadb-install-db"])?);
        program(&["mariadb", "mysql"])?;
        let data = folder.path().join("data");
        let user: &[&str] = if is_root() { &["--user=root"] } else { &[] };
        let made = quietly(
            Command::new(install)
                .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
                .args(user)
                .arg(format!("--datadir={}", data.display())),
        );
        if !made {
            return None;
        }
        let mut command = Command::new(server);
        command.arg("--no-defaults").args(user).arg(format!("--datadir={}", data.display()));
        command.arg(format!("--port={port}")).arg(format!("--socket={}", folder.path().join("s").display()));
        command.arg(format!("--pid-file={}", folder.path().join("pid").display()));
        command.args(["--bind-address=127.0.0.1", "--skip-name-resolve", "--innodb-buffer-pool-size=64M"]);
        command.args(["--innodb-flush-log-at-trx-commit=0"]);
        started(&mut command)
    }

    fn postgres(folder: &tempfile::TempDir, port: u16) -> Option<Child> {
        let bin = postgres_folder()?;
        program(&["psql"])?;
        if is_root() {
            let owned = quietly(Command::new("chown").arg("postgres").arg(folder.path()));
            if !owned || program(&["setpriv"]).is_none() {
                return None;
            }
        }
        let data = folder.path().join("data");
        let made = quietly(
            as_postgres(&bin.join("initdb"))
                .current_dir(folder.path())
                .args([
                    "-U",
                    "owner",
                    "--auth-local=trust",
                    "--auth-host=scram-sha-256",
                    "--no-sync",
                    "-E",
                    "UTF8",
                    "-D",
                ])
                .arg(&data),
        );
        if !made {
            return None;
        }
        let mut command = as_postgres(&bin.join("postgres"));
        command
            .current_dir(folder.path())
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-k"])
            .arg(folder.path());
        command.args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
        started(&mut command)
    }

    fn mongo(folder: &tempfile::TempDir, port: u16) -> Option<Child> {
        let python = python()?;
        if let Some(server) = program(&["mongod"]) {
            say("MongoDB is the real mongod");
            let mut command = Command::new(server);
            command.arg("--dbpath").arg(folder.path()).args(["--bind_ip", "127.0.0.1", "--port", &port.to_string()]);
            return started(&mut command);
        }
        say("MongoDB is nx-27017, which speaks its protocol");
        let mut command = Command::new(python.with_file_name("nx-27017"));
        command.args(["--data-dir", "memory", "-p", &port.to_string(), "--log-file"]).arg(folder.path().join("log"));
        command.arg("--pid-file").arg(folder.path().join("pid")).current_dir(folder.path());
        started(&mut command)
    }

    /// Whether it answers before long.
    fn answers(&mut self) -> bool {
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if self.child.try_wait().expect("ours").is_some() || begun.elapsed() > Duration::from_secs(60) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        true
    }

    fn prepare(&self) {
        match self.kind {
            Kind::MariaDb => self.sql(&format!(
                "CREATE DATABASE erp CHARACTER SET utf8mb4; CREATE USER reader@'%' IDENTIFIED BY '{PASSWORD}'; \
                 GRANT SELECT ON erp.* TO reader@'%'; CREATE DATABASE crm CHARACTER SET utf8mb4; \
                 CREATE USER writer@'%' IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON crm.* TO writer@'%';"
            )),
            Kind::Postgres => {
                self.sql("CREATE DATABASE erp");
                self.sql(&format!(
                    "CREATE USER reader PASSWORD '{PASSWORD}'; CREATE USER writer PASSWORD '{PASSWORD}'; CREATE SCHEMA crm \
                     AUTHORIZATION writer; ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO reader;"
                ));
            }
            Kind::Mongo => {}
        }
    }

    /// Has the owner do something; all of it in one call, in `erp` where that exists.
    pub(crate) fn sql(&self, statements: &str) {
        let mut command = match self.kind {
            Kind::MariaDb => {
                let mut command = Command::new(program(&["mariadb", "mysql"]).expect("its client"));
                command.args(["--no-defaults", "--default-character-set=utf8mb4", "-uroot"]);
                command.arg(format!("--socket={}", self.folder.path().join("s").display()));
                command
            }
            Kind::Postgres => {
                let mut command = Command::new(program(&["psql"]).expect("its client"));
                let database = if statements.starts_with("CREATE DATABASE") { "postgres" } else { "erp" };
                command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", "owner", "-d", database]);
                command.arg("-h").arg(self.folder.path()).args(["-p", &self.port.to_string()]);
                command.env("PGOPTIONS", "--timezone=UTC");
                command
            }
            Kind::Mongo => panic!("MongoDB speaks no SQL"),
        };
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("the client starts");
        let head =
            if self.kind == Kind::MariaDb && !statements.starts_with("CREATE DATABASE") { "USE erp;\n" } else { "" };
        let input = format!("{head}{statements}\n");
        child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("taken");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs lines of Python with `db`, the database `erp`.
    pub(crate) fn python(&self, lines: &str) -> String {
        let head = format!(
            "import pymongo, datetime, json\ndb = pymongo.MongoClient('mongodb://127.0.0.1:{}/')['erp']\n",
            self.port
        );
        let mut command = Command::new(python().expect("a Python with pymongo"));
        let child = command.arg("-").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("Python starts");
        child.stdin.take().expect("piped").write_all((head + lines).as_bytes()).expect("taken");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The address for one of its users, at another port where one stands before it.
    pub(crate) fn address_at(&self, user: &str, port: u16) -> String {
        match (self.kind, user) {
            (Kind::MariaDb, "writer") => format!("mysql://writer@127.0.0.1:{port}/crm"),
            (Kind::MariaDb, _) => format!("mysql://{user}@127.0.0.1:{port}/erp"),
            (Kind::Postgres, _) => format!("postgres://{user}@127.0.0.1:{port}/erp"),
            (Kind::Mongo, _) => format!("mongodb://127.0.0.1:{port}/erp"),
        }
    }

    pub(crate) fn address(&self, user: &str) -> String {
        self.address_at(user, self.port)
    }

    /// Ends it at once.
    pub(crate) fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // `postgres` tells its children to end when it is asked to, and leaves them when it is killed
        if self.kind == Kind::Postgres {
            quietly(Command::new("kill").args(["-INT", &self.child.id().to_string()]));
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_secs(10) && matches!(self.child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        self.stop();
    }
}

/// The Python with pymongo; `./check` names it.
fn python() -> Option<PathBuf> {
    std::env::var_os("GUIKE_MONGO_PYTHON").map(PathBuf::from)
}

fn started(command: &mut Command) -> Option<Child> {
    Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the server starts"))
}
