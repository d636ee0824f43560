use std::collections::BTreeMap;

use serde_json::json;
use stackwright::{
    error::{Error, ErrorKind, suggest},
    state::codec::Output,
    value::{self, Value},
};

use super::Failure;
use crate::{arguments, exit::Exit, session::Session, show};

pub(super) async fn run(session: &Session, arguments: &arguments::Output) -> Result<Exit, Failure> {
    let outputs = session.stack().await?.outputs().await?;
    let Some(name) = &arguments.name else {
        all(&outputs, arguments.json)?;
        return Ok(Exit::Success);
    };
    let Some(output) = outputs.get(name) else {
        let hint = suggest(name, outputs.keys().map(String::as_str));
        let hint = hint
            .map_or_else(|| "apply the template that declares it".to_owned(), |near| format!("did you mean `{near}`?"));
        return Err(Error::new(
            ErrorKind::NotFound,
            "output.unknown",
            format!("there is no output `{name}` in state; {hint}"),
        )
        .into());
    };
    // The person named this one, so it is shown even when it is sensitive.
    let plain = output.value.unmark_deep().0;
    if arguments.raw {
        // As it is, on a terminal too: that is what `-raw` is for.
        let _ = std::io::Write::write_all(&mut std::io::stdout(), raw(name, &plain)?.as_bytes());
    } else if arguments.json {
        say!("{}", value::to_json(&plain).map_err(Error::from)?);
    } else {
        say!("{}", value::repl(&plain));
    }
    Ok(Exit::Success)
}

fn all(outputs: &BTreeMap<String, Output>, as_json: bool) -> Result<(), Error> {
    if as_json {
        let mut document = serde_json::Map::new();
        for (name, output) in outputs {
            let plain = output.value.unmark_deep().0;
            let entry = json!({ "sensitive": output.sensitive, "type": plain.ty(), "value": value::to_json_value(&plain).map_err(Error::from)? });
            document.insert(name.clone(), entry);
        }
        say!("{:#}", serde_json::Value::Object(document));
    } else if outputs.is_empty() {
        say_error!("There are no outputs in state. Declare one with `output \"name\" {{ value = … }}` and apply.");
    } else {
        say!("{}", show::outputs(outputs));
    }
    Ok(())
}

fn raw(name: &str, value: &Value) -> Result<String, Error> {
    let text = value::convert(value, &value::Type::String).ok().and_then(|text| text.as_str().map(str::to_owned));
    text.ok_or_else(|| {
        let message = format!("output `{name}` is {}, not a text; use `-json`", value.ty().friendly_name());
        Error::new(ErrorKind::InvalidInput, "output.not_text", message)
    })
}
