use crate::{
    error::{Effect, Error, ErrorKind, Result},
    plan::StepAction,
    resource::{Object, ObjectState, Outcome},
    run::refine::{for_state, known_part, refines},
    schema::Schema,
    value::{Path, Type, Value},
};

/// What a call came to, once its outcome is checked against the contract.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The object is what was asked for; marked.
    Applied(Object),
    /// The object is gone, as asked.
    Gone,
    /// Nobody knows: ask the world.
    Lost(Error),
    /// It failed.
    Failed {
        /// Why; at least one.
        errors: Vec<Error>,
        /// What that leaves.
        fate: Fate,
    },
}

/// What a failed call leaves.
#[derive(Debug)]
pub(super) enum Fate {
    /// All as it was.
    Untouched,
    /// An object, marked; tainted where it may be half made.
    Saved { object: Object, tainted: bool },
    /// Nothing: the object is gone.
    Removed,
}

/// What was asked of a resource type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) action: StepAction,
    pub(super) type_name: &'a str,
    pub(super) schema: &'a Schema,
    /// Marked; `None` for a delete.
    pub(super) planned: Option<&'a Value>,
    /// The id of the object before the call; `None` for a create.
    pub(super) prior_id: Option<&'a str>,
}

impl Asked<'_> {
    /// Judges the outcome of a create, update or delete.
    pub(super) fn judge(&self, outcome: Outcome) -> Verdict {
        let Outcome { object, problems } = outcome;
        let deletes = self.action == StepAction::Delete;
        let object = match object {
            ObjectState::Complete(object) => self.named(object).map(ObjectState::Complete),
            ObjectState::Partial(object) => self.named(object).map(ObjectState::Partial),
            other => Some(other),
        };
        let Some(object) = object else {
            return self.contradiction("it left an object without an id, which nobody could find again");
        };
        match (object, problems.is_empty()) {
            (ObjectState::Unchanged, false) => match lost(problems) {
                Ok(error) => Verdict::Lost(error),
                Err(errors) => Verdict::Failed { errors, fate: Fate::Untouched },
            },
            (ObjectState::Gone, true) if deletes => Verdict::Gone,
            (ObjectState::Complete(object), true) if !deletes => self.accept(object),
            (ObjectState::Unchanged, true) => self.contradiction("it neither did it nor said why not"),
            (ObjectState::Gone, true) => self.contradiction("it left no object and said that all is well"),
            (ObjectState::Complete(object), true) => {
                self.breach(self.save(object, false), "it left the object and said that all is well")
            }
            (ObjectState::Partial(object), true) => {
                self.breach(self.save(object, true), "it stopped half-way and did not say why")
            }
            (ObjectState::Gone, false) => Verdict::Failed { errors: problems, fate: self.fate_of_gone() },
            (ObjectState::Complete(object), false) => {
                Verdict::Failed { errors: problems, fate: self.save(object, false) }
            }
            (ObjectState::Partial(object), false) => {
                Verdict::Failed { errors: problems, fate: self.save(object, true) }
            }
        }
    }

    /// Judges an object that the world has after a lost create or update: what was asked for, or something else.
    pub(super) fn judge_found(&self, object: Object) -> Verdict {
        self.accept(object)
    }

    /// Returns whether an object is what was asked for.
    pub(super) fn matches(&self, object: &Object) -> bool {
        self.planned.is_some() && self.conform(&object.attributes).is_ok_and(|found| self.compare(&found).is_ok())
    }

    fn accept(&self, object: Object) -> Verdict {
        match self.check(&object.attributes) {
            Ok(attributes) => Verdict::Applied(self.marked(Object { attributes, ..object })),
            Err(error) => Verdict::Failed { errors: vec![error], fate: self.save(object, true) },
        }
    }

    /// Judges an object that became ready: it may have got on since it was made.
    pub(super) fn judge_ready(&self, object: Object) -> Result<Object> {
        let attributes = self.check_shape(&object.attributes)?;
        Ok(self.marked(Object { attributes, ..object }))
    }

    /// Checks what a type returned and returns it in its schema's shape: wholly known, and as planned where that was
    /// known.
    fn check(&self, attributes: &Value) -> Result<Value> {
        let attributes = self.check_shape(attributes)?;
        match self.compare(&attributes) {
            Ok(()) => Ok(attributes),
            Err(paths) => Err(self.inconsistent("it returned something else than was planned", &paths)),
        }
    }

    fn check_shape(&self, attributes: &Value) -> Result<Value> {
        if !attributes.is_wholly_known() {
            return Err(self.inconsistent("it returned attributes that are not known", &[]));
        }
        self.conform(attributes)
            .map_err(|paths| self.inconsistent("it returned attributes that do not follow its schema", &paths))
    }

    /// Write-only attributes are planned, but never come back.
    fn compare(&self, attributes: &Value) -> Result<(), Vec<Path>> {
        self.planned.map_or(Ok(()), |planned| refines(&self.schema.strip_write_only(planned), attributes))
    }

    fn conform(&self, attributes: &Value) -> Result<Value, Vec<Path>> {
        let (attributes, _) = attributes.unmark_deep();
        if attributes.is_null() {
            return Err(vec![Path::root()]);
        }
        let conformed = self.schema.conform(&attributes);
        let conformed = conformed.map_err(|problems| problems.into_iter().map(|(path, _)| path).collect::<Vec<_>>())?;
        Ok(self.schema.strip_write_only(&conformed))
    }

    /// Returns the object as it goes into its row.
    fn marked(&self, object: Object) -> Object {
        Object { attributes: for_state(&object.attributes, self.planned, self.schema), ..object }
    }

    /// Makes the best row of what a type left behind: one object too many in state is better than one lost.
    fn save(&self, object: Object, half_made: bool) -> Fate {
        // What is updated existed before and goes on existing; the next plan sees what differs.
        let tainted = half_made && self.action != StepAction::Update;
        let attributes = match (self.conform(&object.attributes), self.planned) {
            (Ok(attributes), _) => known_part(&attributes),
            (Err(_), Some(planned)) => known_part(planned),
            (Err(_), None) => self.schema.block.empty_value(),
        };
        Fate::Saved { object: self.marked(Object { attributes, ..object }), tainted }
    }

    fn fate_of_gone(&self) -> Fate {
        if self.action == StepAction::Create { Fate::Untouched } else { Fate::Removed }
    }

    /// What a type says cannot be, so that nobody knows what it did: the world is asked, as after a lost call.
    fn contradiction(&self, what: &str) -> Verdict {
        Verdict::Lost(self.inconsistent(what, &[]).effect(Effect::Unknown))
    }

    /// Returns the object with an id: one that was changed and came back without is the one that was asked about.
    fn named(&self, object: Object) -> Option<Object> {
        match (object.id.is_empty(), self.prior_id) {
            (false, _) => Some(object),
            (true, Some(id)) => Some(Object { id: id.to_owned(), ..object }),
            (true, None) => None,
        }
    }

    fn breach(&self, fate: Fate, what: &str) -> Verdict {
        Verdict::Failed { errors: vec![self.inconsistent(what, &[])], fate }
    }

    fn inconsistent(&self, what: &str, paths: &[Path]) -> Error {
        let verb = self.action.as_str();
        let message = format!("`{}` broke its contract in {verb}: {what}", self.type_name);
        let error = Error::new(ErrorKind::Bug, "resource.inconsistent", message);
        if paths.is_empty() { error } else { error.context("paths", list(paths)) }
    }
}

/// Prints paths for people, at most a few.
pub(super) fn list(paths: &[Path]) -> String {
    const MOST: usize = 8;
    let mut text = paths.iter().take(MOST).map(path_text).collect::<Vec<_>>().join(", ");
    if paths.len() > MOST {
        text.push_str(&format!(" and {} more", paths.len() - MOST));
    }
    text
}

fn path_text(path: &Path) -> String {
    if path.is_empty() { "the whole object".to_owned() } else { path.to_string() }
}

/// Returns the error whose effect is unknown, with the others as its facts; all of them where there is none.
fn lost(mut problems: Vec<Error>) -> Result<Error, Vec<Error>> {
    match problems.iter().position(|problem| problem.effect_on_world() == Effect::Unknown) {
        Some(idx) => Ok(problems.swap_remove(idx)),
        None => Err(problems),
    }
}

/// Checks that unknowns stand only where a type computes values: where the template says nothing.
///
/// # Errors
/// `run.unknown_value` (`Bug`) with the paths.
pub(super) fn check_known(config: Option<&Value>, planned: Option<&Value>) -> Result<()> {
    if let Some(config) = config
        && !config.is_wholly_known()
    {
        return Err(unknown("the configuration", &[]));
    }
    let Some(planned) = planned.filter(|planned| !planned.is_wholly_known()) else { return Ok(()) };
    let mut paths = Vec::new();
    find_unknown(config, planned, &mut Path::root(), &mut paths);
    if paths.is_empty() { Ok(()) } else { Err(unknown("the planned object", &paths)) }
}

/// Collects where `planned` is unknown although the template says something.
fn find_unknown(config: Option<&Value>, planned: &Value, path: &mut Path, paths: &mut Vec<Path>) {
    if planned.is_wholly_known() {
        return;
    }
    // Elements of a set cannot be told apart; a type computes in them what it likes.
    let Some(config) = config.filter(|config| !config.is_null()) else { return };
    if !planned.is_known() {
        paths.push(path.clone());
        return;
    }
    if let Some(fields) = planned.fields() {
        for (name, value) in fields.iter() {
            path.push(match planned.kind() {
                crate::value::Kind::Map(_) => crate::value::Step::Key(std::sync::Arc::clone(name)),
                _ => crate::value::Step::Attr(std::sync::Arc::clone(name)),
            });
            find_unknown(config.fields().and_then(|fields| fields.get(name)), value, path, paths);
            path.pop();
        }
    } else if matches!(planned.ty(), Type::List(_) | Type::Tuple(_)) {
        for (idx, value) in planned.elements().enumerate() {
            path.push(crate::value::Step::Index(idx));
            find_unknown(config.element_at(idx), value, path, paths);
            path.pop();
        }
    }
}

fn unknown(what: &str, paths: &[Path]) -> Error {
    let message = format!("{what} of a step was not wholly known when it was about to start");
    let error = Error::new(ErrorKind::Bug, "run.unknown_value", message);
    if paths.is_empty() { error } else { error.context("paths", list(paths)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{schema::Attribute, value::Marks};

    fn schema() -> Schema {
        Schema::new(1)
            .attribute("id", Attribute::computed(Type::String))
            .attribute("key", Attribute::optional(Type::String).sensitive())
            .attribute("name", Attribute::required(Type::String))
            .attribute("pin", Attribute::optional(Type::String).write_only())
    }

    fn value(id: Value, name: &str, pin: Option<&str>) -> Value {
        let pin = pin.map_or_else(|| Value::null(Type::String), Value::string);
        Value::object([("id", id), ("key", Value::string("hunter2")), ("name", Value::string(name)), ("pin", pin)])
    }

    fn object(name: &str) -> Object {
        Object::new("7", value(Value::string("7"), name, None))
    }

    fn error(effect: Effect) -> Error {
        Error::new(ErrorKind::Unavailable, "resource.failed", "it failed").effect(effect)
    }

    /// Judges and says in a few words what came of it.
    fn words(action: StepAction, outcome: Outcome) -> String {
        let schema = schema();
        let planned = value(Value::unknown(Type::String), "web", Some("1234"));
        let planned = (action != StepAction::Delete).then_some(&planned);
        let prior_id = (action != StepAction::Create).then_some("7");
        let verdict = Asked { action, type_name: "t", schema: &schema, planned, prior_id }.judge(outcome);
        match verdict {
            Verdict::Applied(_) => "applied".to_owned(),
            Verdict::Gone => "gone".to_owned(),
            Verdict::Lost(_) => "lost".to_owned(),
            Verdict::Failed { errors, fate } => {
                let fate = match fate {
                    Fate::Untouched => "untouched",
                    Fate::Saved { tainted: true, .. } => "tainted",
                    Fate::Saved { tainted: false, .. } => "saved",
                    Fate::Removed => "removed",
                };
                format!("{} {fate}", errors.iter().map(Error::code).collect::<Vec<_>>().join("+"))
            }
        }
    }

    #[test]
    fn every_outcome_has_its_verdict() {
        use StepAction::{Create, Delete, Update};
        let failed = |object, effect| Outcome { object, problems: vec![error(effect)] };
        let fine = |object| Outcome { object, problems: Vec::new() };
        let partial = || ObjectState::Partial(object("web"));
        let complete = |name| ObjectState::Complete(object(name));
        let nameless = || Object { id: String::new(), ..object("web") };
        for (action, outcome, expected) in [
            (Create, fine(complete("web")), "applied"),
            (Create, fine(complete("db")), "resource.inconsistent tainted"),
            (Create, fine(partial()), "resource.inconsistent tainted"),
            (Create, fine(ObjectState::Unchanged), "lost"),
            (Create, fine(ObjectState::Gone), "lost"),
            (Create, fine(ObjectState::Complete(nameless())), "lost"),
            (Create, failed(ObjectState::Partial(nameless()), Effect::None), "lost"),
            (Create, failed(complete("web"), Effect::None), "resource.failed saved"),
            (Create, failed(partial(), Effect::None), "resource.failed tainted"),
            (Create, failed(partial(), Effect::Unknown), "resource.failed tainted"),
            (Create, failed(ObjectState::Unchanged, Effect::None), "resource.failed untouched"),
            (Create, failed(ObjectState::Unchanged, Effect::Unknown), "lost"),
            (Create, failed(ObjectState::Gone, Effect::None), "resource.failed untouched"),
            (Update, fine(complete("web")), "applied"),
            (Update, fine(complete("db")), "resource.inconsistent saved"),
            (Update, failed(partial(), Effect::None), "resource.failed saved"),
            (Update, failed(ObjectState::Unchanged, Effect::Unknown), "lost"),
            (Update, failed(ObjectState::Gone, Effect::None), "resource.failed removed"),
            (Update, fine(ObjectState::Gone), "lost"),
            (Update, fine(ObjectState::Complete(nameless())), "applied"),
            (Delete, fine(ObjectState::Gone), "gone"),
            (Delete, fine(ObjectState::Unchanged), "lost"),
            (Delete, fine(complete("web")), "resource.inconsistent saved"),
            (Delete, failed(partial(), Effect::None), "resource.failed tainted"),
            (Delete, failed(complete("web"), Effect::None), "resource.failed saved"),
            (Delete, failed(ObjectState::Unchanged, Effect::None), "resource.failed untouched"),
            (Delete, failed(ObjectState::Unchanged, Effect::Unknown), "lost"),
            (Delete, failed(ObjectState::Gone, Effect::None), "resource.failed removed"),
        ] {
            let what = format!("{action:?} {outcome:?}");
            assert_eq!(words(action, outcome), expected, "{what}");
        }
    }

    #[test]
    fn what_is_kept_is_marked_and_whole() {
        let schema = schema();
        let planned = value(Value::unknown(Type::String), "web", Some("1234"));
        let asked = Asked {
            action: StepAction::Create,
            type_name: "t",
            schema: &schema,
            planned: Some(&planned),
            prior_id: None,
        };
        let unknown_id = Object::new("7", value(Value::unknown(Type::String), "web", None));
        let no_object = Object::new("7", Value::string("garbage"));
        let pin_kept = Object::new("7", value(Value::string("7"), "web", Some("1234")));
        for object in [object("web"), unknown_id, no_object, pin_kept] {
            let kept = match asked.judge(Outcome::complete(object)) {
                Verdict::Applied(object) | Verdict::Failed { fate: Fate::Saved { object, .. }, .. } => object,
                other => panic!("{other:?}"),
            };
            let attributes = kept.attributes;
            assert!(attributes.is_wholly_known(), "{attributes:?}");
            assert_eq!(attributes.attribute("key").map(Value::marks), Some(Marks::SENSITIVE));
            assert_eq!(attributes.attribute("name").and_then(Value::as_str), Some("web"));
            assert!(attributes.attribute("pin").is_some_and(Value::is_null), "write-only attributes are not kept");
        }
    }

    #[test]
    fn errors_name_paths_and_hide_values() {
        let schema = schema();
        let planned = value(Value::unknown(Type::String), "web", None);
        let asked = Asked {
            action: StepAction::Create,
            type_name: "acme_vm",
            schema: &schema,
            planned: Some(&planned),
            prior_id: None,
        };
        let Verdict::Failed { errors, .. } = asked.judge(Outcome::complete(object("hunter2"))) else {
            panic!("it is not what was planned");
        };
        assert_eq!(
            errors[0].report(),
            "`acme_vm` broke its contract in create: it returned something else than was planned [paths=.name]"
        );
    }

    #[test]
    fn unknowns_stand_only_where_the_type_computes() {
        let unknown = || Value::unknown(Type::String);
        let null = || Value::null(Type::String);
        let config = value(null(), "web", None);
        assert!(check_known(Some(&config), Some(&value(unknown(), "web", None))).is_ok());
        let planned = Value::object([("name", unknown())]);
        let error = check_known(Some(&config), Some(&planned)).expect_err("the template sets it");
        assert_eq!((error.code(), error.report().contains(".name")), ("run.unknown_value", true));
        assert!(check_known(Some(&value(unknown(), "web", None)), None).is_err(), "the template sets an unknown");
        let list = |item: Value| Value::object([("tags", Value::list(Type::String, vec![Value::string("a"), item]))]);
        assert!(check_known(Some(&list(Value::string("b"))), Some(&list(unknown()))).is_err());
        assert!(check_known(Some(&list(null())), Some(&list(unknown()))).is_ok());
    }
}
