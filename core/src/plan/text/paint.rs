use std::fmt;

/// What happens to a line's subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// It appears.
    Add,
    /// It goes.
    Remove,
    /// It changes.
    Change,
    /// Nothing.
    Same,
    /// It is deleted and made again.
    DeleteCreate,
    /// It is made again and then deleted.
    CreateDelete,
    /// It is read.
    Read,
    /// It is let go.
    Forget,
    /// It is adopted.
    Adopt,
    /// It is waited for.
    Wait,
}

impl Sign {
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Remove => "-",
            Self::Change => "~",
            Self::Same => " ",
            Self::DeleteCreate => "-/+",
            Self::CreateDelete => "+/-",
            Self::Read => "<=",
            Self::Forget => ".",
            Self::Adopt => "=",
            Self::Wait => "..",
        }
    }

    const fn tone(self) -> Tone {
        match self {
            Self::Add => Tone::Green,
            Self::Remove => Tone::Red,
            Self::Change => Tone::Yellow,
            Self::DeleteCreate | Self::CreateDelete => Tone::Red,
            Self::Read | Self::Adopt | Self::Wait => Tone::Cyan,
            Self::Same | Self::Forget => Tone::Dim,
        }
    }
}

/// A colour of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Green,
    Red,
    Yellow,
    Cyan,
    Dim,
    Bold,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Green => "32",
            Self::Red => "31",
            Self::Yellow => "33",
            Self::Cyan => "36",
            Self::Dim => "2",
            Self::Bold => "1",
        }
    }
}

/// Text under way, with or without colours.
#[derive(Debug)]
pub(super) struct Paper {
    pub(super) text: String,
    color: bool,
}

impl Paper {
    pub(super) fn new(color: bool) -> Self {
        Self { text: String::new(), color }
    }

    /// Appends plain text.
    pub(super) fn put(&mut self, text: impl fmt::Display) {
        use fmt::Write as _;
        let _ = write!(self.text, "{text}");
    }

    /// Appends coloured text.
    pub(super) fn paint(&mut self, tone: Tone, text: impl fmt::Display) {
        if self.color {
            self.put(format_args!("\u{1b}[{}m{text}\u{1b}[0m", tone.code()));
        } else {
            self.put(text);
        }
    }

    /// Appends a sign in its colour, right-aligned in three columns.
    pub(super) fn sign(&mut self, sign: Sign) {
        self.put(" ".repeat(3 - sign.text().len()));
        self.paint(sign.tone(), sign.text());
    }

    /// Begins a line at `depth` (each level is four columns) with a sign of one column.
    pub(super) fn begin(&mut self, depth: usize, sign: Sign) {
        self.put("    ".repeat(depth));
        self.put("  ");
        if sign == Sign::Same {
            self.put("  ");
        } else {
            self.paint(sign.tone(), sign.text());
            self.put(" ");
        }
    }

    pub(super) fn end(&mut self) {
        self.text.push('\n');
    }
}
