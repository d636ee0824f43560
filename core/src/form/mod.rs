//! Forms: what people fill in so that a template gets its variables.
//!
//! A [`Form`] is declared, never programmed: fields with labels, widgets, defaults, conditions, validators and options
//! that depend on one another through `${…}`, in the language of templates. [`eval`] works out what a form looks like for
//! what was filled in so far. It is a pure function, so that a server, a browser and a test cannot disagree:
//!
//! ```text
//! document ──parse──▶ Form ─┐
//! Inputs (values, answers) ─┼─eval─▶ FormState { fields, pending requests, ready, values … }
//! Context (phase, locale …) ┘            │
//!        ▲                               │ what a cloud must be asked is requested, never called
//!        └────── host answers by id ◀────┘
//! ```
//!
//! Missing is no error. A reference to a field that is not filled in yet is *unknown*: what hangs on it waits, and says
//! for what. A reference to a field that is not there at all (its condition does not hold), or that was left empty and
//! may be, is *null*. Conditions are three-valued accordingly.
//!
//! It deliberately knows no drawing (a host has widgets, this has their types), no network, no clock and no chance: what
//! is generated comes from a seed in the [`Context`], or is an input.
//!
//! Invariants: the same form, inputs and context give the same state; a state never holds a secret in what it serialises;
//! values of fields that are not there never reach [`FormState::values`]; [`validate`] accepts exactly the values that a
//! ready state bound.

mod condition;
mod default;
mod derive;
mod eval;
mod expression;
mod field;
mod format;
mod generate;
mod input;
mod lint;
mod model;
mod network;
mod option;
mod read;
mod resolve;
mod schema;
mod state;
mod text;
mod unbind;
mod validator;
mod widget;

#[cfg(test)]
mod tests;

pub use condition::{CompareOp, Condition, NetworkOp};
pub use default::{Default, Generator, Persist};
pub use derive::derive;
pub use eval::{eval, validate};
pub use expression::{Expression, FieldPath};
pub use field::{Field, Fields, Immutability, List, OnInactive};
pub use format::Format;
pub use input::{Answer, Choice, Context, Inputs, Phase, read_values};
pub use lint::lint;
pub use model::{Dialect, Form, Group, Preset, Step};
pub use option::{AutoSelect, DataSource, OnStale, OptionItem, OptionSource, Options};
pub use schema::json_schema;
pub use state::{DataRequest, FieldState, FormState, Item, OptionsState, PartState, Problem, Secret, Source, Status};
pub use text::Text;
pub use unbind::{Unbound, unbind};
pub use validator::{Check, Validator};
pub use widget::{Prop, Widget, Widgets};
