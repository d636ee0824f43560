use std::{collections::BTreeMap, sync::Arc};

use super::Format;
use crate::value::Type;

/// A kind of widget: what it gives and what it takes. How it looks is the host's affair.
///
/// # Examples
/// ```
/// use stackwright::{form::{Widget, Widgets}, value::Type};
///
/// let mut widgets = Widgets::standard();
/// widgets.add(Widget::new("color", Type::String).prop("palette", Type::list(Type::String)));
/// assert!(widgets.get("color").is_some() && widgets.get("subnet-select").is_some());
/// ```
#[derive(Clone, Debug)]
pub struct Widget {
    /// The name that documents use.
    pub name: Arc<str>,
    /// The type of what it gives. Attributes of objects are optional: a picker may not know all of them.
    pub output: Type,
    /// What ids inside of the output name: the path (`subnet.id`; empty for the value itself) and the kind (`subnet`).
    pub ids: Vec<(Arc<str>, Arc<str>)>,
    /// What narrows the choice, or is handed to the host as it is.
    pub props: Vec<Prop>,
    /// The data source that gives its options; its parameters are the props.
    pub source: Option<Arc<str>>,
    /// Whether what is typed must not be shown.
    pub secret: bool,
    /// What a text must look like.
    pub format: Option<Format>,
    /// Whether it takes `options`.
    pub takes_options: bool,
    /// Whether its value is a list of chosen options.
    pub is_multiple: bool,
    /// Whether it repeats a group of fields.
    pub is_list: bool,
    /// Whether not all of its props are known.
    pub is_open: bool,
}

/// A property of a widget.
#[derive(Clone, Debug)]
pub struct Prop {
    /// The name.
    pub name: Arc<str>,
    /// What it takes.
    pub ty: Type,
    /// What the id that it takes must name.
    pub id: Option<Arc<str>>,
}

impl Widget {
    /// Returns a widget without props.
    pub fn new(name: impl Into<Arc<str>>, output: Type) -> Self {
        Self {
            name: name.into(),
            output,
            ids: Vec::new(),
            props: Vec::new(),
            source: None,
            secret: false,
            format: None,
            takes_options: false,
            is_multiple: false,
            is_list: false,
            is_open: false,
        }
    }

    /// Adds a prop.
    pub fn prop(mut self, name: impl Into<Arc<str>>, ty: Type) -> Self {
        self.props.push(Prop { name: name.into(), ty, id: None });
        self
    }

    /// Adds a prop that takes the id of something of a kind.
    pub fn id_prop(mut self, name: impl Into<Arc<str>>, kind: impl Into<Arc<str>>) -> Self {
        self.props.push(Prop { name: name.into(), ty: Type::String, id: Some(kind.into()) });
        self
    }

    /// Says that a part of the output is the id of something: `("subnet.id", "subnet")`.
    pub fn id(mut self, path: impl Into<Arc<str>>, kind: impl Into<Arc<str>>) -> Self {
        self.ids.push((path.into(), kind.into()));
        self
    }

    /// Says that options come from a data source.
    pub fn source(mut self, source: impl Into<Arc<str>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Says what a text must look like.
    pub fn format(mut self, format: Format) -> Self {
        self.format = Some(format);
        self
    }

    /// Says that it takes options.
    pub fn options(mut self) -> Self {
        self.takes_options = true;
        self
    }

    /// Returns what the id at a path names: `subnet` for `subnet.id`.
    pub fn id_kind(&self, path: &str) -> Option<&Arc<str>> {
        self.ids.iter().find(|(known, _)| &**known == path).map(|(_, kind)| kind)
    }
}

/// The widgets that documents may use.
#[derive(Clone, Debug)]
pub struct Widgets {
    by_name: BTreeMap<Arc<str>, Arc<Widget>>,
}

impl Widgets {
    /// Returns no widgets.
    pub fn none() -> Self {
        Self { by_name: BTreeMap::new() }
    }

    /// Returns the widgets that every host is expected to draw, and CloudApp's.
    pub fn standard() -> Self {
        let mut widgets = Self::none();
        general().into_iter().chain(cloudapp()).for_each(|widget| widgets.add(widget));
        widgets
    }

    /// Adds a widget, in place of one of that name.
    pub fn add(&mut self, widget: Widget) {
        self.by_name.insert(Arc::clone(&widget.name), Arc::new(widget));
    }

    /// Returns the widget of a name.
    pub fn get(&self, name: &str) -> Option<&Arc<Widget>> {
        self.by_name.get(name)
    }

    /// Returns all widgets in order of name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Widget>> {
        self.by_name.values()
    }
}

fn general() -> Vec<Widget> {
    let text = |name: &str| Widget::new(name, Type::String);
    let secret = |name: &str| Widget { secret: true, ..Widget::new(name, Type::String) };
    let multiple = |name: &str| Widget { is_multiple: true, ..Widget::new(name, Type::list(Type::Any)).options() };
    let number = |name: &str| {
        Widget::new(name, Type::Number)
            .prop("min", Type::Number)
            .prop("max", Type::Number)
            .prop("step", Type::Number)
            .prop("unit", Type::String)
    };
    vec![
        text("input"),
        text("textarea").prop("rows", Type::Number),
        secret("password").prop("confirm", Type::Bool),
        secret("secret-textarea").prop("rows", Type::Number),
        number("number"),
        number("input-number"),
        Widget::new("switch", Type::Bool),
        Widget::new("checkbox", Type::Bool),
        Widget::new("select", Type::Any).options(),
        Widget::new("radio", Type::Any).options(),
        multiple("multi-select"),
        text("cidr").format(Format::Cidr),
        text("ip").format(Format::Ip),
        text("domain").format(Format::Domain),
        text("email").format(Format::Email),
        text("url").format(Format::Url),
        text("semver").format(Format::Semver),
        Widget::new("tags", Type::map(Type::String)).prop("locked", Type::map(Type::String)).prop("max", Type::Number),
        Widget::new("file", Type::String).prop("accept", Type::Any).prop("max_bytes", Type::Number),
        Widget::new("json", Type::Any),
        Widget { is_list: true, ..Widget::new("list", Type::list(Type::Any)) },
    ]
}

/// Returns the widgets of CloudApp's documents whose names are known, with the props that are seen in use. The seven
/// others of its manual have no public name.
fn cloudapp() -> Vec<Widget> {
    let object = |attributes: &[(&str, Type)]| {
        let names: Vec<&str> = attributes.iter().map(|(name, _)| *name).collect();
        Type::object_with_optional(attributes.iter().map(|(name, ty)| (*name, ty.clone())), names)
    };
    let string = Type::String;
    let strings = || Type::list(Type::String);
    let region = || [("region", Type::String), ("region_id", Type::String)];
    let with_region = |more: &[(&str, Type)]| object(&[&region()[..], more].concat());
    let picker = |name: &str, output: Type| Widget { is_open: true, ..Widget::new(name, output).source(name) };
    let id = || object(&[("id", Type::String)]);
    let vpc =
        object(&[("id", string.clone()), ("cidr_block", string.clone()), ("default_route_table_id", string.clone())]);
    let subnet = object(&[("id", string.clone()), ("zone", string.clone()), ("cidr_block", string.clone())]);
    vec![
        picker("region-and-zone-select", with_region(&[("zone", string.clone())]))
            .prop("regions", Type::Any)
            .prop("supportedRegionIds", Type::Any)
            .id("region", "region")
            .id("zone", "zone"),
        picker(
            "subnet-select",
            with_region(&[
                ("availability_zone", string.clone()),
                ("vpc", vpc),
                ("subnet", subnet),
                ("vpc_id", string.clone()),
                ("subnet_id", string.clone()),
            ]),
        )
        .prop("regions", Type::Any)
        .prop("supportedRegionIds", Type::Any)
        .id("region", "region")
        .id("availability_zone", "zone")
        .id("vpc.id", "vpc")
        .id("vpc_id", "vpc")
        .id("vpc.default_route_table_id", "route_table")
        .id("subnet.id", "subnet")
        .id("subnet_id", "subnet")
        .id("subnet.zone", "zone"),
        picker(
            "security-group-select",
            with_region(&[
                ("security_group", id()),
                ("security_groups", strings()),
                ("security_group_id", string.clone()),
            ]),
        )
        .prop("regions", Type::Any)
        .id("region", "region")
        .id("security_group.id", "security_group")
        .id("security_groups", "security_group")
        .id("security_group_id", "security_group"),
        picker("cos-bucket-select", with_region(&[("bucket", string.clone()), ("app_id", string.clone())]))
            .id("region", "region")
            .id("bucket", "bucket"),
        picker("cvm-instance-type-select", with_region(&[("zone", string.clone()), ("instance_type", string.clone())]))
            .id_prop("region", "region")
            .id_prop("zone", "zone")
            .prop("cpu", Type::Any)
            .prop("memory", Type::Any)
            .prop("chargeType", Type::String)
            .id("region", "region")
            .id("zone", "zone")
            .id("instance_type", "instance_type"),
        picker("disk-select", object(&[("disk_type", string.clone()), ("disk_size", Type::Number)]))
            .prop("usage", Type::String)
            .prop("cvmConfig", Type::Any)
            .prop("minDiskSize", Type::Number),
        picker("image-select", object(&[("image_id", string.clone())]))
            .id_prop("region", "region")
            .prop("instanceType", Type::Any)
            .prop("platforms", Type::Any)
            .id("image_id", "image"),
        picker("certificate-select", object(&[("certId", string.clone())])).id("certId", "certificate"),
        picker("ssh-key-pairs-select", object(&[("keyIds", strings())])).id("keyIds", "key"),
        Widget { is_open: true, ..Widget::new("domain-input", object(&[("domain", string)])) }
            .id_prop("certId", "certificate"),
    ]
}
