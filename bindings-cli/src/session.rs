//! What every command needs: the folder, the template, the engine and the stack.

use std::{
    env::VarError,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use stackwright::{
    error::{Diagnostic, Diagnostics as _, Error, ErrorKind, Result},
    resource::layer::{Retry, Trace},
    stack::{Engine, Stack},
    state::{
        Store,
        cipher::{AesGcmCipher, Key, KeyFile, KeyRing},
    },
    template::{FileKind, Files, Options, Template},
    tenant::FixedQuotas,
};
use stackwright_store_sqlite::SqliteStore;

use crate::{
    arguments::Global,
    location::{StateLocation, needs_a_key, open_file, open_postgres},
    lock,
    terminal::Style,
};

/// Where state is kept if nobody says otherwise, from the template's folder.
const STATE: &str = ".stackwright/state.db";
/// The environment variable that says where state is.
pub(crate) const STATE_VARIABLE: &str = "STACKWRIGHT_STATE";
/// The environment variable that names the stack.
pub(crate) const STACK_VARIABLE: &str = "STACKWRIGHT_STACK";
/// The environment variable that says where things are bought, as `-sandbox-shop` does.
pub(crate) const SHOP_VARIABLE: &str = "STACKWRIGHT_SANDBOX_SHOP";
/// The environment variable that holds the key.
const KEY_VARIABLE: &str = "STACKWRIGHT_KEY";
/// The environment variable that holds the keys before it.
const OLD_KEYS_VARIABLE: &str = "STACKWRIGHT_OLD_KEYS";

/// Where the key is kept.
pub(crate) enum KeySource {
    /// In a file, which may not exist yet.
    File(PathBuf),
    /// In the environment.
    Environment {
        /// How many keys are given beside the newest.
        older: usize,
    },
}

/// Whether an engine counts what tenants use.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counting {
    IfLimited,
    Always,
}

/// Where a command works.
pub(crate) struct Session {
    /// The template's folder, absolute.
    pub(crate) folder: PathBuf,
    global: Global,
    /// The state file, once a command opened it.
    store: OnceLock<Arc<SqliteStore>>,
}

/// A template that was read, with every problem found.
pub(crate) struct Loaded {
    pub(crate) template: Template,
    pub(crate) problems: Vec<Diagnostic>,
}

impl Session {
    /// Goes to the folder that the command line names.
    pub(crate) fn open(global: &Global) -> Result<Self> {
        let unreadable = |error| {
            let message = format!("`-chdir`: the folder `{}` cannot be used", global.chdir.display());
            Error::new(ErrorKind::NotFound, "template.unreadable", message).because(error)
        };
        let folder = fs::canonicalize(&global.chdir).map_err(unreadable)?;
        std::env::set_current_dir(&folder).map_err(unreadable)?;
        Ok(Self { folder, global: global.clone(), store: OnceLock::new() })
    }

    /// Returns how a command begins that is to work where this one does: the program with the flags that say so.
    ///
    /// What comes from the environment is there for the next command too. A connection string is not repeated: it may hold
    /// a password.
    pub(crate) fn program(&self) -> String {
        let Global { chdir, state, stack, key_file, sandbox_shop, quota, .. } = &self.global;
        let is_in = |variable: &str, value: &OsStr| std::env::var_os(variable).is_some_and(|set| set == value);
        let mut words = vec!["stackwright".to_owned()];
        let mut flag = |name: &str, value: &OsStr| words.push(format!("-{name}={}", quoted(&value.to_string_lossy())));
        if chdir.as_os_str() != "." {
            flag("chdir", chdir.as_os_str());
        }
        match state {
            Some(StateLocation::File(path)) if !is_in(STATE_VARIABLE, path.as_os_str()) => {
                flag("state", path.as_os_str());
            }
            Some(StateLocation::Postgres(text)) if !is_in(STATE_VARIABLE, OsStr::new(text)) => {
                flag("state", OsStr::new("postgres://..."));
            }
            _ => {}
        }
        if stack != "default" && !is_in(STACK_VARIABLE, OsStr::new(stack)) {
            flag("stack", OsStr::new(stack));
        }
        if let Some(path) = key_file {
            flag("key-file", path.as_os_str());
        }
        if let Some(address) = sandbox_shop.as_deref().filter(|address| !is_in(SHOP_VARIABLE, OsStr::new(address))) {
            flag("sandbox-shop", OsStr::new(address));
        }
        for limit in quota {
            let most = limit.hard.unwrap_or(u64::MAX);
            flag("quota", OsStr::new(&format!("{}={most}", limit.dimension)));
        }
        words.join(" ")
    }

    /// Returns the tenant that the command line names.
    pub(crate) fn tenant(&self) -> &str {
        self.global.stack.split_once('/').map_or("local", |(tenant, _)| tenant)
    }

    /// Reads the template in the folder.
    ///
    /// A folder without one is refused: planning it would mean to delete everything, which is what `destroy` is for.
    pub(crate) fn load(&self) -> Result<Loaded> {
        let loaded = self.load_if_any()?;
        let files = loaded.template.files();
        if files.in_dir("").any(|(path, _)| FileKind::of(path).is_part()) {
            return Ok(loaded);
        }
        let message = format!(
            "there is no template in `{}`: no file ends in `.tf`, `.tf.json` or `.tf.yaml`; \
             go to its folder, or name it with `-chdir=FOLDER`",
            self.folder.display()
        );
        Err(Error::new(ErrorKind::NotFound, "template.absent", message))
    }

    /// Reads the template in the folder; an empty one where there is none.
    pub(crate) fn load_if_any(&self) -> Result<Loaded> {
        let files = Files::from_dir(&self.folder)?;
        let (template, problems) = Template::parse(&files, &Options::default().edition(self.global.language));
        Ok(Loaded { template, problems })
    }

    /// Reads the template and refuses it when something in it cannot be read.
    pub(crate) fn load_sound(&self) -> Result<Template> {
        let Loaded { template, problems } = self.load_if_any()?;
        match problems.has_errors() {
            true => Err(Error::from_diagnostics("template.invalid", problems)),
            false => Ok(template),
        }
    }

    /// Returns an engine that only knows types; nothing on disk is touched.
    pub(crate) fn types(&self) -> Result<Engine> {
        let builder = Engine::builder().store(stackwright::state::MemoryStore::new());
        let builder = builder.cipher(AesGcmCipher::new(Key::generate()?));
        builder
            .provider(stackwright_provider_local::provider())
            .provider(stackwright_provider_sandbox::provider())
            .build()
    }

    /// Opens the state, which is made where there is none, and returns the stack.
    pub(crate) async fn stack(&self) -> Result<Stack> {
        self.open_stack(Counting::IfLimited).await
    }

    /// The same, of an engine that counts what the tenant uses even where nothing is limited.
    pub(crate) async fn counted_stack(&self) -> Result<Stack> {
        self.open_stack(Counting::Always).await
    }

    async fn open_stack(&self, counting: Counting) -> Result<Stack> {
        if self.global.state.is_none() {
            make_private_folder(&self.folder.join(".stackwright"))?;
        }
        let keys = self.keys()?;
        let store = match &self.global.state {
            Some(StateLocation::Postgres(text)) => open_postgres(text).await?,
            Some(StateLocation::File(path)) => self.open_file(&self.folder.join(path)).await?,
            None => self.open_file(&self.folder.join(STATE)).await?,
        };
        let mut builder = Engine::builder();
        if let Some(address) = &self.global.sandbox_shop {
            builder = builder.seller(stackwright_provider_sandbox::Shop::at(address)?);
        }
        if !self.global.quota.is_empty() || counting == Counting::Always {
            builder = builder.quotas(FixedQuotas::new(self.global.quota.clone()));
        }
        let engine = builder
            .shared_store(store)
            .cipher(AesGcmCipher::with_older(keys.newest, keys.older))
            .provider(stackwright_provider_local::provider())
            .provider(stackwright_provider_sandbox::provider())
            .layer(Retry::up_to(4))
            .layer(Trace)
            .holder(lock::holder())
            .lease_ttl(Duration::from_secs(30))
            .build()?;
        let (tenant, name) = self.global.stack.split_once('/').unwrap_or(("local", &self.global.stack));
        if tenant.is_empty() || name.is_empty() {
            let message = format!("`{}` does not name a stack; write `name` or `tenant/name`", self.global.stack);
            return Err(Error::new(ErrorKind::InvalidInput, "cli.usage", message));
        }
        Ok(engine.stack(tenant, name))
    }

    /// Opens the stack for a command that changes it: waits for whoever works on it, as long as was asked for.
    pub(crate) async fn stack_to_change(&self, patience: Duration, style: Style) -> Result<Stack> {
        let stack = self.stack().await?;
        let note = |text: &str| {
            if style != Style::Json {
                say_error!("{text}");
            }
        };
        lock::wait(&stack, patience, note).await?;
        Ok(stack)
    }

    /// Opens a state file; a command has one.
    async fn open_file(&self, path: &Path) -> Result<Arc<dyn Store>> {
        let store = open_file(path).await?;
        Ok(Arc::clone(self.store.get_or_init(|| store)) as _)
    }

    /// Closes the state file, so that all of it lies in one file, which people may copy.
    pub(crate) async fn close(&self) {
        if let Some(store) = self.store.get() {
            // What was acknowledged is durable all the same.
            let _ = store.close().await;
        }
    }

    /// Returns where the key is kept.
    pub(crate) fn key_source(&self) -> Result<KeySource> {
        if let Some(path) = &self.global.key_file {
            return Ok(KeySource::File(self.folder.join(path)));
        }
        if std::env::var_os(KEY_VARIABLE).is_some() {
            return Ok(KeySource::Environment { older: old_keys()?.len() });
        }
        let state = match &self.global.state {
            Some(StateLocation::Postgres(_)) => return Err(needs_a_key(KEY_VARIABLE)),
            Some(StateLocation::File(path)) => self.folder.join(path),
            None => self.folder.join(STATE),
        };
        Ok(KeySource::File(state.parent().unwrap_or(&self.folder).join("key")))
    }

    fn keys(&self) -> Result<KeyRing> {
        match self.key_source()? {
            KeySource::File(path) => KeyFile::open_all(path),
            KeySource::Environment { .. } => {
                let text = std::env::var(KEY_VARIABLE).map_err(|_| not_text(KEY_VARIABLE))?;
                Ok(KeyRing { newest: Key::parse(&text)?, older: old_keys()? })
            }
        }
    }
}

/// Quotes a word where a shell would not leave it alone.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

fn old_keys() -> Result<Vec<Key>> {
    match std::env::var(OLD_KEYS_VARIABLE) {
        Ok(text) => text.split(',').filter(|part| !part.trim().is_empty()).map(Key::parse).collect(),
        Err(VarError::NotPresent) => Ok(Vec::new()),
        Err(VarError::NotUnicode(_)) => Err(not_text(OLD_KEYS_VARIABLE)),
    }
}

fn not_text(variable: &str) -> Error {
    let message = format!("the variable {variable} does not hold text, so it holds no key");
    Error::new(ErrorKind::InvalidInput, "cipher.key_invalid", message)
}

/// Makes the folder of state and key, which nobody else may look into, and keeps it out of version control.
pub(crate) fn make_private_folder(folder: &Path) -> Result<()> {
    let failed = |error| {
        let message = format!("the folder `{}` cannot be made", folder.display());
        Error::new(ErrorKind::Denied, "store.unavailable", message).because(error)
    };
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder).map_err(failed)?;
    fs::write(folder.join(".gitignore"), "*\n").map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_take_them_apart() {
        for (word, expected) in [
            ("acme_vm.web", "acme_vm.web"),
            ("acme_vm.web[0]", "'acme_vm.web[0]'"),
            ("acme_vm.web[\"it's\"]", r#"'acme_vm.web["it'\''s"]'"#),
            ("", "''"),
            ("a b", "'a b'"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }

    #[test]
    fn commands_begin_with_what_says_where_they_work() {
        let folder = std::env::temp_dir();
        let global = Global {
            chdir: folder.clone(),
            state: Some(StateLocation::Postgres("postgres://ann:hunter2@db/shop".to_owned())),
            stack: "acme/blue".to_owned(),
            sandbox_shop: Some("http://127.0.0.1:7070".to_owned()),
            key_file: Some("my key".into()),
            quota: vec![stackwright::tenant::Limit::hard("resources", 5)],
            language: stackwright::template::Edition::default(),
            no_color: false,
        };
        let session = Session { folder: folder.clone(), global, store: OnceLock::new() };
        let expected = format!(
            "stackwright -chdir={} -state=postgres://... -stack=acme/blue -key-file='my key' -sandbox-shop=http://127.0.0.1:7070 -quota=resources=5",
            quoted(&folder.to_string_lossy())
        );
        assert_eq!(session.program(), expected);
    }
}
