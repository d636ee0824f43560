//! `local_file`.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use stackwright::{
    error::{Error, ErrorKind, Result},
    resource::{Context, Evidence, Object, Outcome, PlanRequest, PlanResponse, Recovery, Resource, Traits},
    schema::{Attribute, Schema},
    value::{Type, Value},
};

use crate::{
    attributes::{blocking, flag, get, io_error, is_known, mode, octal, required, text, with},
    disk::{self, Found, FoundFile, Over, checksum},
};

/// A file with given content and mode.
#[derive(Clone, Copy, Debug)]
pub(crate) struct File;

const DEFAULT_MODE: &str = "0644";

fn schema() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| Arc::new(build())))
}

fn build() -> Schema {
    Schema::new(1)
        .describe("A file on this machine.")
        .attribute("id", Attribute::computed(Type::String).echoes("path").describe("The path."))
        .attribute(
            "path",
            Attribute::required(Type::String)
                .forces_replacement()
                .describe("Where it is. Folders above it are made where they are missing, and stay."),
        )
        .attribute(
            "content",
            Attribute::optional(Type::String).describe("Its text. Mark it with `sensitive(…)` if it is."),
        )
        .attribute(
            "content_base64",
            Attribute::optional(Type::String).describe("Its bytes in Base64, instead of `content`."),
        )
        .attribute(
            "mode",
            Attribute::optional(Type::String)
                .default(DEFAULT_MODE)
                .pattern("^[0-7]{3,4}$")
                .describe("Its mode, octal, whatever the umask is."),
        )
        .attribute(
            "overwrite",
            Attribute::optional(Type::Bool).default(false).describe(
                "Whether a file with other content, or a link, that is there already may be replaced when this one is made.",
            ),
        )
        .attribute("checksum", Attribute::computed(Type::String).describe("SHA-256 of its bytes, hexadecimal."))
        .attribute("size", Attribute::computed(Type::Number).describe("Its length in bytes."))
}

fn bytes(object: &Value) -> Result<Vec<u8>> {
    match (text(object, "content"), text(object, "content_base64")) {
        (Some(content), _) => Ok(content.as_bytes().to_vec()),
        (None, Some(encoded)) => STANDARD.decode(encoded).map_err(|_| {
            // Where it goes wrong would say something about what may be secret.
            Error::new(ErrorKind::InvalidInput, "local.base64", "`content_base64` is not Base64")
        }),
        (None, None) => Ok(Vec::new()),
    }
}

fn wanted_mode(planned: &Value) -> Result<u32> {
    mode(text(planned, "mode").unwrap_or(DEFAULT_MODE))
}

/// Returns the object with what follows from its content.
fn complete(object: &Value, path: &str, checksum: &str, size: u64) -> Object {
    let set = [("id", Value::string(path)), ("checksum", Value::string(checksum)), ("size", Value::number(size))];
    Object::new(path, with(object, set))
}

fn made(planned: &Value, path: &str, bytes: &[u8]) -> Object {
    complete(planned, path, &checksum(bytes), bytes.len() as u64)
}

/// Makes a file. One that is there with just this content is taken for the one that an earlier attempt made.
fn make(planned: &Value, key: &str) -> Result<Object> {
    let path = required(planned, "path")?;
    let place = Path::new(path);
    let (wanted, mode) = (bytes(planned)?, wanted_mode(planned)?);
    let overwrites = flag(planned, "overwrite");
    match disk::look(place, wanted.len() as u64)? {
        Found::Nothing => disk::write(place, &wanted, mode, Over::Nothing, key)?,
        Found::File(there) if there.bytes.as_ref() == Some(&wanted) => {
            disk::tidy(place, key);
            if there.mode != mode {
                disk::set_mode(place, mode)?;
            }
        }
        Found::File(there) if overwrites => disk::write(place, &wanted, mode, Over::File(&there), key)?,
        Found::File(_) => {
            let message = format!(
                "`{path}` is there already with other content; import it, remove it, or set `overwrite = true`"
            );
            return Err(Error::new(ErrorKind::AlreadyExists, "local.exists", message));
        }
        Found::Other("a symbolic link") if overwrites => disk::write(place, &wanted, mode, Over::Anything, key)?,
        Found::Other(what) => return Err(disk::in_the_way(place, what)),
        Found::Directory { .. } => return Err(disk::in_the_way(place, "a directory")),
    }
    Ok(made(planned, path, &wanted))
}

/// Changes a file in place, unless somebody else did so since the plan was made.
fn change(prior: &Object, planned: &Value, key: &str) -> Result<Object> {
    let place = Path::new(&prior.id);
    let (wanted, mode) = (bytes(planned)?, wanted_mode(planned)?);
    let expected = text(&prior.attributes, "checksum");
    match disk::look(place, wanted.len() as u64)? {
        Found::Nothing => disk::write(place, &wanted, mode, Over::Nothing, key)?,
        Found::File(there) if there.bytes.as_ref() == Some(&wanted) => {
            disk::tidy(place, key);
            if there.mode != mode {
                disk::set_mode(place, mode)?;
            }
        }
        Found::File(there) if expected == Some(&there.checksum) => {
            disk::write(place, &wanted, mode, Over::File(&there), key)?;
        }
        Found::File(_) => return Err(changed(place, "has other content")),
        Found::Directory { .. } | Found::Other(_) => return Err(changed(place, "is not a file any more")),
    }
    Ok(made(planned, &prior.id, &wanted))
}

fn changed(path: &Path, what: &str) -> Error {
    let message = format!("`{}` {what} than when the plan was made; nothing was written: plan again", path.display());
    Error::new(ErrorKind::Conflict, "local.changed", message)
}

/// Deletes a file, whatever its content is now. What took its place and is no file stays.
fn remove(path: &Path, key: &str) -> Result<()> {
    disk::tidy(path, key);
    let is_file = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.is_file(),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => false,
        Err(error) => return Err(io_error("look at", path, error)),
    };
    if !is_file {
        return Ok(());
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", path, error)),
        _ => Ok(()),
    }
}

/// Returns the object as it is now; `None` where no file is there.
fn refreshed(attributes: &Value, path: &str) -> Result<Option<Object>> {
    let known = bytes(attributes).unwrap_or_default();
    let Found::File(there) = disk::look(Path::new(path), known.len() as u64)? else { return Ok(None) };
    let is_imported = get(attributes, "checksum").is_null();
    let content = if there.bytes.as_ref() == Some(&known) && !is_imported {
        [("content", get(attributes, "content")), ("content_base64", get(attributes, "content_base64"))]
    } else {
        spelled(&there, text(attributes, "content_base64").is_some())
    };
    let set = with(&with(attributes, content), [("mode", octal(&get(attributes, "mode"), there.mode))]);
    Ok(Some(complete(&set, path, &there.checksum, there.size)))
}

/// Returns the content of a file as attributes: as text where it is one that text attributes can hold as it is.
fn spelled(there: &FoundFile, in_base64: bool) -> [(&'static str, Value); 2] {
    let null = || Value::null(Type::String);
    let bytes = there.bytes.as_deref();
    let as_text = bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).map(|text| (text, Value::string(text)));
    // Texts are normalised, so some come out otherwise than they went in.
    let as_text = as_text.filter(|(text, value)| !in_base64 && value.as_str() == Some(text)).map(|(_, value)| value);
    match (as_text, bytes) {
        (Some(text), _) => [("content", text), ("content_base64", null())],
        (None, Some(bytes)) => [("content", null()), ("content_base64", Value::string(STANDARD.encode(bytes)))],
        (None, None) => [("content", null()), ("content_base64", null())],
    }
}

#[async_trait]
impl Resource for File {
    fn schema(&self) -> Arc<Schema> {
        schema()
    }

    fn traits(&self) -> Traits {
        Traits { idempotent_create: true, free: true, ..Traits::default() }
    }

    async fn validate(&self, _ctx: &Context, config: &Value) -> Result<()> {
        let set = |name: &str| config.attribute(name).is_some_and(|value| !value.is_null() && value.is_known());
        if set("content") && set("content_base64") {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "local.conflict",
                "`content` and `content_base64` are both set; keep one of them",
            ));
        }
        text(config, "path").map_or(Ok(()), disk::check_path)?;
        bytes(config).map(drop)
    }

    async fn plan(&self, _ctx: &Context, request: PlanRequest) -> Result<PlanResponse> {
        let proposed = request.proposed;
        let (checksum, size) = match is_known(&proposed, "content") && is_known(&proposed, "content_base64") {
            true => {
                let bytes = bytes(&proposed)?;
                (Value::string(checksum(&bytes)), Value::number(bytes.len() as u64))
            }
            false => (Value::unknown(Type::String), Value::unknown(Type::Number)),
        };
        let set = [("id", get(&proposed, "path")), ("checksum", checksum), ("size", size)];
        Ok(PlanResponse { planned: with(&proposed, set), requires_replace: Vec::new(), private: None })
    }

    async fn create(&self, ctx: &Context, planned: Value) -> Outcome {
        let key = ctx.idempotency_key();
        blocking(move || make(&planned, &key)).await.into()
    }

    async fn read(&self, _ctx: &Context, object: &Object) -> Result<Option<Object>> {
        let object = object.clone();
        blocking(move || refreshed(&object.attributes, &object.id)).await
    }

    async fn update(&self, ctx: &Context, prior: &Object, planned: Value) -> Outcome {
        let (prior, key) = (prior.clone(), ctx.idempotency_key());
        blocking(move || change(&prior, &planned, &key)).await.into()
    }

    async fn delete(&self, ctx: &Context, prior: &Object) -> Outcome {
        let (path, key) = (PathBuf::from(&prior.id), ctx.idempotency_key());
        match blocking(move || remove(&path, &key)).await {
            Ok(()) => Outcome::gone(),
            Err(error) => Outcome::failed(error),
        }
    }

    /// The id is the path, spelled as in the template.
    async fn import(&self, _ctx: &Context, id: &str) -> Result<Option<Object>> {
        let path = id.to_owned();
        let empty = schema().block.empty_value();
        let start = with(&empty, [("path", Value::string(id)), ("overwrite", Value::bool(false))]);
        let found = blocking(move || refreshed(&start, &path)).await?;
        if let Some(object) = &found
            && ["content", "content_base64"].iter().all(|name| get(&object.attributes, name).is_null())
        {
            let message = format!("`{id}` is too large to be taken into state");
            return Err(Error::new(ErrorKind::InvalidInput, "resource.import_id", message));
        }
        Ok(found)
    }

    async fn recover(&self, ctx: &Context, evidence: &Evidence) -> Result<Recovery> {
        if let Some(prior) = &evidence.prior {
            return Ok(self.read(ctx, prior).await?.map_or(Recovery::Absent, Recovery::Found));
        }
        let Some(planned) = &evidence.planned else {
            return Ok(Recovery::CannotTell { reason: "neither path nor content were recorded".to_owned() });
        };
        // A file appears whole or not at all: what has other content is somebody else's.
        let object = Object::new(required(planned, "path")?, planned.clone());
        let wanted = checksum(&bytes(planned)?);
        let found = self.read(ctx, &object).await?.filter(|found| text(&found.attributes, "checksum") == Some(&wanted));
        Ok(found.map_or(Recovery::Absent, Recovery::Found))
    }
}
