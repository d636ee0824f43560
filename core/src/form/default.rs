use super::Expression;
use crate::error::Span;

/// What a field holds as long as nobody touched it.
#[derive(Clone, Debug)]
pub enum Default {
    /// A value, or an expression that is worked out again whenever what it refers to changes.
    Expression(Expression),
    /// Something made from the seed in the [`Context`](super::Context).
    Generated {
        /// What.
        generator: Generator,
        /// How long it stays.
        persist: Persist,
        /// Where it stands.
        span: Span,
    },
}

/// What can be generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generator {
    /// Letters and digits, with at least one lower-case letter, one capital, one digit and one of `-_.~`.
    Password {
        /// Characters: 8 to 128.
        length: u32,
    },
    /// Lower-case letters and digits, a letter first.
    Name {
        /// Characters: 1 to 63.
        length: u32,
    },
    /// A UUID.
    Uuid,
}

/// How long what was generated stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persist {
    /// For the installation's life: the host keeps [`FormState::generated`](super::FormState::generated) and hands it back
    /// in [`Inputs::generated`](super::Inputs::generated).
    Install,
    /// For as long as the seed is the same.
    Render,
}
