use std::sync::Arc;

use unicode_segmentation::UnicodeSegmentation as _;

use super::{Number, Type};

/// One end of a range of numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bound {
    /// Where the range ends.
    pub value: Number,
    /// Whether `value` itself is in the range.
    pub inclusive: bool,
}

/// Characters that end a grapheme cluster whatever follows, as Terraform sees it.
const DELIMITERS: &[&str] = &[
    "-", "_", ":", ";", "/", "\\", ",", ".", "(", ")", "{", "}", "[", "]", "|", "?", "!", "~", " ", "\t", "@", "#",
    "$", "%", "^", "&", "*", "+", "\"", "'",
];

/// Where the first carriage return without a line feed is, or the first line feed without a carriage return.
fn half_line_end(text: &str) -> Option<usize> {
    text.grapheme_indices(true).find(|(_, part)| matches!(*part, "\n" | "\r")).map(|(at, _)| at)
}

/// What is known of a value that is not known yet.
///
/// Everything that a refinement says must stay true of the value that comes later; a refinement that does not fit the
/// type (a prefix of a number) is dropped by [`Value::unknown_with`](super::Value::unknown_with).
///
/// # Examples
/// ```
/// use stackwright::value::{Refinement, Type, Value};
///
/// let id = Value::unknown_with(Type::String, Refinement::not_null().with_full_prefix("vpc-"));
/// assert_eq!(id.equals(&Value::null(Type::String)), Value::bool(false));
/// assert_eq!(id.equals(&Value::string("subnet-1")), Value::bool(false));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Refinement {
    /// The value will not be null.
    pub not_null: bool,
    /// A string will start with this text.
    pub prefix: Option<Arc<str>>,
    /// A number will not be less.
    pub min: Option<Bound>,
    /// A number will not be greater.
    pub max: Option<Bound>,
    /// A list, set or map will have at least that many elements.
    pub min_length: usize,
    /// A list, set or map will have at most that many elements.
    pub max_length: Option<usize>,
}

impl Refinement {
    /// Returns the refinement that says nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Returns the refinement that the value will not be null.
    pub fn not_null() -> Self {
        Self { not_null: true, ..Self::default() }
    }

    /// Adds text that a string will start with, less its last grapheme cluster: what follows may still combine with it.
    ///
    /// A final character that nothing combines with, such as `-` or `/`, stays.
    pub fn with_prefix(self, prefix: &str) -> Self {
        let text = super::text::normalize(prefix);
        let keep = match text.grapheme_indices(true).next_back() {
            Some((at, last)) if last.chars().next_back().is_some_and(super::text::may_compose) => at,
            // As in Terraform, nothing is said of what comes behind half a line end.
            Some((at, last)) => match half_line_end(&text) {
                Some(end) => end,
                None if DELIMITERS.contains(&last) => text.len(),
                None => at,
            },
            None => 0,
        };
        let kept = text.get(..keep).unwrap_or("");
        self.with_full_prefix(kept)
    }

    /// Adds text that a string will start with, where what follows is known not to combine with its last character.
    pub fn with_full_prefix(mut self, prefix: &str) -> Self {
        self.prefix = (!prefix.is_empty()).then(|| super::text::normalize(prefix));
        self
    }

    /// Adds the smallest number that it can be.
    pub fn with_min(mut self, value: Number, inclusive: bool) -> Self {
        self.min = Some(Bound { value, inclusive });
        self
    }

    /// Adds the greatest number that it can be.
    pub fn with_max(mut self, value: Number, inclusive: bool) -> Self {
        self.max = Some(Bound { value, inclusive });
        self
    }

    /// Adds how many elements it will have: at least `min`, at most `max`.
    pub fn with_length(mut self, min: usize, max: Option<usize>) -> Self {
        self.min_length = min;
        self.max_length = max;
        self
    }

    /// Returns whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns what both say together.
    pub fn and(self, other: Self) -> Self {
        let prefix = match (self.prefix, other.prefix) {
            (Some(a), Some(b)) => Some(if a.len() >= b.len() { a } else { b }),
            (a, b) => a.or(b),
        };
        Self {
            not_null: self.not_null || other.not_null,
            prefix,
            min: tighter(self.min, other.min, |a, b| a > b),
            max: tighter(self.max, other.max, |a, b| a < b),
            min_length: self.min_length.max(other.min_length),
            max_length: match (self.max_length, other.max_length) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            },
        }
    }

    /// Drops what makes no sense for `ty`.
    pub(super) fn fitting(self, ty: &Type) -> Self {
        let keep = Self { not_null: self.not_null, ..Self::default() };
        match ty {
            // Nothing can be said before the type is known, as in Terraform.
            Type::Any => Self::default(),
            Type::String => Self { prefix: self.prefix, ..keep },
            Type::Number => Self { min: self.min, max: self.max, ..keep },
            Type::List(_) | Type::Set(_) | Type::Map(_) => {
                Self { min_length: self.min_length, max_length: self.max_length, ..keep }
            }
            Type::Bool | Type::Tuple(_) | Type::Object(_) => keep,
        }
    }

    /// Returns whether `number` is within the bounds.
    pub fn admits_number(&self, number: &Number) -> bool {
        let above = self.min.as_ref().is_none_or(|min| number > &min.value || min.inclusive && number == &min.value);
        let below = self.max.as_ref().is_none_or(|max| number < &max.value || max.inclusive && number == &max.value);
        above && below
    }
}

fn tighter(a: Option<Bound>, b: Option<Bound>, beats: impl Fn(&Number, &Number) -> bool) -> Option<Bound> {
    match (a, b) {
        (Some(a), Some(b)) if a.value == b.value => {
            Some(Bound { inclusive: a.inclusive && b.inclusive, value: a.value })
        }
        (Some(a), Some(b)) => Some(if beats(&a.value, &b.value) { a } else { b }),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_only_a_safe_prefix() {
        let prefix = |text: &str| Refinement::none().with_prefix(text).prefix.map(|prefix| prefix.to_string());
        assert_eq!(prefix("vpc-a"), Some("vpc-".to_owned()));
        assert_eq!(prefix("vpc-"), Some("vpc-".to_owned()));
        assert_eq!(prefix("e\u{301}"), None);
        assert_eq!(prefix("a\nb"), Some("a\n".to_owned()));
        assert_eq!(prefix("a\n<"), Some("a\n".to_owned()));
        assert_eq!(prefix("a\nq\u{301}"), Some("a\n".to_owned()));
        assert_eq!(prefix("a\n "), Some("a".to_owned()));
        assert_eq!(prefix("a\r\n-"), Some("a\r\n-".to_owned()));
        assert_eq!(prefix("a\t\n\n-"), Some("a\t".to_owned()));
        assert_eq!(prefix(""), None);
    }

    #[test]
    fn joins_to_the_tighter() {
        let a = Refinement::not_null().with_min(Number::from(1), true).with_length(1, Some(9));
        let b =
            Refinement::none().with_min(Number::from(1), false).with_max(Number::from(5), true).with_length(3, None);
        let both = a.and(b);
        assert!(both.not_null && both.admits_number(&Number::from(5)) && !both.admits_number(&Number::from(1)));
        assert_eq!((both.min_length, both.max_length), (3, Some(9)));
    }
}
