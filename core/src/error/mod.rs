//! What goes wrong, said so that a caller can act on it.
//!
//! Two shapes. An [`Error`] is what a call returns: a [`ErrorKind`] (what the caller can do), a stable
//! `code` (what happened, with a page in `docs/errors/`), and facts about retrying and about effects on the
//! world. A [`Diagnostic`] is a problem in a document that a person wrote: it points at text. Checking a
//! template returns *all* diagnostics; an [`Error`] carries them when a call fails because of them.
//!
//! No message ever holds a secret: [`Value`](crate::value::Value)s are redacted by type before they get here.

mod code;
mod diagnostic;
mod failure;
mod render;
mod source;
mod suggest;

pub use code::{CODES, CodeInfo};
pub use diagnostic::{Diagnostic, Diagnostics, Label, Severity};
pub use failure::{Effect, Error, ErrorKind, Result, Retry};
pub use render::{RenderOptions, render, render_all};
pub use source::{LineColumn, SourceId, Sources, Span};
pub use suggest::suggest;
