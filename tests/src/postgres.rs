//! A PostgreSQL server of the tests' own: made in a temporary folder, on loopback, by a user who is not root.
//!
//! It is stopped by whoever started it, and dies with the test process even if that is killed: a shell waits for the end
//! of a pipe that only this process holds open.

use std::{
    env, fs,
    io::Write as _,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

/// Who runs the server where the tests run as root, which it refuses: `nobody`.
const NOBODY: u32 = 65_534;

/// The server that the tests of one process share. Each test uses a schema of its own.
static SHARED: LazyLock<Option<Server>> = LazyLock::new(Server::start);

/// Returns the server that the tests of this process share; `None`, with a message, where there is none to be had.
pub fn shared() -> Option<&'static Server> {
    SHARED.as_ref()
}

/// Returns the name of a schema that no other test of this process uses.
pub fn fresh_schema() -> String {
    static LAST: AtomicU32 = AtomicU32::new(0);
    format!("t{}_{}", std::process::id(), LAST.fetch_add(1, Ordering::Relaxed))
}

/// A server with its data.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    programs: PathBuf,
    port: u16,
    watchdog: Child,
}

impl Server {
    /// Makes a server and waits until it takes connections; everybody on this machine may connect as `app`.
    ///
    /// `None`, with a message, where PostgreSQL is not installed.
    ///
    /// # Panics
    /// Under CI where it is not installed; everywhere when it does not start.
    pub fn start() -> Option<Self> {
        Self::start_with("fsync=off\nfull_page_writes=off\n", &[])
    }

    /// The same with lines of `postgresql.conf`, and with files that are put beside the data (name and contents).
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn start_with(settings: &str, files: &[(&str, &str)]) -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(env::var("CI").is_err(), "PostgreSQL is not installed; tests/setup.sh does that under CI");
            eprintln!("left out: PostgreSQL is not installed (apt-get install postgresql)");
            return None;
        };
        let folder = make_folder();
        let data = folder.join("data");
        run(Command::new(programs.join("initdb"))
            .args(["--no-sync", "--auth=trust", "--username=app", "--encoding=UTF8", "--locale=C", "-D"])
            .arg(&data));
        for (name, contents) in files {
            let path = data.join(name);
            fs::write(&path, contents).expect("a file beside the data");
            own(&path, 0o600);
        }
        let mut config = fs::OpenOptions::new().append(true).open(data.join("postgresql.conf")).expect("its settings");
        writeln!(
            config,
            "listen_addresses='127.0.0.1'\nunix_socket_directories=''\nmax_connections=200\nshared_buffers=64MB\n\
             lc_messages='C'\n{settings}"
        )
        .expect("its settings");
        // Before there is anything to stop.
        let watchdog = watchdog(&programs, &folder);
        let mut server = Self { folder, programs, port: 0, watchdog };
        // Somebody else may take the port in between.
        for _ in 0..5 {
            server.port = free_port();
            if server.try_run() {
                return Some(server);
            }
        }
        panic!("PostgreSQL does not start: {}", server.log());
    }

    /// Returns where it is: `127.0.0.1` and its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns a connection string for `app` and a schema, without TLS.
    pub fn url(&self, schema: &str) -> String {
        self.url_at(self.port, schema)
    }

    /// The same by way of another port.
    pub fn url_at(&self, port: u16, schema: &str) -> String {
        format!("postgres://app@127.0.0.1:{port}/postgres?sslmode=disable&schema={schema}")
    }

    /// Returns the path of one of PostgreSQL's programs, such as `psql`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Returns where all that it writes lies: `data` with tables and the write-ahead log, and the file `log`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stops it as if it had crashed; connections break in the middle.
    ///
    /// # Panics
    /// When it does not stop.
    pub fn crash(&self) {
        run(self.control().args(["-m", "immediate", "-w", "stop"]));
    }

    /// Starts it again after [`crash`](Self::crash), on the same port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&self) {
        assert!(self.try_run(), "PostgreSQL does not start again: {}", self.log());
    }

    fn try_run(&self) -> bool {
        let mut command = self.control();
        command.arg("-l").arg(self.folder.join("log")).args(["-w", "-t", "120", "-o"]);
        command.arg(format!("-p {}", self.port)).arg("start");
        as_nobody(&mut command).stdout(Stdio::null()).status().expect("pg_ctl runs").success()
    }

    fn control(&self) -> Command {
        let mut command = Command::new(self.programs.join("pg_ctl"));
        command.arg("-D").arg(self.folder.join("data"));
        command
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

/// Returns where PostgreSQL's programs are, the newest version first.
fn programs() -> Option<PathBuf> {
    let named = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> =
        named.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))).collect();
    versions.sort();
    let on_path = env::var_os("PATH").into_iter().flat_map(|path| env::split_paths(&path).collect::<Vec<_>>());
    let candidates = versions.into_iter().rev().map(|(_, path)| path).chain(on_path);
    candidates.into_iter().find(|folder| folder.join("initdb").is_file() && folder.join("pg_ctl").is_file())
}

/// Makes a folder that the server's user owns.
fn make_folder() -> PathBuf {
    static LAST: AtomicU32 = AtomicU32::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    let folder = env::temp_dir().join(format!("stackwright-postgres-{}-{number}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).expect("a folder for the server");
    own(&folder, 0o700);
    folder
}

fn own(path: &Path, mode: u32) {
    use std::os::unix::fs::{PermissionsExt as _, chown};
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode");
    if is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).expect("its owner");
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

fn as_nobody(command: &mut Command) -> &mut Command {
    use std::os::unix::process::CommandExt as _;
    command.current_dir("/");
    if is_root() { command.uid(NOBODY).gid(NOBODY) } else { command }
}

fn run(command: &mut Command) {
    let output = as_nobody(command).output().expect("a program of PostgreSQL runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Starts a shell that stops the server when this process is gone, or drops the pipe.
fn watchdog(programs: &Path, folder: &Path) -> Child {
    use std::os::unix::process::CommandExt as _;
    let mut command = Command::new("sh");
    command
        .args(["-c", r#"read -r _; "$0/pg_ctl" -D "$1/data" -m immediate -w stop; rm -rf "$1""#])
        .arg(programs)
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    as_nobody(&mut command).spawn().expect("a shell")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its number").port()
}
