use memchr::{memchr, memmem};

/// What a token is. Strings and heredocs are opened by a token and read by the parser itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    Ident,
    /// Digits, perhaps a fraction, perhaps an exponent.
    Number,
    /// Starts like a number and is none, such as `1.2.3`.
    BadNumber,
    /// The opening `"`.
    Quote,
    /// `<<WORD` or `<<-WORD` and the line break.
    Heredoc,
    LeftBrace,
    RightBrace,
    /// `~}`.
    TildeBrace,
    LeftBracket,
    RightBracket,
    LeftParen,
    RightParen,
    Comma,
    Dot,
    Ellipsis,
    Equal,
    EqualEqual,
    FatArrow,
    NotEqual,
    Bang,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    AndAnd,
    OrOr,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Question,
    Colon,
    ColonColon,
    /// A line break, also the one that ends a comment.
    Newline,
    /// A comment, line break excluded; only in [`Mode::Comments`].
    Comment,
    /// `/*` without an end.
    OpenComment,
    /// A character that means nothing.
    Other,
    Eof,
}

/// A token: its kind and the bytes `start..end`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// Whether comments are tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Comments are white space.
    Plain,
    /// Comments are tokens.
    Comments,
}

const IDENT_START: u8 = 1;
const IDENT_CONTINUE: u8 = 2;
const DIGIT: u8 = 4;
const SPACE: u8 = 8;

const fn class_of(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'_' => IDENT_START | IDENT_CONTINUE,
        b'0'..=b'9' => DIGIT | IDENT_CONTINUE,
        b'-' => IDENT_CONTINUE,
        b' ' | b'\t' => SPACE,
        _ => 0,
    }
}

const CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut idx = 0;
    while idx < 256 {
        table[idx] = class_of(idx as u8);
        idx += 1;
    }
    table
};

fn is(byte: u8, class: u8) -> bool {
    CLASS[byte as usize] & class != 0
}

/// Cuts text into tokens, one at a time, from wherever its position is set.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    /// Where the next token is looked for.
    pub(super) pos: usize,
    /// Offset of the first byte of the line of the last token, as far as the lexer has seen it.
    pub(super) line_start: usize,
    mode: Mode,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str, mode: Mode) -> Self {
        Self { text, bytes: text.as_bytes(), pos: 0, line_start: 0, mode }
    }

    #[inline]
    pub(super) fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    #[inline]
    pub(super) fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or("")
    }

    /// Returns the offset of the next line break at or after `at`, or the end of the text.
    pub(super) fn line_end(&self, at: usize) -> usize {
        let rest = self.bytes.get(at..).unwrap_or(&[]);
        memchr(b'\n', rest).map_or(self.bytes.len(), |idx| at + idx)
    }

    #[inline]
    fn token(&mut self, kind: TokenKind, start: usize, len: usize) -> Token {
        self.pos = start + len;
        Token { kind, start: start as u32, end: self.pos as u32 }
    }

    /// Returns the next token and moves behind it.
    pub(super) fn next(&mut self) -> Token {
        use TokenKind as K;
        loop {
            let start = self.pos;
            let Some(&byte) = self.bytes.get(start) else {
                return Token { kind: K::Eof, start: self.bytes.len() as u32, end: self.bytes.len() as u32 };
            };
            // The two most frequent cases need no look at the byte behind.
            if is(byte, IDENT_START) {
                return self.ident(start);
            }
            if is(byte, SPACE) {
                self.pos += 1;
                while is(self.byte(self.pos), SPACE) {
                    self.pos += 1;
                }
                continue;
            }
            let second = self.byte(start + 1);
            let (kind, len) = match byte {
                b'0'..=b'9' => return self.number(start),
                b'\n' => return self.newline(start, 1),
                b'\r' if second == b'\n' => return self.newline(start, 2),
                b'"' => (K::Quote, 1),
                b'=' if second == b'=' => (K::EqualEqual, 2),
                b'=' if second == b'>' => (K::FatArrow, 2),
                b'=' => (K::Equal, 1),
                b'.' if second == b'.' && self.byte(start + 2) == b'.' => (K::Ellipsis, 3),
                b'.' => (K::Dot, 1),
                b',' => (K::Comma, 1),
                b'{' => (K::LeftBrace, 1),
                b'}' => (K::RightBrace, 1),
                b'[' => (K::LeftBracket, 1),
                b']' => (K::RightBracket, 1),
                b'(' => (K::LeftParen, 1),
                b')' => (K::RightParen, 1),
                b'~' if second == b'}' => (K::TildeBrace, 2),
                b'#' => match self.line_comment(start) {
                    Some(token) => return token,
                    None => continue,
                },
                b'/' if second == b'/' => match self.line_comment(start) {
                    Some(token) => return token,
                    None => continue,
                },
                b'/' if second == b'*' => match self.block_comment(start) {
                    Some(token) => return token,
                    None => continue,
                },
                b'/' => (K::Slash, 1),
                b'<' if second == b'<' => match heredoc_marker(self.text, start) {
                    Some((_, end)) => (K::Heredoc, end - start),
                    None => (K::Less, 1),
                },
                b'<' if second == b'=' => (K::LessEqual, 2),
                b'<' => (K::Less, 1),
                b'>' if second == b'=' => (K::GreaterEqual, 2),
                b'>' => (K::Greater, 1),
                b'!' if second == b'=' => (K::NotEqual, 2),
                b'!' => (K::Bang, 1),
                b'&' if second == b'&' => (K::AndAnd, 2),
                b'|' if second == b'|' => (K::OrOr, 2),
                b'+' => (K::Plus, 1),
                b'-' => (K::Minus, 1),
                b'*' => (K::Star, 1),
                b'%' => (K::Percent, 1),
                b'?' => (K::Question, 1),
                b':' if second == b':' => (K::ColonColon, 2),
                b':' => (K::Colon, 1),
                byte if byte < 0x80 => (K::Other, 1),
                _ => {
                    let char = self.slice(start, self.bytes.len()).chars().next().unwrap_or('\u{fffd}');
                    if unicode_ident::is_xid_start(char) {
                        return self.ident(start);
                    }
                    (K::Other, char.len_utf8())
                }
            };
            if kind == K::Heredoc {
                self.line_start = start + len;
            }
            return self.token(kind, start, len);
        }
    }

    fn newline(&mut self, start: usize, len: usize) -> Token {
        self.line_start = start + len;
        self.token(TokenKind::Newline, start, len)
    }

    fn ident(&mut self, start: usize) -> Token {
        let end = ident_end(self.text, start);
        self.token(TokenKind::Ident, start, end - start)
    }

    /// Digits and dots and exponents as long as they go on; a dot needs something behind it.
    fn number(&mut self, start: usize) -> Token {
        let digits = |mut at: usize| {
            while is(self.byte(at), DIGIT) {
                at += 1;
            }
            at
        };
        let exponent = |at: usize| {
            let sign = usize::from(matches!(self.byte(at + 1), b'+' | b'-'));
            let first = at + 1 + sign;
            (matches!(self.byte(at), b'e' | b'E') && is(self.byte(first), DIGIT)).then(|| digits(first))
        };
        let fraction = |at: usize| (self.byte(at) == b'.' && is(self.byte(at + 1), DIGIT)).then(|| digits(at + 1));
        let mut end = digits(start);
        end = fraction(end).unwrap_or(end);
        end = exponent(end).unwrap_or(end);
        let mut kind = TokenKind::Number;
        while let Some(more) = fraction(end).or_else(|| exponent(end)) {
            kind = TokenKind::BadNumber;
            end = more;
        }
        self.token(kind, start, end - start)
    }

    fn line_comment(&mut self, start: usize) -> Option<Token> {
        let mut end = self.line_end(start);
        if self.byte(end.saturating_sub(1)) == b'\r' && end < self.bytes.len() {
            end -= 1;
        }
        self.pos = end;
        (self.mode == Mode::Comments).then(|| self.token(TokenKind::Comment, start, end - start))
    }

    fn block_comment(&mut self, start: usize) -> Option<Token> {
        let rest = self.bytes.get(start + 2..).unwrap_or(&[]);
        let Some(idx) = memmem::find(rest, b"*/") else {
            return Some(self.token(TokenKind::OpenComment, start, self.bytes.len() - start));
        };
        let len = idx + 4;
        self.pos = start + len;
        (self.mode == Mode::Comments).then(|| self.token(TokenKind::Comment, start, len))
    }
}

/// Returns the offset behind the identifier that starts at `start`.
pub(super) fn ident_end(text: &str, start: usize) -> usize {
    let rest = text.as_bytes().get(start..).unwrap_or(&[]);
    let ascii = rest.iter().position(|&byte| !is(byte, IDENT_CONTINUE)).unwrap_or(rest.len());
    if rest.get(ascii).is_none_or(|&byte| byte < 0x80) {
        return start + ascii;
    }
    let tail = text.get(start + ascii..).unwrap_or("");
    let goes_on = |char: char| char == '-' || unicode_ident::is_xid_continue(char);
    tail.find(|char| !goes_on(char)).map_or(text.len(), |len| start + ascii + len)
}

/// Returns whether an identifier starts at `at`.
pub(super) fn starts_ident(text: &str, at: usize) -> bool {
    match text.as_bytes().get(at) {
        Some(&byte) if byte < 0x80 => is(byte, IDENT_START),
        Some(_) => text.get(at..).and_then(|rest| rest.chars().next()).is_some_and(unicode_ident::is_xid_start),
        None => false,
    }
}

/// Returns the marker of the heredoc that starts at `start` and the offset of the line behind it.
pub(super) fn heredoc_marker(text: &str, start: usize) -> Option<(&str, usize)> {
    let bytes = text.as_bytes();
    let mut at = start + 2;
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    if !starts_ident(text, at) {
        return None;
    }
    let end = ident_end(text, at);
    let marker = text.get(at..end)?;
    match (bytes.get(end), bytes.get(end + 1)) {
        (Some(b'\n'), _) => Some((marker, end + 1)),
        (Some(b'\r'), Some(b'\n')) => Some((marker, end + 2)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(TokenKind, &str)> {
        let mut lexer = Lexer::new(text, Mode::Comments);
        std::iter::from_fn(|| {
            let token = lexer.next();
            let slice = &text[token.start as usize..token.end as usize];
            (token.kind != TokenKind::Eof).then_some((token.kind, slice))
        })
        .collect()
    }

    #[test]
    fn identifiers_hold_dashes_and_letters_of_any_script() {
        use TokenKind::*;
        assert_eq!(kinds("foo-bar_1 名前-é _x"), [(Ident, "foo-bar_1"), (Ident, "名前-é"), (Ident, "_x")]);
    }

    #[test]
    fn numbers_take_what_looks_like_one() {
        use TokenKind::*;
        assert_eq!(
            kinds("1 1.5 1e400 1.5E-3"),
            [(Number, "1"), (Number, "1.5"), (Number, "1e400"), (Number, "1.5E-3")]
        );
        assert_eq!(kinds("1.2.3 1e5e6"), [(BadNumber, "1.2.3"), (BadNumber, "1e5e6")]);
        assert_eq!(kinds("0.b"), [(Number, "0"), (Dot, "."), (Ident, "b")]);
        assert_eq!(kinds("1...)"), [(Number, "1"), (Ellipsis, "..."), (RightParen, ")")]);
        assert_eq!(kinds("1e"), [(Number, "1"), (Ident, "e")]);
    }

    #[test]
    fn comments_leave_the_line_break() {
        use TokenKind::*;
        assert_eq!(
            kinds("# a\r\n//b\n/* c\n*/d"),
            [
                (Comment, "# a"),
                (Newline, "\r\n"),
                (Comment, "//b"),
                (Newline, "\n"),
                (Comment, "/* c\n*/"),
                (Ident, "d")
            ]
        );
    }

    #[test]
    fn a_heredoc_needs_a_word_and_a_line_break() {
        use TokenKind::*;
        assert_eq!(kinds("<<EOT\n"), [(Heredoc, "<<EOT\n")]);
        assert_eq!(kinds("<<-E-T\r\n"), [(Heredoc, "<<-E-T\r\n")]);
        assert_eq!(kinds("<<EOT x"), [(Less, "<"), (Less, "<"), (Ident, "EOT"), (Ident, "x")]);
    }
}
