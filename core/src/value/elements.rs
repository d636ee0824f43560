use super::{Kind, Type, Value};

/// Returns the one type of all values, if there is one. Untyped nulls and unknowns go with any.
pub(super) fn common_type(values: &[Value]) -> Option<Type> {
    let mut common = Type::Any;
    for value in values {
        if common == Type::Any {
            common = value.ty();
        } else if !is_untyped(value) && !value.has_type(&common) {
            return None;
        }
    }
    Some(common)
}

/// Gives untyped nulls and unknowns their type.
pub(super) fn give_type(value: Value, ty: &Type) -> Value {
    if *ty == Type::Any || !is_untyped(&value) {
        return value;
    }
    let typed = if value.is_null() { Value::null(ty.clone()) } else { Value::unknown(ty.clone()) };
    typed.with_marks(value.marks())
}

fn is_untyped(value: &Value) -> bool {
    match value.kind() {
        Kind::Null(ty) => *ty == Type::Any,
        Kind::Unknown(unknown) => unknown.ty == Type::Any,
        _ => false,
    }
}
