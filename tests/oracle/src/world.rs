//! What expressions can refer to, the same on both sides: `world.tf`, and files beside it.

use std::{collections::BTreeMap, path::Path};

use stackwright::{
    error::{Diagnostic, SourceId, Span},
    resource::Registry,
    template::{
        eval::{DirectoryFiles, Evaluator, Functions, Options, Request, Resolution, Scope},
        hcl,
    },
    value::{Refinement, Type, Value},
};

/// The configuration that both sides see.
pub const TEXT: &str = include_str!("../files/world.tf");

/// The files that functions read, by name.
pub const FILES: [(&str, &str); 11] = [
    ("hello.txt", "hello\n"),
    ("greet.tftpl", include_str!("../files/greet.tftpl")),
    ("broken.tftpl", "Hello ${nobody}\n"),
    ("cipher.b64", include_str!("../files/cipher.b64")),
    ("pkcs1.pem", include_str!("../files/pkcs1.pem")),
    ("pkcs8.pem", include_str!("../files/pkcs8.pem")),
    ("openssh.pem", include_str!("../files/openssh.pem")),
    ("ec.pem", include_str!("../files/ec.pem")),
    ("locked.pem", include_str!("../files/locked.pem")),
    ("data/one.json", "{\"a\": [1, 2.5, null, \"x\"]}\n"),
    ("data/two.csv", "a,b\n1,2\n"),
];

/// Writes configuration and files into a folder.
///
/// # Errors
/// Those of the operating system.
pub fn write_files(folder: &Path) -> std::io::Result<()> {
    std::fs::write(folder.join("world.tf"), TEXT)?;
    // Where the expressions are written, so that a function that lists the folder sees the same.
    std::fs::write(folder.join("cases.tf"), "")?;
    for (name, text) in FILES {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, text)?;
    }
    std::fs::write(folder.join("binary.dat"), [0xff, 0xfe, 0x00])
}

/// The world on our side.
pub struct World {
    /// The functions of the language and of the builtin provider.
    pub functions: Functions,
    /// The files.
    pub files: DirectoryFiles,
    locals: BTreeMap<String, Value>,
    resources: BTreeMap<String, Value>,
    unplanned: Option<Box<World>>,
    folder: tempfile::TempDir,
}

impl World {
    /// Returns the world.
    ///
    /// # Panics
    /// When `world.tf` is not as it should be.
    pub fn new() -> Self {
        let unplanned = Some(Box::new(Self::build(false, None)));
        Self::build(true, unplanned)
    }

    /// The same before anything was planned: of resources not even the types are known.
    pub fn unplanned(&self) -> &Self {
        self.unplanned.as_deref().unwrap_or(self)
    }

    fn build(is_planned: bool, unplanned: Option<Box<Self>>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        write_files(folder.path()).expect("files can be written");
        let functions = Registry::new().functions().clone();
        let files = DirectoryFiles::new(folder.path()).expect("the folder is there");
        let (locals, resources) = (BTreeMap::new(), BTreeMap::new());
        let mut world = Self { functions, files, locals, resources, unplanned, folder };
        let (body, problems) = hcl::parse(SourceId(0), TEXT);
        assert_eq!(problems, [], "world.tf can be read");
        for block in body.blocks_of("resource") {
            let input = block.body.attribute("input").map(|input| world.known(&input.expr));
            let input = input.unwrap_or_else(|| Value::null(Type::Any));
            let object = match is_planned {
                true => Value::object([
                    ("id", Value::unknown_with(Type::String, Refinement::not_null())),
                    ("output", if input.is_null() { input.clone() } else { Value::unknown(input.ty()) }),
                    ("input", input),
                    ("triggers_replace", Value::null(Type::Any)),
                ]),
                false => Value::unknown(Type::Any),
            };
            world.resources.insert(block.label(1).expect("a name").to_owned(), object);
        }
        for attribute in body.blocks_of("locals").flat_map(|block| &block.body.attributes) {
            let value = world.known(&attribute.expr);
            world.locals.insert(attribute.name.as_str().to_owned(), value);
        }
        world
    }

    /// Returns the path of its folder.
    pub fn folder(&self) -> String {
        self.folder.path().to_string_lossy().into_owned()
    }

    fn known(&self, expr: &stackwright::template::syntax::Expr) -> Value {
        let mut evaluator = Evaluator::new(self, &self.functions, Options::default());
        let value = evaluator.eval(expr);
        assert_eq!(evaluator.finish().diagnostics, [], "world.tf has no mistake");
        value
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl Scope for World {
    fn resolve(&self, request: &Request<'_>, span: Span) -> Resolution {
        let found = match request {
            Request::Local(name) => self.locals.get(*name).cloned(),
            Request::Resource { type_name: "terraform_data", name, key: None, .. } => {
                self.resources.get(*name).cloned()
            }
            Request::Workspace => Some(Value::string("default")),
            Request::PathModule | Request::PathRoot => Some(Value::string(".")),
            _ => None,
        };
        match (found, request) {
            (Some(value), _) => Resolution::Value(value),
            (None, Request::Resource { key: Some(_), .. }) => {
                Resolution::Failed(Diagnostic::error("eval.part", "there is one instance, without a key").at(span))
            }
            _ => Resolution::Failed(Diagnostic::error("template.reference", "it is not declared").at(span)),
        }
    }
}
