//! Functions that decide what is evaluated, and those that are there only to say that they are gone.

use super::{Action, Function, Functions, Parameter, Special};
use crate::value::Type;

pub(super) fn register(table: &mut Functions) {
    table.add(
        Function::new("try", "Returns the value of the first of its arguments that has no error.")
            .then_any_number_of(Parameter::new("expressions", Type::Any))
            .acts(Action::Special(Special::Try)),
    );
    table.add(
        Function::new("can", "Returns whether its argument has no error.")
            .takes([Parameter::new("expression", Type::Any)])
            .returns(Type::Bool)
            .acts(Action::Special(Special::Can)),
    );
    table.add(
        Function::new("type", "Returns the type of a value; only in a console.")
            .takes([Parameter::new("value", Type::Any)])
            .returns(Type::String)
            .acts(Action::Special(Special::TypeName)),
    );
    for (name, instead) in [("list", "`[a, b]` or `tolist([a, b])`"), ("map", "`{ a = b }` or `tomap({ a = b })`")] {
        let message = format!("`{name}` was removed from the language: write {instead}");
        table.add(Function::new(name, "Removed from the language.").acts(Action::Refuse(message.into())));
    }
}
