/// Why a function could not give a result, before it is known where it was called.
///
/// Never holds a value that is marked: functions do not see those, unless they ask to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The stable code; `eval.function` unless something more special is the matter.
    pub code: &'static str,
    /// The argument to blame, counted from 0.
    pub argument: Option<usize>,
    /// What is wrong: a lower-case fragment that follows the name of the function or parameter.
    pub message: String,
    /// A way out.
    pub help: Option<String>,
    /// Whether message and help hold nothing of the arguments' values, only names, types and counts. If not, they are not
    /// shown when an argument is sensitive.
    pub is_value_free: bool,
}

impl Problem {
    /// Returns a problem of the call as a whole.
    pub fn new(message: impl Into<String>) -> Self {
        Self { code: "eval.function", argument: None, message: message.into(), help: None, is_value_free: false }
    }

    /// Returns a problem of the argument at `idx`, counted from 0.
    pub fn argument(idx: usize, message: impl Into<String>) -> Self {
        Self::new(message).at_argument(idx)
    }

    /// Returns the problem that a budget is used up.
    pub fn budget(message: impl Into<String>) -> Self {
        Self::new(message).code("eval.budget")
    }

    /// Blames the argument at `idx`, counted from 0.
    pub fn at_argument(mut self, idx: usize) -> Self {
        self.argument = Some(idx);
        self
    }

    /// Sets the code.
    pub fn code(mut self, code: &'static str) -> Self {
        self.code = code;
        self
    }

    /// Says that message and help hold nothing of the arguments' values.
    pub fn value_free(mut self) -> Self {
        self.is_value_free = true;
        self
    }

    /// Sets the way out.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
