//! One model of what the user wrote.

pub mod syntax;
