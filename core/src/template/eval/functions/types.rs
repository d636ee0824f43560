//! Types and marks: conversions, and what a value is known to be.

use super::{Function, Functions, Parameter};
use crate::{
    template::eval::Problem,
    value::{Marks, Safety, Type, Value, can_convert, convert, mismatch_message},
};

pub(super) fn register(table: &mut Functions) {
    let conversions: [(&'static str, Type, &'static str); 6] = [
        ("tobool", Type::Bool, "Returns a value as a bool."),
        ("tonumber", Type::Number, "Returns a value as a number."),
        ("tostring", Type::String, "Returns a value as a text."),
        ("tolist", Type::list(Type::Any), "Returns a set or tuple as a list."),
        ("toset", Type::set(Type::Any), "Returns a list or tuple as a set."),
        ("tomap", Type::map(Type::Any), "Returns an object as a map."),
    ];
    for (name, ty, summary) in conversions {
        let wanted = ty.clone();
        table.add(
            Function::new(name, summary)
                .takes([Parameter::new("v", Type::Any).null().unknown().any().marked()])
                .returns_by(move |arguments, _| {
                    let Some(value) = arguments.first().filter(|value| value.is_known()) else {
                        let from = arguments.first().map_or(Type::Any, Value::ty);
                        let error = || Problem::argument(0, mismatch_message(&from, &wanted));
                        return can_convert(&from, &wanted, Safety::Unsafe).then(|| wanted.clone()).ok_or_else(error);
                    };
                    let converted = convert(value, &wanted);
                    converted.map(|value| value.ty()).map_err(|error| Problem::argument(0, error.to_string()))
                })
                .may_return_null()
                .computes(move |call| {
                    let value = call.value(0)?;
                    if !value.is_known() {
                        // What was known of it is not carried over.
                        return Ok(Value::unknown(ty.clone()).with_marks(value.marks()));
                    }
                    convert(value, &ty).map_err(|error| Problem::argument(0, error.to_string()))
                }),
        );
    }
    let anything = || Parameter::new("value", Type::Any).null().unknown().any().marked();
    table.add(
        Function::new("sensitive", "Returns a value marked as one that must not be shown.")
            .takes([anything()])
            .returns_by(|arguments, _| Ok(arguments.first().map_or(Type::Any, Value::ty)))
            .may_return_null()
            .computes(|call| Ok(call.value(0)?.clone().with_marks(Marks::SENSITIVE))),
    );
    table.add(
        Function::new("nonsensitive", "Returns a value without the mark that it must not be shown.")
            .takes([anything()])
            .returns_by(|arguments, _| Ok(arguments.first().map_or(Type::Any, Value::ty)))
            .may_return_null()
            .computes(|call| {
                let value = call.value(0)?;
                Ok(value.clone().with_only_marks(value.marks().without(Marks::SENSITIVE)))
            }),
    );
    table.add(
        Function::new("issensitive", "Returns whether a value is marked as one that must not be shown.")
            .takes([anything()])
            .returns(Type::Bool)
            .may_return_null()
            .computes(|call| {
                let value = call.value(0)?;
                if value.marks().contains(Marks::SENSITIVE) {
                    return Ok(Value::bool(true));
                }
                // What is not known yet may still turn out to be sensitive.
                Ok(if value.is_known() { Value::bool(false) } else { Value::unknown(Type::Bool) })
            }),
    );
    table.add(
        Function::new("ephemeralasnull", "Returns a value with null in place of every ephemeral part.")
            .takes([anything()])
            .returns_by(|arguments, _| Ok(arguments.first().map_or(Type::Any, Value::ty)))
            .may_return_null()
            .computes(|call| {
                call.value(0)?.transform(|_, part| {
                    Ok(if part.marks().contains(Marks::EPHEMERAL) {
                        Value::null(part.ty()).with_marks(part.marks().without(Marks::EPHEMERAL))
                    } else {
                        part
                    })
                })
            }),
    );
}
