use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use crate::{
    address::{Address, Target},
    event::Timestamp,
    plan::{Mode, TypeSource},
    state::{Lineage, ObjectId, Row, StackKey},
    template::{
        Template,
        eval::{FileAccess, NoFiles},
    },
    value::Value,
};

/// Everything that a plan is made from. The same input and the same answers make the same plan.
pub struct PlanInput {
    /// Whose plan it is.
    pub stack: StackKey,
    /// The stack's history; `None` where it has none yet.
    pub lineage: Option<Lineage>,
    /// What is wanted. Reading and checking it gave no error.
    pub template: Arc<Template>,
    /// The root module's variables: converted, defaulted, marked.
    pub variables: BTreeMap<String, Value>,
    /// The names of those of them that somebody set, rather than their defaults.
    pub given: BTreeSet<String>,
    /// What exists, as state remembers it.
    pub rows: Vec<Row>,
    /// The outputs of the last run; marked.
    pub outputs: BTreeMap<String, Value>,
    /// The types that there are.
    pub types: Arc<dyn TypeSource>,
    /// The files that functions may read.
    pub files: Box<dyn FileAccess + Send>,
    /// Where the ids of new objects come from.
    pub object_ids: ObjectIds,
    /// When planning began.
    pub timestamp: Timestamp,
    /// What `terraform.workspace` says.
    pub workspace: String,
    /// What `path.cwd` says.
    pub root: String,
    /// What is to be planned.
    pub options: PlanOptions,
}

impl PlanInput {
    /// Returns the input for a first plan of a stack: no rows, no outputs, no variables, no files.
    pub fn new(stack: StackKey, template: Arc<Template>, types: Arc<dyn TypeSource>) -> Self {
        Self {
            stack,
            lineage: None,
            template,
            variables: BTreeMap::new(),
            given: BTreeSet::new(),
            rows: Vec::new(),
            outputs: BTreeMap::new(),
            types,
            files: Box::new(NoFiles),
            object_ids: ObjectIds::random(),
            timestamp: Timestamp::default(),
            workspace: "default".to_owned(),
            root: ".".to_owned(),
            options: PlanOptions::default(),
        }
    }
}

impl fmt::Debug for PlanInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlanInput")
            .field("stack", &self.stack)
            .field("rows", &self.rows.len())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// What is to be planned.
#[derive(Clone, Debug)]
pub struct PlanOptions {
    /// What the plan is for.
    pub mode: Mode,
    /// Only these, and what they depend on; empty: everything.
    pub targets: Vec<Target>,
    /// Instances that are replaced whether they need it or not.
    pub replace: BTreeSet<Address>,
    /// Whether objects are read before they are planned.
    pub refresh: bool,
    /// Objects that are adopted: address → the id that people use.
    pub imports: BTreeMap<Address, String>,
    /// What every object bears that takes tags, whatever the template says: the locked tags.
    pub tags: BTreeMap<String, String>,
    /// The most instances, blocks and calls without `count` and `for_each` included.
    pub instance_limit: usize,
}

impl Default for PlanOptions {
    /// Everything, with a look at the world; no locked tags; at most 1,000,000 instances.
    fn default() -> Self {
        Self {
            mode: Mode::Normal,
            targets: Vec::new(),
            replace: BTreeSet::new(),
            refresh: true,
            imports: BTreeMap::new(),
            tags: BTreeMap::new(),
            instance_limit: 1_000_000,
        }
    }
}

/// Mints the ids of new objects.
pub struct ObjectIds(Box<dyn FnMut() -> ObjectId + Send>);

impl ObjectIds {
    /// Returns ids that share 96 random bits, as [`ObjectId::mint`] makes them, and count up in their last 32.
    ///
    /// What is made by one plan lies side by side wherever it is kept in the order of ids, so that a store writes few
    /// pages for many rows.
    pub fn random() -> Self {
        let mut minted: u32 = 0;
        let mut first = ObjectId::mint().as_u128();
        Self(Box::new(move || {
            if minted == u32::MAX {
                first = ObjectId::mint().as_u128();
                minted = 0;
            }
            let id = (first & !u128::from(u32::MAX)) | u128::from(minted);
            minted += 1;
            ObjectId::from_u128(id)
        }))
    }

    /// Returns ids that count up from a number, for tests and simulations.
    pub fn counting_from(start: u128) -> Self {
        let mut next = start;
        Self(Box::new(move || {
            let id = ObjectId::from_u128(next);
            next = next.wrapping_add(1);
            id
        }))
    }

    /// Returns the next id.
    pub fn mint(&mut self) -> ObjectId {
        (self.0)()
    }
}

impl fmt::Debug for ObjectIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ObjectIds")
    }
}
