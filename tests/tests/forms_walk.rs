//! Random forms, filled in at random: the engine against a second, naive evaluation, and validation against readiness.

use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};
use stackwright::{
    error::SourceId,
    form::{Context, Form, FormState, Inputs, Status, Widgets, eval, json_schema, validate},
    value::{Type, Value, from_json_value, to_json_value},
};

/// A field of a generated form; `when` looks at earlier fields only, so that the naive evaluation needs no order.
#[derive(Clone, Debug)]
struct Field {
    kind: Kind,
    required: bool,
    default: Option<usize>,
    when: Option<Cond>,
    keep: bool,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Switch,
    Select,
    Number,
    Text,
}

#[derive(Clone, Debug)]
enum Cond {
    Is(usize, usize, bool),
    All(Vec<Cond>),
    Any(Vec<Cond>),
    Not(Box<Cond>),
}

/// Values of a kind; the last ones are refused: too large, too short, no option.
fn sample(kind: Kind, idx: usize) -> Json {
    match kind {
        Kind::Switch => json!(idx.is_multiple_of(2)),
        Kind::Select => json!(["a", "b", "c", "nowhere"][idx % 4]),
        Kind::Number => json!([1, 5, 10, 11][idx % 4]),
        Kind::Text => json!(["ab", "abcd", "x", ""][idx % 4]),
    }
}

fn is_right(kind: Kind, value: &Json) -> bool {
    match kind {
        Kind::Switch => value.is_boolean(),
        Kind::Select => ["a", "b", "c"].iter().any(|known| value == known),
        Kind::Number => value.as_i64().is_some_and(|number| (1..=10).contains(&number)),
        Kind::Text => value.as_str().is_some_and(|text| text.is_empty() || text.len() >= 2),
    }
}

fn cond(below: usize) -> BoxedStrategy<Cond> {
    let leaf = (0..below, 0..3_usize, any::<bool>()).prop_map(|(field, value, eq)| Cond::Is(field, value, eq));
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Cond::All),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Cond::Any),
            inner.prop_map(|inner| Cond::Not(Box::new(inner))),
        ]
    })
    .boxed()
}

fn field(idx: usize) -> BoxedStrategy<Field> {
    let kind = prop_oneof![Just(Kind::Switch), Just(Kind::Select), Just(Kind::Number), Just(Kind::Text)];
    let when = match idx {
        0 => Just(None).boxed(),
        _ => prop::option::of(cond(idx)).boxed(),
    };
    let default = prop::option::weighted(0.3, 0..3_usize);
    (kind, any::<bool>(), default, when, any::<bool>())
        .prop_map(|(kind, required, default, when, keep)| Field { kind, required, default, when, keep })
        .boxed()
}

fn form() -> impl Strategy<Value = Vec<Field>> {
    (2..9_usize).prop_flat_map(|count| (0..count).map(field).collect::<Vec<_>>())
}

fn cond_json(cond: &Cond, fields: &[Field]) -> Json {
    match cond {
        Cond::Is(field, value, eq) => {
            let op = if *eq { "eq" } else { "ne" };
            json!({ op: { "a": format!("${{f{field}}}"), "b": sample(fields[*field].kind, *value) } })
        }
        Cond::All(list) => json!({ "all": list.iter().map(|one| cond_json(one, fields)).collect::<Vec<_>>() }),
        Cond::Any(list) => json!({ "any": list.iter().map(|one| cond_json(one, fields)).collect::<Vec<_>>() }),
        Cond::Not(inner) => json!({ "not": cond_json(inner, fields) }),
    }
}

fn document(fields: &[Field]) -> String {
    let list: Vec<Json> = fields
        .iter()
        .enumerate()
        .map(|(idx, field)| {
            let mut json = json!({ "name": format!("f{idx}"), "required": field.required });
            let (widget, more) = match field.kind {
                Kind::Switch => ("switch", json!({})),
                Kind::Select => ("select", json!({ "options": ["a", "b", "c"] })),
                Kind::Number => ("number", json!({ "validators": [{ "min": 1, "max": 10, "message": "1 to 10" }] })),
                Kind::Text => ("input", json!({ "validators": [{ "min_length": 2, "message": "two letters" }] })),
            };
            let own = json.as_object_mut().expect("an object");
            own.insert("widget".into(), json!(widget));
            own.extend(more.as_object().cloned().expect("an object"));
            if let Some(when) = &field.when {
                own.insert("when".into(), cond_json(when, fields));
            }
            if let Some(default) = field.default {
                own.insert("default".into(), sample(field.kind, default));
            }
            if field.keep {
                own.insert("on_inactive".into(), json!("keep"));
            }
            json
        })
        .collect();
    json!({ "fields": list }).to_string()
}

/// What the naive evaluation says.
struct Expected {
    /// Whether each field is there; `None` where nobody knows.
    present: Vec<Option<bool>>,
    values: Map<String, Json>,
    ready: bool,
}

/// A value, nothing (`Some(None)`), or not known (`None`).
type Seen = Option<Option<Json>>;

fn holds(cond: &Cond, seen: &[Seen], fields: &[Field]) -> Option<bool> {
    match cond {
        Cond::Is(field, value, eq) => {
            let value = sample(fields[*field].kind, *value);
            seen[*field].as_ref().map(|found| (found.as_ref() == Some(&value)) == *eq)
        }
        Cond::All(list) => {
            let all: Vec<_> = list.iter().map(|one| holds(one, seen, fields)).collect();
            if all.contains(&Some(false)) {
                Some(false)
            } else if all.contains(&None) {
                None
            } else {
                Some(true)
            }
        }
        Cond::Any(list) => {
            let all: Vec<_> = list.iter().map(|one| holds(one, seen, fields)).collect();
            if all.contains(&Some(true)) {
                Some(true)
            } else if all.contains(&None) {
                None
            } else {
                Some(false)
            }
        }
        Cond::Not(inner) => holds(inner, seen, fields).map(|holds| !holds),
    }
}

fn expected(fields: &[Field], inputs: &Map<String, Json>) -> Expected {
    let mut seen: Vec<Seen> = Vec::new();
    let mut expected = Expected { present: Vec::new(), values: Map::new(), ready: true };
    for (idx, field) in fields.iter().enumerate() {
        let name = format!("f{idx}");
        let present = field.when.as_ref().map_or(Some(true), |when| holds(when, &seen, fields));
        expected.present.push(present);
        match present {
            None => {
                expected.ready = false;
                seen.push(None);
                continue;
            }
            Some(false) => {
                seen.push(Some(None));
                continue;
            }
            Some(true) => {}
        }
        let value = match inputs.get(&name) {
            Some(value) => Some(value.clone()).filter(|value| !value.is_null()),
            None => field.default.map(|default| sample(field.kind, default)),
        };
        let is_empty = value.as_ref().is_none_or(|value| value == "");
        if is_empty && field.required {
            expected.ready = false;
            seen.push(None);
            continue;
        }
        if let Some(value) = &value {
            match is_right(field.kind, value) {
                true => drop(expected.values.insert(name, value.clone())),
                false => expected.ready = false,
            }
        }
        seen.push(Some(value));
    }
    expected
}

/// Returns whether a JSON Schema, as far as the engine writes them, accepts a value.
fn accepts(schema: &Json, value: &Json) -> bool {
    let Some(keywords) = schema.as_object() else { return schema != &json!(false) };
    let each =
        |list: &Json| list.as_array().expect("a list").iter().map(|inner| accepts(inner, value)).collect::<Vec<_>>();
    let object = value.as_object();
    keywords.iter().all(|(name, want)| match name.as_str() {
        "type" => match want.as_str().expect("a type") {
            "object" => object.is_some(),
            "boolean" => value.is_boolean(),
            "number" => value.is_number(),
            "string" => value.is_string(),
            other => panic!("a type {other}"),
        },
        "properties" => object.is_none_or(|own| {
            let inner = want.as_object().expect("properties");
            own.iter().all(|(name, value)| inner.get(name).is_none_or(|schema| accepts(schema, value)))
        }),
        "additionalProperties" => {
            *want != json!(false)
                || object.is_none_or(|own| own.keys().all(|name| keywords["properties"].get(name).is_some()))
        }
        "required" => object.is_none_or(|own| {
            want.as_array().expect("names").iter().all(|name| own.contains_key(name.as_str().expect("a name")))
        }),
        "enum" => want.as_array().expect("values").contains(value),
        "const" => want == value,
        "minimum" => value.as_f64().is_none_or(|number| number >= want.as_f64().expect("a number")),
        "maximum" => value.as_f64().is_none_or(|number| number <= want.as_f64().expect("a number")),
        "minLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 >= want.as_u64().expect("a count")),
        "allOf" => each(want).iter().all(|holds| *holds),
        "anyOf" => each(want).iter().any(|holds| *holds),
        "if" => !accepts(want, value) || keywords.get("then").is_none_or(|then| accepts(then, value)),
        "then" | "default" | "$schema" | "x-widget" => true,
        other => panic!("a keyword {other}"),
    })
}

fn inputs_of(values: &Map<String, Json>) -> Inputs {
    Inputs::of(values.clone())
}

fn value_of(values: &Map<String, Json>) -> Value {
    from_json_value(&Json::Object(values.clone()), &Type::Any).expect("a value")
}

/// Holds a state against what the naive evaluation says.
fn compare(
    state: &FormState,
    expected: &Expected,
    inputs: &Map<String, Json>,
    fields: &[Field],
) -> Result<(), TestCaseError> {
    let present: Vec<Option<bool>> = state
        .fields
        .iter()
        .map(|field| match field.status {
            Status::Active => Some(true),
            Status::Waiting => None,
            Status::Inactive | Status::Removed => Some(false),
        })
        .collect();
    prop_assert_eq!(&present, &expected.present);
    prop_assert_eq!(to_json_value(&state.values).expect("JSON"), Json::Object(expected.values.clone()));
    prop_assert_eq!(state.ready, expected.ready);
    for (name, _) in state.values.entries() {
        let idx: usize = name.trim_start_matches('f').parse().expect("a field");
        prop_assert_eq!(present[idx], Some(true), "a value of {} reached the template", name);
    }
    for name in inputs.keys() {
        let idx: usize = name.trim_start_matches('f').parse().expect("a field");
        let is_dropped = present[idx] == Some(false) && !fields[idx].keep;
        prop_assert_eq!(state.discard.iter().any(|path| **path == **name), is_dropped);
    }
    Ok(())
}

/// How many ready states the walk has met.
static READY: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    fn walk(
        fields in form(),
        steps in prop::collection::vec((0..9_usize, 0..4_usize, 0..8_usize), 1..25),
        noise in prop::collection::vec((0..9_usize, 0..5_usize), 0..3),
    ) {
        let text = document(&fields);
        let (form, problems) = Form::parse(SourceId(0), "form.json", &text, &Widgets::standard());
        prop_assert_eq!(problems, vec![]);
        let schema = json_schema(&form, "en");
        prop_assert_eq!(schema["properties"].as_object().expect("properties").len(), fields.len());
        let ready_count = std::cell::Cell::new(0);
        let context = Context::default();
        let mut inputs = Map::new();
        for (at, sample_idx, act) in steps {
            let idx = at % fields.len();
            let name = format!("f{idx}");
            match act {
                0 => drop(inputs.remove(&name)),
                1 => drop(inputs.insert(name, Json::Null)),
                _ => drop(inputs.insert(name, sample(fields[idx].kind, sample_idx))),
            }
            let state = eval(&form, &inputs_of(&inputs), &context);
            let wanted = expected(&fields, &inputs);
            compare(&state, &wanted, &inputs, &fields)?;

            // What is ready is accepted as it is, by whoever receives it and by the schema.
            if state.ready {
                let verdict = validate(&form, &state.values, &Inputs::default(), &context);
                prop_assert!(verdict.is_ok(), "{:?}", verdict.err());
                prop_assert!(accepts(&schema, &Json::Object(wanted.values.clone())), "{schema} {:?}", wanted.values);
                ready_count.set(ready_count.get() + 1);
            }
        }

        READY.fetch_add(ready_count.get(), std::sync::atomic::Ordering::Relaxed);

        // Values from elsewhere are accepted exactly where somebody could have filled them in.
        let mut values = expected(&fields, &inputs).values;
        for (at, sample_idx) in noise {
            let idx = at % fields.len();
            match sample_idx {
                4 => drop(values.remove(&format!("f{idx}"))),
                _ => drop(values.insert(format!("f{idx}"), sample(fields[idx].kind, sample_idx))),
            }
        }
        let as_inputs: Map<String, Json> = (0..fields.len())
            .map(|idx| format!("f{idx}"))
            .map(|name| { let value = values.get(&name).cloned().unwrap_or(Json::Null); (name, value) })
            .collect();
        let wanted = expected(&fields, &as_inputs);
        let may = wanted.ready && wanted.values == values;
        let verdict = validate(&form, &value_of(&values), &Inputs::default(), &context);
        prop_assert_eq!(verdict.is_ok(), may, "{:?} {:?}", values, verdict.err());
    }
}

#[test]
fn validation_accepts_exactly_what_readiness_promised() {
    walk();
    // A walk that is never ready would prove nothing.
    let ready = READY.load(std::sync::atomic::Ordering::Relaxed);
    assert!(ready > 300, "only {ready} states were ready");
}
