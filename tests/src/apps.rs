//! A platform that packages are installed on, whose hooks note what they are told.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use serde_json::json;
use stackwright::{
    Error, ErrorKind, Result,
    application::{
        ActionCall, ActionHandler, Actor, Applications, CarryOptions, CredentialBroker, CredentialRequest, Credentials,
        Decision, Endpoint, Fact, Gateway, Installation, OperationReport, Outcome, Parcel, Permission, Platform,
        Policy, Proposal, ProposeOptions, Recovered, RoleBroker, RoleRequest, Verb,
    },
    catalog::PackageFiles,
    event::{Clock, SystemClock, Timestamp},
    form::{Inputs, Widgets},
    stack::Engine,
    state::{
        MemoryStore, Store,
        cipher::{AesGcmCipher, Key},
    },
    tenant::FixedQuotas,
    value::Value,
};

use crate::thing::{Thing, World};

/// What nobody may ever read.
pub const SECRET: &str = "hunter2-c4n4ry";

/// The manifest of `coding`.
pub const MANIFEST: &str = "
format: 1
name: coding
version: VERSION
form: form.yaml
actions:
- { name: restart, handler: restarter, form: restart.yaml }
- { name: grow, resource: thing.first, policy: grow.json }
- { name: lost, handler: nobody }
views:
- { name: where, title: { en: Where, zh: 在哪 }, text: 'At ${url}' }
";

/// Its form.
pub const FORM: &str = "
fields:
- { name: region, widget: input, immutable: [upgrade] }
- { name: size, widget: number, default: 1, validators: [ { min: 1, max: 9, message: from one to nine } ] }
- { name: password, widget: password }
- { name: fault, widget: input, required: false }
- { name: note, widget: input, required: false, variable: false, secret: true }
";

/// Its template.
pub const TEMPLATE: &str = r#"
variable "region" { type = string }
variable "size" { type = number }
variable "password" {
  type      = string
  sensitive = true
}
variable "fault" {
  type    = string
  default = null
}
variable "stackwright_app_id" { type = string }

resource "thing" "first" {
  name = "${var.stackwright_app_id}-${var.region}"
  size = var.size
}

resource "thing" "second" {
  name  = "${thing.first.url}-MARK"
  fault = var.fault
}

output "url" { value = thing.second.url }
output "stackwright_action_endpoint" {
  value     = { address = thing.second.url, key = var.password }
  sensitive = true
}
"#;

/// Returns the package `coding` in a version: one that 1.0.0 is not makes its second thing anew.
pub fn parcel(version: &str) -> Parcel {
    parcel_of(&[
        ("package.yaml", &MANIFEST.replace("VERSION", version)),
        ("form.yaml", FORM),
        ("restart.yaml", "fields:\n- { name: after, widget: number, default: 0, variable: false }\n"),
        ("grow.json", "{\"in\": \"${region}\", \"of\": ${jsonencode(targets)}}"),
        ("template/main.tf", &TEMPLATE.replace("MARK", if version == "1.0.0" { "a" } else { "b" })),
    ])
}

/// Returns a package of these files.
pub fn parcel_of(files: &[(&str, &str)]) -> Parcel {
    let files: PackageFiles = files.iter().map(|(path, text)| (Arc::from(*path), Arc::from(text.as_bytes()))).collect();
    Parcel::new(files, &Widgets::standard()).expect("a package")
}

/// Returns what the form of `coding` is filled in with.
pub fn inputs(region: &str, size: i64) -> Inputs {
    Inputs::of([("region", json!(region)), ("size", json!(size)), ("password", json!(SECRET)), ("note", json!(SECRET))])
}

/// Time as the machine has it, and later by as much as a test says.
#[derive(Clone, Debug, Default)]
pub struct Later(SystemClock, Arc<AtomicU64>);

impl Later {
    /// Lets time pass.
    pub fn skip(&self, time: Duration) {
        self.1.fetch_add(time.as_secs(), Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for Later {
    fn now(&self) -> Timestamp {
        self.0.now().plus(Duration::from_secs(self.1.load(Ordering::SeqCst)))
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic() + Duration::from_secs(self.1.load(Ordering::SeqCst))
    }

    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration.min(Duration::from_millis(2))).await;
    }
}

/// Lets everybody do everything but what it was told.
#[derive(Clone, Debug, Default)]
pub struct Rules(Arc<Mutex<BTreeSet<(String, Verb)>>>);

impl Rules {
    /// Forbids somebody something.
    pub fn forbid(&self, who: &str, verb: Verb) {
        self.0.lock().expect("not poisoned").insert((who.to_owned(), verb));
    }
}

#[async_trait]
impl Policy for Rules {
    async fn decide(&self, permission: &Permission<'_>) -> Result<Decision> {
        let key = (permission.actor.name.to_string(), permission.verb);
        let is_forbidden = self.0.lock().expect("not poisoned").contains(&key);
        Ok(if is_forbidden { Decision::Deny { reason: "the rules say so".into() } } else { Decision::Allow })
    }
}

/// What handlers, brokers and gateways were told, in order; and who looks at the installation while its uninstall stands
/// between what it wrote down and its run.
#[derive(Clone, Debug, Default)]
pub struct Told(Arc<Mutex<Vec<String>>>, Arc<Mutex<Option<Installation>>>);

impl Told {
    fn say(&self, what: String) {
        self.0.lock().expect("not poisoned").push(what);
    }

    /// Shows an installation to whoever looks while its uninstall stands between what it wrote down and its run.
    pub fn show_to(&self, onlooker: Installation) {
        *self.1.lock().expect("not poisoned") = Some(onlooker);
    }

    /// Returns what was told since it was last asked.
    pub fn all(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("not poisoned"))
    }
}

#[async_trait]
impl ActionHandler for Told {
    async fn call(&self, call: ActionCall) -> Result<Value> {
        let target = call.targets.first().map_or_else(|| "-".to_owned(), |object| object.id.clone());
        let credentials = call.credentials.expect("leased");
        assert_eq!(credentials.secret.as_str(), Some(SECRET));
        assert!(!format!("{credentials:?}").contains(SECRET));
        assert!(call.outputs.contains_key("url"));
        self.say(format!("{} {} on {target} with {}", call.actor, call.action, credentials.id));
        if call.inputs.attribute("after").is_some() {
            return Err(Error::new(ErrorKind::Denied, "thing.refuses", "not now"));
        }
        Ok(Value::string("done"))
    }
}

#[async_trait]
impl CredentialBroker for Told {
    async fn lease(&self, request: &CredentialRequest) -> Result<Credentials> {
        if let Some(policy) = &request.policy {
            self.say(format!("may {policy}"));
        }
        Ok(Credentials { id: format!("lease-{}", request.action).into(), secret: Value::string(SECRET) })
    }

    async fn give_back(&self, _: &CredentialRequest, id: &str) {
        self.say(format!("back {id}"));
    }
}

#[async_trait]
impl Gateway for Told {
    async fn register(&self, endpoint: &Endpoint) -> Result<()> {
        let address = endpoint.value.unmark_deep().0.attribute("address").and_then(Value::as_str).map(str::to_owned);
        self.say(format!("register {} {}", endpoint.installation, address.is_some()));
        Ok(())
    }

    async fn withdraw(&self, tenant: &str, installation: &str) -> Result<()> {
        self.say(format!("withdraw {tenant}/{installation}"));
        let onlooker = self.1.lock().expect("not poisoned").take();
        if let Some(onlooker) = onlooker {
            let recovered = onlooker.recover().await?;
            self.say(format!("{:?}", matches!(recovered, Recovered::Noted(_, Outcome::NotBegun))));
        }
        Ok(())
    }
}

#[async_trait]
impl RoleBroker for Told {
    async fn role(&self, request: &RoleRequest) -> Result<Arc<str>> {
        self.say(format!("role for {}", request.policy));
        Ok("role-7".into())
    }
}

/// A world and a disk, which outlive hosts.
#[derive(Clone, Default)]
pub struct Stage {
    /// Where things are.
    pub world: Arc<World>,
    /// Where state is.
    pub disk: Arc<MemoryStore>,
    /// What time it is.
    pub clock: Later,
    /// Who may do what.
    pub rules: Rules,
    /// What hooks were told.
    pub told: Told,
    /// What tenants may use; everything, and uncounted, unless a test says so.
    pub quotas: Option<FixedQuotas>,
}

impl Stage {
    /// Returns a platform of a new process.
    pub fn platform(&self, store: Arc<dyn Store>) -> Platform {
        let key = Key::from_bytes(b"a key for tests: 32 known bytes!").expect("the text has 32 bytes");
        let engine = Engine::builder()
            .shared_store(store)
            .cipher(AesGcmCipher::new(key))
            .clock(Arc::new(self.clock.clone()))
            .resource("thing", Thing { world: Arc::clone(&self.world) });
        let engine = match &self.quotas {
            Some(quotas) => engine.quotas(quotas.clone()),
            None => engine,
        };
        let engine = engine.build().expect("an engine");
        Platform::builder(engine, self.rules.clone())
            .handler("restarter", self.told.clone())
            .handler("thing.grow", self.told.clone())
            .broker(self.told.clone())
            .gateway(self.told.clone())
            .roles(self.told.clone())
            .tag("team", "blue")
            .build()
    }

    /// Returns what somebody can do, in a new process.
    pub fn apps(&self, tenant: &str, name: &str) -> Applications {
        self.platform(self.disk.clone()).applications(Actor::new(tenant, name))
    }

    /// Returns the installation `shop` of `acme`, in a new process.
    pub fn shop(&self) -> Installation {
        self.apps("acme", "alice").installation("shop")
    }

    /// Everything that is on the disk of the installation's ledger, as bytes.
    pub async fn ledger_text(&self) -> String {
        let keys = self.disk.list_ledgers(None, "installation").await.expect("ledgers");
        let mut text = String::new();
        for key in keys {
            for record in self.disk.load_ledger(&key, 0).await.expect("records") {
                text.push_str(&String::from_utf8_lossy(&record.body));
            }
        }
        text
    }
}

/// Carries a proposal out, to its end.
pub async fn carry(one: &Installation, proposal: Proposal) -> OperationReport {
    one.carry_out(proposal, &CarryOptions::default()).await.expect("begins").finish().await.expect("ends")
}

/// Installs, to the end.
pub async fn install(one: &Installation, parcel: &Parcel, inputs: &Inputs) -> OperationReport {
    let proposal = one.propose_install(parcel, inputs, &ProposeOptions::default()).await.expect("a proposal");
    carry(one, proposal).await
}

/// Returns what an audit says, a line each.
pub fn facts(records: &[stackwright::application::AuditRecord]) -> Vec<String> {
    let shown = |fact: &Fact| match fact {
        Fact::Intended { kind, package, by, .. } => format!("{} {package} by {}", kind.as_str(), by.name),
        Fact::ActionIntended { action, by, grant, .. } => {
            format!("{action} by {by}{}", if grant.is_some() { " as granted" } else { "" })
        }
        Fact::Ended { outcome, .. } => outcome.as_str().to_owned(),
        Fact::Denied { by, verb, .. } => format!("{} denied to {}", verb.as_str(), by.name),
        Fact::Granted { to, .. } => format!("granted to {to}"),
        Fact::Revoked { .. } => "revoked".to_owned(),
        Fact::Departing { by, .. } => format!("departing by {}", by.name),
        Fact::Kept { by, .. } => format!("kept by {}", by.name),
        Fact::Departed { to, .. } => format!("departed to {to}"),
        Fact::Arrived { from, package, by, .. } => format!("{package} arrived from {from} by {}", by.name),
    };
    records.iter().map(|record| shown(&record.fact)).collect()
}

/// Returns the code of a refusal, which says no secret.
pub fn code<T: std::fmt::Debug>(result: Result<T>) -> String {
    let error = result.expect_err("refused");
    assert!(!error.report().contains(SECRET), "{error:?}");
    error.code().to_owned()
}
