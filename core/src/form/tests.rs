//! What whole cases under `tests/cases/forms` cannot tell well.

use serde_json::json;

use super::*;
use crate::{
    error::{Diagnostics as _, SourceId},
    template::{Files, Options as TemplateOptions, Template},
    value::{Value, to_json},
};

fn form(text: &str) -> Form {
    let (form, problems) = Form::parse(SourceId(0), "form.yaml", text, &Widgets::standard());
    assert_eq!(problems, [], "{text}");
    form
}

fn template(text: &str) -> Template {
    let (template, problems) = Template::parse(&Files::from_texts([("main.tf", text)]), &TemplateOptions::default());
    assert_eq!(problems, []);
    template
}

const ZONES: &str = "
fields:
- { name: region, widget: input }
- { name: zone, widget: select, options: { source: zones, params: { region: '${region}' }, ttl_seconds: 60 } }
";

#[test]
fn a_request_is_the_same_for_the_same_question_of_the_same_asker() {
    let form = form(ZONES);
    let ask = |region: &str, scope: &str| {
        let context = Context { scope: scope.into(), ..Context::default() };
        let state = eval(&form, &Inputs::of([("region", json!(region))]), &context);
        assert_eq!(state.pending.len(), 1);
        state.pending.first().cloned().expect("a request")
    };
    let first = ask("gz", "a");
    assert_eq!((&*first.source, first.ttl_seconds, first.id.len()), ("zones", Some(60), 32));
    assert_eq!(first, ask("gz", "a"));
    assert_ne!(first.id, ask("sh", "a").id);
    assert_ne!(first.id, ask("gz", "b").id, "an answer for one tenant is not shown to another");
}

#[test]
fn a_new_request_supersedes_the_old_one_whose_answer_changes_nothing() {
    let form = form(ZONES);
    let context = Context::default();
    let old = eval(&form, &Inputs::of([("region", json!("gz"))]), &context).pending.remove(0);
    let mut inputs = Inputs::of([("region", json!("sh"))]);
    inputs.outstanding.insert("zone".into(), old.id.clone());
    let state = eval(&form, &inputs, &context);
    assert_eq!(state.pending.first().map(|request| request.supersedes.clone()), Some(vec![old.id.clone()]));
    let late = inputs.answer(old.id, Answer::Items(vec![Value::string("gz-1")]));
    let again = eval(&form, &late, &context);
    assert!(matches!(again.fields.get(1).and_then(|field| field.options.as_ref()), Some(OptionsState::Loading { .. })));
}

#[test]
fn fields_that_ask_the_same_share_a_request() {
    let form = form("fields: [{ name: a, widget: certificate-select }, { name: b, widget: certificate-select }]");
    let state = eval(&form, &Inputs::default(), &Context::default());
    let fields: Vec<Vec<&str>> =
        state.pending.iter().map(|request| request.fields.iter().map(|path| &**path).collect()).collect();
    assert_eq!(fields, [["a", "b"]]);
}

#[test]
fn an_installation_goes_back_into_its_form() {
    let mut form =
        form("fields:\n- { name: net, widget: subnet-select, variable: network }\n- { name: size, widget: number }\n");
    form.bind(template("variable \"network\" { type = object({ region = string }) }\nvariable \"size\" {}\n").root());
    let network = json!({"region": "gz", "subnet": {"id": "s-1"}});
    let options = Answer::Items(Inputs::of([("x", network.clone())]).values.into_values().collect());
    let given = Inputs::of([("net", network), ("size", json!(3))]);
    let context = Context::default();
    let id = eval(&form, &given, &context).pending.remove(0).id;
    let state = eval(&form, &given.answer(id.clone(), options.clone()), &context);
    assert!(state.ready, "{state:?}");
    assert_eq!(to_json(&state.values).expect("JSON"), r#"{"network":{"region":"gz"},"size":3}"#);

    // The installation knows less than the widget gave; its options make the value whole again.
    let variables = Value::object(
        state
            .values
            .entries()
            .map(|(name, value)| (name.clone(), value.clone()))
            .chain([("other".into(), Value::number(1))]),
    );
    let unbound = unbind(&form, &variables);
    assert_eq!(unbound.rest.keys().map(|name| &**name).collect::<Vec<_>>(), ["other"]);
    let again = Inputs { values: unbound.values, ..Inputs::default() }.answer(id.clone(), options.clone());
    let again = eval(&form, &again, &context);
    assert!(again.ready && again.values == state.values);
    let net = again.fields.first().and_then(|field| field.value.attribute("subnet")?.attribute("id")?.as_str());
    assert_eq!(net, Some("s-1"));

    let answered = Inputs::default().answer(id, options);
    assert!(validate(&form, &state.values, &answered, &context).is_ok());
    let problems = validate(&form, &variables, &answered, &context).expect_err("one too many");
    assert_eq!(
        problems.iter().map(|problem| (problem.code, &*problem.path)).collect::<Vec<_>>(),
        [("form.input", "other")]
    );
    assert!(validate(&form, &state.values, &Inputs::default(), &context).is_err(), "nobody looked the choice up");
}

#[test]
fn what_was_decided_elsewhere_is_refused_from_outside() {
    let form = form(
        "fields:\n- { name: a, widget: number }\n- { name: b, widget: number, readonly: true, default: '${a * 2}' }\n\
         presets:\n- { name: p, values: { a: 1 }, lock: true }\n",
    );
    let inputs = Inputs { preset: Some("p".into()), ..Inputs::default() };
    let check = |a: i64, b: i64| {
        let values = Value::object([("a", Value::number(a)), ("b", Value::number(b))]);
        validate(&form, &values, &inputs, &Context::default()).is_ok()
    };
    assert!(check(1, 2));
    assert!(!check(2, 4), "the plan says one");
    assert!(!check(1, 3), "the form says two");
}

#[test]
fn what_was_generated_is_kept_or_made_again() {
    let form = form("fields: [{ name: id, widget: input, default: { generate: name, length: 6 } }]");
    let seeded = |seed: &str| Context { seed: Some(seed.as_bytes().into()), ..Context::default() };
    let id = |inputs: &Inputs, context: &Context| {
        let state = eval(&form, inputs, context);
        (state.values.attribute("id").cloned(), state.generated)
    };
    let (first, kept) = id(&Inputs::default(), &seeded("one"));
    assert!(first.is_some() && first.as_ref() == kept.get("id"));
    assert_ne!(first, id(&Inputs::default(), &seeded("two")).0);
    let keeping = Inputs { generated: kept, ..Inputs::default() };
    assert_eq!(first, id(&keeping, &seeded("two")).0);
    assert_eq!(first, id(&keeping, &Context::default()).0);
    let without = eval(&form, &Inputs::default(), &Context::default());
    assert_eq!(without.errors.first().map(|problem| problem.code), Some("form.generate"));
    assert!(!format!("{:?}", seeded("hunter2")).contains("hunter2"));
}

#[test]
fn prices_hang_on_what_says_so() {
    let form = form("fields: [{ name: size, widget: number, price: true }, { name: note, widget: input }]");
    let key = |size: i64, note: &str| {
        eval(&form, &Inputs::of([("size", json!(size)), ("note", json!(note))]), &Context::default()).quote_key
    };
    assert_eq!(key(1, "a"), key(1, "b"));
    assert_ne!(key(1, "a"), key(2, "a"));
}

#[test]
fn a_template_without_a_form_gets_one() {
    let template = template(
        "variable \"zone\" { type = string }\n\
         variable \"nodes\" {\n  type = number\n  default = 3\n  description = \"How many.\"\n}\n\
         variable \"on\" { type = bool }\n\
         variable \"password\" {\n  type = string\n  sensitive = true\n}\n\
         variable \"labels\" {\n  type = map(string)\n  default = {}\n}\n\
         variable \"disks\" { type = list(object({ name = string, size = optional(number, 10) })) }\n\
         variable \"stackwright_app_id\" {}\n",
    );
    let form = derive(template.root(), &Widgets::standard());
    let shape: Vec<(&str, &str)> = form.fields.list.iter().map(|field| (&*field.name, &*field.widget.name)).collect();
    let expect = [
        ("zone", "input"),
        ("nodes", "number"),
        ("on", "switch"),
        ("password", "password"),
        ("labels", "tags"),
        ("disks", "list"),
    ];
    assert_eq!(shape, expect);
    assert_eq!(lint(&form, Some(&template)), []);
    let inputs = Inputs::of([
        ("zone", json!("z")),
        ("on", json!(false)),
        ("password", json!("hunter2")),
        ("disks", json!([{"name": "a"}])),
    ]);
    let state = eval(&form, &inputs, &Context::default());
    assert!(state.ready, "{state:?}");
    let (values, _) = state.values.unmark_deep();
    assert_eq!(
        to_json(&values).expect("JSON"),
        r#"{"disks":[{"name":"a","size":10}],"labels":{},"nodes":3,"on":false,"password":"hunter2","zone":"z"}"#
    );
    assert!(!format!("{state:?} {inputs:?}").contains("hunter2"));
}

#[test]
fn long_chains_are_worked_out_and_long_circles_are_reported() {
    let chain = |first: &str| {
        let fields = (0..3000).map(|idx| {
            let before = if idx == 0 { first.to_owned() } else { format!("${{f{}}}", idx - 1) };
            json!({ "name": format!("f{idx}"), "widget": "input", "default": before })
        });
        json!({ "fields": fields.rev().collect::<Vec<_>>() }).to_string()
    };
    let (form, problems) = Form::parse(SourceId(0), "form.json", &chain("x"), &Widgets::standard());
    assert_eq!(problems, []);
    let state = eval(&form, &Inputs::default(), &Context::default());
    assert!(state.ready && state.values.attribute("f2999").and_then(Value::as_str) == Some("x"));
    let (_, problems) = Form::parse(SourceId(0), "form.json", &chain("${f2999}"), &Widgets::standard());
    let codes: Vec<&str> = problems.iter().map(|problem| &*problem.code).collect();
    assert_eq!(codes, ["form.cycle"]);
}

#[test]
fn hostile_documents_end_in_problems() {
    let nested = |open: &str, inner: &str, close: &str| {
        format!("fields: [{{ name: a, when: {}{inner}{} }}]", open.repeat(100), close.repeat(100))
    };
    for text in [
        nested("[", "true", "]"),
        nested("{ not: ", "true", " }"),
        format!("fields: {}{}", "[{ name: a, fields: ".repeat(60), "}]".repeat(60)),
        "fields: [{ name: a, default: '${[for i in range(1000) : [for j in range(1000) : i]]}' }]".to_owned(),
        "fields: [{ name: a, validators: [{ pattern: '(a{1000}){1000}', message: m }] }]".to_owned(),
        format!(
            "fields: [{}]",
            "{ name: a, when: \"${b == 1 || b == 2}\" },".repeat(4000) + "{ name: b, widget: number }"
        ),
        // Proofs over many conditions are given up, not worked out.
        format!(
            "fields: [{{ name: b }}, {0}, {0}]",
            format!("{{ name: a, when: [{}] }}", "{ ne: { a: '${b}', b: x } },".repeat(4000))
        ),
    ] {
        let (_, problems) = Form::parse(SourceId(0), "form.yaml", &text, &Widgets::standard());
        assert!(problems.has_errors(), "{}", text.chars().take(60).collect::<String>());
    }
}

#[test]
fn hosts_add_widgets() {
    let mut widgets = Widgets::standard();
    let shape = crate::value::Type::object([("hex", crate::value::Type::String)]);
    widgets.add(Widget::new("color", shape).prop("palette", crate::value::Type::Any).id("hex", "color"));
    let text = "fields: [{ name: a, widget: color, props: { palette: [1] } }, { name: b, widget: input, default: '${a.hex}' }]";
    let (form, problems) = Form::parse(SourceId(0), "form.yaml", text, &widgets);
    assert_eq!((problems, lint(&form, None)), (vec![], vec![]));
    let state = eval(&form, &Inputs::of([("a", json!({"hex": "fff"}))]), &Context::default());
    assert_eq!(state.values.attribute("b").and_then(Value::as_str), Some("fff"));
}
