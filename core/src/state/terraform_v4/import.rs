use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize as _;
use serde_json::Value as Json;

use super::{
    document::{self, Document, Instance, PathStep, Resource, VERSION},
    provider,
};
use crate::{
    address::{Address, InstanceKey, Mode, ModuleInstance, ResourceAddress, Target, is_identifier},
    error::{Error, ErrorKind, Result},
    state::{ObjectId, Row, RowStatus, codec::Output},
    value::{Kind, Marks, Path, Step, Type, Value, from_json_value},
};

/// What a state file of Terraform says.
#[derive(Debug)]
pub struct Imported {
    /// The version of the program that wrote it, such as `1.11.4`; empty where it does not say.
    pub terraform_version: String,
    /// Its lineage, as text.
    pub lineage: String,
    /// Its serial.
    pub serial: u64,
    /// The managed objects, each with a new object id, in the order of the file.
    pub rows: Vec<Row>,
    /// The root outputs.
    pub outputs: BTreeMap<String, Output>,
    /// Data sources: left out, for they are read again.
    pub data: Vec<Address>,
    /// Objects that have no attribute `id`; their rows have no remote id.
    pub without_id: Vec<Address>,
}

/// Reads a state file of Terraform or OpenTofu.
///
/// `types` returns the type of a resource type's objects, by its name; without one, lists become tuples and maps
/// objects, and the first refresh puts that right.
///
/// # Errors
/// `state.import` where the text is not a state file of format 4, or an object in it does not fit its type. No value is
/// repeated in messages.
///
/// # Complexity
/// O(file + dependencies). Terraform names a whole block as a dependency, so that is what a row refers to at first where
/// the block is repeated; the next plan writes which of its objects are meant.
pub fn import(text: &[u8], types: &dyn Fn(&str) -> Option<Type>) -> Result<Imported> {
    let document: Document = serde_json::from_slice(text).map_err(|error| {
        refuse("the text is not a state file of Terraform")
            .context("line", error.line())
            .context("column", error.column())
    })?;
    if document.version != VERSION {
        return Err(refuse("only state files of format 4 can be read; let Terraform write the file anew")
            .context("found", document.version));
    }
    let mut imported = Imported {
        terraform_version: document.terraform_version,
        lineage: document.lineage,
        serial: document.serial,
        rows: Vec::new(),
        outputs: BTreeMap::new(),
        data: Vec::new(),
        without_id: Vec::new(),
    };
    for (name, output) in &document.outputs {
        let output = read_output(output).map_err(|error| error.context("output", name))?;
        imported.outputs.insert(name.clone(), output);
    }
    let mut blocks = Blocks::default();
    for resource in &document.resources {
        let block = block_of(resource)?;
        for instance in &resource.instances {
            let key = key_of(instance).ok_or_else(|| refuse("an instance has a key that is none"))?;
            let address = block.instance(key);
            if block.mode == Mode::Data {
                imported.data.push(address);
                continue;
            }
            let row = read_row(resource, instance, address.clone(), types)
                .map_err(|error| error.context("address", &address))?;
            if row.remote_id.is_none() {
                imported.without_id.push(address);
            }
            blocks.add(&row.address, row.object_id, &instance.dependencies);
            imported.rows.push(row);
        }
    }
    for row in &mut imported.rows {
        (row.dependencies, row.wholes) = blocks.dependencies(row.object_id);
    }
    Ok(imported)
}

fn refuse(message: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "state.import", message)
}

fn read_output(json: &Json) -> Result<Output> {
    let output = document::Output::deserialize(json).map_err(|_| refuse("an output is not as Terraform writes it"))?;
    let ty = Type::from_json(&output.ty).map_err(|_| refuse("an output has a type that is none"))?;
    let value = from_json_value(&output.value, &ty).map_err(|_| refuse("an output does not fit its type"))?;
    let marks = if output.sensitive { Marks::SENSITIVE } else { Marks::NONE };
    Ok(Output { value: value.with_marks(marks), sensitive: output.sensitive })
}

fn block_of(resource: &Resource) -> Result<ResourceAddress> {
    let module = match &*resource.module {
        "" => ModuleInstance::root(),
        module => module.parse()?,
    };
    let mode = match &*resource.mode {
        "managed" => Mode::Managed,
        "data" => Mode::Data,
        _ => return Err(refuse("a resource is neither managed nor data").context("mode", &resource.mode)),
    };
    if !is_identifier(&resource.type_name) || !is_identifier(&resource.name) {
        return Err(refuse("a resource has a name that is none"));
    }
    Ok(ResourceAddress::new(module, mode, &*resource.type_name, &*resource.name))
}

/// Returns the key, or `None` where there is one that is none.
#[expect(clippy::option_option, reason = "having no key is well-formed, having a strange one is not")]
fn key_of(instance: &Instance) -> Option<Option<InstanceKey>> {
    match &instance.index_key {
        None | Some(Json::Null) => Some(None),
        Some(Json::String(text)) => Some(Some(InstanceKey::from(&**text))),
        Some(number) => number.as_u64().map(|index| Some(InstanceKey::Int(index))),
    }
}

fn read_row(
    resource: &Resource,
    instance: &Instance,
    address: Address,
    types: &dyn Fn(&str) -> Option<Type>,
) -> Result<Row> {
    let attributes = instance
        .attributes
        .as_ref()
        .filter(|attributes| attributes.is_object())
        .ok_or_else(|| refuse("an object has no attributes; let Terraform 0.12 or later write the file anew"))?;
    let ty = types(&resource.type_name).unwrap_or(Type::Any);
    let value = from_json_value(attributes, &ty).map_err(|_| refuse("an object does not fit its type's schema"))?;
    let paths: Vec<_> =
        instance.sensitive_attributes.iter().map(|steps| (follow(&value, steps), Marks::SENSITIVE)).collect();
    let private = instance.private.as_ref().filter(|private| !private.is_empty());
    let private = private.map(|private| STANDARD.decode(private)).transpose();
    let status = match (&instance.deposed, instance.status.as_deref()) {
        (Some(_), _) => RowStatus::Deposed,
        (None, Some("tainted")) => RowStatus::Tainted,
        (None, _) => RowStatus::Current,
    };
    Ok(Row {
        object_id: ObjectId::mint(),
        address,
        status,
        type_name: (*resource.type_name).into(),
        provider: provider::from_terraform(&resource.provider, &resource.type_name)
            .ok_or_else(|| refuse("a resource's provider has a name that is none"))?
            .into(),
        schema_version: instance.schema_version,
        remote_id: attributes.get("id").and_then(id_text),
        attributes: value.mark_with_paths(&paths),
        private: private.map_err(|_| refuse("an object's private bytes are not base64"))?.map(Arc::from),
        dependencies: Vec::new(),
        wholes: Vec::new(),
        order_lines: Vec::new(),
        uses: crate::state::Uses::default(),
        create_before_destroy: instance.create_before_destroy,
        prevent_destroy: false,
        ready: true,
        version: 1,
    })
}

fn id_text(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Returns the path that `steps` mean in `value`, cut where it cannot be followed: rather too much is marked than too
/// little.
fn follow(value: &Value, steps: &[PathStep]) -> Path {
    let mut path = Path::root();
    let mut here = value;
    for step in steps {
        let name = match step {
            PathStep::GetAttr(name) => Some(&**name),
            PathStep::Index(key) => key.value.as_str(),
        };
        let index = match step {
            PathStep::GetAttr(_) => None,
            // Terraform writes indices as numbers or, in older versions, as floats.
            PathStep::Index(key) => key.value.as_u64().and_then(|index| usize::try_from(index).ok()),
        };
        let step = match (here.kind(), name, index) {
            (Kind::Object(_), Some(name), _) => Step::Attr(name.into()),
            (Kind::Map(_), Some(name), _) => Step::Key(name.into()),
            (Kind::List(_) | Kind::Tuple(_), _, Some(index)) => Step::Index(index),
            _ => break,
        };
        let Some(part) = here.part(&step) else { break };
        path.push(step);
        here = part;
    }
    path
}

/// Which objects stand where, and which blocks need which, by their static address.
#[derive(Default)]
struct Blocks {
    objects: HashMap<String, BTreeMap<ResourceAddress, Vec<ObjectId>>>,
    /// Blocks that have instances with keys.
    repeated: HashSet<ResourceAddress>,
    /// All that a block needs, indirect ones too, as Terraform writes it.
    needs: HashMap<String, HashSet<String>>,
    own: HashMap<ObjectId, (String, Vec<String>)>,
}

impl Blocks {
    fn add(&mut self, address: &Address, object: ObjectId, needs: &[String]) {
        let block = address.resource.path().to_string();
        self.objects.entry(block.clone()).or_default().entry(address.resource.clone()).or_default().push(object);
        if address.key.is_some() {
            self.repeated.insert(address.resource.clone());
        }
        self.needs.entry(block.clone()).or_default().extend(needs.iter().cloned());
        self.own.insert(object, (block, needs.to_vec()));
    }

    /// Returns what stands in the blocks that this object needs directly, those that no other needed block leads to: objects,
    /// and blocks as a whole where they are repeated.
    fn dependencies(&self, object: ObjectId) -> (Vec<ObjectId>, Vec<Target>) {
        let Some((block, needs)) = self.own.get(&object) else { return Default::default() };
        let leads = |from: &String, to: &String| self.needs.get(from).is_some_and(|needs| needs.contains(to));
        let direct = needs.iter().filter(|need| {
            let indirect = |other: &String| other != *need && leads(other, need) && !leads(need, other);
            *need != block && !needs.iter().any(indirect)
        });
        let (mut ids, mut wholes) = (Vec::new(), Vec::new());
        for (address, objects) in direct.filter_map(|need| self.objects.get(need)).flatten() {
            if self.repeated.contains(address) {
                wholes.push(Target::Resource(address.clone()));
            } else {
                ids.extend(objects);
            }
        }
        ids.sort_unstable();
        ids.dedup();
        wholes.sort();
        wholes.dedup();
        (ids, wholes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = include_str!("sample.tfstate");

    fn types(name: &str) -> Option<Type> {
        (name == "acme_db").then(|| {
            Type::object([
                ("id", Type::String),
                ("name", Type::String),
                ("password", Type::String),
                ("tags", Type::map(Type::String)),
                ("zones", Type::list(Type::String)),
                ("size", Type::Number),
            ])
        })
    }

    fn sample() -> Imported {
        import(FILE.as_bytes(), &types).expect("a state file")
    }

    fn row<'a>(imported: &'a Imported, address: &str) -> &'a Row {
        imported.rows.iter().find(|row| row.address.to_string() == address).expect(address)
    }

    #[test]
    fn reads_objects_with_their_types_and_marks() {
        let imported = sample();
        assert_eq!((imported.serial, &*imported.terraform_version), (17, "1.11.4"));
        assert_eq!(imported.lineage, "0d1a6ab5-6a6f-4a5e-9d3e-0a3f3a3a3a3a");
        let db = row(&imported, r#"module.data["eu"].acme_db.main[1]"#);
        let secret = |text| Value::string(text).with_marks(Marks::SENSITIVE);
        let expected = Value::object([
            ("id", Value::string("db-2")),
            ("name", Value::null(Type::String)),
            ("password", secret("hunter2")),
            ("tags", Value::map(Type::String, [("plain", Value::string("x")), ("token", secret("t0ken"))])),
            ("zones", Value::list(Type::String, vec![Value::string("a"), secret("b")])),
            ("size", Value::number(3)),
        ]);
        assert_eq!(db.attributes, expected);
        assert_eq!(db.remote_id.as_deref(), Some("db-2"));
        assert_eq!(&*db.provider, r#"module.data["eu"].provider.acme.east"#);
        assert_eq!((db.status, db.schema_version, db.create_before_destroy), (RowStatus::Tainted, 2, true));
        assert_eq!(db.private.as_deref(), Some(&b"private"[..]));
        let deposed = imported.rows.iter().filter(|row| row.status == RowStatus::Deposed);
        assert_eq!(deposed.map(|row| row.remote_id.clone()).collect::<Vec<_>>(), [Some("net-0".to_owned())]);
        assert_eq!(imported.data.iter().map(ToString::to_string).collect::<Vec<_>>(), ["data.acme_zone.all"]);
        assert_eq!(imported.without_id, [row(&imported, "acme_note.n").address.clone()]);
        assert!(!format!("{imported:?}").contains("hunter2"));
    }

    #[test]
    fn keeps_direct_dependencies_only() {
        let imported = sample();
        let ids = |address: &str| {
            let mut ids: Vec<_> = imported
                .rows
                .iter()
                .filter(|row| row.address.to_string().starts_with(address))
                .map(|row| row.object_id)
                .collect();
            ids.sort_unstable();
            ids
        };
        // The file says that the note needs the network too; the database leads there.
        let note = row(&imported, "acme_note.n");
        let databases = r#"module.data["eu"].acme_db.main"#.parse().expect("a target");
        assert_eq!((&note.dependencies[..], &note.wholes[..]), (&[][..], &[databases][..]));
        assert_eq!(row(&imported, r#"module.data["eu"].acme_db.main[0]"#).dependencies, ids("acme_net.a"));
        assert_eq!(row(&imported, "acme_net.a").dependencies, []);
    }

    #[test]
    fn reads_outputs() {
        let outputs = sample().outputs;
        assert_eq!(outputs["url"], Output { value: Value::string("http://x"), sensitive: false });
        let secret = Value::list(Type::String, vec![Value::string("hunter2")]).with_marks(Marks::SENSITIVE);
        assert_eq!(outputs["passwords"], Output { value: secret, sensitive: true });
    }

    #[test]
    fn marks_too_much_rather_than_too_little() {
        let text = FILE.replace(r#""value": "token""#, r#""value": "gone""#);
        let imported = import(text.as_bytes(), &types).expect("a state file");
        let db = row(&imported, r#"module.data["eu"].acme_db.main[1]"#);
        assert!(db.attributes.attribute("tags").expect("tags").is_sensitive());
    }

    #[test]
    fn refuses_what_it_cannot_read_and_quotes_nothing() {
        for (what, text) in [
            ("no JSON", "hunter2".to_owned()),
            ("a number", "4".to_owned()),
            ("format 3", FILE.replace(r#""version": 4"#, r#""version": 3"#)),
            ("format 5", FILE.replace(r#""version": 4"#, r#""version": 5"#)),
            ("a mode", FILE.replace(r#""mode": "data""#, r#""mode": "hunter2x""#).replace("hunter2x", "odd")),
            ("a type", FILE.replace(r#""size": 3"#, r#""size": ["hunter2"]"#)),
            ("a key", FILE.replace(r#""index_key": 1"#, r#""index_key": -1"#)),
            ("private", FILE.replace("cHJpdmF0ZQ==", "hunter2!")),
            ("provider", FILE.replace(r#""provider[\"registry.terraform.io/acme/acme\"]""#, r#""acme""#)),
            ("cut", FILE[..FILE.len() / 2].to_owned()),
        ] {
            assert_ne!(text, FILE, "{what}");
            let error = import(text.as_bytes(), &types).expect_err(what);
            assert_eq!(error.code(), "state.import", "{what}: {error:?}");
            assert!(!error.report().contains("hunter2"), "{what}: {error:?}");
        }
        let module = FILE.replace(r#""module": "module.data[\"eu\"]""#, r#""module": "data""#);
        assert_eq!(import(module.as_bytes(), &types).expect_err("a module").code(), "address.invalid");
    }
}
