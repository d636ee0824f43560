//! A secret that goes through a program, and the search for it in all that the program writes.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use stackwright_tests::postgres::Server;
use tempfile::TempDir;

/// Returns the secret in the forms in which it could leak.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = secret
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    let json = secret.replace('/', "\\/").replace('&', "\\u0026");
    let mut forms: Vec<String> = vec![secret.to_owned(), hex.to_uppercase(), hex, percent, json];
    // In Base64 a text looks different by where it begins; the first and last letters depend on what is around.
    for skip in 0..3 {
        let padded = base64(&[&vec![b'x'; skip], secret.as_bytes()].concat());
        let inner = &padded[if skip == 0 { 0 } else { 4 }..padded.len() - 4];
        forms.push(inner.to_owned());
        forms.push(inner.replace('+', "-").replace('/', "_"));
    }
    forms.into_iter().map(String::into_bytes).collect()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |bits: u32, shift: u32| char::from(LETTERS[((bits >> shift) & 63) as usize]);
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        text.extend([18, 12, 6, 0].iter().take(chunk.len() + 1).map(|shift| letter(bits, *shift)));
        text.extend(std::iter::repeat_n('=', 3 - chunk.len()));
    }
    text
}

/// Returns whether a secret is in there, in any usual form.
pub(crate) fn leaks(bytes: &[u8], secret: &str) -> bool {
    let forms = forms(secret);
    let pair = |bytes: &[u8]| usize::from(bytes[0]) << 8 | usize::from(bytes[1]);
    // Databases are large: most places are passed over after a look at two bytes.
    let mut begins = vec![false; 1 << 16];
    for form in &forms {
        begins[pair(form)] = true;
    }
    let mut pairs = bytes.windows(2).enumerate();
    pairs.any(|(at, two)| begins[pair(two)] && forms.iter().any(|form| bytes[at..].starts_with(form)))
}

/// Returns a secret that nobody had before: letters, digits and signs that look different in each form that is searched for.
fn secret() -> String {
    let mut bytes = [0; 8];
    fs::File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes)).expect("random bytes");
    let drawn: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("c4n/ry+{drawn}=?&zQ~9")
}

/// A PostgreSQL that writes down every statement that it gets, with its parameters.
pub(crate) struct Database {
    server: Server,
}

impl Database {
    /// Starts one; `None`, with a message, where PostgreSQL is not installed.
    pub(crate) fn start() -> Option<Self> {
        let settings = "fsync=off\nlog_statement='all'\nlog_min_messages=debug1\nlog_error_verbosity=verbose\n";
        Server::start_with(settings, &[]).map(|server| Self { server })
    }

    fn url(&self) -> String {
        self.server.url("canary")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.server.program(name));
        command.args(["-h", "127.0.0.1", "-p", &self.server.port().to_string(), "-U", "app"]);
        command
    }

    /// Returns everything that the server has on the disk, by path, and what it says of its tables when it is asked.
    fn everything(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let flushed = self.program("psql").args(["-q", "-c", "CHECKPOINT", "postgres"]).status().expect("psql runs");
        assert!(flushed.success());
        let dumped = self.program("pg_dump").arg("postgres").output().expect("pg_dump runs");
        assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
        let mut all = vec![("pg_dump".into(), dumped.stdout)];
        for path in files(self.server.folder()) {
            // The server may take one away just now.
            all.extend(fs::read(&path).ok().map(|bytes| (path, bytes)));
        }
        all
    }
}

/// A folder with a template, and a secret that its variable `token` has.
pub(crate) struct Stage {
    pub(crate) folder: TempDir,
    /// What is given to the template.
    pub(crate) secret: String,
    /// What was made on the way and must not be seen either.
    pub(crate) made: Vec<String>,
    database: Option<Database>,
}

impl Stage {
    /// State is in a file where there is no database.
    pub(crate) fn new(templates: &[(&str, &str)], database: Option<Database>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let stage = Self { folder, secret: secret(), made: Vec::new(), database };
        templates.iter().for_each(|(path, text)| stage.write(path, text));
        fs::create_dir_all(stage.folder.path().join("sink")).expect("a folder");
        stage
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// Runs a command with every log level on.
    fn run(&self, arguments: &[&str], stdin: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stackwright"));
        command.args(arguments).current_dir(self.folder.path());
        command.env("TF_VAR_token", &self.secret).env("STACKWRIGHT_LOG", "trace").env("RUST_BACKTRACE", "full");
        for name in ["STACKWRIGHT_STATE", "STACKWRIGHT_STACK", "STACKWRIGHT_KEY", "STACKWRIGHT_OLD_KEYS"] {
            command.env_remove(name);
        }
        if let Some(database) = &self.database {
            command.env("STACKWRIGHT_STATE", database.url()).arg("-key-file=sink/key");
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut pipe = child.stdin.take().expect("a pipe");
        // It may end without reading.
        let _ = std::io::Write::write_all(&mut pipe, stdin.as_bytes());
        drop(pipe);
        child.wait_with_output().expect("it ends")
    }

    /// Returns an output that somebody named, so that it is shown; it is not in the log all the same.
    #[track_caller]
    pub(crate) fn output(&self, name: &str) -> String {
        let output = self.run(&["output", "-raw", name], "");
        assert!(
            output.status.success() && !self.is_told(&output.stderr),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Returns what all commands say of themselves while the secret stands in every variable that the program knows.
    #[track_caller]
    pub(crate) fn every_help(&self) -> String {
        let url = format!("postgres://ann:{}@127.0.0.1:9/shop", self.secret);
        let variables = ["STACKWRIGHT_KEY", "STACKWRIGHT_OLD_KEYS", "PGPASSWORD", "TF_VAR_token"];
        let mut commands: Vec<Vec<String>> = vec![Vec::new()];
        let mut all = String::new();
        while let Some(command) = commands.pop() {
            for flag in ["-h", "--help"] {
                let mut program = Command::new(env!("CARGO_BIN_EXE_stackwright"));
                program.args(&command).arg(flag).current_dir(self.folder.path()).env("STACKWRIGHT_STATE", &url);
                program.envs(variables.map(|name| (name, &self.secret)));
                let output = program.output().expect("the program runs");
                assert!(output.status.success(), "{command:?}");
                assert!(!self.is_told(&output.stdout), "{command:?}: {}", String::from_utf8_lossy(&output.stdout));
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                if flag == "-h" {
                    let below = text.lines().skip_while(|line| *line != "Commands:").skip(1);
                    // Continued lines are indented further.
                    let names = below.take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
                    let names = names.filter_map(|line| line.split_whitespace().next());
                    commands.extend(names.map(|name| [&command[..], &[name.to_owned()]].concat()));
                }
                all.push_str(&text);
            }
        }
        all
    }

    fn is_told(&self, bytes: &[u8]) -> bool {
        self.made.iter().chain([&self.secret]).any(|secret| leaks(bytes, secret))
    }

    /// Runs a command that ends with this code, and searches all that it wrote.
    #[track_caller]
    pub(crate) fn check(&self, arguments: &[&str], stdin: &str, code: i32) -> String {
        let output = self.run(arguments, stdin);
        let written = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&written).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(!self.is_told(&written), "{arguments:?} tells a secret: {text}");
        for path in files(self.folder.path()) {
            let bytes = fs::read(&path).expect("a file");
            // What the template was told to write lies there.
            let is_sink = path.components().any(|part| part.as_os_str() == "sink");
            assert!(is_sink || !self.is_told(&bytes), "{} holds a secret after {arguments:?}", path.display());
        }
        text
    }

    /// Searches all that the store has on the disk, the tables, the log and the statements of a database too. Returns it.
    #[track_caller]
    pub(crate) fn search_store(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let all: Vec<(PathBuf, Vec<u8>)> = match &self.database {
            Some(database) => database.everything(),
            None => {
                let state = files(&self.folder.path().join(".stackwright"));
                state.into_iter().map(|path| (path.clone(), fs::read(path).expect("a file"))).collect()
            }
        };
        for (path, bytes) in &all {
            assert!(!self.is_told(bytes), "{} holds a secret", path.display());
        }
        all
    }

    /// The same while state holds something that is no secret: it has to be found in each place, or the search is none.
    #[track_caller]
    pub(crate) fn check_store(&self, open: &str) {
        let all = self.search_store();
        let found: Vec<_> = all.iter().filter(|(_, bytes)| leaks(bytes, open)).map(|(path, _)| path).collect();
        let places: &[&str] = match &self.database {
            Some(_) => &["pg_dump", "/data/base/", "/data/pg_wal/", "/log"],
            None => &["state.db"],
        };
        for place in places {
            let is_there = found.iter().any(|path| path.to_string_lossy().contains(place));
            assert!(is_there, "`{open}` is not in {place}: {found:?}");
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // No process stays behind, whatever failed.
        let _ = self.run(&["destroy", "-auto-approve"], "");
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        // A database makes and takes away folders as it likes.
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.path() {
                path if path.is_dir() => walk(&path, found),
                path => found.push(path),
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, &mut found);
    found
}
