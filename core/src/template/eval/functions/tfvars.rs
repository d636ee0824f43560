//! Values written in the language itself: what Terraform's builtin provider offers as functions.

use std::{fmt::Write as _, sync::Arc};

use super::{Call, Function, Parameter};
use crate::{
    error::SourceId,
    template::{
        eval::{EmptyScope, Evaluator, Functions, Problem},
        hcl,
    },
    value::{Kind, Type, Value, combines},
};

/// Returns the functions of the builtin provider `terraform`.
pub fn builtin_functions() -> [Function; 3] {
    let value = || Parameter::new("value", Type::Any).any();
    [
        Function::new("encode_tfvars", "Returns an object as the text of a `.tfvars` file.")
            .takes([value()])
            .returns(Type::String)
            .computes(encode_tfvars),
        Function::new("decode_tfvars", "Returns the object that the text of a `.tfvars` file stands for.")
            .takes([Parameter::new("src", Type::String)])
            .returns(Type::Any)
            .computes(decode_tfvars),
        Function::new("encode_expr", "Returns a value as the text of an expression.")
            .takes([value().unknown()])
            .returns(Type::String)
            .computes(|call| {
                let value = call.value(0)?;
                if !value.is_wholly_known() {
                    return Ok(super::encoding::unknown_text(value));
                }
                let mut out = String::from("it = ");
                write_value(&mut out, value, call)?;
                out.push('\n');
                let laid_out = lay_out(&out)?;
                call.string(laid_out.strip_prefix("it = ").unwrap_or(&laid_out).trim_end_matches('\n').to_owned())
            }),
    ]
}

fn lay_out(text: &str) -> Result<String, Problem> {
    hcl::format(text).map_err(|_| Problem::new("the value has no form in the language"))
}

fn encode_tfvars(call: Call<'_>) -> Result<Value, Problem> {
    let value = call.value(0)?;
    if !value.is_wholly_known() {
        return Ok(Value::unknown(Type::String));
    }
    let Some(fields) = value.fields() else {
        return Err(Problem::argument(0, "an object or a map is required, whose names become variables").value_free());
    };
    let mut out = String::new();
    for (name, value) in fields.iter() {
        if !is_identifier(name) {
            return Err(Problem::argument(0, format!("`{name}` cannot be the name of a variable")));
        }
        let _ = write!(out, "{name} = ");
        write_value(&mut out, value, call)?;
        out.push('\n');
    }
    call.string(lay_out(&out)?)
}

fn decode_tfvars(call: Call<'_>) -> Result<Value, Problem> {
    let (body, problems) = hcl::parse(SourceId(0), call.text(0));
    let refuse = |why: String| Problem::argument(0, why);
    if let Some(problem) = problems.into_iter().find(crate::error::Diagnostic::is_error) {
        return Err(refuse(problem.message));
    }
    if let Some(block) = body.blocks.first() {
        return Err(refuse(format!("the block `{}` has no place among variables", block.kind.name)));
    }
    let functions = Functions::none();
    let mut values: Vec<(Arc<str>, Value)> = Vec::new();
    for attribute in &body.attributes {
        let mut evaluator = Evaluator::new(&EmptyScope, &functions, *call.context.options());
        let value = evaluator.eval(&attribute.expr);
        if let Some(problem) = evaluator.finish().diagnostics.into_iter().next() {
            return Err(refuse(format!("`{}`: {}", attribute.name.as_str(), problem.message)));
        }
        values.push((Arc::clone(&attribute.name.name), value));
    }
    Ok(Value::object(values))
}

/// Writes a known value without caring for its layout.
fn write_value(out: &mut String, value: &Value, call: Call<'_>) -> Result<(), Problem> {
    call.context.spend_text(8)?;
    match value.kind() {
        Kind::Null(_) => out.push_str("null"),
        Kind::Unknown(_) => return Err(Problem::new("it is not known yet")),
        Kind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Kind::Number(number) if number.is_infinite() => {
            return Err(Problem::argument(0, "an infinite number has no form in the language"));
        }
        Kind::Number(number) => {
            let _ = write!(out, "{number}");
        }
        Kind::String(text) => {
            call.context.spend_text(text.len())?;
            write_text(out, text);
        }
        Kind::List(items) | Kind::Set(items) | Kind::Tuple(items) => {
            out.push('[');
            for (idx, item) in items.iter().enumerate() {
                if idx > 0 {
                    out.push_str(", ");
                }
                write_value(out, item, call)?;
            }
            out.push(']');
        }
        Kind::Map(fields) | Kind::Object(fields) => {
            out.push('{');
            for (idx, (name, value)) in fields.iter().enumerate() {
                if idx == 0 {
                    out.push('\n');
                }
                if is_identifier(name) {
                    out.push_str(name);
                } else {
                    write_text(out, name);
                }
                out.push_str(" = ");
                write_value(out, value, call)?;
                out.push('\n');
            }
            out.push('}');
        }
    }
    Ok(())
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    let mut chars = text.chars().peekable();
    let mut start = None;
    while let Some(c) = chars.next() {
        // Behind the letter of an escape it would become one with that letter.
        let joins =
            combines(c) && start.is_some_and(|start| out.get(start..).is_some_and(|last| last.starts_with('\\')));
        start = Some(out.len());
        match c {
            c if joins => push_code(out, c),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '$' | '%' if chars.peek() == Some(&'{') => out.extend([c, c]),
            c if c.is_control() || !is_printable(c) => push_code(out, c),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn push_code(out: &mut String, c: char) {
    let code = u32::from(c);
    let _ = if code < 0x1_0000 { write!(out, "\\u{code:04x}") } else { write!(out, "\\U{code:08x}") };
}

/// Whether a character shows anything.
fn is_printable(c: char) -> bool {
    let is_blank = c.is_whitespace() && c != ' ';
    let is_hidden = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{ad}' | '\u{e000}'..='\u{f8ff}');
    !is_blank && !is_hidden
}

fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(unicode_ident::is_xid_start)
        && chars.all(|c| c == '-' || unicode_ident::is_xid_continue(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::eval::{Context, Options};

    fn call(name: &str, argument: Value) -> Result<Value, String> {
        let context = Context::new(Options::default());
        let function = builtin_functions().into_iter().find(|function| function.name() == name).expect("the function");
        function.call(vec![argument], &context).map_err(|problem| problem.message)
    }

    #[test]
    fn values_are_laid_out_as_terraform_lays_them_out() {
        let object = Value::object([
            ("a", Value::number(1)),
            ("bbb", Value::string("x\n${y}%{\"é\t\u{1}")),
            (
                "c",
                Value::object([
                    ("m", Value::map(Type::Number, [("a", Value::number(1))])),
                    ("x", Value::tuple(vec![Value::number(1), Value::string("a"), Value::null(Type::Any)])),
                    ("y z", Value::list(Type::Any, vec![])),
                ]),
            ),
            ("n", Value::null(Type::Any)),
        ]);
        let text = "a   = 1\nbbb = \"x\\n$${y}%%{\\\"é\\t\\u0001\"\nc = {\n  m = {\n    a = 1\n  }\n  \
                    x     = [1, \"a\", null]\n  \"y z\" = []\n}\nn = null\n";
        assert_eq!(call("encode_tfvars", object), Ok(text.into()));
        let back = call("decode_tfvars", text.into()).expect("an object");
        assert_eq!(back.attribute("bbb").and_then(Value::as_str), Some("x\n${y}%{\"é\t\u{1}"));
    }

    #[test]
    fn what_is_no_variable_is_refused() {
        for argument in [Value::tuple(vec![]), Value::object([("1a", Value::number(1))]), Value::null(Type::Any)] {
            assert!(call("encode_tfvars", argument).is_err());
        }
        for text in ["a {}", "a = upper(\"x\")", "a = var.b", "a = 1\na = 2", "a ="] {
            assert!(call("decode_tfvars", text.into()).is_err(), "{text}");
        }
        assert_eq!(call("decode_tfvars", "".into()), Ok(Value::empty_object()));
    }
}
