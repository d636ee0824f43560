use std::sync::Arc;

use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

/// Returns the text in Unicode normal form C. Text that is already normal is not copied if it is shared.
pub(super) fn normalize<T: AsRef<str> + Into<Arc<str>>>(text: T) -> Arc<str> {
    let view = text.as_ref();
    if view.is_ascii() || is_nfc_quick(view.chars()) == IsNormalized::Yes {
        return text.into();
    }
    view.nfc().collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composes() {
        assert_eq!(&*normalize("e\u{301}"), "\u{e9}");
        let shared: Arc<str> = Arc::from("日本");
        assert!(Arc::ptr_eq(&shared, &normalize(Arc::clone(&shared))));
    }
}
