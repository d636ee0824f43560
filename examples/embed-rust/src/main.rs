//! A host with a resource type of its own: buckets in an in-process cloud, planned, applied, changed and destroyed.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use stackwright::{
    Result,
    resource::{Context, Object, Outcome, Resource},
    schema::{Attribute, Schema},
    stack::{ApplyOptions, Engine, PlanOptions},
    state::{
        MemoryStore,
        cipher::{AesGcmCipher, Key},
    },
    template::{Files, Options, Template},
    value::{Type, Value},
};

/// The cloud: bucket name → whether it keeps versions.
type Cloud = Arc<Mutex<BTreeMap<String, bool>>>;

#[derive(Debug)]
struct Bucket(Cloud);

impl Bucket {
    fn put(&self, wanted: &Value) -> Object {
        let name = wanted.attribute("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let versioned = wanted.attribute("versioned").and_then(Value::as_bool).unwrap_or(false);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), versioned);
        let url = format!("https://buckets.example/{name}");
        let attributes =
            [("id", Value::string(name.as_str())), ("name", Value::string(name.as_str())), ("url", Value::string(url))];
        Object::new(name, Value::object(attributes.into_iter().chain([("versioned", Value::bool(versioned))])))
    }
}

#[async_trait]
impl Resource for Bucket {
    fn schema(&self) -> Arc<Schema> {
        let schema = Schema::new(1).attribute("name", Attribute::required(Type::String).forces_replacement());
        let schema = schema.attribute("versioned", Attribute::optional(Type::Bool).default(false));
        Arc::new(
            schema
                .attribute("id", Attribute::computed(Type::String))
                .attribute("url", Attribute::computed(Type::String)),
        )
    }

    async fn create(&self, _: &Context, planned: Value) -> Outcome {
        Outcome::complete(self.put(&planned)) // The name is the key: making it twice makes one bucket.
    }

    async fn read(&self, _: &Context, object: &Object) -> Result<Option<Object>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&object.id);
        Ok(known.then(|| object.clone()))
    }

    async fn update(&self, _: &Context, _: &Object, planned: Value) -> Outcome {
        Outcome::complete(self.put(&planned))
    }

    async fn delete(&self, _: &Context, prior: &Object) -> Outcome {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&prior.id);
        Outcome::gone()
    }
}

const TEMPLATE: &str = r#"
variable "names" { type = set(string) }
resource "acme_bucket" "main" {
  for_each  = var.names
  name      = "acme-${each.key}"
  versioned = each.key == "logs"
}
output "urls" { value = [for bucket in acme_bucket.main : bucket.url] }
"#;

#[tokio::main]
async fn main() -> Result<()> {
    let cloud = Cloud::default();
    let engine = Engine::builder()
        .store(MemoryStore::new())
        .cipher(AesGcmCipher::new(Key::generate()?))
        .resource("acme_bucket", Bucket(Arc::clone(&cloud)))
        .build()?;
    let stack = engine.stack("acme", "shop");
    let (template, _) = Template::parse(&Files::from_texts([("main.tf", TEMPLATE)]), &Options::default());
    for names in [vec!["assets", "logs"], vec!["logs"], vec![]] {
        let names = Value::set(Type::String, names.into_iter().map(Value::string).collect());
        let plan = stack.plan(&template, PlanOptions::default().variable("names", names)).await?;
        println!("{plan}");
        let mut run = stack.apply(plan, ApplyOptions::default()).await?;
        while let Some(event) = run.next_event().await {
            println!("  event {}: {:?}", event.seq, event.event);
        }
        let report = run.finish().await?;
        println!(
            "run {}: {}; the cloud has {:?}\n",
            report.run,
            report.status.as_str(),
            cloud.lock().unwrap_or_else(PoisonError::into_inner)
        );
    }
    Ok(())
}
