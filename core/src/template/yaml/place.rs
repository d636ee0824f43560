//! Where what YAML decodes stands in its text.

use saphyr_parser::ScalarStyle;

/// Turns places in characters, which the parser counts, into places in bytes.
pub(super) struct Offsets {
    /// The byte of each character; nothing where all characters are bytes.
    bytes: Vec<u32>,
    len: u32,
}

impl Offsets {
    /// O(n), n the bytes of the text.
    pub(super) fn new(text: &str) -> Self {
        let bytes = match text.is_ascii() {
            true => Vec::new(),
            false => text.char_indices().map(|(at, _)| at as u32).collect(),
        };
        Self { bytes, len: text.len() as u32 }
    }

    pub(super) fn byte(&self, char: usize) -> u32 {
        match self.bytes.is_empty() {
            true => u32::try_from(char).map_or(self.len, |at| at.min(self.len)),
            false => self.bytes.get(char).copied().unwrap_or(self.len),
        }
    }
}

/// Returns the runs of a scalar: where its decoded text stands in `written`, the text from its beginning to its end, which
/// begins at `start`.
///
/// White space is not followed, since folding and indentation make it something else; every word is.
pub(super) fn runs(written: &str, start: u32, decoded: &str, style: ScalarStyle) -> Vec<(u32, u32)> {
    let head = head(written, style);
    let mut walk = Walk { written, at: head, style };
    let mut runs: Vec<(u32, u32)> = Vec::new();
    let mut expected = None;
    for (offset, char) in decoded.char_indices() {
        if char.is_whitespace() {
            settle(written, offset, start, &mut runs, &mut expected);
            continue;
        }
        walk.skip_space();
        // A run goes on as long as nothing but what is the same in both stands between.
        if expected.is_none_or(|(from, at)| offset.wrapping_sub(from) != walk.at.wrapping_sub(at)) {
            runs.push((offset as u32, start + walk.at as u32));
            expected = Some((offset, walk.at));
        }
        walk.take(char);
    }
    settle(written, decoded.len(), start, &mut runs, &mut expected);
    match runs.first_mut() {
        Some(first) => {
            // White space at the front stands right before the first word, as near as can be told.
            first.1 = first.1.saturating_sub(first.0).max(start);
            first.0 = 0;
        }
        None => runs.push((0, start + head.min(written.len()) as u32)),
    }
    runs
}

/// Begins another run where a place that is not followed would lie inside of a character, or behind the end.
fn settle(written: &str, offset: usize, start: u32, runs: &mut Vec<(u32, u32)>, expected: &mut Option<(usize, usize)>) {
    let Some((from, at)) = *expected else { return };
    let place = at + offset.wrapping_sub(from);
    let certain = written.floor_char_boundary(place);
    if certain != place {
        runs.push((offset as u32, start + certain as u32));
        *expected = Some((offset, certain));
    }
}

/// Returns where the content begins: behind tags, comments and anchors, a quote, or the line with `|` or `>`.
fn head(written: &str, style: ScalarStyle) -> usize {
    let mut rest = written;
    while rest.starts_with(['!', '&']) || (rest.len() < written.len() && rest.starts_with('#')) {
        // Behind an anchor a comment may stand, up to the end of its line.
        let is_end = |char: char| if rest.starts_with('#') { char == '\n' } else { char.is_whitespace() };
        let word = rest.find(is_end).unwrap_or(rest.len());
        rest = rest.get(word..).unwrap_or_default().trim_start();
    }
    let at = written.len() - rest.len();
    match style {
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => at + 1,
        ScalarStyle::Literal | ScalarStyle::Folded if rest.starts_with(['|', '>']) => {
            at + rest.find('\n').map_or(rest.len(), |line| line + 1)
        }
        _ => at,
    }
}

struct Walk<'t> {
    written: &'t str,
    at: usize,
    style: ScalarStyle,
}

impl Walk<'_> {
    fn rest(&self) -> &str {
        self.written.get(self.at..).unwrap_or_default()
    }

    /// Skips white space, and escapes that stand for it.
    fn skip_space(&mut self) {
        loop {
            let rest = self.rest();
            let space = rest.len() - rest.trim_start().len();
            if space > 0 {
                self.at += space;
                continue;
            }
            let mut chars = rest.chars();
            let escaped = self.style == ScalarStyle::DoubleQuoted && chars.next() == Some('\\');
            match chars.next() {
                Some('n' | 't' | 'r' | 'N' | 'L' | 'P' | '_' | ' ' | '\t' | '\n' | '\r' | 'v' | 'f') if escaped => {
                    self.at += 1 + self.rest().chars().nth(1).map_or(0, char::len_utf8);
                }
                _ => return,
            }
        }
    }

    /// Goes behind what a character is written as.
    fn take(&mut self, char: char) {
        let mut chars = self.rest().chars();
        let Some(first) = chars.next() else { return };
        let len = match (self.style, first) {
            (ScalarStyle::SingleQuoted, '\'') => 2,
            (ScalarStyle::DoubleQuoted, '\\') => match chars.next() {
                Some('x') => 4,
                Some('u') => 6,
                Some('U') => 10,
                Some(other) => 1 + other.len_utf8(),
                None => 1,
            },
            _ if first == char => first.len_utf8(),
            // Not what was expected: whatever follows is told as near as can be.
            _ => 0,
        };
        let mut at = (self.at + len).min(self.written.len());
        while !self.written.is_char_boundary(at) {
            at += 1;
        }
        self.at = at;
    }
}
