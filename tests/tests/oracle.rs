//! Evaluation against what Terraform printed for the same expressions.
//!
//! The expressions and their results are kept outside of this repository, beside it in `shared/oracle/expressions`, or where
//! `STACKWRIGHT_SHARED` says. Without them the test says so and passes.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use stackwright::{
    error::{Diagnostic, SourceId, Span},
    template::{
        Defaults, TypeConstraint,
        eval::{DirectoryFiles, EmptyScope, Evaluator, Functions, Options, Request, Resolution, Scope, SystemWorld},
        hcl,
        syntax::{Body, Expr, ExprKind},
    },
    value::{Marks, Type, Value, convert},
};

/// Cases in which we differ on purpose, or cannot yet follow, with the reason.
const KNOWN_DEVIATIONS: &[(&str, &str)] = &[("length(bcrypt(\"x\"))", "bcrypt is not supported yet")];

struct Declared {
    variables: BTreeMap<String, Value>,
    locals: BTreeMap<String, Value>,
}

impl Scope for Declared {
    fn resolve(&self, request: &Request<'_>, span: Span) -> Resolution {
        let found = match request {
            Request::Variable(name) => self.variables.get(*name).cloned(),
            Request::Local(name) => self.locals.get(*name).cloned(),
            Request::Workspace => Some(Value::string("default")),
            Request::PathModule | Request::PathRoot => Some(Value::string(".")),
            _ => None,
        };
        found.map_or_else(
            || Resolution::Failed(Diagnostic::error("template.reference", "it is not declared").at(span)),
            Resolution::Value,
        )
    }
}

fn folder() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let given = std::env::var_os("STACKWRIGHT_SHARED").map(PathBuf::from);
    let candidates = given.into_iter().chain([workspace.join("../shared"), workspace.join("../../shared")]);
    candidates.map(|shared| shared.join("oracle/expressions")).find(|folder| folder.join("cases.jsonl").is_file())
}

/// Reads a type constraint with its defaults, as much of it as the cases use.
fn constraint(expr: &Expr) -> (Type, Option<Defaults>) {
    if let Some(word) = expr.as_keyword() {
        return match word {
            "string" => (Type::String, None),
            "number" => (Type::Number, None),
            "bool" => (Type::Bool, None),
            _ => (Type::Any, None),
        };
    }
    let call = expr.static_call().expect("a type constraint");
    let first = &call.args[0];
    let elements = |defaults: Option<Defaults>| defaults.map(|defaults| Defaults::Elements(Box::new(defaults)));
    match call.name.as_str() {
        "list" => {
            let (ty, defaults) = constraint(first);
            (Type::list(ty), elements(defaults))
        }
        "set" => {
            let (ty, defaults) = constraint(first);
            (Type::set(ty), elements(defaults))
        }
        "map" => {
            let (ty, defaults) = constraint(first);
            (Type::map(ty), elements(defaults))
        }
        "tuple" => (Type::tuple(first.static_list().expect("types").iter().map(|ty| constraint(ty).0)), None),
        "object" => {
            let (mut types, mut optional) = (Vec::new(), Vec::new());
            let (mut values, mut inner) = (BTreeMap::new(), BTreeMap::new());
            for item in first.static_map().expect("attributes") {
                let name: Arc<str> = Arc::from(item.key.as_str().expect("a name"));
                let (ty, nested) = match item.value.static_call().filter(|call| call.name.as_str() == "optional") {
                    Some(call) => {
                        optional.push(Arc::clone(&name));
                        let (ty, nested) = constraint(&call.args[0]);
                        if let Some(default) = call.args.get(1) {
                            let value = literal(default);
                            values.insert(Arc::clone(&name), convert(&value, &ty).expect("a default that fits"));
                        }
                        (ty, nested)
                    }
                    None => constraint(item.value),
                };
                if let Some(nested) = nested {
                    inner.insert(Arc::clone(&name), nested);
                }
                types.push((name, ty));
            }
            (Type::object_with_optional(types, optional), Some(Defaults::Object { values, inner }))
        }
        other => panic!("{other} is no type constructor"),
    }
}

fn literal(expr: &Expr) -> Value {
    let functions = Functions::standard();
    let mut evaluator = Evaluator::new(&EmptyScope, &functions, Options::default());
    let value = evaluator.eval(expr);
    assert_eq!(evaluator.finish().diagnostics, []);
    value
}

fn declared(body: &Body, options: Options<'_>) -> Declared {
    let mut scope = Declared { variables: BTreeMap::new(), locals: BTreeMap::new() };
    for block in body.blocks_of("variable") {
        let attribute = |name: &str| block.body.attribute(name).map(|attribute| Arc::clone(&attribute.expr));
        let (ty, defaults) = attribute("type").map_or((Type::Any, None), |expr| constraint(&expr));
        let constraint = TypeConstraint { ty, defaults: defaults.map(Arc::new) };
        let default = literal(&attribute("default").expect("a default"));
        let mut value = convert(&constraint.apply_defaults(&default), &constraint.ty).expect("a default that fits");
        if attribute("sensitive").is_some_and(|expr| matches!(&expr.kind, ExprKind::Literal(_))) {
            value = value.with_marks(Marks::SENSITIVE);
        }
        scope.variables.insert(block.label(0).expect("a name").to_owned(), value);
    }
    let functions = Functions::standard();
    for attribute in body.blocks_of("locals").flat_map(|block| &block.body.attributes) {
        let mut evaluator = Evaluator::new(&scope, &functions, options);
        let value = evaluator.eval(&attribute.expr);
        assert_eq!(evaluator.finish().diagnostics, [], "{}", attribute.name.as_str());
        scope.locals.insert(attribute.name.as_str().to_owned(), value);
    }
    scope
}

/// Returns what a console prints, or the problems.
fn printed(text: &str, scope: &Declared, options: Options<'_>) -> Result<String, Vec<Diagnostic>> {
    let (expr, problems) = hcl::parse_expression(SourceId(0), text);
    if !problems.is_empty() {
        return Err(problems);
    }
    let functions = Functions::standard();
    let mut evaluator = Evaluator::new(scope, &functions, options);
    let out = evaluator.console(&expr);
    let findings = evaluator.finish();
    if findings.diagnostics.is_empty() { Ok(out) } else { Err(findings.diagnostics) }
}

#[test]
fn agrees_with_terraform() {
    let Some(folder) = folder() else {
        eprintln!("skipped: there is no shared/oracle/expressions beside the repository");
        return;
    };
    let files = DirectoryFiles::new(&folder).expect("the folder of the cases");
    let world = SystemWorld::default();
    let options = Options { files: &files, world: &world, console: true, ..Options::default() };
    let text = std::fs::read_to_string(folder.join("main.tf")).expect("main.tf");
    let (body, problems) = hcl::parse(SourceId(0), &text);
    assert_eq!(problems, []);
    let scope = declared(&body, options);
    let cases = std::fs::read_to_string(folder.join("cases.jsonl")).expect("cases");
    let (mut total, mut agreed, mut differences) = (0, 0, Vec::new());
    for line in cases.lines() {
        let case: serde_json::Value = serde_json::from_str(line).expect("a case");
        let expr = case["expr"].as_str().expect("an expression");
        let wanted = case["out"].as_str();
        total += 1;
        let got = printed(expr, &scope, options);
        if got.as_ref().ok().map(String::as_str) == wanted {
            agreed += 1;
        } else if !KNOWN_DEVIATIONS.iter().any(|(known, _)| *known == expr) {
            differences.push(format!("{expr}\n  terraform: {wanted:?}\n  ours:      {got:?}"));
        }
    }
    println!("{agreed} of {total} agree; {} known deviations", KNOWN_DEVIATIONS.len());
    assert!(differences.is_empty(), "{agreed} of {total} agree\n{}", differences.join("\n"));
}
