use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::{
    error::{Diagnostic, Result},
    form::Widgets,
    template::{Files, Options, Template},
    value::{Marks, Type, Value},
};

/// A key that signs by hashing: enough to tell who signed what.
#[derive(Debug)]
struct ToyKey(&'static str);

impl ToyKey {
    fn hash(&self, message: &[u8]) -> Vec<u8> {
        Sha256::new().chain_update(self.0).chain_update([0]).chain_update(message).finalize().to_vec()
    }
}

#[async_trait]
impl Signer for ToyKey {
    fn key_id(&self) -> Arc<str> {
        self.0.into()
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        Ok(self.hash(message))
    }
}

impl Trust for ToyKey {
    fn verify(&self, key_id: &str, message: &[u8], signature: &[u8]) -> Option<bool> {
        (key_id == self.0).then(|| self.hash(message) == signature)
    }
}

fn files(entries: &[(&str, &str)]) -> PackageFiles {
    entries.iter().map(|(path, text)| (Arc::from(*path), Arc::from(text.as_bytes()))).collect()
}

fn version(text: &str) -> Version {
    text.parse().expect("a version")
}

async fn built(text: &str) -> Built {
    let files = files(&[("package.yaml", "name: app\n"), ("template/main.tf", text)]);
    Built::new("app", &version(text), &files, Limits::default(), &ToyKey("vendor")).await.expect("built")
}

fn catalog() -> (Arc<MemoryObjects>, Catalog) {
    let objects = Arc::new(MemoryObjects::default());
    (Arc::clone(&objects), Catalog::new(objects, Arc::new(ToyKey("vendor"))))
}

#[tokio::test]
async fn a_package_goes_from_development_to_everybody_and_out() {
    let (_, catalog) = catalog();
    let key = ToyKey("vendor");
    let first = built("1.0.0").await;
    assert_eq!(catalog.publish(&first, &key).await.expect("published").stage, Stage::Development);
    assert_eq!(catalog.publish(&first, &key).await.expect("again").stage, Stage::Development);
    assert_eq!(catalog.names().await.expect("names"), ["app"]);
    let (tester, other) = (Viewer::Tenant("tester".into()), Viewer::Tenant("other".into()));
    let code = |result: Result<(Release, Built)>| result.expect_err("not for them").code().to_owned();
    assert_eq!(code(catalog.fetch("app", None, &tester).await), "catalog.not_found");
    assert_eq!(code(catalog.fetch("app", Some(&version("1.0.0")), &tester).await), "catalog.not_found");

    let trial = Advance::Trial { testers: vec!["tester".into()] };
    catalog.advance("app", &version("1.0.0"), &trial, &key).await.expect("on trial");
    let (release, fetched) = catalog.fetch("app", None, &tester).await.expect("theirs");
    assert_eq!((release.stage, &fetched), (Stage::Trial, &first));
    assert_eq!(fetched.files(Limits::default()).expect("files").len(), 2);
    assert_eq!(code(catalog.fetch("app", None, &other).await), "catalog.not_found");

    catalog.advance("app", &version("1.0.0"), &Advance::Online, &key).await.expect("online");
    assert!(catalog.fetch("app", None, &other).await.is_ok());
    catalog.publish(&built("1.1.0").await, &key).await.expect("published");
    assert_eq!(catalog.fetch("app", None, &other).await.expect("theirs").0.version, version("1.0.0"));
    let refused = catalog.advance("app", &version("1.1.0"), &Advance::Online, &key).await.expect_err("not tried out");
    assert_eq!(refused.code(), "catalog.stage");

    let out = Advance::Withdrawn { reason: "it loses data".into() };
    catalog.advance("app", &version("1.0.0"), &out, &key).await.expect("out");
    let error = catalog.fetch("app", Some(&version("1.0.0")), &other).await.expect_err("out");
    assert_eq!((error.code(), error.to_string().contains("it loses data")), ("catalog.withdrawn", true));
    assert_eq!(code(catalog.fetch("app", None, &other).await), "catalog.not_found");

    // Another content under the name of the same version.
    let files = files(&[("package.yaml", "name: app\n"), ("template/main.tf", "other")]);
    let other = Built::new("app", &version("1.1.0"), &files, Limits::default(), &key).await.expect("built");
    assert_eq!(catalog.publish(&other, &key).await.expect_err("taken").code(), "catalog.exists");
}

#[tokio::test]
async fn nothing_is_read_that_was_changed() {
    let (objects, catalog) = catalog();
    let key = ToyKey("vendor");
    for text in ["1.0.0", "2.0.0"] {
        catalog.publish(&built(text).await, &key).await.expect("published");
    }
    let viewer = Viewer::Publisher;
    let good = catalog.fetch("app", Some(&version("1.0.0")), &viewer).await.expect("good").1;
    let mut names = Vec::new();
    objects.edit(|objects| names.extend(objects.keys().filter(|name| !name.contains("2.0.0")).cloned()));
    assert_eq!(names.len(), 3);
    let mut seen = BTreeSet::new();
    for name in &names {
        let mut bytes: Arc<[u8]> = Arc::default();
        objects.edit(|objects| bytes = Arc::clone(&objects[name]));
        for at in (0..bytes.len()).step_by(7) {
            let mut evil = bytes.to_vec();
            evil[at] ^= 1;
            objects.edit(|objects| drop(objects.insert(name.clone(), evil.into())));
            match catalog.fetch("app", Some(&version("1.0.0")), &viewer).await {
                // Spaces around the signed text mean nothing.
                Ok((_, fetched)) => assert_eq!(fetched.archive, good.archive),
                Err(error) => drop(seen.insert(error.code().to_owned())),
            }
        }
        objects.edit(|objects| drop(objects.insert(name.clone(), bytes[..bytes.len() / 2].into())));
        assert!(catalog.fetch("app", Some(&version("1.0.0")), &viewer).await.is_err(), "{name} was cut off");
        objects.edit(|objects| drop(objects.insert(name.clone(), bytes)));
    }
    let expect = ["catalog.index", "catalog.signature", "catalog.tampered"].map(str::to_owned);
    assert_eq!(seen, BTreeSet::from(expect));

    // What was signed, in another place.
    let swap = |one: &str, other: &str| {
        objects.edit(|objects| {
            let content = Arc::clone(&objects[&format!("packages/app/{other}")]);
            objects.insert(format!("packages/app/{one}"), content);
        });
    };
    swap("1.0.0.tar", "2.0.0.tar");
    let error = catalog.fetch("app", Some(&version("1.0.0")), &viewer).await.expect_err("another archive");
    assert_eq!(error.code(), "catalog.tampered");
    swap("1.0.0.seal.json", "2.0.0.seal.json");
    let error = catalog.fetch("app", Some(&version("1.0.0")), &viewer).await.expect_err("another version");
    assert_eq!(error.code(), "catalog.tampered");
    // Another archive of the same version, sealed by the publisher as well: the index says which of the two it is.
    let files = files(&[("package.yaml", "name: app\n"), ("template/main.tf", "another")]);
    let other = Built::new("app", &version("1.0.0"), &files, Limits::default(), &key).await.expect("built");
    objects.edit(|objects| {
        objects.insert("packages/app/1.0.0.tar".to_owned(), Arc::clone(&other.archive));
        objects.insert("packages/app/1.0.0.seal.json".to_owned(), other.envelope.to_bytes().into());
    });
    let error = catalog.fetch("app", Some(&version("1.0.0")), &viewer).await.expect_err("another content");
    assert_eq!(error.code(), "catalog.tampered");
    swap("index.json", "2.0.0.seal.json");
    let error = catalog.index("app").await.expect_err("a seal is no index");
    assert_eq!(error.code(), "catalog.signature");
}

#[tokio::test]
async fn strangers_publish_nothing() {
    let (objects, catalog) = catalog();
    let stranger = ToyKey("stranger");
    let theirs = Catalog::new(Arc::clone(&objects) as _, Arc::new(ToyKey("stranger")));
    let files = files(&[("package.yaml", "name: app\n")]);
    let built = Built::new("app", &version("1.0.0"), &files, Limits::default(), &stranger).await.expect("built");
    theirs.publish(&built, &stranger).await.expect("into the objects");
    let error = catalog.index("app").await.expect_err("nobody trusts them");
    assert_eq!((error.code(), error.to_string().contains("`stranger`")), ("catalog.signature", true));
    let found = Built::verify(Arc::clone(&built.archive), built.envelope.clone(), Limits::default(), &ToyKey("vendor"));
    assert_eq!(found.expect_err("nobody trusts them").code(), "catalog.signature");
    let small = Limits { files: 1, bytes: 1 };
    let found = Built::verify(Arc::from(vec![0; 5000]), built.envelope, small, &stranger);
    assert_eq!(found.expect_err("too large").code(), "catalog.too_large");
    for name in ["", "..", "App", "a/b", "-a", "a-", "1a", &"a".repeat(64)] {
        assert_eq!(catalog.index(name).await.expect_err("no name").code(), "catalog.name", "{name}");
    }
}

/// Lets somebody else write between reading and writing: once, or always.
#[derive(Debug)]
struct Busy {
    inner: Arc<MemoryObjects>,
    always: bool,
    done: AtomicBool,
}

#[async_trait]
impl Objects for Busy {
    async fn get(&self, key: &str, limit: u64) -> Result<Option<Stored>> {
        let found = self.inner.get(key, limit).await?;
        if key.ends_with("index.json") && (self.always || !self.done.swap(true, Ordering::Relaxed)) {
            let mut index: Index = match &found {
                Some(stored) => Envelope::from_bytes(&stored.bytes)?.open(EnvelopeKind::Index, &ToyKey("vendor"))?,
                None => Index::empty("app"),
            };
            index.serial += 1;
            index.add(&Seal::of("app", version(&format!("0.0.{}", index.serial)), b"x"))?;
            let envelope = Envelope::sign(EnvelopeKind::Index, &index, &ToyKey("vendor")).await?;
            self.inner.edit(|objects| drop(objects.insert(key.to_owned(), envelope.to_bytes().into())));
        }
        Ok(found)
    }

    async fn put(&self, key: &str, bytes: Arc<[u8]>, expect: Expect) -> Result<bool> {
        self.inner.put(key, bytes, expect).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>> {
        self.inner.list(folder).await
    }
}

#[tokio::test]
async fn two_who_publish_at_once_lose_nothing() {
    for always in [false, true] {
        let inner = Arc::new(MemoryObjects::default());
        let busy = Busy { inner: Arc::clone(&inner), always, done: AtomicBool::new(false) };
        let catalog = Catalog::new(Arc::new(busy), Arc::new(ToyKey("vendor")));
        let published = catalog.publish(&built("1.0.0").await, &ToyKey("vendor")).await;
        if always {
            assert_eq!(published.expect_err("never quick enough").code(), "catalog.conflict");
            continue;
        }
        published.expect("the second time");
        let index = Catalog::new(inner, Arc::new(ToyKey("vendor"))).index("app").await.expect("an index");
        let versions: Vec<String> = index.releases.iter().map(|release| release.version.to_string()).collect();
        assert_eq!((versions, index.serial), (vec!["0.0.1".to_owned(), "1.0.0".to_owned()], 2));
    }
}

fn shown(package: &Package, problems: &[Diagnostic]) -> Vec<String> {
    let sources = package.sources();
    let line = |problem: &Diagnostic| {
        let span = problem.span().expect("every problem has a place");
        let text = sources.slice(span).lines().next().unwrap_or_default();
        let level = if problem.is_error() { "" } else { "warning " };
        format!(
            "{}:{} {level}{} <{text}> {}",
            sources.name(span.source),
            sources.position(span).line,
            problem.code,
            problem.message
        )
    };
    problems.iter().map(line).collect()
}

const GOOD: [(&str, &str); 8] = [
    (
        "package.yaml",
        "format: 1\nname: app\nversion: 1.0.0\ntitle: { en: App, zh: 应用 }\npublisher: acme\nicon: icons/app.svg\n\
         template: infrastructure/\nform: form.yaml\ncharts: [charts/app]\nbundles: bundles.yaml\n\
         plans: [ { preset: small, price: a little } ]\n\
         actions:\n- { name: restart, label: Restart, resource: terraform_data.main, form: actions/restart.yaml }\n\
         - { name: backup, handler: backups }\n",
    ),
    (
        "infrastructure/main.tf",
        "variable \"size\" { type = number }\nvariable \"stackwright_app_id\" { type = string }\n\
         variable \"stackwright_app_tags\" { type = map(string) }\n\
         resource \"terraform_data\" \"main\" { input = [var.size, var.stackwright_app_id, var.stackwright_app_tags] }\n",
    ),
    (
        "form.yaml",
        "fields: [ { name: size, widget: number, price: true } ]\npresets: [ { name: small, values: { size: 1 } } ]\n",
    ),
    ("actions/restart.yaml", "fields: [ { name: wait, widget: switch, default: true } ]\n"),
    ("bundles.yaml", "- { id: ten, reason: ten percent, effect: { kind: percent, percent: \"10\" } }\n"),
    ("charts/app/Chart.yaml", "name: app\n"),
    ("icons/app.svg", "<svg/>"),
    ("README.md", "# App\n"),
];

#[test]
fn a_package_is_read_with_everything_that_it_names() {
    let (package, problems) = Package::read(files(&GOOD), &Widgets::standard());
    assert_eq!(shown(&package, &problems), Vec::<String>::new());
    assert_eq!(shown(&package, &lint(&package, None)), Vec::<String>::new());
    let manifest = package.manifest.as_ref().expect("a manifest");
    assert_eq!((&*manifest.name, manifest.version.to_string()), ("app", "1.0.0".to_owned()));
    assert_eq!(manifest.actions.len(), 2);
    assert_eq!((package.action_forms.len(), package.bundles.len(), package.form_is_derived), (1, 1, false));
    assert_eq!(&*package.form.presets[0].name, "small");

    let mut without = GOOD.to_vec();
    without.retain(|(path, _)| *path != "form.yaml");
    without[0].1 = "name: app\nversion: 1.0.0\ntemplate: infrastructure\n";
    let (package, problems) = Package::read(files(&without), &Widgets::standard());
    assert_eq!(shown(&package, &problems), Vec::<String>::new());
    assert_eq!((package.form_is_derived, package.form.fields.list.len()), (true, 1));
    assert_eq!(shown(&package, &lint(&package, None)), Vec::<String>::new());
}

#[test]
fn what_does_not_fit_is_told_with_its_place() {
    let bad = [
        (
            "package.yaml",
            "name: app\nversion: 1.0\ntitel: App\nicon: ../logo.svg\nform: from.yaml\ncharts: [charts/none]\nbundles: bundles.yaml\n\
             plans: [smal]\nactions:\n- { name: a, resource: terraform_data.mian }\n- { name: a, handler: h }\n- { name: b }\n\
             - { handler: h, resource: r }\n",
        ),
        ("template/main.tf", "variable \"size\" {}\n"),
        ("bundles.yaml", "- { id: a, reason: r, effect: { kind: percent, percent: \"101\" } }\n- { id: b }\n"),
    ];
    let (package, problems) = Package::read(files(&bad), &Widgets::standard());
    assert_eq!(
        shown(&package, &problems),
        [
            "package.yaml:2 package.manifest <1.0> `1.0` is not a version such as `1.2.3` or `1.2.3-rc.1`",
            "package.yaml:3 package.manifest <titel> a package has no key `titel`",
            "package.yaml:4 package.manifest <../logo.svg> the path leads out of the package, or is no plain path",
            "package.yaml:12 package.manifest <{ name: b }> an action that nobody carries out",
            "package.yaml:13 package.manifest <{ handler: h, resource: r }> an action has no `name`",
            "package.yaml:13 package.manifest <h> an action has a `resource` or a `handler`, not both",
        ]
    );
    let mut better = bad;
    better[0].1 = "name: app\nversion: 1.0.0\nicon: logo.txt\nform: from.yaml\ncharts: [charts/none]\nbundles: bundles.yaml\n\
             plans: [smal]\nactions:\n- { name: a, resource: terraform_data.mian }\n- { name: a, handler: h }\n";
    better[1].1 = "variable \"size\" {}\nvariable \"stackwright_app_ids\" {}\nvariable \"stackwright_app_tags\" { type = number }\n\
             variable \"cloudapp_other\" { default = 1 }\nresource \"terraform_data\" \"main\" {}\n";
    let mut all = better.to_vec();
    all.extend([("logo.txt", ""), ("id", "-----BEGIN PRIVATE KEY-----\n"), ("old.tfstate", "{}")]);
    let (package, problems) = Package::read(files(&all), &Widgets::standard());
    let mut problems = problems;
    problems.extend(lint(&package, None));
    let mut lines = shown(&package, &problems);
    lines.sort();
    let mut expect = [
        "bundles.yaml:1 package.bundle <{ id: a, reason: r, effect: { kind: percent, percent: \"101\" } }> the bundle `a` takes 101 percent off; 0 to 100 are possible",
        "bundles.yaml:2 package.bundle <{ id: b }> missing field `reason`",
        "package.yaml:1 package.secret <> `id` is a private key: everybody who installs the package can read it",
        "package.yaml:1 package.secret <> `old.tfstate` is the state of an installation, with its secrets: everybody who installs the package can read it",
        "package.yaml:10 package.action <a> there are two actions `a`",
        "package.yaml:3 package.file <logo.txt> `logo.txt` is no picture that browsers show: .svg, .png, .jpg, .jpeg, .webp",
        "package.yaml:4 package.file <from.yaml> the form `from.yaml` is not in the package",
        "package.yaml:5 package.file <charts/none> `charts/none` is no chart: it has no `Chart.yaml`",
        "package.yaml:7 package.plan <smal> the form has no preset `smal`",
        "package.yaml:9 package.action <terraform_data.mian> the template has no resource `terraform_data.mian`",
        "template/main.tf:2 package.system <variable \"stackwright_app_ids\"> the platform sets no variable `stackwright_app_ids`",
        "template/main.tf:3 package.system <variable \"stackwright_app_tags\"> the platform sets `stackwright_app_tags` to map of string",
    ];
    expect.sort_unstable();
    assert_eq!(lines, expect);

    let (package, problems) = Package::read(PackageFiles::new(), &Widgets::standard());
    assert_eq!(shown(&package, &problems), ["package.yaml:1 package.manifest <> there is no `package.yaml`"]);
}

#[test]
fn policies_name_what_there_is_and_no_secrets() {
    let manifest = "name: app\nversion: 1.0.0\nrole: role.json\nactions:\n- { name: a, handler: h, policy: a.json }\n";
    let template = "variable \"region\" {}\nvariable \"password\" { sensitive = true }\n";
    let of = |role: &str, action: &str| {
        let all = [("package.yaml", manifest), ("template/main.tf", template), ("role.json", role), ("a.json", action)];
        let (package, mut problems) = Package::read(files(&all), &Widgets::standard());
        problems.extend(lint(&package, None).into_iter().filter(|problem| problem.code == "package.policy"));
        (shown(&package, &problems), package)
    };
    let (problems, package) = of("${region}/*", "%{ for id in targets }${region}/${id} %{ endfor }");
    assert_eq!(problems, Vec::<String>::new());
    let values = Value::object([("region", Value::string("gz"))]);
    let told = |action: &str| package.action_policy(action, &values, &["x".into(), "y".into()]).expect("a text");
    assert_eq!((told("a").as_deref(), told("b")), (Some("gz/x gz/y "), None));
    assert_eq!(package.role_policy(&values).expect("a text").as_deref(), Some("gz/*"));
    assert_eq!(package.role_policy(&Value::empty_object()).expect_err("unknown").code(), "installation.role");
    let (problems, _) = of("${regoin} ${targets[0]}", "${password}");
    assert_eq!(
        problems,
        [
            "a.json:1 package.policy <password> `password` is sensitive, and this text is read by others",
            "role.json:1 package.policy <regoin> the template has no variable `regoin`",
            "role.json:1 package.policy <targets[0]> the template has no variable `targets`",
        ]
    );
    let (problems, _) = of("${", "");
    assert!(problems[0].starts_with("role.json:1 "), "{problems:?}");
}

fn with_views(views: &str) -> (Package, Vec<Diagnostic>) {
    let manifest = format!("name: app\nversion: 1.0.0\nviews:\n{views}");
    let template = "output \"url\" { value = 1 }\noutput \"nodes\" { value = 1 }\n\
                    output \"token\" {\n  value     = 1\n  sensitive = true\n}\n";
    let all = [("package.yaml", manifest.as_str()), ("template/main.tf", template)];
    let (package, mut problems) = Package::read(files(&all), &Widgets::standard());
    problems.extend(lint(&package, None));
    (package, problems)
}

#[test]
fn views_show_what_there_is_and_no_secrets() {
    let (package, problems) = with_views(
        "- { name: text, title: { en: Overview, zh: 概览 }, text: 'At ${url}, with ${length(nodes)} nodes' }\n\
         - { name: link, link: url }\n\
         - { name: table, table: nodes, columns: [ { name: id, label: { en: Id } }, size ] }\n\
         - { name: all, table: nodes }\n",
    );
    assert_eq!(shown(&package, &problems), Vec::<String>::new());
    let secret = |text: &str| Value::string(text).with_marks(Marks::SENSITIVE);
    let node = |id: &str, key: &str| Value::object([("id", Value::string(id)), ("key", secret(key))]);
    let told = |url: Value, nodes: Value| -> Vec<Content> {
        let outputs = [("url".to_owned(), url), ("nodes".to_owned(), nodes)].into();
        package.views().iter().map(|view| view.of(&outputs, "zh").content).collect()
    };
    let reason = |content: &Content| match content {
        Content::Nothing { reason } => reason.to_string(),
        other => panic!("{other:?}"),
    };
    let all = told(Value::string("https://a.example"), Value::tuple(vec![node("a", "k1"), node("b", "k2")]));
    assert_eq!(package.views()[0].of(&BTreeMap::new(), "zh").title.as_ref(), "概览");
    assert_eq!(all[0], Content::Text("At https://a.example, with 2 nodes".into()));
    assert_eq!(all[1], Content::Link("https://a.example".into()));
    let nothing = Value::null(Type::Any);
    let rows = vec![vec![Value::string("a"), nothing.clone()], vec![Value::string("b"), nothing]];
    assert_eq!(all[2], Content::Table { columns: vec!["Id".into(), "size".into()], rows, more: 0 });
    let Content::Table { columns, rows, .. } = &all[3] else { panic!("{:?}", all[3]) };
    assert_eq!(columns.iter().map(|name| &**name).collect::<Vec<_>>(), ["id", "key"]);
    assert!(rows.iter().all(|row| !row[0].is_sensitive() && row[1].is_sensitive()));
    // A map is in the order of its keys; what is secret as a whole is so in every cell.
    let map = Value::map(Type::Any, [("z", node("2", "k")), ("a", node("1", "k"))]).with_marks(Marks::SENSITIVE);
    let all = told(secret("https://hunter2"), map);
    let Content::Table { rows, .. } = &all[3] else { panic!("{:?}", all[3]) };
    assert!(rows.iter().flatten().all(Value::is_sensitive));
    assert_eq!(rows[0][0].unmark().0, Value::string("1"));
    assert!(reason(&all[0]).contains("secret") && reason(&all[1]).contains("secret"), "{all:?}");
    // Not what it should be, or not there yet.
    for bad in ["javascript:alert(1)", "https://", "http://a b", "ftp://a", ""] {
        assert!(reason(&told(Value::string(bad), Value::number(1))[1]).contains("no address"), "{bad}");
    }
    assert!(reason(&told(Value::string("x"), Value::number(1))[2]).contains("no list"));
    for view in package.views() {
        assert!(!reason(&view.of(&BTreeMap::new(), "en").content).is_empty());
    }
    let many = Value::tuple((0..1002).map(|_| node("x", "k")).collect());
    let Content::Table { rows, more, .. } = &told(Value::string("x"), many)[3] else { panic!("a table") };
    assert_eq!((rows.len(), *more), (1000, 2));
    // What is written down comes back.
    for view in package.views() {
        let text = serde_json::to_string(&view).expect("JSON");
        assert_eq!(serde_json::from_str::<View>(&text).expect("a view"), view);
    }
}

#[test]
fn views_that_cannot_be_are_told_with_their_places() {
    let (package, problems) = with_views(
        "- { name: a, link: urk }\n- { name: a, text: '${token} ${nodes}' }\n- { name: b, table: token }\n\
         - { name: c, link: url, text: x }\n- { name: d, link: url, columns: [x] }\n- { name: e, lnk: url }\n\
         - { link: url }\n- { name: f, text: '${' }\n",
    );
    let mut lines = shown(&package, &problems);
    lines.sort();
    assert_eq!(
        lines,
        [
            "package.yaml:10 package.manifest <{ link: url }> a view has no `name`",
            "package.yaml:11 syntax.unexpected <> expected a value, found the end of the text",
            "package.yaml:4 package.view <urk> the template has no output `urk`",
            "package.yaml:5 package.view <a> there are two views `a`",
            "package.yaml:5 package.view <token> the output `token` is sensitive, and views are shown",
            "package.yaml:6 package.view <token> the output `token` is sensitive, and views are shown",
            "package.yaml:7 package.manifest <{ name: c, link: url, text: x }> a view shows one of `text`, `link` and `table`",
            "package.yaml:8 package.manifest <{ name: d, link: url, columns: [x] }> only a table has columns",
            "package.yaml:9 package.manifest <lnk> a view has no key `lnk`",
            "package.yaml:9 package.manifest <{ name: e, lnk: url }> a view shows one of `text`, `link` and `table`",
        ]
    );
}

#[test]
fn the_platform_sets_what_a_template_declares() {
    let text = "variable \"stackwright_app_id\" {}\nvariable \"stackwright_app_plan\" {}\nvariable \"cloudapp_tags\" {}\n\
                variable \"size\" {}\n";
    let (template, _) = Template::parse(&Files::from_texts([("main.tf", text)]), &Options::default());
    let tags = [(Arc::from("owner"), Arc::from("ann"))].into();
    let system = System { app_id: "app-1".into(), name: "shop".into(), tags, ..System::default() };
    let values = system.values(template.root());
    let names: Vec<&str> = values.keys().map(|name| &**name).collect();
    assert_eq!(names, ["cloudapp_tags", "stackwright_app_id", "stackwright_app_plan"]);
    assert_eq!(values["stackwright_app_id"], Value::string("app-1"));
    assert_eq!(values["stackwright_app_plan"], Value::null(Type::String));
    assert_eq!(values["cloudapp_tags"].attribute("owner"), Some(&Value::string("ann")));
    for name in System::names() {
        assert!(System::type_of(name).is_some() && System::is_system(name));
    }
}

#[test]
fn folders_are_read_without_what_is_hidden_and_without_links() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    };
    for (path, text) in GOOD {
        write(path, text);
    }
    write(".git/config", "secret");
    write("infrastructure/.env", "secret");
    let (package, problems) = Package::from_dir(folder.path(), &Widgets::standard()).expect("a package");
    assert_eq!(shown(&package, &problems), Vec::<String>::new());
    assert_eq!(package.files, files(&GOOD));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/etc/hosts", folder.path().join("hosts")).expect("a link");
        let error = Package::from_dir(folder.path(), &Widgets::standard()).expect_err("a link");
        assert_eq!(error.code(), "catalog.archive");
    }
}
