use serde::{Deserialize, Serialize};

/// A kind of thing in the cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Network,
    Subnet,
    SecurityGroup,
    Instance,
    Volume,
    Bucket,
    Database,
    Cluster,
    DnsRecord,
}

/// What a property holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Text,
    /// A whole number that is not negative.
    Number,
    Switch,
    Texts,
    /// A list of objects.
    Objects,
    /// An object of texts.
    Tags,
    /// A text that is never shown again.
    Secret,
}

/// A property that clients may set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Property {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) is_required: bool,
    pub(crate) is_mutable: bool,
    /// What its text, or each of its texts, is the id of.
    pub(crate) refers: Option<Kind>,
}

/// What holds for all things of a kind.
#[derive(Debug)]
pub(crate) struct Spec {
    /// What people call one.
    pub(crate) name: &'static str,
    /// Where the API has them.
    pub(crate) path: &'static str,
    /// How ids begin.
    pub(crate) prefix: &'static str,
    /// Properties that no two of them have in common; empty where any number may be alike.
    pub(crate) unique: &'static [&'static str],
    /// Whether creates take an idempotency token.
    pub(crate) takes_token: bool,
    /// The state before and after it works.
    pub(crate) beginning: &'static str,
    pub(crate) working: &'static str,
    /// How long it takes to work, in hundredths of what an instance takes.
    pub(crate) start_share: u64,
    /// Whether a change makes it begin again, and a deletion takes its time.
    pub(crate) is_machine: bool,
    /// Whether a create is answered with 202 and an operation.
    pub(crate) is_asynchronous: bool,
    pub(crate) properties: &'static [Property],
}

const fn required(name: &'static str, shape: Shape) -> Property {
    Property { name, shape, is_required: true, is_mutable: false, refers: None }
}

const fn optional(name: &'static str, shape: Shape) -> Property {
    Property { is_required: false, ..required(name, shape) }
}

impl Property {
    const fn mutable(self) -> Self {
        Self { is_mutable: true, ..self }
    }

    const fn of(self, kind: Kind) -> Self {
        Self { refers: Some(kind), ..self }
    }
}

use Shape::{Number, Objects, Secret, Switch, Tags, Text, Texts};

const TAGS: Property = optional("tags", Tags).mutable();

const PLAIN: Spec = Spec {
    name: "",
    path: "",
    prefix: "",
    unique: &[],
    takes_token: false,
    beginning: "creating",
    working: "available",
    start_share: 0,
    is_machine: false,
    is_asynchronous: false,
    properties: &[],
};

static NETWORK: Spec = Spec {
    name: "network",
    path: "networks",
    prefix: "net",
    takes_token: true,
    start_share: 25,
    properties: &[required("name", Text).mutable(), required("cidr", Text), TAGS],
    ..PLAIN
};

static SUBNET: Spec = Spec {
    name: "subnet",
    path: "subnets",
    prefix: "sub",
    unique: &["network_id", "cidr"],
    start_share: 10,
    properties: &[required("network_id", Text).of(Kind::Network), required("cidr", Text), required("zone", Text), TAGS],
    ..PLAIN
};

static SECURITY_GROUP: Spec = Spec {
    name: "security group",
    path: "security-groups",
    prefix: "sg",
    unique: &["network_id", "name"],
    properties: &[
        required("network_id", Text).of(Kind::Network),
        required("name", Text),
        optional("description", Text).mutable(),
        optional("rule", Objects).mutable(),
        TAGS,
    ],
    ..PLAIN
};

static INSTANCE: Spec = Spec {
    name: "instance",
    path: "instances",
    prefix: "i",
    takes_token: true,
    beginning: "pending",
    working: "running",
    start_share: 100,
    is_machine: true,
    properties: &[
        required("name", Text).mutable(),
        required("instance_type", Text).mutable(),
        required("image", Text),
        required("subnet_id", Text).of(Kind::Subnet),
        optional("security_group_ids", Texts).mutable().of(Kind::SecurityGroup),
        TAGS,
    ],
    ..PLAIN
};

static VOLUME: Spec = Spec {
    name: "volume",
    path: "volumes",
    prefix: "vol",
    takes_token: true,
    start_share: 50,
    properties: &[
        required("name", Text).mutable(),
        required("size_gb", Number).mutable(),
        required("zone", Text),
        optional("instance_id", Text).mutable().of(Kind::Instance),
        TAGS,
    ],
    ..PLAIN
};

static BUCKET: Spec = Spec {
    name: "bucket",
    path: "buckets",
    prefix: "b",
    unique: &["name"],
    properties: &[required("name", Text), optional("versioned", Switch).mutable(), TAGS],
    ..PLAIN
};

static DATABASE: Spec = Spec {
    name: "database",
    path: "databases",
    prefix: "db",
    unique: &["name"],
    takes_token: true,
    start_share: 200,
    is_machine: true,
    properties: &[
        required("name", Text),
        required("engine", Text),
        required("instance_type", Text).mutable(),
        required("storage_gb", Number).mutable(),
        required("username", Text),
        required("password", Secret).mutable(),
        optional("subnet_ids", Texts).mutable().of(Kind::Subnet),
        TAGS,
    ],
    ..PLAIN
};

static CLUSTER: Spec = Spec {
    name: "cluster",
    path: "clusters",
    prefix: "cl",
    unique: &["name"],
    beginning: "creating",
    working: "active",
    start_share: 300,
    is_machine: true,
    is_asynchronous: true,
    properties: &[
        required("name", Text),
        required("version", Text).mutable(),
        required("node_type", Text),
        required("node_count", Number).mutable(),
        required("subnet_ids", Texts).of(Kind::Subnet),
        TAGS,
    ],
    ..PLAIN
};

static DNS_RECORD: Spec = Spec {
    name: "DNS record",
    path: "dns-records",
    prefix: "rr",
    unique: &["name", "type"],
    properties: &[
        required("name", Text),
        required("type", Text),
        required("values", Texts).mutable(),
        required("ttl", Number).mutable(),
        TAGS,
    ],
    ..PLAIN
};

impl Kind {
    pub(crate) const ALL: [Self; 9] = [
        Self::Network,
        Self::Subnet,
        Self::SecurityGroup,
        Self::Instance,
        Self::Volume,
        Self::Bucket,
        Self::Database,
        Self::Cluster,
        Self::DnsRecord,
    ];

    pub(crate) fn spec(self) -> &'static Spec {
        match self {
            Self::Network => &NETWORK,
            Self::Subnet => &SUBNET,
            Self::SecurityGroup => &SECURITY_GROUP,
            Self::Instance => &INSTANCE,
            Self::Volume => &VOLUME,
            Self::Bucket => &BUCKET,
            Self::Database => &DATABASE,
            Self::Cluster => &CLUSTER,
            Self::DnsRecord => &DNS_RECORD,
        }
    }

    pub(crate) fn from_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.spec().path == path)
    }
}
