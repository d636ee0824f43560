//! Hashes of passwords, and texts that only a private key can read.

#[cfg(feature = "rsa")]
use super::pem;
use super::{Action, Call, Function, Functions, Parameter, string::string};
use crate::{
    template::eval::{ObservationKind, Problem},
    value::{Type, Value},
};

pub(super) fn register(table: &mut Functions) {
    table.add(
        Function::new("bcrypt", "Returns a bcrypt hash of a text; not known while planning.")
            .takes([string("str")])
            .then_any_number_of(Parameter::new("cost", Type::Number))
            .returns(Type::String)
            .computes(bcrypt_hash),
    );
    table.add(
        Function::new("rsadecrypt", "Returns the text that was encrypted for an RSA key, in Base64.")
            .takes([string("ciphertext"), string("privatekey")])
            .returns(Type::String)
            .acts(rsa_decrypt()),
    );
}

/// Salted from what the host lets be seen of the world, so that a plan that is resumed hashes to the same text.
fn bcrypt_hash(call: Call<'_>) -> Result<Value, Problem> {
    /// What is hashed when no cost is given, or one below the least.
    const USUAL: u32 = 10;
    /// Bytes that the algorithm looks at.
    const MOST_BYTES: usize = 72;
    let Some(salt) = call.context.observe(ObservationKind::Salt) else { return Ok(Value::unknown(Type::String)) };
    if call.arguments.len() > 2 {
        let count = call.arguments.len();
        return Err(Problem::new(format!("it takes one or two arguments, not {count}")).at_argument(2).value_free());
    }
    let cost = match call.get(1) {
        Some(_) => call.integer(1)?,
        None => i64::from(USUAL),
    };
    let limit = call.context.options().budget.hash_cost;
    let cost = match u32::try_from(cost) {
        Ok(cost @ 4..=31) if cost <= limit => cost,
        Ok(4..=31) => {
            return Err(Problem::budget(format!("a cost of more than {limit} takes too long")).at_argument(1));
        }
        Ok(32..) => return Err(Problem::argument(1, format!("the cost must be from 4 to 31, not {cost}"))),
        Ok(0..4) | Err(_) => USUAL,
    };
    if call.text(0).len() > MOST_BYTES {
        return Err(Problem::argument(0, format!("more than {MOST_BYTES} bytes cannot be hashed")).value_free());
    }
    let salt = uuid::Uuid::try_parse(&salt).map_err(|_| Problem::new("there is no salt"))?.into_bytes();
    let parts = bcrypt::hash_with_salt(call.text(0), cost, salt)
        .map_err(|_| Problem::argument(0, "it cannot be hashed").value_free())?;
    Ok(Value::string(parts.format_for_version(bcrypt::Version::TwoA)))
}

#[cfg(not(feature = "rsa"))]
fn rsa_decrypt() -> Action {
    Action::Refuse("this engine was built without `rsadecrypt` (the feature `rsa`)".into())
}

#[cfg(feature = "rsa")]
fn rsa_decrypt() -> Action {
    Action::Compute(std::sync::Arc::new(decrypt))
}

#[cfg(feature = "rsa")]
fn decrypt(call: Call<'_>) -> Result<Value, Problem> {
    let cipher = super::encoding::decode_base64(call.text(0))?;
    let key = pem::private_key(call.text(1)).map_err(|why| Problem::argument(1, why).value_free())?;
    let plain = key
        .decrypt(rsa::Pkcs1v15Encrypt, &cipher)
        .map_err(|_| Problem::argument(0, "it was not encrypted for this key").value_free())?;
    let text =
        String::from_utf8(plain).map_err(|_| Problem::argument(0, "what it holds is no UTF-8 text").value_free())?;
    call.string(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::eval::{Context, Observation, Options, World};

    struct Salted;

    impl World for Salted {
        fn observe(&self, observation: Observation) -> Option<String> {
            (observation.kind == ObservationKind::Salt).then(|| "00112233-4455-6677-8899-aabbccddeeff".to_owned())
        }
    }

    fn call(name: &str, arguments: &[&str], world: &dyn World) -> Result<Value, Problem> {
        let table = Functions::standard();
        let context = Context::new(Options { world, ..Options::default() });
        let arguments = arguments.iter().map(|text| Value::string(*text)).collect();
        table.get(name).expect("the function").call(arguments, &context)
    }

    #[test]
    fn the_same_salt_gives_the_same_hash() {
        let hash = call("bcrypt", &["s3cret", "4"], &Salted).expect("a hash");
        let text = hash.as_str().expect("a text");
        assert!(text.starts_with("$2a$04$./CgKyPTXlcGkYo5xL1s9u") && text.len() == 60, "{text}");
        assert!(bcrypt::verify("s3cret", text).expect("a hash"));
        assert!(!bcrypt::verify("secret", text).expect("a hash"));
    }

    #[test]
    fn costs_and_lengths_are_bounded() {
        let check = |arguments: &[&str], expect: &str| {
            let problem = call("bcrypt", arguments, &Salted).expect_err("refused");
            assert!(problem.message.contains(expect), "{}", problem.message);
        };
        check(&["x", "31"], "takes too long");
        check(&["x", "32"], "from 4 to 31");
        check(&["x", "4.5"], "whole number");
        check(&["x", "4", "4"], "one or two");
        check(&["x".repeat(73).as_str(), "4"], "72 bytes");
        let usual = call("bcrypt", &["x", "3"], &Salted).expect("a hash");
        assert!(usual.as_str().is_some_and(|text| text.starts_with("$2a$10$")));
    }

    #[test]
    fn a_hash_is_not_known_while_planning() {
        let value = call("bcrypt", &["x"], &crate::template::eval::NotYet).expect("a value");
        assert!(!value.is_known() && value.is_definitely_not_null());
    }
}
