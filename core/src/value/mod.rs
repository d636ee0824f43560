//! Typed data: values, types, numbers, marks, unknowns, conversion.
