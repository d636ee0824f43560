use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    error::{Diagnostic, suggest},
    form::{
        AutoSelect, Condition, DataSource, Default, Dialect, Expression, Field, Fields, Generator, Group, List,
        OnInactive, OnStale, OptionSource, Options, Persist, Phase, Step, Widget,
    },
    template::{
        TypeConstraint,
        document::{self, Node, NodeKind},
    },
    value::Type,
};

use super::{MAX_FIELDS, Map, Reader};

impl Reader<'_> {
    pub(super) fn fields(&mut self, node: &Node, groups: &[Group], steps: &[Step]) -> Fields {
        let mut list = Vec::new();
        for item in self.items(node) {
            self.field_count += 1;
            if self.field_count > MAX_FIELDS {
                let message = format!("more than {MAX_FIELDS} fields");
                self.problems.push(Diagnostic::error("form.shape", message).at(item.span));
                break;
            }
            list.extend(self.field(item, groups, steps));
        }
        Fields::new(list)
    }

    fn field(&mut self, node: &Node, groups: &[Group], steps: &[Step]) -> Option<Field> {
        let mut map = self.map(node, "a field")?;
        let is_native = self.dialect == Dialect::Native;
        let (name, span) = self.name(&mut map, "a field");
        let widget = self.widget(&mut map);
        let mut field = Field {
            name: name.clone().unwrap_or_else(|| Arc::from("_")),
            span,
            label: self.text_at(&mut map, "label"),
            description: self.text_at(&mut map, "description"),
            placeholder: self.text_at(&mut map, "placeholder"),
            incomplete_tips: self.text_at(&mut map, if is_native { "incomplete_tips" } else { "incompleteTips" }),
            ty: widget.output.clone(),
            secret: widget.secret,
            default: None,
            required: Condition::Constant(true),
            when: self.condition_at(&mut map, "when"),
            hidden: self.condition_at(&mut map, "hidden"),
            readonly: None,
            validators: Vec::new(),
            props: BTreeMap::new(),
            options: None,
            on_inactive: OnInactive::Drop,
            group: None,
            step: None,
            immutable: BTreeSet::new(),
            variable: name.clone(),
            price: false,
            list: None,
            target: TypeConstraint::any(),
            target_sensitive: false,
            widget: Arc::clone(&widget),
        };
        let default = map.take(if is_native { "default" } else { "defaultValue" });
        field.default = default.and_then(|(_, node)| self.default(node));
        if let Some((_, node)) = map.take(if is_native { "validators" } else { "validator" }) {
            field.validators = self.validators(node);
        }
        if let Some((_, node)) = map.take("options") {
            if !widget.takes_options && widget.source.is_none() && !widget.is_open {
                let message = format!("the widget `{}` takes no options", widget.name);
                self.problems.push(Diagnostic::error("form.key", message).at(node.span));
            }
            field.options = self.options(node);
        }
        if is_native {
            self.native(&mut map, &mut field, groups, steps);
        } else if self.bool_at(&mut map, "optional") == Some(true) {
            field.required = Condition::Constant(false);
        }
        self.props(&mut map, &mut field);
        map.finish(self, &[]);
        if let (None, Some(source)) = (&field.options, &widget.source) {
            field.options = Some(picker(&field, source));
        }
        name.map(|_| field)
    }

    fn widget(&mut self, map: &mut Map<'_>) -> Arc<Widget> {
        let open = || Arc::new(Widget { is_open: true, takes_options: true, ..Widget::new("input", Type::Any) });
        let fallback = if self.dialect == Dialect::Native { "input" } else { "" };
        let Some((_, node)) = map.take("widget") else {
            let usual = if map.has("fields") { "list" } else { fallback };
            return match self.widgets.get(usual) {
                Some(widget) => Arc::clone(widget),
                None => {
                    self.missing("a field", "widget", map.span);
                    open()
                }
            };
        };
        let Some(name) = self.word(node) else { return open() };
        if let Some(widget) = self.widgets.get(&name) {
            return Arc::clone(widget);
        }
        let problem = Diagnostic::error("form.widget", format!("there is no widget `{name}`")).at(node.span);
        self.problems.push(match suggest(&name, self.widgets.iter().map(|widget| &*widget.name)) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help("hosts can add widgets of their own"),
        });
        open()
    }

    /// Reads what only our own documents have.
    fn native(&mut self, map: &mut Map<'_>, field: &mut Field, groups: &[Group], steps: &[Step]) {
        match (map.take("required"), map.take("optional")) {
            (Some((_, node)), None) => field.required = self.condition(node).unwrap_or(Condition::Constant(true)),
            (None, Some((_, node))) => {
                let optional = self.condition(node).unwrap_or(Condition::Constant(false));
                field.required = match optional {
                    Condition::Constant(optional) => Condition::Constant(!optional),
                    optional => Condition::Not(Box::new(optional)),
                };
            }
            (Some(_), Some((_, node))) => {
                let problem = Diagnostic::error("form.key", "`required` and `optional` say the same thing");
                self.problems.push(problem.at(node.span).help("keep one of them"));
            }
            (None, None) => {}
        }
        field.readonly = self.condition_at(map, "readonly");
        if let Some("keep") = self.choice_at(map, "on_inactive", &["drop", "keep"]) {
            field.on_inactive = OnInactive::Keep;
        }
        field.group = self.part_at(map, "group", groups.iter().map(|group| &group.name));
        let step = self.part_at(map, "step", steps.iter().map(|step| &step.name));
        field.step = step.or_else(|| groups.get(field.group?)?.step);
        if let Some(secret) = self.bool_at(map, "secret") {
            field.secret = secret || field.widget.secret;
        }
        field.price = self.bool_at(map, "price").unwrap_or(false);
        if let Some((_, node)) = map.take("immutable") {
            for item in self.items(node) {
                let Some(word) = self.word(item) else { continue };
                match Phase::ALL.into_iter().find(|phase| phase.as_str() == &*word) {
                    Some(phase) => drop(field.immutable.insert(phase)),
                    None => {
                        let message = format!("a phase is `install`, `upgrade` or `action`, not `{word}`");
                        self.problems.push(Diagnostic::error("form.value", message).at(item.span));
                    }
                }
            }
        }
        if let Some((_, node)) = map.take("variable") {
            field.variable = match &node.kind {
                NodeKind::Null | NodeKind::Bool(false) => None,
                _ => self.word(node),
            };
        }
        if let Some((_, node)) = map.take("type") {
            match &node.kind {
                NodeKind::String(text) => {
                    let (constraint, problems) = document::type_constraint(self.source, text);
                    self.problems.extend(problems);
                    field.ty = constraint.ty;
                }
                _ => self.expected(node, "a type, such as `list(string)`,"),
            }
        }
        let (min, max) = (self.count_at(map, "min_items"), self.count_at(map, "max_items"));
        match map.take("fields") {
            Some((name, node)) if field.widget.is_list => {
                let inside = if self.enter(name.span) {
                    let inside = self.fields(node, &[], &[]);
                    self.depth -= 1;
                    inside
                } else {
                    Fields::new(Vec::new())
                };
                field.list = Some(List { fields: inside, min: min.unwrap_or(0), max });
            }
            Some((name, _)) => {
                let message = format!("the widget `{}` repeats no fields", field.widget.name);
                let problem = Diagnostic::error("form.key", message).at(name.span);
                self.problems.push(problem.help("use the widget `list`"));
            }
            None if field.widget.is_list => self.missing("a list", "fields", map.span),
            None => {}
        }
    }

    /// Reads what the widget is told: under `props` in our documents, beside everything else in CloudApp's.
    fn props(&mut self, map: &mut Map<'_>, field: &mut Field) {
        let widget = Arc::clone(&field.widget);
        let entries = match self.dialect {
            Dialect::CloudApp => map.rest(),
            Dialect::Native => {
                let props = map.take("props").and_then(|(_, node)| self.map(node, "the props of a widget"));
                props.map(|mut props| props.rest()).unwrap_or_default()
            }
        };
        let common = ["name", "label", "widget", "description", "defaultValue", "optional", "when", "hidden"];
        let more = ["validator", "incompleteTips", "options", "placeholder"];
        for (name, node) in entries {
            field.props.insert(Arc::clone(&name.decoded), self.expression(node));
            if widget.props.iter().any(|prop| prop.name == name.decoded) {
                continue;
            }
            let of_field = common.into_iter().chain(more).filter(|_| self.dialect == Dialect::CloudApp);
            let known = widget.props.iter().map(|prop| &*prop.name).chain(of_field);
            let message = format!("the widget `{}` has no prop `{}`", widget.name, name.decoded);
            let near = suggest(&name.decoded, known);
            let problem = match near.is_none() && widget.is_open {
                true => Diagnostic::warning("form.key", message).help("it is handed to the host as it is"),
                false => Diagnostic::error("form.key", message),
            };
            let problem = problem.at(name.span);
            self.problems.push(match near {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem,
            });
        }
    }

    fn default(&mut self, node: &Node) -> Option<Default> {
        if let NodeKind::Object(entries) = &node.kind
            && entries.iter().any(|(name, _)| &*name.decoded == "generate")
        {
            let mut map = Map::new(entries, node.span, "a generated default");
            let kind = self.choice_at(&mut map, "generate", &["password", "name", "uuid"]);
            let length = self.count_at(&mut map, "length");
            let persist = self.choice_at(&mut map, "persist", &["install", "render"]);
            map.finish(self, &[]);
            let (generator, bounds) = match kind? {
                "password" => (Generator::Password { length: clamp(length, 20) }, 8..=128),
                "name" => (Generator::Name { length: clamp(length, 8) }, 1..=63),
                _ => (Generator::Uuid, 0..=0),
            };
            if length.is_some_and(|length| !bounds.contains(&length)) {
                let message = match generator {
                    Generator::Uuid => "a UUID has no length to choose".to_owned(),
                    _ => format!("the length must be from {} to {}", bounds.start(), bounds.end()),
                };
                self.problems.push(Diagnostic::error("form.value", message).at(node.span));
                return None;
            }
            let persist = if persist == Some("render") { Persist::Render } else { Persist::Install };
            return Some(Default::Generated { generator, persist, span: node.span });
        }
        let expression: Expression = self.expression(node);
        Some(Default::Expression(expression))
    }
}

fn clamp(length: Option<u64>, usual: u32) -> u32 {
    length.map_or(usual, |length| u32::try_from(length).unwrap_or(u32::MAX))
}

/// Returns the options of a picker: what its source gives for its props.
fn picker(field: &Field, source: &Arc<str>) -> Options {
    Options {
        from: OptionSource::Data(DataSource {
            source: Arc::clone(source),
            params: field.props.clone(),
            ttl_seconds: None,
            value: None,
            label: None,
            disabled: None,
            group: None,
        }),
        auto_select: AutoSelect::None,
        on_stale: OnStale::Clear,
        allow_other: false,
        span: field.span,
    }
}
