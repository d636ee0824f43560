//! Data sources.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use stackwright::{
    error::{Error, ErrorKind, Result},
    resource::{
        Context,
        typed::{Attributes, TypedDataSource},
    },
};

use crate::{
    api::Api,
    error::{Purpose, garbled},
};

fn none(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::NotFound, "sandbox.missing", message)
}

/// The cheapest size of machine that is big enough.
#[derive(Serialize, Deserialize, Attributes)]
pub(crate) struct InstanceTypeInputs {
    /// Its name, where a certain one is meant.
    name: Option<String>,
    /// The least number of processors.
    #[attribute(default = 1)]
    min_cpu: u32,
    /// The least memory, in gibibytes.
    #[attribute(default = 1)]
    min_memory_gb: u32,
    /// The zone in which it has to be on offer.
    zone: Option<String>,
}

#[derive(Serialize, Deserialize, Attributes)]
pub(crate) struct InstanceTypeOutputs {
    /// Its name.
    name: Option<String>,
    /// How many processors it has.
    cpu: u32,
    /// How much memory, in gibibytes.
    memory_gb: u32,
    /// What an hour costs: decimal text, since money is no float.
    hourly_price: String,
    /// In which currency.
    currency: String,
    /// The zones in which it is on offer.
    zones: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct InstanceType {
    api: Api,
}

impl InstanceType {
    pub(crate) fn new(api: Api) -> Self {
        Self { api }
    }
}

#[async_trait]
impl TypedDataSource for InstanceType {
    type Inputs = InstanceTypeInputs;
    type Outputs = InstanceTypeOutputs;

    async fn read(&self, ctx: &Context, inputs: InstanceTypeInputs) -> Result<InstanceTypeOutputs> {
        let items = self.api.connect(ctx)?.items("instance-types").await?;
        let sizes: Vec<InstanceTypeOutputs> = serde_json::from_value(Json::Array(items))
            .map_err(|_| garbled("not with instance types", Purpose::Look))?;
        let fits = |size: &InstanceTypeOutputs| {
            (inputs.name.is_none() || size.name == inputs.name)
                && size.cpu >= inputs.min_cpu
                && size.memory_gb >= inputs.min_memory_gb
                && inputs.zone.as_ref().is_none_or(|zone| size.zones.contains(zone))
        };
        // The catalogue begins with the cheapest.
        sizes.into_iter().find(fits).ok_or_else(|| none("no instance type on offer is like this"))
    }
}

/// A network that is there already.
#[derive(Serialize, Deserialize, Attributes)]
pub(crate) struct NetworkInputs {
    /// Its id; or look for it by name.
    id: Option<String>,
    /// Its name, which only one network may have.
    name: Option<String>,
}

#[derive(Serialize, Deserialize, Attributes)]
pub(crate) struct NetworkOutputs {
    /// Its id.
    id: Option<String>,
    /// Its name.
    name: Option<String>,
    /// Its addresses.
    cidr: String,
    /// Words about it, by key.
    tags: BTreeMap<String, String>,
}

#[derive(Debug)]
pub(crate) struct Network {
    api: Api,
}

impl Network {
    pub(crate) fn new(api: Api) -> Self {
        Self { api }
    }
}

#[async_trait]
impl TypedDataSource for Network {
    type Inputs = NetworkInputs;
    type Outputs = NetworkOutputs;

    async fn read(&self, ctx: &Context, inputs: NetworkInputs) -> Result<NetworkOutputs> {
        let cloud = self.api.connect(ctx)?;
        let mut found = match (&inputs.id, &inputs.name) {
            (Some(id), _) => cloud.read("networks", id).await?.into_iter().collect(),
            (None, Some(name)) => cloud.list("networks", &[("name", name)]).await?,
            (None, None) => {
                let message = "say which network is meant: set `id` or `name`";
                return Err(Error::new(ErrorKind::InvalidInput, "sandbox.invalid", message));
            }
        };
        let (Some(remote), true) = (found.pop(), found.is_empty()) else {
            return Err(none("there is not exactly one such network"));
        };
        let mut properties = remote.properties;
        if inputs.name.is_some() && properties.get("name").and_then(Json::as_str) != inputs.name.as_deref() {
            return Err(none("the network of this id has another name"));
        }
        properties.insert("id".to_owned(), Json::String(remote.id));
        serde_json::from_value(Json::Object(properties)).map_err(|_| garbled("not with a network", Purpose::Look))
    }
}
