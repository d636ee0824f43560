use std::sync::Arc;

use unicode_normalization::{
    IsNormalized, UnicodeNormalization as _,
    char::{canonical_combining_class, compose},
    is_nfc_quick,
};

/// Returns the text in Unicode normal form C. Text that is already normal is not copied if it is shared.
pub(super) fn normalize<T: AsRef<str> + Into<Arc<str>>>(text: T) -> Arc<str> {
    let view = text.as_ref();
    if view.is_ascii() || is_nfc_quick(view.chars()) == IsNormalized::Yes {
        return text.into();
    }
    view.nfc().collect::<String>().into()
}

/// Whether a character may become one with a letter before it in normal form C, whatever stands between them.
pub(crate) fn combines(c: char) -> bool {
    canonical_combining_class(c) > 0
}

/// Whether a character and one behind it may become one in normal form C, or change places.
pub(super) fn may_compose(c: char) -> bool {
    /// What stands second in the canonical decompositions of Latin, Greek, Cyrillic and Japanese letters.
    const SECOND: [std::ops::RangeInclusive<char>; 4] =
        ['\u{300}'..='\u{314}', '\u{323}'..='\u{338}', '\u{342}'..='\u{345}', '\u{3099}'..='\u{309a}'];
    canonical_combining_class(c) > 0 || SECOND.into_iter().flatten().any(|second| compose(c, second).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_compose() {
        for c in ['a', 'Z', '<', '\u{301}', 'ο', 'и', 'か'] {
            assert!(may_compose(c), "{c}");
        }
        for c in [' ', '-', '1', 'q', '\n', '日', '/'] {
            assert!(!may_compose(c), "{c}");
        }
    }

    #[test]
    fn composes() {
        assert_eq!(&*normalize("e\u{301}"), "\u{e9}");
        let shared: Arc<str> = Arc::from("日本");
        assert!(Arc::ptr_eq(&shared, &normalize(Arc::clone(&shared))));
    }
}
