use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::template::hcl::lexer::TokenKind as K;

use super::{
    scan::{Kind, Token, scan},
    spaces::separates,
};

/// A line in three cells, each a range of tokens: what leads, the `=` and what follows it, and a trailing comment.
///
/// A token may hold line breaks of its own (a heredoc's text); the line goes on behind it.
#[derive(Debug)]
struct Line {
    lead: Range<usize>,
    assign: Range<usize>,
    comment: Range<usize>,
}

/// Returns a well-formed text with its white space in order.
pub(in crate::template::hcl) fn layout(text: &str) -> String {
    let mut tokens = scan(text);
    let lines = split(&tokens);
    indent(&mut tokens, &lines);
    space(&mut tokens, &lines);
    align(&mut tokens, &lines, |line| &line.assign, |line| [&line.lead, &(0..0)].map(Clone::clone));
    align(&mut tokens, &lines, |line| &line.comment, |line| [&line.lead, &line.assign].map(Clone::clone));
    let mut out = String::with_capacity(text.len());
    for token in &tokens {
        out.extend(std::iter::repeat_n(' ', token.spaces));
        out.push_str(token.text);
    }
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    out
}

fn split(tokens: &[Token<'_>]) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut start = 0;
    for (idx, token) in tokens.iter().enumerate() {
        if token.ends_line() {
            lines.push(cells(tokens, start..idx + 1));
            start = idx + 1;
        }
    }
    if start < tokens.len() {
        lines.push(cells(tokens, start..tokens.len()));
    }
    lines
}

fn cells(tokens: &[Token<'_>], line: Range<usize>) -> Line {
    let within = |range: Range<usize>| tokens.get(range).unwrap_or(&[]);
    let ends_with_comment = within(line.clone()).last().is_some_and(|token| token.kind == Kind::Comment);
    let code_end = if line.len() > 1 && ends_with_comment { line.end - 1 } else { line.end };
    let mut lead_end = code_end;
    let equal = within(line.start..code_end).iter().skip(1).position(|token| token.is(K::Equal));
    if let Some(offset) = equal {
        let at = line.start + 1 + offset;
        // One that opens a bracket for the lines below is not aligned.
        if within(at..code_end).iter().map(Token::brackets).sum::<i32>() == 0 {
            lead_end = at;
        }
    }
    Line { lead: line.start..lead_end, assign: lead_end..code_end, comment: code_end..line.end }
}

/// Indents every line by two spaces per line above that opens more brackets than it closes.
fn indent(tokens: &mut [Token<'_>], lines: &[Line]) {
    let mut open: Vec<i32> = Vec::new();
    for line in lines {
        let lead = tokens.get(line.lead.clone()).unwrap_or(&[]);
        let Some(first) = lead.first() else { continue };
        if first.is(K::Newline) {
            continue;
        }
        // What a heredoc in front of `=` opens is not told apart from its text.
        let until = lead.iter().position(|token| token.kind == Kind::HeredocOpen).map_or(lead.len(), |idx| idx + 1);
        let assign = tokens.get(line.assign.clone()).unwrap_or(&[]);
        let net: i32 = lead.iter().take(until).chain(assign).map(Token::brackets).sum();
        let mut closed = -net;
        while closed > 0
            && let Some(last) = open.last_mut()
        {
            if closed < *last {
                *last -= closed;
                break;
            }
            closed -= *last;
            open.pop();
        }
        if let Some(first) = tokens.get_mut(line.lead.start) {
            first.spaces = 2 * open.len();
        }
        if net > 0 {
            open.push(net);
        }
    }
}

fn space(tokens: &mut [Token<'_>], lines: &[Line]) {
    for line in lines {
        for cell in [&line.lead, &line.assign] {
            for at in cell.clone().skip(1) {
                let before = if at >= cell.start + 2 { tokens.get(at - 2) } else { None };
                let (Some(this), Some(next)) = (tokens.get(at - 1), tokens.get(at)) else { continue };
                let spaces = usize::from(separates(before, this, next));
                if let Some(token) = tokens.get_mut(at) {
                    token.spaces = spaces;
                }
            }
        }
    }
}

/// Puts a cell of neighbouring lines into one column, one space behind the longest of what is before it.
fn align(
    tokens: &mut [Token<'_>],
    lines: &[Line],
    cell: fn(&Line) -> &Range<usize>,
    before: fn(&Line) -> [Range<usize>; 2],
) {
    let width = |tokens: &[Token<'_>], line: &Line| -> usize {
        let cells = before(line);
        cells.iter().flat_map(|range| tokens.get(range.clone()).unwrap_or(&[])).map(columns).sum()
    };
    for group in lines.chunk_by(|a, b| !cell(a).is_empty() && !cell(b).is_empty()) {
        if group.first().is_none_or(|line| cell(line).is_empty()) {
            continue;
        }
        let widths: Vec<usize> = group.iter().map(|line| width(tokens, line)).collect();
        let widest = widths.iter().copied().max().unwrap_or(0);
        for (line, width) in group.iter().zip(widths) {
            if let Some(token) = tokens.get_mut(cell(line).start) {
                token.spaces = widest - width + 1;
            }
        }
    }
}

/// Returns how many characters, as people count them, a token takes with the spaces before it.
fn columns(token: &Token<'_>) -> usize {
    let text = token.text;
    let len = if text.is_ascii() && !text.contains('\r') { text.len() } else { text.graphemes(true).count() };
    token.spaces + len
}
