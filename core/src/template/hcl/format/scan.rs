use crate::template::hcl::lexer::{Lexer, Mode, TokenKind as K, heredoc_marker};

/// What a token is to the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Anything that the parser's lexer knows.
    Code(K),
    /// `<<EOT` with its line break.
    HeredocOpen,
    /// The closing word with the white space before it.
    HeredocClose,
    /// The closing quote.
    QuoteClose,
    /// Text of a string or heredoc.
    Text,
    /// `${` or `%{`, perhaps with `~`.
    SequenceOpen,
    /// `}` that ends a sequence, perhaps with `~`.
    SequenceClose,
    /// A comment; one that starts with `#` or `//` holds its line break.
    Comment,
}

/// A token, its text, and the spaces before it.
#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) spaces: usize,
}

impl Token<'_> {
    pub(super) fn is(&self, kind: K) -> bool {
        self.kind == Kind::Code(kind)
    }

    /// Returns 1 for an opening bracket, -1 for a closing one.
    pub(super) fn brackets(&self) -> i32 {
        match self.kind {
            Kind::SequenceOpen | Kind::Code(K::LeftBrace | K::LeftBracket | K::LeftParen) => 1,
            Kind::SequenceClose | Kind::Code(K::RightBrace | K::RightBracket | K::RightParen) => -1,
            _ => 0,
        }
    }

    pub(super) fn ends_line(&self) -> bool {
        self.is(K::Newline) || (self.kind == Kind::Comment && self.text.ends_with('\n'))
    }
}

enum Ground<'a> {
    /// Code, with the number of braces open in it.
    Code(usize),
    Quoted,
    Heredoc(&'a str),
}

/// Cuts a text, which is known to be well-formed, into tokens, those inside of templates included.
pub(super) fn scan(text: &str) -> Vec<Token<'_>> {
    let mut scan =
        Scan { text, lexer: Lexer::new(text, Mode::Comments), tokens: Vec::new(), grounds: vec![Ground::Code(0)] };
    if text.starts_with('\u{feff}') {
        scan.lexer.pos = 3;
    }
    scan.run();
    scan.tokens
}

struct Scan<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    tokens: Vec<Token<'a>>,
    grounds: Vec<Ground<'a>>,
}

impl Scan<'_> {
    fn push(&mut self, kind: Kind, start: usize, end: usize) {
        if end > start {
            self.tokens.push(Token { kind, text: self.text.get(start..end).unwrap_or(""), spaces: 0 });
            self.lexer.pos = end;
        }
    }

    fn run(&mut self) {
        while self.lexer.pos < self.text.len() {
            let before = self.lexer.pos;
            match self.grounds.last() {
                Some(&Ground::Code(braces)) => self.code(braces),
                Some(Ground::Quoted) => self.quoted(),
                Some(&Ground::Heredoc(marker)) => self.heredoc(marker),
                None => self.grounds.push(Ground::Code(0)),
            }
            if self.lexer.pos == before && self.grounds.is_empty() {
                return;
            }
        }
    }

    fn code(&mut self, braces: usize) {
        let token = self.lexer.next();
        let (start, end) = (token.start as usize, token.end as usize);
        let nested = self.grounds.len() > 1;
        let mut kind = Kind::Code(token.kind);
        let ground = self.grounds.last_mut();
        match token.kind {
            K::Eof => return,
            K::LeftBrace => {
                if let Some(Ground::Code(braces)) = ground {
                    *braces += 1;
                }
            }
            K::RightBrace | K::TildeBrace if nested && braces == 0 => {
                self.grounds.pop();
                kind = Kind::SequenceClose;
            }
            K::RightBrace => {
                if let Some(Ground::Code(braces)) = ground {
                    *braces = braces.saturating_sub(1);
                }
            }
            K::Quote => self.grounds.push(Ground::Quoted),
            K::Heredoc => {
                kind = Kind::HeredocOpen;
                let marker = heredoc_marker(self.text, start).map_or("", |(marker, _)| marker);
                self.grounds.push(Ground::Heredoc(marker));
            }
            K::Comment => {
                let line_comment = !self.text.get(start..end).unwrap_or("").starts_with("/*");
                let with_break = self.lexer.line_end(end) + 1;
                let end = if line_comment && with_break <= self.text.len() { with_break } else { end };
                return self.push(Kind::Comment, start, end);
            }
            _ => {}
        }
        self.push(kind, start, end);
    }

    /// Returns the offset of the next `${` or `%{` that is none of `$${` and `%%{`, or of a byte that `ends` wants.
    fn text_end(&self, from: usize, ends: impl Fn(u8) -> bool) -> usize {
        let bytes = self.text.as_bytes();
        let mut at = from;
        while let Some(&byte) = bytes.get(at) {
            if ends(byte) {
                return at;
            }
            if matches!(byte, b'$' | b'%') {
                if self.lexer.byte(at + 1) == b'{' {
                    return at;
                }
                if self.lexer.byte(at + 1) == byte && self.lexer.byte(at + 2) == b'{' {
                    at += 2;
                }
            }
            at += 1;
        }
        at.min(bytes.len())
    }

    fn sequence(&mut self, at: usize) {
        let tilde = usize::from(self.lexer.byte(at + 2) == b'~');
        self.push(Kind::SequenceOpen, at, at + 2 + tilde);
        self.grounds.push(Ground::Code(0));
    }

    fn quoted(&mut self) {
        let from = self.lexer.pos;
        let mut at = from;
        loop {
            at = self.text_end(at, |byte| matches!(byte, b'"' | b'\\'));
            if self.lexer.byte(at) != b'\\' {
                break;
            }
            at = (at + 2).min(self.text.len());
        }
        self.push(Kind::Text, from, at);
        match self.lexer.byte(at) {
            b'"' => {
                self.push(Kind::QuoteClose, at, at + 1);
                self.grounds.pop();
            }
            0 => self.lexer.pos = self.text.len(),
            _ => self.sequence(at),
        }
    }

    fn heredoc(&mut self, marker: &str) {
        let from = self.lexer.pos;
        let mut at = from;
        loop {
            let line_starts = at > 0 && self.lexer.byte(at - 1) == b'\n';
            let line = self.lexer.slice(at, self.lexer.line_end(at));
            if line_starts && line.trim() == marker {
                self.push(Kind::Text, from, at);
                self.push(Kind::HeredocClose, at, at + line.trim_end().len());
                self.grounds.pop();
                return;
            }
            at = self.text_end(at, |byte| byte == b'\n');
            match self.lexer.byte(at) {
                b'\n' => at += 1,
                0 => {
                    self.push(Kind::Text, from, self.text.len());
                    self.lexer.pos = self.text.len();
                    return;
                }
                _ => {
                    self.push(Kind::Text, from, at);
                    return self.sequence(at);
                }
            }
        }
    }
}
