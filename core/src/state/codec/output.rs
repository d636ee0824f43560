use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{Format, Sealer};
use crate::{
    error::{Error, Result},
    state::CheckResult,
    value::{Marks, Value},
};

const FORMAT: Format = Format::new("stackwright.outputs", 1);
const KIND: &str = "outputs";

/// A root output, as state remembers it.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Its value: wholly known, sensitive parts marked.
    pub value: Value,
    /// Whether the template declares it sensitive.
    pub sensitive: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    outputs: BTreeMap<String, OutputPayload>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    checks: Vec<CheckResult>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OutputPayload {
    value: Json,
    sensitive: bool,
}

/// Returns the body of a [`StackRecord`](crate::state::StackRecord): a stack's outputs by name.
///
/// An output that is declared sensitive is sealed whole, marked or not.
///
/// # Errors
/// `engine.bug` for a value that is unknown or ephemeral; what the cipher says.
pub fn encode_outputs(outputs: &BTreeMap<String, Output>, sealer: &Sealer) -> Result<Arc<[u8]>> {
    encode_stack(outputs, &[], sealer)
}

/// Returns the body of a [`StackRecord`](crate::state::StackRecord): a stack's outputs by name, and what became of the
/// conditions of its template when it was last applied.
///
/// # Errors
/// As [`encode_outputs`].
pub fn encode_stack(outputs: &BTreeMap<String, Output>, checks: &[CheckResult], sealer: &Sealer) -> Result<Arc<[u8]>> {
    let record = sealer.record(KIND, "");
    let encode = |(name, output): (&String, &Output)| {
        if !output.value.is_wholly_known() {
            return Err(Error::bug("an unknown output was about to be stored").context("output", name));
        }
        let declared = if output.sensitive { Marks::SENSITIVE } else { Marks::NONE };
        let value = record.encode_value(name, &output.value.clone().with_marks(declared))?;
        Ok((name.clone(), OutputPayload { value, sensitive: output.sensitive }))
    };
    let outputs = outputs.iter().map(encode).collect::<Result<_>>()?;
    FORMAT.write(&sealer.stack().to_string(), &Payload { outputs, checks: checks.to_vec() })
}

/// Returns the outputs in the body of a [`StackRecord`](crate::state::StackRecord).
///
/// The value of an output that is declared sensitive comes back marked as a whole.
///
/// # Errors
/// `store.corrupt`, `store.version`, `cipher.open_failed`.
pub fn decode_outputs(body: &[u8], sealer: &Sealer) -> Result<BTreeMap<String, Output>> {
    let payload: Payload = FORMAT.read(&sealer.stack().to_string(), body)?.payload()?;
    let record = sealer.record(KIND, "");
    let decode = |(name, output): (String, OutputPayload)| {
        let value = record.decode_value(&name, &output.value)?;
        Ok((name, Output { value, sensitive: output.sensitive }))
    };
    payload.outputs.into_iter().map(decode).collect()
}

/// Returns what became of conditions, from the body of a [`StackRecord`](crate::state::StackRecord).
///
/// # Errors
/// `store.corrupt`, `store.version`.
pub fn decode_checks(body: &[u8], sealer: &Sealer) -> Result<Vec<CheckResult>> {
    let payload: Payload = FORMAT.read(&sealer.stack().to_string(), body)?.payload()?;
    Ok(payload.checks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        state::{StackKey, testing::fixed_sealer},
        value::Type,
    };

    fn sealer() -> Sealer {
        fixed_sealer(StackKey::new("acme", "shop"))
    }

    fn outputs(list: impl IntoIterator<Item = (&'static str, Value, bool)>) -> BTreeMap<String, Output> {
        list.into_iter().map(|(name, value, sensitive)| (name.to_owned(), Output { value, sensitive })).collect()
    }

    #[test]
    fn come_back_whole_and_sealed() {
        let secret = Value::string("hunter2").with_marks(Marks::SENSITIVE);
        let part = Value::object([("user", Value::string("root")), ("password", secret.clone())]);
        let all = outputs([
            ("url", Value::string("http://localhost"), false),
            ("password", secret.clone(), true),
            ("login", part, false),
            ("none", Value::null(Type::Any), false),
        ]);
        let body = encode_outputs(&all, &sealer()).expect("encodes");
        let text = String::from_utf8(body.to_vec()).expect("UTF-8");
        assert!(!text.contains("hunter2") && text.contains("http://localhost"), "{text}");
        assert_eq!(decode_outputs(&body, &sealer()).expect("decodes"), all);
        // One output's secret does not open as another's.
        let error = decode_outputs(&body, &fixed_sealer(StackKey::new("acme", "blog"))).expect_err("another stack");
        assert_eq!(error.code(), "store.corrupt");
    }

    #[test]
    fn declared_sensitive_is_enough() {
        let body = encode_outputs(&outputs([("a", Value::string("hunter2"), true)]), &sealer()).expect("encodes");
        assert!(!String::from_utf8_lossy(&body).contains("hunter2"));
        let back = decode_outputs(&body, &sealer()).expect("decodes");
        assert!(back.get("a").is_some_and(|output| output.value.is_sensitive() && output.sensitive));
    }

    #[test]
    fn unknown_ones_are_refused() {
        let unknown = outputs([("a", Value::unknown(Type::String), false)]);
        assert_eq!(encode_outputs(&unknown, &sealer()).expect_err("unknown").code(), "engine.bug");
    }

    #[test]
    fn none_at_all() {
        let body = encode_outputs(&BTreeMap::new(), &sealer()).expect("encodes");
        assert_eq!(decode_outputs(&body, &sealer()).expect("decodes"), BTreeMap::new());
    }
}
