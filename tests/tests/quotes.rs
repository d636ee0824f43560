//! What a plan costs, asked of resource types.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use stackwright::{
    Result,
    error::{Error, ErrorKind},
    plan::Plan,
    pricing::{
        Bucket, Bundle, Currency, Decimal, Effect, LineChange, Money, Period, Price, Prices, Quote, Select, Total,
    },
    resource::{Context, Object, Outcome, PlanRequest, PlanResponse, Provider, QuoteAsk, QuoteItem, Resource, Traits},
    schema::{Attribute, Schema},
    stack::{ApplyOptions, Engine, PlanOptions, QuoteOptions, Stack},
    state::{
        MemoryStore, RunStatus,
        cipher::{AesGcmCipher, Key},
    },
    template::{Files, Options, RawVariables, Template},
    value::{Path, Type, Value},
};

/// What a machine was asked: how many items, in whose name, with which configuration.
#[derive(Debug, PartialEq)]
struct Question {
    asks: Vec<QuoteAsk>,
    stack: String,
    region: Option<String>,
}

/// A machine: 0.10 an hour for each core, 9.99 for the disk once; another zone makes a new one.
#[derive(Debug, Default)]
struct Machine {
    asked: Asked,
}

type Asked = Arc<Mutex<Vec<Question>>>;

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.attribute(name).and_then(Value::as_str)
}

fn finish(planned: &Value, id: &str) -> Object {
    let names = ["zone", "cores", "password"];
    let given = names.map(|name| (name, planned.attribute(name).cloned().expect("in the schema")));
    Object::new(id, Value::object(given.into_iter().chain([("id", Value::string(id))])))
}

fn money(amount: &str) -> Money {
    Money::new(amount, "CNY").expect("money")
}

#[async_trait]
impl Resource for Machine {
    fn schema(&self) -> Arc<Schema> {
        Arc::new(
            Schema::new(0)
                .attribute("id", Attribute::computed(Type::String))
                .attribute("zone", Attribute::required(Type::String))
                .attribute("cores", Attribute::optional(Type::Number))
                .attribute("password", Attribute::optional(Type::String).sensitive()),
        )
    }

    fn traits(&self) -> Traits {
        Traits { ready_at_once: true, ..Traits::default() }
    }

    async fn plan(&self, _: &Context, request: PlanRequest) -> Result<PlanResponse> {
        let before = request.prior.as_ref().and_then(|prior| text(&prior.attributes, "zone"));
        let moved = before.is_some() && before != text(&request.proposed, "zone");
        let requires_replace = if moved { vec![Path::default().attr("zone")] } else { Vec::new() };
        Ok(PlanResponse { planned: request.proposed, requires_replace, private: None })
    }

    async fn create(&self, ctx: &Context, planned: Value) -> Outcome {
        Outcome::complete(finish(&planned, &format!("m-{}", ctx.idempotency_key())))
    }

    async fn read(&self, _: &Context, object: &Object) -> Result<Option<Object>> {
        Ok(Some(object.clone()))
    }

    async fn update(&self, _: &Context, prior: &Object, planned: Value) -> Outcome {
        Outcome::complete(finish(&planned, &prior.id))
    }

    async fn delete(&self, _: &Context, _: &Object) -> Outcome {
        Outcome::gone()
    }

    async fn quote(&self, ctx: &Context, items: &[QuoteItem]) -> Result<Vec<Prices>> {
        let region = ctx.info().provider_config.as_ref().and_then(|config| text(config, "region").map(str::to_owned));
        let asks = items.iter().map(|item| item.ask).collect();
        let stack = ctx.info().stack.to_string();
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(Question { asks, stack, region });
        let one = |item: &QuoteItem| {
            if text(&item.object, "zone") == Some("nowhere") {
                return Err(Error::new(ErrorKind::Unavailable, "shop.closed", "the shop is closed"));
            }
            let cores = item.object.attribute("cores").filter(|cores| !cores.is_null());
            let Some(cores) = cores.map_or(Some(1), |cores| cores.as_number().and_then(|cores| cores.to_i64())) else {
                return Ok(Prices::unknown("nobody knows how many cores it will have"));
            };
            let hourly = Decimal::whole(cores).times("0.10".parse()?, 2)?;
            let instance = Price::recurring("instance", Period::Hour, Money::of(hourly, &Currency::new("CNY")?));
            let instance = instance.spec(format!("{cores} cores"));
            Ok(Prices::Known(match item.ask {
                QuoteAsk::Create => vec![instance, Price::once("disk", money("9.99"))],
                QuoteAsk::Change | QuoteAsk::Keep => vec![instance],
                QuoteAsk::Refund => vec![Price::once("disk", money("3.00"))],
            }))
        };
        items.iter().map(one).collect()
    }
}

/// A type that answers too little.
#[derive(Debug)]
struct Shy;

#[async_trait]
impl Resource for Shy {
    fn schema(&self) -> Arc<Schema> {
        Arc::new(Schema::new(0).attribute("id", Attribute::computed(Type::String)))
    }

    async fn create(&self, _: &Context, _: Value) -> Outcome {
        Outcome::complete(Object::new("shy", Value::object([("id", Value::string("shy"))])))
    }

    async fn read(&self, _: &Context, object: &Object) -> Result<Option<Object>> {
        Ok(Some(object.clone()))
    }

    async fn update(&self, _: &Context, prior: &Object, _: Value) -> Outcome {
        Outcome::complete(prior.clone())
    }

    async fn delete(&self, _: &Context, _: &Object) -> Outcome {
        Outcome::gone()
    }

    async fn quote(&self, _: &Context, _: &[QuoteItem]) -> Result<Vec<Prices>> {
        Ok(Vec::new())
    }
}

struct Shop {
    stack: Stack,
    asked: Asked,
}

impl Shop {
    fn open() -> Self {
        let asked = Asked::default();
        let mut provider = Provider::new("shop").resource("shop_machine", Machine { asked: Arc::clone(&asked) });
        provider = provider.resource("shop_shy", Shy);
        provider.schema = Some(Arc::new(Schema::new(0).attribute("region", Attribute::optional(Type::String))));
        let engine = Engine::builder()
            .store(MemoryStore::new())
            .cipher(AesGcmCipher::new(Key::generate().expect("random bytes")))
            .provider(provider)
            .build()
            .expect("an engine");
        Self { stack: engine.stack("acme", "shop"), asked }
    }

    async fn plan(&self, text: &str) -> Plan {
        let (template, problems) = Template::parse(&Files::from_texts([("main.tf", text)]), &Options::default());
        assert_eq!(problems, []);
        let options = PlanOptions { variables: RawVariables::default(), ..PlanOptions::default() };
        self.stack.plan(&template, options).await.expect("a plan")
    }

    async fn quote(&self, text: &str, options: QuoteOptions) -> Quote {
        self.stack.quote(&self.plan(text).await, options).await.expect("a quote")
    }

    async fn apply(&self, text: &str) {
        let run = self.stack.apply(self.plan(text).await, ApplyOptions::default()).await.expect("a run");
        assert_eq!(run.finish().await.expect("a report").status, RunStatus::Succeeded);
    }

    fn take_asked(&self) -> Vec<Question> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn total(quote: &Quote, bucket: Bucket) -> &Total {
    quote.total(bucket, &Currency::new("CNY").expect("a currency")).expect("a total")
}

const HOURLY: Bucket = Bucket::Every(Period::Hour);

#[tokio::test]
async fn a_plan_has_an_inventory_with_prices() {
    let shop = Shop::open();
    let text = "provider \"shop\" { region = \"gz\" }\n\
                resource \"shop_machine\" \"web\" {\n  count = 3\n  zone = \"a\"\n  cores = 4\n  password = \"hunter2\"\n}\n\
                resource \"terraform_data\" \"free\" {}\n";
    let rule = Bundle::new("three", "three at once", Effect::Amount { amount: money("1.00"), on: Bucket::Once })
        .requires(Select::of_type("shop_machine"), 3);
    let quote = shop.quote(text, QuoteOptions { rules: vec![rule], ..QuoteOptions::default() }).await;
    assert_eq!(total(&quote, HOURLY).net.to_string(), "1.2");
    let once = total(&quote, Bucket::Once);
    assert_eq!((once.list.to_string(), once.net.to_string()), ("29.97".to_owned(), "28.97".to_owned()));
    let off: Vec<String> =
        quote.lines.iter().flat_map(|line| &line.discounts).map(|off| off.amount.to_string()).collect();
    assert_eq!(off, ["0.34 CNY", "0.33 CNY", "0.33 CNY"]);
    assert!(quote.is_complete(), "what is free is not unknown: {:?}", quote.unpriced);
    assert_eq!(quote.inventory().len(), 3);
    let asked = shop.take_asked();
    let question = Question { asks: vec![QuoteAsk::Create; 3], stack: "acme/shop".into(), region: Some("gz".into()) };
    assert_eq!(asked, [question], "one question for all");
    assert!(!serde_json::to_string(&quote).expect("JSON").contains("hunter2"));

    let again = shop.quote(text, QuoteOptions::default()).await;
    let same = shop.quote(text, QuoteOptions::default()).await;
    assert_eq!(again.hash, same.hash);
    assert_ne!(again.hash, quote.hash);
}

#[tokio::test]
async fn a_change_is_quoted_as_what_it_makes_of_the_price() {
    let shop = Shop::open();
    let machine = |name: &str, zone: &str, cores: u32| {
        format!("resource \"shop_machine\" \"{name}\" {{\n  zone = \"{zone}\"\n  cores = {cores}\n}}\n")
    };
    let first = [machine("kept", "a", 1), machine("grown", "a", 2), machine("moved", "a", 3), machine("gone", "a", 4)];
    let first = first.concat();
    let bought = shop.quote(&first, QuoteOptions::default()).await;
    shop.apply(&first).await;
    shop.take_asked();

    let second =
        [machine("kept", "a", 1), machine("grown", "a", 8), machine("moved", "b", 3), machine("new", "a", 1)].concat();
    let quote = shop.quote(&second, QuoteOptions { prior: bought.lines, ..QuoteOptions::default() }).await;
    let changes: BTreeMap<&str, LineChange> =
        quote.inventory().iter().map(|entry| (entry.address, entry.change)).collect();
    let expect = [
        ("shop_machine.gone", LineChange::Gone),
        ("shop_machine.grown", LineChange::Changed),
        ("shop_machine.kept", LineChange::Kept),
        ("shop_machine.moved", LineChange::Changed),
        ("shop_machine.new", LineChange::New),
    ];
    assert_eq!(changes, BTreeMap::from(expect));
    let hourly = total(&quote, HOURLY);
    // 1 + 2 + 3 + 4 cores were, 1 + 8 + 3 + 1 will be.
    assert_eq!((hourly.before.to_string(), hourly.net.to_string()), ("1".to_owned(), "1.3".to_owned()));
    assert_eq!(hourly.delta.to_string(), "0.3");
    let once = total(&quote, Bucket::Once);
    // Two disks are bought; those of what goes and of what is replaced come back.
    assert_eq!((once.net.to_string(), once.refund.to_string()), ("19.98".to_owned(), "6".to_owned()));

    // What is as it was costs what it did, and nothing once.
    let same = shop.quote(&first, QuoteOptions::default()).await;
    assert_eq!(total(&same, HOURLY).delta, Decimal::ZERO);
    assert!(same.total(Bucket::Once, &Currency::new("CNY").expect("a currency")).is_none());
}

#[tokio::test]
async fn what_nobody_can_say_is_named_and_not_nothing() {
    let shop = Shop::open();
    let text = "resource \"shop_machine\" \"web\" {\n  zone = \"a\"\n  cores = 1\n}\n\
                resource \"shop_machine\" \"later\" {\n  zone = \"a\"\n  cores = length(shop_machine.web.id)\n}\n\
                resource \"shop_shy\" \"one\" {}\n";
    let quote = shop.quote(text, QuoteOptions::default()).await;
    let unpriced: Vec<(&str, &str)> = quote.unpriced.iter().map(|one| (&*one.address, &*one.reason)).collect();
    assert_eq!(
        unpriced,
        [
            ("shop_machine.later", "nobody knows how many cores it will have"),
            ("shop_shy.one", "the type `shop_shy` gave 0 answers to 1 questions"),
        ]
    );
    assert!(!quote.is_complete());
    assert_eq!(total(&quote, HOURLY).net.to_string(), "0.1");

    // One that fails takes the others of its question with it: there is no price that anybody gave.
    let text = "resource \"shop_machine\" \"web\" {\n  zone = \"nowhere\"\n}\n";
    let quote = shop.quote(text, QuoteOptions::default()).await;
    assert_eq!(&*quote.unpriced[0].reason, "the type `shop_machine` could not say: the shop is closed");
    assert!(quote.totals.is_empty());

    let text = "resource \"terraform_data\" \"a\" {}\n\
                provider \"shop\" { region = terraform_data.a.id }\n\
                resource \"shop_machine\" \"web\" {\n  zone = \"a\"\n}\n";
    let quote = shop.quote(text, QuoteOptions::default()).await;
    assert_eq!(&*quote.unpriced[0].reason, "the configuration of the provider `shop` is not known yet");
}

#[tokio::test]
async fn many_are_asked_a_hundred_at_a_time() {
    let shop = Shop::open();
    let text = "resource \"shop_machine\" \"web\" {\n  count = 250\n  zone = \"a\"\n}\n";
    let quote = shop.quote(text, QuoteOptions::default()).await;
    assert_eq!(quote.inventory().len(), 250);
    assert_eq!(total(&quote, HOURLY).net.to_string(), "25");
    let mut sizes: Vec<usize> = shop.take_asked().iter().map(|question| question.asks.len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [50, 100, 100]);
}

#[tokio::test]
async fn quoting_can_be_ended() {
    let shop = Shop::open();
    let plan = shop.plan("resource \"shop_machine\" \"web\" {\n  zone = \"a\"\n}\n").await;
    let options = QuoteOptions::default();
    options.cancellation.cancel();
    let error = shop.stack.quote(&plan, options).await.expect_err("ended");
    assert_eq!(error.code(), "run.cancelled");
}
