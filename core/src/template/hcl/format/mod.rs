//! The canonical layout, as `terraform fmt` has it.
//!
//! ```text
//! text ─▶ parse (refuse what is broken) ─▶ rewrite (labels, `"${x}"`, old types) ─▶ scan ─▶ lines ─▶ text
//! ```
//!
//! Only white space changes, but for three old spellings that `rewrite` turns into their modern ones. Comments stay, and
//! what is inside strings and heredocs stays, but for the spaces inside `${ … }`. Formatting twice changes nothing more.

mod lines;
mod rewrite;
mod scan;
mod spaces;

use crate::error::{Diagnostic, Diagnostics, SourceId};

use super::parse;

pub(super) use lines::layout;

/// Returns `text` in canonical layout: indented by two spaces, `=` and trailing comments aligned on neighbouring lines,
/// one space around operators.
///
/// # Errors
/// All syntax problems, if there are any; the text is then left alone. O(bytes).
///
/// # Examples
/// ```
/// use stackwright::template::hcl;
///
/// assert_eq!(hcl::format("a=1\nlong  =  2 # two\n").unwrap(), "a    = 1\nlong = 2 # two\n");
/// assert!(hcl::format("a = ").is_err());
/// ```
pub fn format(text: &str) -> Result<String, Vec<Diagnostic>> {
    let (body, problems) = parse(SourceId(0), text);
    if problems.has_errors() {
        return Err(problems);
    }
    let rewritten = rewrite::rewrite(text, &body);
    Ok(layout(&rewritten))
}
