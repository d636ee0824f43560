use crate::value::{Number, Value};

use super::Call;
use crate::template::eval::Problem;

/// Arguments as plain data. What is not there or of another type counts as empty: the parameters have seen to it that
/// this does not happen.
impl<'a> Call<'a> {
    /// Returns the argument at `idx`, counted from 0.
    pub fn get(self, idx: usize) -> Option<&'a Value> {
        self.arguments.get(idx)
    }

    pub(super) fn value(self, idx: usize) -> Result<&'a Value, Problem> {
        self.arguments.get(idx).ok_or_else(|| Problem::new("an argument is missing"))
    }

    /// Returns the text of the string argument at `idx`.
    pub fn text(self, idx: usize) -> &'a str {
        self.get(idx).and_then(Value::as_str).unwrap_or("")
    }

    /// Returns the number of the argument at `idx`.
    pub fn number(self, idx: usize) -> &'a Number {
        const ZERO: &Number = &Number::ZERO;
        self.get(idx).and_then(Value::as_number).unwrap_or(ZERO)
    }

    /// Returns the whole number of the argument at `idx`.
    ///
    /// # Errors
    /// When it has a fraction or does not fit 64 bits.
    pub fn integer(self, idx: usize) -> Result<i64, Problem> {
        let number = self.number(idx);
        number.to_i64().ok_or_else(|| Problem::argument(idx, format!("a whole number is required, not {number}")))
    }

    /// Returns the elements of the list, set or tuple argument at `idx`.
    pub fn items(self, idx: usize) -> &'a [Value] {
        self.get(idx).and_then(Value::items).map_or(&[], |items| items)
    }

    /// Returns a text result, after taking room for it.
    pub(super) fn string(self, text: String) -> Result<Value, Problem> {
        self.context.spend_text(text.len())?;
        Ok(Value::string(text))
    }

    /// Takes room for `count` elements of a result.
    pub(super) fn room(self, count: usize) -> Result<(), Problem> {
        self.context.spend_elements(count)
    }
}
