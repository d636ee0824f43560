//! `local_directory`.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use async_trait::async_trait;
use stackwright::{
    error::{Error, ErrorKind, Result},
    resource::{Context, Evidence, Object, Outcome, PlanRequest, PlanResponse, Recovery, Resource, Traits},
    schema::{Attribute, Schema},
    value::{Type, Value},
};

use crate::attributes::{blocking, flag, get, io_error, mode, required, text, with};

/// A directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Directory;

fn schema() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| {
        Arc::new(
            Schema::new(1)
                .describe("A directory on this machine.")
                .attribute("id", Attribute::computed(Type::String).describe("The path."))
                .attribute("path", Attribute::required(Type::String).forces_replacement().describe("Where it is. Folders above it are made."))
                .attribute("mode", Attribute::optional(Type::String).default("0755").pattern("^[0-7]{3,4}$").describe("Its mode, octal."))
                .attribute("delete_content", Attribute::optional(Type::Bool).default(false).describe("Whether what others put into it is deleted with it; otherwise a directory that is not empty is not deleted.")),
        )
    }))
}

fn set_mode(path: &Path, text: &str) -> Result<()> {
    let mode = mode(text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(|error| io_error("set the mode of", path, error))
}

fn make(planned: &Value) -> Result<Object> {
    let path = required(planned, "path")?;
    let place = PathBuf::from(path);
    match fs::read_dir(&place) {
        // An empty one may be ours from an attempt whose outcome was lost.
        Ok(mut entries) => {
            if entries.next().is_some() {
                return Err(Error::new(
                    ErrorKind::AlreadyExists,
                    "local.exists",
                    format!("`{path}` is there already and not empty; import it or remove it"),
                ));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(&place).map_err(|error| io_error("make", &place, error))?;
        }
        Err(error) => return Err(io_error("look at", &place, error)),
    }
    set_mode(&place, text(planned, "mode").unwrap_or("0755"))?;
    Ok(Object::new(path, with(planned, [("id", Value::string(path))])))
}

fn look(attributes: &Value, path: &str) -> Result<Option<Object>> {
    let place = Path::new(path);
    let metadata = match fs::metadata(place) {
        Ok(metadata) if metadata.is_dir() => metadata,
        Ok(_) => return Ok(None),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(io_error("look at", place, error)),
    };
    let found = metadata.permissions().mode() & 0o7777;
    let spelled = text(attributes, "mode").and_then(|text| mode(text).ok()) == Some(found);
    let mode = if spelled { get(attributes, "mode") } else { Value::string(format!("{found:04o}")) };
    Ok(Some(Object::new(path, with(attributes, [("id", Value::string(path)), ("mode", mode)]))))
}

fn remove(path: &Path, delete_content: bool) -> Result<()> {
    let removed = if delete_content { fs::remove_dir_all(path) } else { fs::remove_dir(path) };
    match removed {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Err(Error::new(
            ErrorKind::Conflict,
            "local.not_empty",
            format!("`{}` is not empty; empty it, or apply `delete_content = true` first", path.display()),
        )),
        Err(error) => Err(io_error("remove", path, error)),
    }
}

#[async_trait]
impl Resource for Directory {
    fn schema(&self) -> Arc<Schema> {
        schema()
    }

    fn traits(&self) -> Traits {
        Traits { idempotent_create: true, ..Traits::default() }
    }

    async fn plan(&self, _ctx: &Context, request: PlanRequest) -> Result<PlanResponse> {
        let path = get(&request.proposed, "path");
        Ok(PlanResponse {
            planned: with(&request.proposed, [("id", path)]),
            requires_replace: Vec::new(),
            private: None,
        })
    }

    async fn create(&self, _ctx: &Context, planned: Value) -> Outcome {
        blocking(move || make(&planned)).await.into()
    }

    async fn read(&self, _ctx: &Context, object: &Object) -> Result<Option<Object>> {
        let object = object.clone();
        blocking(move || look(&object.attributes, &object.id)).await
    }

    async fn update(&self, _ctx: &Context, prior: &Object, planned: Value) -> Outcome {
        let id = prior.id.clone();
        let changed = blocking(move || {
            set_mode(Path::new(&id), text(&planned, "mode").unwrap_or("0755"))?;
            Ok(Object::new(id, planned))
        });
        changed.await.into()
    }

    async fn delete(&self, _ctx: &Context, prior: &Object) -> Outcome {
        let (path, delete_content) = (PathBuf::from(&prior.id), flag(&prior.attributes, "delete_content"));
        match blocking(move || remove(&path, delete_content)).await {
            Ok(()) => Outcome::gone(),
            Err(error) => Outcome::failed(error),
        }
    }

    async fn import(&self, _ctx: &Context, id: &str) -> Result<Option<Object>> {
        let path = id.to_owned();
        let empty = schema().block.empty_value();
        let start = with(&empty, [("path", Value::string(id)), ("delete_content", Value::bool(false))]);
        blocking(move || look(&start, &path)).await
    }

    async fn recover(&self, ctx: &Context, evidence: &Evidence) -> Result<Recovery> {
        let known = evidence.planned.as_ref().or(evidence.prior.as_ref().map(|prior| &prior.attributes));
        let Some(attributes) = known else {
            return Ok(Recovery::CannotTell { reason: "the path was not recorded".to_owned() });
        };
        let object = Object::new(required(attributes, "path")?, attributes.clone());
        Ok(self.read(ctx, &object).await?.map_or(Recovery::Absent, Recovery::Found))
    }
}
