//! `local_file`.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};
use stackwright::{
    error::{Error, ErrorKind, Result},
    resource::{Context, Evidence, Object, Outcome, PlanRequest, PlanResponse, Recovery, Resource, Traits},
    schema::{Attribute, Schema},
    value::{Type, Value},
};

use crate::attributes::{blocking, flag, get, io_error, is_known, mode, required, text, with};

/// A file with given content and mode.
#[derive(Clone, Copy, Debug)]
pub(crate) struct File;

fn schema() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| {
        Arc::new(
            Schema::new(1)
                .describe("A file on this machine.")
                .attribute("id", Attribute::computed(Type::String).describe("The path."))
                .attribute("path", Attribute::required(Type::String).forces_replacement().describe("Where it is. Folders above it are made."))
                .attribute("content", Attribute::optional(Type::String).describe("Its text. Mark it sensitive in the template if it is."))
                .attribute("content_base64", Attribute::optional(Type::String).describe("Its bytes in Base64, instead of `content`."))
                .attribute("mode", Attribute::optional(Type::String).default("0644").pattern("^[0-7]{3,4}$").describe("Its mode, octal."))
                .attribute("overwrite", Attribute::optional(Type::Bool).default(false).describe("Whether a file with other content that is there already may be replaced when this one is made."))
                .attribute("checksum", Attribute::computed(Type::String).describe("SHA-256 of its bytes, hexadecimal."))
                .attribute("size", Attribute::computed(Type::Number).describe("Its length in bytes.")),
        )
    }))
}

fn bytes(object: &Value) -> Result<Vec<u8>> {
    match (text(object, "content"), text(object, "content_base64")) {
        (Some(content), _) => Ok(content.as_bytes().to_vec()),
        (None, Some(encoded)) => STANDARD.decode(encoded).map_err(|error| {
            Error::new(ErrorKind::InvalidInput, "local.base64", "`content_base64` is not Base64").because(error)
        }),
        (None, None) => Ok(Vec::new()),
    }
}

fn checksum(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the object with what follows from its content.
fn complete(object: &Value, path: &str, bytes: &[u8]) -> Object {
    let attributes = with(
        object,
        [
            ("id", Value::string(path)),
            ("checksum", Value::string(checksum(bytes))),
            ("size", Value::number(bytes.len() as u64)),
        ],
    );
    Object::new(path, attributes)
}

/// Writes so that a reader sees the old content or the new, never half of it.
fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|error| io_error("make the folder of", path, error))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut tail = [0_u8; 6];
    getrandom::fill(&mut tail).map_err(|error| Error::bug("no random bytes from the system").because(error))?;
    let temporary = folder.join(format!(".{name}.{}", hex(&tail)));
    let attempt = || -> io::Result<()> {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        fs::File::open(folder)?.sync_all()
    };
    attempt().map_err(|error| {
        let _ = fs::remove_file(&temporary);
        io_error("write", path, error)
    })
}

/// Returns what is there: bytes and mode.
fn look(path: &Path) -> Result<Option<(Vec<u8>, u32)>> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(io_error("look at", path, error)),
    };
    if !metadata.is_file() {
        return Err(Error::new(
            ErrorKind::AlreadyExists,
            "local.exists",
            format!("`{}` is there and is not a file", path.display()),
        ));
    }
    let bytes = fs::read(path).map_err(|error| io_error("read", path, error))?;
    Ok(Some((bytes, metadata.permissions().mode() & 0o7777)))
}

fn put(planned: &Value, may_replace: bool) -> Result<Object> {
    let path = required(planned, "path")?;
    let wanted = bytes(planned)?;
    let wanted_mode = mode(text(planned, "mode").unwrap_or("0644"))?;
    let place = PathBuf::from(path);
    match look(&place)? {
        Some((there, found)) if there == wanted && found == wanted_mode => {}
        Some((there, _)) if there != wanted && !may_replace => {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                "local.exists",
                format!(
                    "`{path}` is there already with other content; import it, remove it, or set `overwrite = true`"
                ),
            ));
        }
        _ => write(&place, &wanted, wanted_mode)?,
    }
    Ok(complete(planned, path, &wanted))
}

/// Returns the object as it is now, in the spelling (`content` or `content_base64`) that it had.
fn refreshed(attributes: &Value, path: &str) -> Result<Option<Object>> {
    let Some((there, found)) = look(Path::new(path))? else { return Ok(None) };
    if bytes(attributes).is_ok_and(|known| known == there)
        && text(attributes, "mode").map(mode).transpose()? == Some(found)
    {
        return Ok(Some(complete(attributes, path, &there)));
    }
    let spelled = get(attributes, "mode").as_str().and_then(|text| mode(text).ok()) == Some(found);
    let mode = if spelled { get(attributes, "mode") } else { Value::string(format!("{found:04o}")) };
    let as_text = std::str::from_utf8(&there).ok().filter(|_| text(attributes, "content_base64").is_none());
    let (content, encoded) = match as_text {
        Some(content) => (Value::string(content), Value::null(Type::String)),
        None => (Value::null(Type::String), Value::string(STANDARD.encode(&there))),
    };
    let attributes = with(attributes, [("mode", mode), ("content", content), ("content_base64", encoded)]);
    Ok(Some(complete(&attributes, path, &there)))
}

#[async_trait]
impl Resource for File {
    fn schema(&self) -> Arc<Schema> {
        schema()
    }

    fn traits(&self) -> Traits {
        Traits { idempotent_create: true, ..Traits::default() }
    }

    fn validate(&self, config: &Value) -> Result<()> {
        let set = |name: &str| config.attribute(name).is_some_and(|value| !value.is_null() && value.is_known());
        if set("content") && set("content_base64") {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "local.conflict",
                "`content` and `content_base64` are both set; keep one of them",
            ));
        }
        bytes(config).map(drop)
    }

    async fn plan(&self, _ctx: &Context, request: PlanRequest) -> Result<PlanResponse> {
        let proposed = request.proposed;
        let known = ["path", "content", "content_base64"].iter().all(|name| is_known(&proposed, name));
        let planned = if known {
            complete(&proposed, required(&proposed, "path")?, &bytes(&proposed)?).attributes
        } else {
            let id = if is_known(&proposed, "path") { get(&proposed, "path") } else { Value::unknown(Type::String) };
            with(
                &proposed,
                [("id", id), ("checksum", Value::unknown(Type::String)), ("size", Value::unknown(Type::Number))],
            )
        };
        Ok(PlanResponse { planned, requires_replace: Vec::new(), private: None })
    }

    async fn create(&self, _ctx: &Context, planned: Value) -> Outcome {
        let may_replace = flag(&planned, "overwrite");
        blocking(move || put(&planned, may_replace)).await.into()
    }

    async fn read(&self, _ctx: &Context, object: &Object) -> Result<Option<Object>> {
        let object = object.clone();
        blocking(move || refreshed(&object.attributes, &object.id)).await
    }

    async fn update(&self, _ctx: &Context, _prior: &Object, planned: Value) -> Outcome {
        blocking(move || put(&planned, true)).await.into()
    }

    async fn delete(&self, _ctx: &Context, prior: &Object) -> Outcome {
        let path = PathBuf::from(&prior.id);
        let removed = blocking(move || match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", &path, error)),
            _ => Ok(()),
        });
        match removed.await {
            Ok(()) => Outcome::gone(),
            Err(error) => Outcome::failed(error),
        }
    }

    async fn import(&self, _ctx: &Context, id: &str) -> Result<Option<Object>> {
        let path = id.to_owned();
        let empty = schema().block.empty_value();
        let start = with(&empty, [("path", Value::string(id)), ("overwrite", Value::bool(false))]);
        blocking(move || refreshed(&start, &path)).await
    }

    async fn recover(&self, ctx: &Context, evidence: &Evidence) -> Result<Recovery> {
        let known = evidence.planned.as_ref().or(evidence.prior.as_ref().map(|prior| &prior.attributes));
        let Some(attributes) = known else {
            return Ok(Recovery::CannotTell { reason: "neither path nor content were recorded".to_owned() });
        };
        let object = Object::new(required(attributes, "path")?, attributes.clone());
        Ok(self.read(ctx, &object).await?.map_or(Recovery::Absent, Recovery::Found))
    }
}
