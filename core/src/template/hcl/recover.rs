use super::{
    lexer::TokenKind,
    parser::{Open, Parser, ScratchMark},
};

/// Where an item list stood when it began an item: what to come back to when the item is broken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    open: usize,
    scratch: ScratchMark,
    depth: u32,
    /// Where the brace stands that opened the list; `None` for a file.
    list: Option<u32>,
    /// Column of the first token of the item's line.
    pub(super) column: u32,
}

/// What holds the broken item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// A body: items end with the line.
    Body,
    /// An object: items end with the line or a comma.
    Object,
}

/// Finding the way back after a broken item, without a word: the problem has been reported.
impl Parser<'_> {
    /// Remembers where the item at hand begins.
    pub(super) fn mark(&self, list: Option<u32>) -> Mark {
        Mark { open: self.open.len(), scratch: self.scratch.mark(), depth: self.depth, list, column: self.line_indent }
    }

    /// Moves to where the broken item ends: its line break, its comma in an object, the brace that closes the list,
    /// or a line that clearly starts another item. None of these is consumed.
    ///
    /// Brackets that the item left open are closed on the way; strings and heredocs are stepped over.
    pub(super) fn skip_item(&mut self, mark: Mark, list: List) {
        use TokenKind as K;
        let mut pending: Vec<Open> = self.open.split_off(mark.open.min(self.open.len()));
        self.scratch.truncate(mark.scratch);
        self.depth = mark.depth;
        self.skip_newlines = false;
        // Brackets that were opened while skipping; kinds do not matter, a hostile text may open a million.
        let mut depth = 0_usize;
        loop {
            let inside = depth > 0 || !pending.is_empty();
            if inside && self.fresh && self.line_indent <= mark.column && self.at_item_start() {
                return;
            }
            match self.kind() {
                K::Eof => {
                    self.end_reported |= inside;
                    return;
                }
                K::Newline if !inside => return,
                K::Comma if !inside && list == List::Object => return,
                K::LeftBrace | K::LeftBracket | K::LeftParen => depth += 1,
                K::RightBrace if depth == 0 => {
                    let brace = pending.iter().rposition(|open| open.kind == K::LeftBrace);
                    match brace {
                        Some(idx) => pending.truncate(idx),
                        // Nothing can be closed by it: a slip.
                        None if mark.list.is_none() => {}
                        // `[1, 2}`: the wrong bracket, unless the list itself began on this line.
                        None if self.is_slip(mark) => {
                            pending.pop();
                        }
                        None => return,
                    }
                }
                K::RightBrace if self.fresh && self.line_indent < mark.column => return,
                K::RightBrace | K::RightBracket | K::RightParen if depth > 0 => depth -= 1,
                K::RightBracket | K::RightParen => {
                    pending.pop();
                }
                K::Quote => {
                    let end = self.string_end(self.tok.end as usize);
                    self.resume_at(end);
                    continue;
                }
                K::Heredoc => {
                    let end = self.heredoc_end().unwrap_or(self.tok.end as usize);
                    self.resume_at(end);
                    continue;
                }
                _ => {}
            }
            self.advance();
        }
    }

    fn is_slip(&self, mark: Mark) -> bool {
        !self.fresh && mark.list.is_some_and(|list| (list as usize) < self.lexer.line_start)
    }

    /// Returns the offset behind the string whose content starts at `at`: behind its closing quote, or at the
    /// line break where there is none. Sequences may hold strings of their own.
    pub(super) fn string_end(&self, at: usize) -> usize {
        let mut pos = at;
        // What is open: `true` for a sequence, `false` for a string; braces inside a sequence count as sequences.
        let mut stack: Vec<bool> = Vec::new();
        while let Some(&byte) = self.text.as_bytes().get(pos) {
            let in_sequence = stack.last() == Some(&true);
            match byte {
                b'\n' => return pos,
                b'"' if in_sequence => stack.push(false),
                b'"' if stack.is_empty() => return pos + 1,
                b'"' => {
                    stack.pop();
                }
                b'\\' if !in_sequence && self.lexer.byte(pos + 1) != b'\n' => pos += 1,
                b'$' | b'%' if !in_sequence && self.lexer.byte(pos + 1) == b'{' => {
                    let escaped = pos > at && self.lexer.byte(pos - 1) == byte;
                    pos += 1;
                    if !escaped {
                        stack.push(true);
                    }
                }
                b'{' if in_sequence => stack.push(true),
                b'}' if in_sequence => {
                    stack.pop();
                }
                _ => {}
            }
            pos += 1;
        }
        pos.min(self.text.len())
    }
}
