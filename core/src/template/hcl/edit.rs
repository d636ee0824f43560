use crate::{
    error::{Error, ErrorKind, SourceId, Span},
    template::syntax::{Block, Body},
};

use super::parse;

/// A change to a text: what stands at `span` becomes `replacement`.
///
/// Changes are made by the functions below from a parsed [`Body`] and the text it was parsed from, and applied with
/// [`apply_edits`], many at a time. What they do not name, comments and layout included, stays as it is, byte by byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced; empty to insert.
    pub span: Span,
    /// The new text; empty to remove.
    pub replacement: String,
}

impl Edit {
    /// Returns an edit.
    pub fn new(span: Span, replacement: impl Into<String>) -> Self {
        Self { span, replacement: replacement.into() }
    }
}

/// Returns `text` with all edits made. The order of the edits does not matter; several that insert at one place do so
/// in the order given. O(n log n + bytes) for n edits.
///
/// # Errors
/// `InvalidInput` with `syntax.edit` where edits overlap, or do not fit the text.
///
/// # Examples
/// ```
/// use stackwright::{error::SourceId, template::hcl};
///
/// let text = "bucket \"logs\" {\n  size = 1 # GB\n}\n";
/// let (body, _) = hcl::parse(SourceId(0), text);
/// let block = &body.blocks[0].body;
/// let edits = [
///     hcl::set_attribute(text, block, "size", "2").unwrap(),
///     hcl::set_attribute(text, block, "public", "false").unwrap(),
/// ];
/// let edited = hcl::apply_edits(text, &edits).unwrap();
/// assert_eq!(edited, "bucket \"logs\" {\n  size = 2 # GB\n  public = false\n}\n");
/// ```
pub fn apply_edits(text: &str, edits: &[Edit]) -> Result<String, Error> {
    let mut order: Vec<&Edit> = edits.iter().collect();
    order.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for edit in order {
        let (start, end) = (edit.span.start as usize, edit.span.end as usize);
        let (Some(before), Some(_)) = (text.get(from..start), text.get(start..end)) else {
            return Err(refused("the edits overlap or do not fit the text").context("at", edit.span.start));
        };
        out.push_str(before);
        out.push_str(&edit.replacement);
        from = end;
    }
    out.push_str(text.get(from..).unwrap_or(""));
    Ok(out)
}

/// Returns the edit that gives the attribute `name` the value `value`, which is HCL: in place where the attribute is
/// set already, else as a new line after the last attribute of the body.
///
/// `body` is the body that was parsed from `text`, or that of a block in it.
///
/// # Errors
/// `InvalidInput` with `syntax.edit` if `name = value` is not an attribute; the diagnostics say why.
pub fn set_attribute(text: &str, body: &Body, name: &str, value: &str) -> Result<Edit, Error> {
    let value = value.trim();
    let line = format!("{name} = {value}");
    let (read, problems) = parse(SourceId(0), &format!("{line}\n"));
    let is_one = read.blocks.is_empty() && matches!(read.attributes.as_slice(), [it] if &*it.name.name == name);
    if !problems.is_empty() || !is_one {
        return Err(refused("this is no attribute").context("attribute", name).with_diagnostics(problems));
    }
    if let Some(attribute) = body.attribute(name) {
        return Ok(Edit::new(attribute.expr.span, value));
    }
    Ok(insert(text, body, body.attributes.last().map(|last| last.span), &line, Gap::None))
}

/// Returns the edit that removes the attribute `name` with its line and what stands behind it there; comments on other
/// lines stay. `None` where it is not set.
pub fn remove_attribute(text: &str, body: &Body, name: &str) -> Option<Edit> {
    body.attribute(name).map(|attribute| remove(text, attribute.span))
}

/// Returns the edit that adds a block, which is HCL, at the end of the body, after an empty line.
///
/// # Errors
/// `InvalidInput` with `syntax.edit` if `block` is not one block.
pub fn insert_block(text: &str, body: &Body, block: &str) -> Result<Edit, Error> {
    let block = block.trim();
    let (read, problems) = parse(SourceId(0), &format!("{block}\n"));
    if !problems.is_empty() || read.blocks.len() != 1 || !read.attributes.is_empty() {
        return Err(refused("this is no block").with_diagnostics(problems));
    }
    let attribute = body.attributes.last().map(|last| last.span);
    let last = body.blocks.last().map(|last| last.span).max(attribute);
    let gap = if last.is_some() { Gap::Line } else { Gap::None };
    Ok(insert(text, body, last, block, gap))
}

/// Returns the edit that removes a block with its lines; comments on other lines stay.
pub fn remove_block(text: &str, block: &Block) -> Edit {
    remove(text, block.span)
}

fn refused(message: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "syntax.edit", message)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Gap {
    None,
    Line,
}

/// Inserts lines behind the item at `after`, or at the start of the body where there is none.
fn insert(text: &str, body: &Body, after: Option<Span>, lines: &str, gap: Gap) -> Edit {
    let (start, end) = (body.span.start as usize, body.span.end as usize);
    let source = body.span.source;
    let is_file = start == 0 && end == text.len();
    let within = text.get(start..end).unwrap_or("");
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let gap = if gap == Gap::Line { newline } else { "" };
    let indent = match after {
        _ if is_file => String::new(),
        Some(item) if within.contains('\n') => indent_at(text, item.start as usize).to_owned(),
        _ => format!("{}  ", indent_at(text, start)),
    };
    let lines = indented(lines, &indent, newline);
    if !is_file && !within.contains('\n') {
        // A block on one line is opened up.
        let outer = indent_at(text, start);
        let old = match within.trim() {
            "" => String::new(),
            old => format!("{indent}{old}{newline}"),
        };
        return Edit::new(body.span, format!("{newline}{old}{gap}{lines}{newline}{outer}"));
    }
    let at = match after {
        Some(item) => line_end(text, item.end as usize),
        None if is_file => start + usize::from(text.starts_with('\u{feff}')) * 3,
        None => line_end(text, start),
    };
    let span = Span::new(source, at as u32, at as u32);
    if at > 0 && text.as_bytes().get(at - 1) == Some(&b'\n') || at == 0 || (is_file && after.is_none()) {
        Edit::new(span, format!("{gap}{lines}{newline}"))
    } else {
        // The last line of the text has no line break.
        Edit::new(span, format!("{newline}{gap}{lines}{newline}"))
    }
}

/// Removes what stands at `span` with its line if nothing but a comment is left of that, and with the empty line above
/// if one follows as well.
fn remove(text: &str, span: Span) -> Edit {
    let line_start = text.get(..span.start as usize).and_then(|before| before.rfind('\n')).map_or(0, |idx| idx + 1);
    let lead = text.get(line_start..span.start as usize).unwrap_or("");
    let end = line_end(text, span.end as usize);
    let tail = text.get(span.end as usize..end).unwrap_or("").trim();
    let is_comment = tail.is_empty() || tail.starts_with('#') || tail.starts_with("//");
    if !lead.trim_start_matches('\u{feff}').trim().is_empty() || !is_comment {
        return Edit::new(span, "");
    }
    let mut start = line_start + if lead.starts_with('\u{feff}') { 3 } else { 0 };
    let is_blank = |line: &str| line.trim().is_empty();
    let above = text.get(..start).unwrap_or("");
    let line_above = above.trim_end_matches('\n').len().max(above.len().saturating_sub(1));
    let above_start = above.get(..line_above).and_then(|rest| rest.rfind('\n')).map_or(0, |idx| idx + 1);
    let below = text.get(end..).unwrap_or("");
    let below_line = below.lines().next().unwrap_or("");
    if start > 0
        && is_blank(text.get(above_start..start).unwrap_or("x"))
        && (is_blank(below_line) || below_line.trim() == "}")
    {
        start = above_start;
    }
    Edit::new(Span::new(span.source, start as u32, end as u32), "")
}

fn indent_at(text: &str, at: usize) -> &str {
    let before = text.get(..at).unwrap_or("");
    let start = before.rfind('\n').map_or(0, |idx| idx + 1);
    let line = text.get(start..).unwrap_or("");
    line.get(..line.len() - line.trim_start_matches([' ', '\t']).len()).unwrap_or("")
}

/// Returns the offset behind the line break that ends the line of `at`.
fn line_end(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |idx| at + idx + 1)
}

/// Indents all lines but those inside heredocs.
fn indented(lines: &str, indent: &str, newline: &str) -> String {
    let mut out = String::new();
    let mut marker: Option<String> = None;
    for (idx, line) in lines.lines().enumerate() {
        if idx > 0 {
            out.push_str(newline);
        }
        if marker.is_none() && !line.is_empty() {
            out.push_str(indent);
        }
        out.push_str(line);
        match &marker {
            Some(word) if line.trim() == word => marker = None,
            Some(_) => {}
            None => {
                let opening = line.rfind("<<").and_then(|at| {
                    super::lexer::heredoc_marker(&format!("{line}\n"), at).map(|(word, _)| word.to_owned())
                });
                marker = opening;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# head\nblock \"a\" {\n  # about x\n  x = 1 # one\n\n  inner {\n    y = 2\n  }\n}\n\nempty {}\none { z = 1 }\n";

    fn read() -> Body {
        parse(SourceId(0), TEXT).0
    }

    fn after(edit: Edit) -> String {
        apply_edits(TEXT, &[edit]).expect("it fits")
    }

    #[test]
    fn a_value_is_replaced_in_place() {
        let body = read();
        let text = after(set_attribute(TEXT, &body.blocks[0].body, "x", "[1, 2]").expect("an attribute"));
        assert_eq!(text, TEXT.replace("x = 1 # one", "x = [1, 2] # one"));
    }

    #[test]
    fn a_new_attribute_follows_the_last_one() {
        let body = read();
        let text = after(set_attribute(TEXT, &body.blocks[0].body, "w", "true").expect("an attribute"));
        assert_eq!(text, TEXT.replace("# one\n", "# one\n  w = true\n"));
        let text = after(set_attribute(TEXT, &body.blocks[1].body, "w", "true").expect("an attribute"));
        assert_eq!(text, TEXT.replace("empty {}", "empty {\n  w = true\n}"));
        let text = after(set_attribute(TEXT, &body.blocks[2].body, "w", "true").expect("an attribute"));
        assert_eq!(text, TEXT.replace("one { z = 1 }", "one {\n  z = 1\n  w = true\n}"));
        let text = after(set_attribute(TEXT, &body, "w", "true").expect("an attribute"));
        assert_eq!(text, format!("w = true\n{TEXT}"));
        assert_eq!(
            apply_edits("a = 1", &[set_attribute("a = 1", &parse(SourceId(0), "a = 1").0, "b", "2").expect("ok")])
                .expect("ok"),
            "a = 1\nb = 2\n"
        );
    }

    #[test]
    fn blocks_come_and_go() {
        let body = read();
        let text = after(insert_block(TEXT, &body.blocks[0].body, "new {\n  a = <<E\nx\nE\n}").expect("a block"));
        assert_eq!(text, TEXT.replace("    y = 2\n  }\n", "    y = 2\n  }\n\n  new {\n    a = <<E\nx\nE\n  }\n"));
        let text = after(insert_block(TEXT, &body, "new {\n}").expect("a block"));
        assert_eq!(text, format!("{TEXT}\nnew {{\n}}\n"));
        assert_eq!(
            after(remove_block(TEXT, &body.blocks[0].body.blocks[0])),
            TEXT.replace("\n  inner {\n    y = 2\n  }\n", "")
        );
        assert_eq!(after(remove_block(TEXT, &body.blocks[1])), TEXT.replace("empty {}\n", ""));
    }

    #[test]
    fn an_attribute_goes_with_its_line_only() {
        let body = read();
        let edit = remove_attribute(TEXT, &body.blocks[0].body, "x").expect("it is set");
        assert_eq!(after(edit), TEXT.replace("  x = 1 # one\n", ""));
        let edit = remove_attribute(TEXT, &body.blocks[2].body, "z").expect("it is set");
        assert_eq!(after(edit), TEXT.replace("z = 1", ""));
        assert_eq!(remove_attribute(TEXT, &body, "x"), None);
    }

    #[test]
    fn what_is_no_attribute_or_block_is_refused() {
        let body = read();
        for (name, value) in [("a b", "1"), ("a", ""), ("a", "1\nb = 2"), ("a", "1 +"), ("a", "1 # x\nb {}"), ("", "1")]
        {
            let error = set_attribute(TEXT, &body, name, value).expect_err("no attribute");
            assert_eq!(error.code(), "syntax.edit", "{name} = {value}");
        }
        assert!(insert_block(TEXT, &body, "a = 1").is_err());
        assert!(insert_block(TEXT, &body, "a {\n}\nb {\n}").is_err());
    }

    #[test]
    fn edits_may_not_overlap() {
        let at = |start, end| Edit::new(Span::new(SourceId(0), start, end), "x");
        assert_eq!(apply_edits("abcd", &[at(2, 3), at(0, 1), at(1, 1)]).expect("they fit"), "xxbxd");
        assert!(apply_edits("abcd", &[at(0, 2), at(1, 3)]).is_err());
        assert!(apply_edits("abcd", &[at(3, 9)]).is_err());
        assert!(apply_edits("é", &[at(1, 2)]).is_err());
    }
}
