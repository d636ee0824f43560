//! `tls_self_signed_cert`.

use std::{
    fs,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use stackwright::{
    event::{Clock, Timestamp},
    resource::{CallInfo, Context, Evidence, Recovery},
    value::Value,
};
use tokio_util::sync::CancellationToken;

use crate::support::{Driven, Yard, attribute, given, text, texts, with};

fn cert() -> Driven {
    Driven::new("tls_self_signed_cert")
}

fn full() -> Value {
    given([
        ("common_name", text("localhost")),
        ("organization", text("The guestbook")),
        ("dns_names", texts(["localhost", "*.example.org"])),
        ("ip_addresses", texts(["127.0.0.1", "::1"])),
        ("validity_days", Value::number(90)),
        ("is_ca", Value::bool(true)),
    ])
}

#[tokio::test]
async fn is_kept_and_made_anew_when_what_it_says_changes() {
    let driven = cert();
    let object = driven.create(&full()).await;
    assert_eq!(driven.read(&object).await, Some(object.clone()));
    assert_eq!(driven.changes(&object, &full()).await, Vec::<String>::new());
    let schema = driven.resource.schema();
    assert!(schema.block.attributes["private_key_pem"].sensitive);
    for change in [("common_name", text("other")), ("validity_days", Value::number(91)), ("is_ca", Value::bool(false))]
    {
        let name = change.0;
        let planned = driven.plan(Some(&object), &with(&full(), [change])).await.expect("a plan").planned;
        assert_eq!(schema.forces_replacement(&object.attributes, &planned).len(), 1, "{name}");
    }
    let earlier = with(&full(), [("early_renewal_days", Value::number(30))]);
    let updated = driven.update(&object, &earlier).await;
    assert_eq!(attribute(&updated, "cert_pem"), attribute(&object, "cert_pem"), "it is the same one");
    let again = driven.create(&full()).await;
    assert_ne!(again.id, object.id, "each has a key of its own");
    let lost = Evidence { id: None, partial: None, prior: None, planned: None };
    assert_eq!(driven.recover(&lost).await, Recovery::Absent);
    driven.delete(&object).await;
}

/// A clock that a test sets.
#[derive(Debug)]
struct SetClock(Mutex<Timestamp>);

#[async_trait]
impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("no panic")
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    async fn sleep(&self, _: Duration) {}
}

#[tokio::test]
async fn is_gone_when_it_is_due() {
    let driven = cert();
    let beginning = Timestamp(1_700_000_000_999);
    let clock = Arc::new(SetClock(Mutex::new(beginning)));
    let ctx = Context::new(CallInfo::default(), Arc::clone(&clock) as _, CancellationToken::new());
    let config = with(&full(), [("validity_days", Value::number(10)), ("early_renewal_days", Value::number(3))]);
    let planned = driven.plan(None, &config).await.expect("a plan").planned;
    let object = crate::support::complete(driven.resource.create(&ctx, planned).await);
    assert_eq!(
        attribute(&object, "not_before"),
        "2023-11-14T22:13:20.000Z",
        "whole seconds, as certificates have them"
    );
    assert_eq!(attribute(&object, "not_after"), "2023-11-24T22:13:20.000Z");
    let due = Timestamp(1_700_000_000_000).plus(Duration::from_secs(7 * 24 * 3600));
    for (now, is_there) in [(Timestamp(due.0 - 1), true), (due, false)] {
        *clock.0.lock().expect("no panic") = now;
        assert_eq!(driven.resource.read(&ctx, &object).await.expect("an answer").is_some(), is_there);
    }
}

#[tokio::test]
async fn is_adopted_from_one_file_or_two() {
    let (yard, driven) = (Yard::new(), cert());
    let least = given([("common_name", text("least"))]);
    for (name, config) in [("full", full()), ("least", least)] {
        let object = driven.create(&config).await;
        let [certificate, key] = ["cert_pem", "private_key_pem"].map(|name| attribute(&object, name));
        let [one, certificate_path, key_path] =
            ["one", "cert,1", "key"].map(|part| yard.place(&format!("{name}-{part}.pem")));
        fs::write(&one, format!("what PEM allows in front\n{certificate}\n{key}")).expect("a file");
        fs::write(&certificate_path, certificate).expect("a file");
        fs::write(&key_path, key).expect("a file");
        let two = format!("{},{key_path}", certificate_path.replace(',', "%2C"));
        for id in [one, two] {
            let adopted = driven.import(&id).await.expect("an answer").expect("a file");
            assert_eq!(driven.changes(&adopted, &config).await, Vec::<String>::new(), "{id}");
            assert_eq!(adopted.id, object.id);
            for name in ["not_after", "fingerprint", "public_key_pem", "private_key_pem"] {
                assert_eq!(attribute(&adopted, name), attribute(&object, name), "{name}");
            }
            let lines = |pem: &str| pem.lines().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(lines(attribute(&adopted, "cert_pem")), lines(attribute(&object, "cert_pem")));
        }
    }
    let adopted = driven.import(&format!("{}?early_renewal_days=7", yard.place("full-one.pem"))).await;
    let adopted = adopted.expect("an answer").expect("a file");
    let config = with(&full(), [("early_renewal_days", Value::number(7))]);
    assert_eq!(driven.changes(&adopted, &config).await, Vec::<String>::new());
    assert_eq!(driven.import(&yard.place("nothing.pem")).await.expect("an answer"), None);
}

#[tokio::test]
async fn what_is_not_a_certificate_with_its_key_is_refused() {
    let (yard, driven) = (Yard::new(), cert());
    let [one, other] = [driven.create(&full()).await, driven.create(&full()).await];
    let [certificate, key] = ["cert_pem", "private_key_pem"].map(|name| attribute(&one, name).to_owned());
    let foreign = attribute(&other, "private_key_pem");
    let broken: String =
        certificate.lines().take(4).chain(["-----END CERTIFICATE-----"]).collect::<Vec<_>>().join("\n");
    let renamed = |to: &str| key.replace("PRIVATE KEY", to);
    for (text, why) in [
        (certificate.clone(), "found 1 certificates and 0 keys"),
        (key.clone(), "found 0 certificates and 1 keys"),
        (format!("{certificate}{certificate}{key}"), "found 2 certificates and 1 keys"),
        (String::new(), "found 0 certificates and 0 keys"),
        (format!("{certificate}{foreign}"), "does not belong to the certificate"),
        (format!("{broken}\n{key}"), "not well formed"),
        (format!("{certificate}{}", renamed("EC PRIVATE KEY")), "not PKCS #8"),
        (format!("{certificate}{}", renamed("ENCRYPTED PRIVATE KEY")), "is encrypted"),
        (format!("{certificate}-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), "of a kind"),
        ("-----BEGIN CERTIFICATE-----\nno Base64!\n-----END CERTIFICATE-----\n".to_owned(), "is not a PEM file"),
    ] {
        fs::write(yard.path("file"), &text).expect("a file");
        let error = driven.import(&yard.place("file")).await.expect_err(why);
        assert_eq!(error.code(), "resource.import_id");
        assert!(error.message().contains(why), "{why}: {}", error.report());
        assert!(!error.report().contains(&key[40..80]), "no secrets");
    }
    assert_eq!(driven.import(&yard.place("")).await.expect_err("a folder").code(), "resource.import_id");
}

#[tokio::test]
async fn what_somebody_else_signed_is_refused() {
    let (yard, driven) = (Yard::new(), cert());
    // Made with the library that the type uses: issued by another one of the same name.
    let issuer_key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "same");
    let issuer = rcgen::Issuer::new(params.clone(), issuer_key);
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    fs::write(yard.path("file"), format!("{}{}", certificate.pem(), key.serialize_pem())).expect("a file");
    let error = driven.import(&yard.place("file")).await.expect_err("not self-signed");
    assert!(error.message().contains("not signed with its own key"), "{}", error.report());
    // Other kinds of keys are adopted as they are.
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    fs::write(yard.path("file"), format!("{}{}", certificate.pem(), key.serialize_pem())).expect("a file");
    let adopted = driven.import(&yard.place("file")).await.expect("an answer").expect("a file");
    assert_eq!(attribute(&adopted, "common_name"), "same");
    assert!(attribute(&adopted, "private_key_pem").contains("BEGIN PRIVATE KEY"));
}
