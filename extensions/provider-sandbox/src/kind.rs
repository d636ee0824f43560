use std::{collections::BTreeMap, fmt};

use serde::{Serialize, de::DeserializeOwned};
use stackwright::resource::typed::{Attributes, TypedPlan};

/// How the object of a create whose reply was lost is found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// By the token that it was made with. The cloud makes no second one for it.
    Token,
    /// By the properties that no two objects have in common.
    Names(&'static [&'static str]),
}

/// One kind of thing: its structs, and what tells it from other kinds. Names of fields are those of the cloud's API.
pub(crate) trait Kind: fmt::Debug + Send + Sync + 'static {
    /// What the template sets.
    type Inputs: Attributes + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What the cloud chooses.
    type Outputs: Attributes + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// The resource type.
    const TYPE_NAME: &'static str;
    /// Where the API has it.
    const PATH: &'static str;
    /// How its objects are found again.
    const KEY: Key;
    /// Whether a create returns before the object is made, with an operation to follow.
    const IS_ASYNCHRONOUS: bool = false;
    /// The properties that its price depends on; `None` where it costs nothing.
    const PRICED: Option<&'static [&'static str]> = None;
    /// How long it takes to make one, compared with others.
    const COST: u64 = 1;

    /// Returns the tags.
    fn tags(inputs: &mut Self::Inputs) -> &mut BTreeMap<String, String>;

    /// Takes over from before what the cloud does not show.
    fn keep(inputs: &mut Self::Inputs, before: Self::Inputs) {
        let _ = (inputs, before);
    }

    /// Says what is known about a change of these inputs beforehand.
    fn plan(before: &Self::Inputs, after: &Self::Inputs) -> TypedPlan {
        let _ = (before, after);
        TypedPlan::new()
    }

    /// Returns what people may write instead of an id to import, as properties to look for.
    fn import_names(id: &str) -> Vec<(&'static str, &str)> {
        let _ = id;
        Vec::new()
    }
}
