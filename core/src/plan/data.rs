use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    address::{Address, Target},
    error::Diagnostic,
    event::Timestamp,
    state::{CheckResult, Lineage, ObjectId, Row, StackKey},
    template::Edition,
    value::{Path, Value},
};

/// What a plan is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Mode {
    /// Make the world match the template.
    #[default]
    Normal,
    /// Delete everything that the stack owns.
    Destroy,
    /// Make state match the world.
    RefreshOnly,
}

/// What is to be done about one instance, as a person sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Make it.
    Create,
    /// Look it up while the plan runs (a data source whose configuration is not known yet).
    Read,
    /// Change it in place.
    Update,
    /// Delete it, then make a new one.
    Replace,
    /// Make a new one, then delete it.
    ReplaceCreateFirst,
    /// Delete it.
    Delete,
    /// Stop managing it; the object stays.
    Forget,
    /// Wait until it works: it is as it should be, but nobody saw it work yet.
    Wait,
    /// Nothing.
    NoOp,
}

impl Action {
    /// Returns the name used in events and texts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Replace | Self::ReplaceCreateFirst => "replace",
            Self::Delete => "delete",
            Self::Forget => "forget",
            Self::Wait => "wait",
            Self::NoOp => "no-op",
        }
    }
}

/// Why a change is planned. Never holds a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Reason {
    /// The template declares it and state has no object for it.
    NotInState,
    /// The object is gone from the world.
    Vanished,
    /// These attributes differ between state and template.
    Changed {
        /// The paths, sorted.
        paths: Vec<Path>,
    },
    /// These attributes differ, or may, and can only be set when an object is made.
    ForcesReplacement {
        /// The paths, sorted.
        paths: Vec<Path>,
    },
    /// The object may be half made.
    Tainted,
    /// Somebody asked for a new one.
    Requested,
    /// `replace_triggered_by` names these, and they change.
    TriggeredBy {
        /// What it names.
        references: Vec<String>,
    },
    /// The block is no longer in the template.
    NotInTemplate,
    /// It moved to an address that the template does not declare.
    NoMoveTarget,
    /// `count` is now too small for this index.
    CountTooSmall {
        /// The present count.
        count: u64,
    },
    /// `for_each` no longer has this key.
    KeyRemoved,
    /// The block has `count` or `for_each` now and had not, or the other way round.
    WrongRepetition,
    /// The instance of the module that it is in is no longer there.
    ModuleRemoved,
    /// The whole stack is being destroyed.
    Destroying,
    /// A newer object took its place in an earlier run.
    Deposed,
    /// The configuration is not known before these are applied.
    ConfigUnknown,
    /// `depends_on` names something that changes.
    DependencyPending {
        /// The addresses.
        addresses: Vec<String>,
    },
    /// Only what is marked as sensitive changed.
    SensitivityChanged,
    /// It did not work yet when the last run ended.
    NotReady,
    /// A `check` block looks at it, and wants to see it as it is then.
    CheckNested,
}

/// An index into [`Plan::changes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChangeIdx(pub u32);

/// The number of a step in its plan, from 0; events and journal facts name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub u32);

/// How far a step is; later levels include earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The change is made and its row is durable.
    Applied,
    /// The object really works.
    Ready,
    /// Nothing is left to do, postconditions included.
    Done,
}

/// What a step waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// The other step.
    pub step: StepId,
    /// How far it has to be.
    pub level: Level,
}

/// The number of a join in its plan, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JoinId(pub u32);

/// A place where waits come together, so that n steps that each wait for the same m others need n + m words and not n × m.
///
/// It holds once all that it waits for does. It does nothing, costs nothing, and no fact is ever about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The steps that it waits for, sorted.
    pub needs: Vec<Need>,
    /// The joins that it waits for, sorted; all have lower numbers.
    pub joins: Vec<JoinId>,
}

/// One change, as a person sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The instance.
    pub address: Address,
    /// Where the object stood before, if it moved.
    pub previous_address: Option<Address>,
    /// The registered type.
    pub type_name: Arc<str>,
    /// The provider that owns it; empty for the implied one.
    pub provider: Arc<str>,
    /// What is to be done.
    pub action: Action,
    /// Why, the strongest reason first; empty for no-ops.
    pub reasons: Vec<Reason>,
    /// The object as state (or the refreshed world) has it; marked.
    pub before: Option<Value>,
    /// The object as it will be; unknown where not known yet; marked. `None` when it is deleted.
    pub after: Option<Value>,
    /// The paths that force replacement.
    pub replace_paths: Vec<Path>,
    /// The object that exists now.
    pub prior_object: Option<ObjectId>,
    /// The object that will exist: minted when one is made, else `prior_object`.
    pub object: Option<ObjectId>,
    /// Whether `prior_object` is a deposed one.
    pub deposed: bool,
    /// The id to import, when the object is adopted.
    pub importing: Option<String>,
}

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepAction {
    /// Makes the object.
    Create,
    /// Changes it in place.
    Update,
    /// Deletes it.
    Delete,
    /// Reads a data source.
    Read,
    /// Removes the row and leaves the object alone.
    Forget,
    /// Waits until the object works; changes nothing.
    Wait,
}

impl StepAction {
    /// Returns the name used in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Read => "read",
            Self::Forget => "forget",
            Self::Wait => "wait",
        }
    }
}

/// Where a step's configuration comes from when it runs.
#[derive(Clone, Debug, PartialEq)]
pub enum StepConfig {
    /// None needed: a delete, a forget or a wait.
    None,
    /// Wholly known while planning: this, marked.
    Known(Value),
    /// Evaluated right before the step, from the plan's own snapshot; so far this much is known, marked.
    Residual(Value),
}

/// One unit of execution.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its number: the index in [`Plan::steps`].
    pub id: StepId,
    /// The change that it belongs to.
    pub change: ChangeIdx,
    /// What it does.
    pub action: StepAction,
    /// The instance.
    pub address: Address,
    /// The object that it acts on; `None` for data sources.
    pub object_id: Option<ObjectId>,
    /// The object before, from the row that the plan saw.
    pub prior: Option<ObjectId>,
    /// What the template wants.
    pub config: StepConfig,
    /// What was approved: the planned object, unknown where not known yet, marked.
    pub planned: Option<Value>,
    /// Bytes that the type's `plan` handed out.
    pub planned_private: Option<Arc<[u8]>>,
    /// The steps that it waits for, sorted.
    pub needs: Vec<Need>,
    /// The joins that it waits for, sorted.
    pub joins: Vec<JoinId>,
    /// The objects that it refers to directly, for its row; sorted.
    pub dependencies: Vec<ObjectId>,
    /// What it refers to as a whole, for its row; sorted.
    pub wholes: Vec<Target>,
    /// Whether the row remembers that replacements are created first. For a delete: whether the object was deposed.
    pub create_before_destroy: bool,
    /// Whether the row remembers that it must not be deleted.
    pub prevent_destroy: bool,
    /// Whether conditions of the template are checked before (preconditions) or after (postconditions) it.
    pub has_conditions: bool,
    /// A hint of how long it takes, in any unit.
    pub cost: u64,
}

/// What happened to an object behind the engine's back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftKind {
    /// Attributes changed.
    Changed,
    /// It is gone.
    Vanished,
}

/// A difference between state and the world.
#[derive(Clone, Debug, PartialEq)]
pub struct Drift {
    /// The instance.
    pub address: Address,
    /// The registered type.
    pub type_name: Arc<str>,
    /// The object that was read.
    pub object_id: ObjectId,
    /// What happened.
    pub kind: DriftKind,
    /// As state had it; marked.
    pub before: Value,
    /// As it is; `None` where it is gone; marked.
    pub after: Option<Value>,
    /// The paths that differ, sorted.
    pub paths: Vec<Path>,
}

/// A change to a row that needs no call: written in one transaction when the run begins.
#[derive(Clone, Debug, PartialEq)]
pub enum RowUpdate {
    /// The row as it is from now on: refreshed, moved, adopted, or with other dependencies.
    ///
    /// Its `version` is the one that it is written with: one more than the version that the plan saw, 1 for an
    /// adopted object.
    Put(Row),
    /// The row goes: its object vanished.
    Remove(ObjectId),
}

/// A row that the plan is built on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowBase {
    /// The object.
    pub object_id: ObjectId,
    /// The version that was seen.
    pub version: u64,
}

/// How an output changes.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputChange {
    /// Its value now; `None` where there was none. Marked.
    pub before: Option<Value>,
    /// Its value afterwards; unknown where not known yet, `None` where it goes. Marked.
    pub after: Option<Value>,
    /// Whether the template declares it sensitive.
    pub sensitive: bool,
}

/// A data source that was read while planning, or will be.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedReadOf {
    /// The instance.
    pub address: Address,
    /// The registered name of the data source.
    pub type_name: Arc<str>,
    /// What was read; marked. `None` where a step reads it later.
    pub value: Option<Value>,
    /// The `check` block that it stands in: it may fail, and nothing stops.
    pub check: Option<Arc<str>>,
}

/// Everything that evaluation needs again while the plan runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inputs {
    /// The template's files: path relative to its root → text.
    pub files: BTreeMap<String, Arc<str>>,
    /// Contents of other files that functions read while planning: path → bytes.
    pub read_files: BTreeMap<String, Arc<[u8]>>,
    /// Paths at which functions asked for a file while planning, and whether there was one.
    pub existing_files: BTreeMap<String, bool>,
    /// Folders that functions listed while planning: folder → files below it, sorted.
    pub listed_files: BTreeMap<String, Vec<String>>,
    /// Paths that functions made absolute while planning, and what they became.
    pub absolute_paths: BTreeMap<String, String>,
    /// The root module's variables, converted and defaulted; marked.
    pub variables: BTreeMap<String, Value>,
    /// Those of them that are ephemeral. They are not stored with the plan: who applies a stored plan gives them again.
    pub ephemeral: BTreeMap<String, Value>,
    /// The names of the ephemeral variables that were set when the plan was made: they have to be set again.
    pub ephemeral_given: BTreeSet<String>,
    /// The edition of the language that the template is written in.
    pub edition: Edition,
    /// The locked tags: what every object bears that takes tags. Runs of the plan hand these to resource types.
    pub tags: BTreeMap<String, String>,
    /// What `terraform.workspace` says.
    pub workspace: String,
    /// What `path.root` and `path.cwd` say.
    pub root: String,
    /// When planning began; `plantimestamp()`.
    pub timestamp: Timestamp,
}

/// What is to be done, why and in which order.
///
/// Serialised by `plan::codec` (sensitive leaves, files and variables sealed); shown by its `Display`.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Whose it is.
    pub stack: StackKey,
    /// The stack's history; `None` where it has none yet.
    pub lineage: Option<Lineage>,
    /// What it is for.
    pub mode: Mode,
    /// The parts that it is limited to; empty: everything.
    pub targets: Vec<Target>,
    /// All instances, no-ops included, sorted by address, then deposed ones.
    pub changes: Vec<Change>,
    /// What runs, in an order in which every step comes after what it needs.
    pub steps: Vec<Step>,
    /// Where waits come together; steps name them by their places.
    pub joins: Vec<Join>,
    /// Row changes that need no call.
    pub row_updates: Vec<RowUpdate>,
    /// The rows that it is built on, sorted.
    pub base: Vec<RowBase>,
    /// Root outputs by name.
    pub outputs: BTreeMap<String, OutputChange>,
    /// What became of all conditions, as far as that is known.
    pub checks: Vec<CheckResult>,
    /// What changed behind the engine's back.
    pub drift: Vec<Drift>,
    /// Data sources, sorted by address.
    pub reads: Vec<PlannedReadOf>,
    /// The configuration of each provider that a `provider` block configures, by the provider's name; marked, unknown
    /// where it is not known yet.
    pub provider_configs: BTreeMap<Arc<str>, Value>,
    /// What evaluation needs again.
    pub inputs: Inputs,
    /// Warnings.
    pub warnings: Vec<Diagnostic>,
}

impl Plan {
    /// Returns whether running it would change nothing: no step, no row, no output.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.row_updates.is_empty() && !self.changes_outputs()
    }

    /// Returns whether an output's value changes or may change.
    pub fn changes_outputs(&self) -> bool {
        self.outputs.values().any(|output| output.before != output.after)
    }

    /// Returns the step with this number.
    pub fn step(&self, id: StepId) -> Option<&Step> {
        self.steps.get(id.0 as usize)
    }

    /// Returns the change with this index.
    pub fn change(&self, idx: ChangeIdx) -> Option<&Change> {
        self.changes.get(idx.0 as usize)
    }
}
