//! `local_directory`.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt as _,
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

use crate::{
    attributes::{blocking, flag, get, io_error, mode, octal, required, text, with},
    disk::{self, Found},
};

/// A directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Directory;

const DEFAULT_MODE: &str = "0755";

fn schema() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| {
        Arc::new(
            Schema::new(1)
                .describe("A directory on this machine.")
                .attribute("id", Attribute::computed(Type::String).echoes("path").describe("The path."))
                .attribute(
                    "path",
                    Attribute::required(Type::String)
                        .forces_replacement()
                        .describe("Where it is. Folders above it are made where they are missing, and stay."),
                )
                .attribute(
                    "mode",
                    Attribute::optional(Type::String)
                        .default(DEFAULT_MODE)
                        .pattern("^[0-7]{3,4}$")
                        .describe("Its mode, octal, whatever the umask is."),
                )
                .attribute(
                    "delete_content",
                    Attribute::optional(Type::Bool).default(false).describe(
                        "Whether what others put into it is deleted with it; otherwise a directory that is not empty is \
                         not deleted.",
                    ),
                ),
        )
    }))
}

fn wanted_mode(planned: &Value) -> Result<u32> {
    mode(text(planned, "mode").unwrap_or(DEFAULT_MODE))
}

fn is_empty(path: &Path) -> Result<bool> {
    let mut entries = fs::read_dir(path).map_err(|error| io_error("look into", path, error))?;
    Ok(entries.next().is_none())
}

/// Makes a directory. An empty one that is there is taken for the one that an earlier attempt made.
fn make(planned: &Value) -> Result<Object> {
    let path = required(planned, "path")?;
    let place = Path::new(path);
    match disk::look(place, 0)? {
        Found::Nothing => build(place)?,
        Found::Directory { .. } if is_empty(place)? => {}
        Found::Directory { .. } => {
            let message = format!("`{path}` is there already and not empty; import it or remove it");
            return Err(Error::new(ErrorKind::AlreadyExists, "local.exists", message));
        }
        Found::File(_) => return Err(disk::in_the_way(place, "a file")),
        Found::Other(what) => return Err(disk::in_the_way(place, what)),
    }
    disk::set_mode(place, wanted_mode(planned)?)?;
    Ok(Object::new(path, with(planned, [("id", Value::string(path))])))
}

fn build(place: &Path) -> Result<()> {
    if let Some(above) = place.parent().filter(|above| !above.as_os_str().is_empty()) {
        fs::create_dir_all(above).map_err(|error| io_error("make the folder of", place, error))?;
    }
    // Closed to others until its mode is set.
    match fs::DirBuilder::new().mode(0o700).create(place) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(disk::in_the_way(place, "there already")),
        made => made.map_err(|error| io_error("make", place, error)),
    }
}

/// Returns the object as it is now; `None` where no directory is there.
fn refreshed(attributes: &Value, path: &str) -> Result<Option<Object>> {
    let Found::Directory { mode } = disk::look(Path::new(path), 0)? else { return Ok(None) };
    let set = [("id", Value::string(path)), ("mode", octal(&get(attributes, "mode"), mode))];
    Ok(Some(Object::new(path, with(attributes, set))))
}

fn change(path: &str, planned: &Value) -> Result<Object> {
    match disk::look(Path::new(path), 0)? {
        Found::Directory { mode } => {
            let wanted = wanted_mode(planned)?;
            if mode != wanted {
                disk::set_mode(Path::new(path), wanted)?;
            }
            Ok(Object::new(path, planned.clone()))
        }
        _ => {
            let message =
                format!("`{path}` is not the directory any more that it was when the plan was made: plan again");
            Err(Error::new(ErrorKind::Conflict, "local.changed", message))
        }
    }
}

/// Deletes a directory. What took its place and is no directory stays.
fn remove(path: &Path, delete_content: bool) -> Result<()> {
    let is_directory = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.is_dir(),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => false,
        Err(error) => return Err(io_error("look at", path, error)),
    };
    let removed = match (is_directory, delete_content) {
        (false, _) => return Ok(()),
        (true, true) => fs::remove_dir_all(path),
        (true, false) => fs::remove_dir(path),
    };
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
        Traits { idempotent_create: true, free: true, ..Traits::default() }
    }

    async fn validate(&self, _ctx: &Context, config: &Value) -> Result<()> {
        text(config, "path").map_or(Ok(()), disk::check_path)
    }

    async fn plan(&self, _ctx: &Context, request: PlanRequest) -> Result<PlanResponse> {
        let path = get(&request.proposed, "path");
        let planned = with(&request.proposed, [("id", path)]);
        Ok(PlanResponse { planned, requires_replace: Vec::new(), private: None })
    }

    async fn create(&self, _ctx: &Context, planned: Value) -> Outcome {
        blocking(move || make(&planned)).await.into()
    }

    async fn read(&self, _ctx: &Context, object: &Object) -> Result<Option<Object>> {
        let object = object.clone();
        blocking(move || refreshed(&object.attributes, &object.id)).await
    }

    async fn update(&self, _ctx: &Context, prior: &Object, planned: Value) -> Outcome {
        let id = prior.id.clone();
        blocking(move || change(&id, &planned)).await.into()
    }

    async fn delete(&self, _ctx: &Context, prior: &Object) -> Outcome {
        let (path, delete_content) = (PathBuf::from(&prior.id), flag(&prior.attributes, "delete_content"));
        match blocking(move || remove(&path, delete_content)).await {
            Ok(()) => Outcome::gone(),
            Err(error) => Outcome::failed(error),
        }
    }

    /// The id is the path, spelled as in the template.
    async fn import(&self, _ctx: &Context, id: &str) -> Result<Option<Object>> {
        disk::check_path(id)
            .map_err(|error| Error::new(ErrorKind::InvalidInput, "resource.import_id", error.message()))?;
        let path = id.to_owned();
        let empty = schema().block.empty_value();
        let start = with(&empty, [("path", Value::string(id)), ("delete_content", Value::bool(false))]);
        blocking(move || refreshed(&start, &path)).await
    }

    async fn recover(&self, ctx: &Context, evidence: &Evidence) -> Result<Recovery> {
        if let Some(prior) = &evidence.prior {
            return Ok(self.read(ctx, prior).await?.map_or(Recovery::Absent, Recovery::Found));
        }
        let Some(planned) = &evidence.planned else {
            return Ok(Recovery::CannotTell { reason: "the path was not recorded".to_owned() });
        };
        let path = required(planned, "path")?;
        let found = self.read(ctx, &Object::new(path, planned.clone())).await?;
        // Nobody has put anything into the one that was to be made: its row is not there yet.
        let place = PathBuf::from(path);
        let is_ours = found.is_some() && blocking(move || is_empty(&place)).await?;
        Ok(found.filter(|_| is_ours).map_or(Recovery::Absent, Recovery::Found))
    }
}
