//! What every type of the provider keeps, through a whole engine: made, unchanged, changed, adopted, deleted.

use std::{collections::BTreeSet, fs};

use stackwright::{
    error::{CODES, Effect},
    plan::Action,
    resource::{Object, ObjectState, PlanRequest},
    value::Value,
};
use tokio_util::sync::CancellationToken;

use crate::{
    host::{Host, actions},
    support::{Driven, PATIENCE, Yard, attribute, gone, is_running, pid},
};

/// One type and what is done with it.
struct Case {
    type_name: &'static str,
    /// The body of its block.
    body: String,
    /// The same changed.
    changed: String,
    /// What the change comes to.
    action: Action,
    /// Returns the id by which the object of the body is adopted.
    import_id: fn(&Yard, &Object) -> String,
    /// Returns whether the object is there in the world.
    is_there: fn(&Yard, &Object) -> bool,
}

fn cases(yard: &Yard) -> Vec<Case> {
    let place = |name: &str| yard.place(name);
    let nowhere = |_: &Yard, _: &Object| false;
    vec![
        Case {
            type_name: "local_file",
            body: format!("path = {:?}\n content = \"one\"", place("file")),
            changed: format!("path = {:?}\n content = \"two\"\n mode = \"0600\"", place("file")),
            action: Action::Update,
            import_id: |_, object| object.id.clone(),
            is_there: |yard, _| yard.path("file").is_file(),
        },
        Case {
            type_name: "local_directory",
            body: format!("path = {:?}\n mode = \"0750\"", place("folder")),
            changed: format!("path = {:?}\n mode = \"0700\"\n delete_content = true", place("folder")),
            action: Action::Update,
            import_id: |_, object| object.id.clone(),
            is_there: |yard, _| yard.path("folder").is_dir(),
        },
        Case {
            type_name: "local_process",
            body: format!("command = [\"tail\", \"-f\", {:?}]", place("log")),
            changed: format!("command = [\"tail\", \"-f\", {:?}]\n stop_timeout_seconds = 3", place("log")),
            action: Action::Update,
            import_id: |_, object| object.id.clone(),
            is_there: |_, object| is_running(pid(object)),
        },
        Case {
            type_name: "random_id",
            body: "byte_length = 4\n prefix = \"p-\"".to_owned(),
            changed: "byte_length = 4\n prefix = \"p-\"\n keepers = { a = \"b\" }".to_owned(),
            action: Action::Replace,
            import_id: |_, object| format!("p-,{}", object.id),
            is_there: nowhere,
        },
        Case {
            type_name: "random_password",
            body: "length = 12\n special = false".to_owned(),
            changed: "length = 13\n special = false".to_owned(),
            action: Action::Replace,
            import_id: |yard, object| {
                fs::write(yard.path("secret"), attribute(object, "result")).expect("a file");
                format!("file:{}?special=false", yard.place("secret"))
            },
            is_there: nowhere,
        },
        Case {
            type_name: "random_port",
            body: "min = 21000".to_owned(),
            changed: "min = 21001".to_owned(),
            action: Action::Replace,
            import_id: |_, object| format!("{}?min=21000", object.id),
            is_there: nowhere,
        },
        Case {
            type_name: "tls_self_signed_cert",
            body: "common_name = \"localhost\"\n dns_names = [\"localhost\"]".to_owned(),
            changed: "common_name = \"localhost\"\n dns_names = [\"localhost\"]\n early_renewal_days = 30".to_owned(),
            action: Action::Update,
            import_id: |yard, object| {
                let pem = ["cert_pem", "private_key_pem"].map(|name| attribute(object, name)).concat();
                fs::write(yard.path("pem"), pem).expect("a file");
                yard.place("pem")
            },
            is_there: nowhere,
        },
    ]
}

#[test]
fn every_type_has_a_case() {
    let tested: BTreeSet<String> = cases(&Yard::new()).iter().map(|case| case.type_name.to_owned()).collect();
    let provider = stackwright_provider_local::provider();
    let known: BTreeSet<String> = provider.resources.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(tested, known);
}

#[tokio::test]
async fn every_type_keeps_the_contract() {
    let yard = Yard::new();
    fs::write(yard.path("log"), "").expect("a file");
    for case in cases(&yard) {
        let host = Host::new();
        let address = format!("{}.it", case.type_name);
        let template = |body: &str| format!("resource \"{}\" \"it\" {{\n {body}\n}}\n", case.type_name);
        let (first, changed) = (template(&case.body), template(&case.changed));
        let one = |action| vec![(address.clone(), action)];
        let nothing = Vec::<(String, Action)>::new();

        assert_eq!(host.apply(&first).await, one(Action::Create));
        let object = host.object(&address).await;
        let has_effect = (case.is_there)(&yard, &object);
        assert_eq!(actions(&host.plan(&first).await), nothing, "{address}: a second plan has nothing to do");

        // Another stack adopts it, and has nothing to do either.
        let adopter = Host::new();
        let id = (case.import_id)(&yard, &object);
        assert_eq!(adopter.import(&first, &address, &id).await, nothing, "{address}: it is what the template says");
        let adopted = adopter.object(&address).await;
        assert_eq!((&adopted.id, &adopted.attributes), (&object.id, &object.attributes), "{address}");
        assert_eq!(actions(&adopter.plan(&first).await), nothing, "{address}");

        assert_eq!(host.apply(&changed).await, one(case.action), "{address}");
        assert_eq!(actions(&host.plan(&changed).await), nothing, "{address}: the change is made");

        let object = host.object(&address).await;
        assert_eq!((case.is_there)(&yard, &object), has_effect, "{address}");
        assert_eq!(host.destroy(&changed).await, one(Action::Delete));
        assert_eq!(host.rows().await, Vec::new());
        assert!(!(case.is_there)(&yard, &object), "{address} is gone from the world");

        // Once more: what is gone is deleted well, and is nothing to adopt.
        let driven = Driven::new(case.type_name);
        gone(driven.resource.delete(&driven.context(), &object).await);
        let plan = adopter.plan(&first).await;
        let expect = if has_effect { one(Action::Create) } else { nothing };
        assert_eq!(actions(&plan), expect, "{address}: the other stack sees what is gone");
    }
    assert_eq!(yard.pids(), Vec::<u32>::new());
}

#[tokio::test]
async fn every_verb_ends_soon_when_it_is_cancelled_before_it_begins() {
    let yard = Yard::new();
    fs::write(yard.path("log"), "").expect("a file");
    for case in cases(&yard) {
        let host = Host::new();
        let template = format!("resource \"{}\" \"it\" {{\n {}\n}}\n", case.type_name, case.body);
        host.apply(&template).await;
        let address = format!("{}.it", case.type_name);
        let object = host.object(&address).await;
        let driven = Driven::new(case.type_name);
        let token = CancellationToken::new();
        token.cancel();
        let ctx = driven.context_with(token);
        let verbs = async {
            let plan = PlanRequest {
                prior: Some(object.clone()),
                config: object.attributes.clone(),
                proposed: object.attributes.clone(),
            };
            driven.resource.plan(&ctx, plan).await.expect("a plan");
            driven.resource.read(&ctx, &object).await.expect("an answer");
            driven.resource.ready(&ctx, &object).await.expect("an answer");
            let updated = driven.resource.update(&ctx, &object, object.attributes.clone()).await;
            assert!(updated.is_ok(), "{address}: {updated:?}");
            // Either it is done, or it says that nobody knows: never that nothing happened when something did.
            let deleted = driven.resource.delete(&ctx, &object).await;
            match (deleted.object, deleted.problems.as_slice()) {
                (ObjectState::Gone, []) => {}
                (ObjectState::Unchanged, [error]) => {
                    assert_eq!(
                        (error.code(), error.effect_on_world()),
                        ("run.cancelled", Effect::Unknown),
                        "{address}"
                    );
                }
                other => panic!("{address}: {other:?}"),
            }
        };
        tokio::time::timeout(PATIENCE, verbs).await.expect("it ends");
        driven.delete(&object).await;
        assert!(!(case.is_there)(&yard, &object), "{address}");
    }
}

#[tokio::test]
async fn what_cannot_be_made_leaves_no_row_and_a_listed_code() {
    let yard = Yard::new();
    fs::write(yard.path("file"), "theirs").expect("a file");
    for (body, code) in [
        (format!("local_file\" \"it\" {{\n path = {:?}\n content = \"mine\"\n}}", yard.place("file")), "local.exists"),
        (format!("local_directory\" \"it\" {{\n path = {:?}\n}}", yard.place("file")), "local.exists"),
        ("local_process\" \"it\" {\n command = [\"/no/such/program\"]\n}".to_owned(), "local.process"),
    ] {
        let host = Host::new();
        let plan = host.plan(&format!("resource \"{body}\n")).await;
        let report = host.carry_out(plan).await;
        let codes: Vec<&str> = report.problems.iter().map(|problem| problem.error.code.as_str()).collect();
        assert_eq!(codes, [code]);
        assert!(CODES.iter().any(|info| info.code == code));
        assert_eq!(host.rows().await, Vec::new(), "{code}");
    }
    assert_eq!(fs::read_to_string(yard.path("file")).expect("a file"), "theirs");
}

#[tokio::test]
async fn a_dead_process_is_drift_and_started_again_by_the_next_apply() {
    let (yard, host) = (Yard::new(), Host::new());
    fs::write(yard.path("log"), "").expect("a file");
    let template =
        format!("resource \"local_process\" \"it\" {{\n command = [\"tail\", \"-f\", {:?}]\n}}\n", yard.place("log"));
    host.apply(&template).await;
    let before = host.object("local_process.it").await;
    crate::support::kill(pid(&before));
    crate::support::dead(pid(&before)).await;
    let plan = host.plan(&template).await;
    assert_eq!(actions(&plan), [("local_process.it".to_owned(), Action::Create)]);
    assert!(plan.to_string().contains("local_process.it"), "{plan}");
    assert_eq!(yard.pids(), Vec::<u32>::new(), "to look is not to start");
    host.carry_out(plan).await;
    let after = host.object("local_process.it").await;
    assert!(after.id != before.id && is_running(pid(&after)));
    host.destroy(&template).await;
    assert_eq!(yard.pids(), Vec::<u32>::new());
}

#[tokio::test]
async fn a_process_that_fails_at_once_fails_the_apply_with_its_last_words() {
    let (yard, host) = (Yard::new(), Host::new());
    let template = format!(
        "resource \"local_process\" \"it\" {{
           command     = [\"/bin/sh\", \"-c\", \"echo cannot bind with $TOKEN; exit 3\"]
           environment = {{ TOKEN = sensitive(\"hunter2-token\") }}
           log_file    = {:?}
         }}\n",
        yard.place("log")
    );
    let plan = host.plan(&template).await;
    let report = host.carry_out(plan).await;
    let [problem] = report.problems.as_slice() else { panic!("{:?}", report.problems) };
    assert_eq!(problem.error.code, "resource.not_ready");
    assert!(problem.error.message.contains("ended with code 3"), "{}", problem.error.message);
    assert!(problem.error.message.contains("cannot bind with (hidden)"), "{}", problem.error.message);
    assert!(!host.disk().await.contains("hunter2"), "no secret reaches the store");
    assert_eq!(actions(&host.plan(&template).await), [("local_process.it".to_owned(), Action::Create)]);
    host.destroy(&template).await;
}

#[tokio::test]
async fn sensitive_content_is_nowhere_but_in_the_file() {
    let (yard, host) = (Yard::new(), Host::new());
    let template = |content: &str| {
        format!(
            "resource \"local_file\" \"it\" {{\n path = {:?}\n mode = \"0600\"\n content = sensitive({content:?})\n}}\n\
             resource \"random_password\" \"it\" {{\n length = 24\n}}\n",
            yard.place("file")
        )
    };
    let shown = host.plan(&template("hunter2-one")).await.to_string();
    assert!(!shown.contains("hunter2"), "{shown}");
    host.apply(&template("hunter2-one")).await;
    let password = attribute(&host.object("random_password.it").await, "result").to_owned();
    assert_eq!(fs::read_to_string(yard.path("file")).expect("a file"), "hunter2-one");
    // Drift of what is secret is secret too.
    fs::write(yard.path("file"), "hunter2-drifted").expect("a file");
    let plan = host.plan(&template("hunter2-two")).await;
    assert!(!plan.to_string().contains("hunter2"), "{plan}");
    host.carry_out(plan).await;
    assert_eq!(fs::read_to_string(yard.path("file")).expect("a file"), "hunter2-two");
    let disk = host.disk().await;
    assert!(!disk.contains("hunter2") && !disk.contains(&password), "no secret is stored in the clear");
    assert!(disk.contains("local_file"), "this does look at what is stored");

    // What is adopted is as secret as the template says it is.
    let adopter = Host::new();
    let address = "local_file.it".parse().expect("an address");
    let imports = vec![stackwright::stack::Import { address, id: yard.place("file") }];
    let options = stackwright::stack::PlanOptions { imports, ..Default::default() };
    for content in ["hunter2-two", "hunter2-three"] {
        let plan = adopter.try_plan(&template(content), options.clone()).await.expect("a plan");
        assert!(!plan.to_string().contains("hunter2"), "{plan}");
    }
    let plan = adopter.try_plan(&template("hunter2-three"), options).await.expect("a plan");
    adopter.carry_out(plan).await;
    let disk = adopter.disk().await;
    assert!(!disk.contains("hunter2"), "no adopted secret is stored in the clear");
    host.destroy(&template("hunter2-two")).await;
}

#[tokio::test]
async fn a_password_that_is_adopted_is_never_shown() {
    let (yard, host) = (Yard::new(), Host::new());
    fs::write(yard.path("secret"), "hunter2-adopted").expect("a file");
    let template = "resource \"random_password\" \"it\" {\n length = 15\n}\n";
    let done = host.import(template, "random_password.it", &format!("file:{}", yard.place("secret"))).await;
    assert_eq!(done, Vec::new());
    assert_eq!(attribute(&host.object("random_password.it").await, "result"), "hunter2-adopted");
    assert!(!host.disk().await.contains("hunter2"));
    let address = "random_password.other".parse().expect("an address");
    let imports = vec![stackwright::stack::Import { address, id: "hunter2-bare".to_owned() }];
    let options = stackwright::stack::PlanOptions { imports, ..Default::default() };
    let two = format!("{template}resource \"random_password\" \"other\" {{\n length = 12\n}}\n");
    let error = host.try_plan(&two, options).await.expect_err("a password is no id");
    assert!(!error.report().contains("hunter2"), "{}", error.report());
    assert!(!format!("{:?}", error.diagnostics()).contains("hunter2"), "{:?}", error.diagnostics());
}

#[tokio::test]
async fn values_flow_between_types() {
    let (yard, host) = (Yard::new(), Host::new());
    fs::write(yard.path("log"), "").expect("a file");
    let template = |greeting: &str| {
        format!(
            "resource \"local_directory\" \"home\" {{\n path = {:?}\n}}\n
             resource \"random_id\" \"name\" {{\n byte_length = 4\n}}\n
             resource \"local_file\" \"config\" {{
               path    = \"${{local_directory.home.path}}/config\"
               content = \"{greeting} ${{random_id.name.hex}}\"
             }}\n
             resource \"local_process\" \"it\" {{
               command  = [\"tail\", \"-f\", {:?}]
               triggers = {{ config = local_file.config.checksum }}
             }}\n
             data \"local_command\" \"look\" {{
               command    = [\"cat\", local_file.config.path]
               depends_on = [local_file.config]
             }}\n
             output \"seen\" {{\n value = data.local_command.look.stdout\n}}\n",
            yard.place("home"),
            yard.place("log"),
        )
    };
    host.apply(&template("hello")).await;
    let seen = host.stack.outputs().await.expect("outputs")["seen"].value.clone();
    let hex = attribute(&host.object("random_id.name").await, "hex").to_owned();
    assert_eq!(seen, Value::string(format!("hello {hex}")));
    let before = host.object("local_process.it").await.id;
    assert_eq!(actions(&host.plan(&template("hello")).await), Vec::new());
    let changed = host.apply(&template("good morning")).await;
    let restarted = |address: &str| changed.contains(&(address.to_owned(), Action::Update));
    assert!(restarted("local_file.config") && restarted("local_process.it"), "{changed:?}");
    assert_ne!(host.object("local_process.it").await.id, before, "it was started anew");
    host.destroy(&template("good morning")).await;
    assert!(!yard.path("home").exists());
    assert_eq!(yard.pids(), Vec::<u32>::new());
}
