use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

/// A text for people, in one language or in several. As JSON it is a text, or a mapping from locales to texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Text {
    /// The same text for everybody.
    Plain(Arc<str>),
    /// Texts by locale (`en`, `zh-CN`); at least one.
    Localized(BTreeMap<Arc<str>, Arc<str>>),
}

impl Text {
    /// Returns the text for a locale: that of the locale itself, else of its language (`zh` for `zh-CN`), else of a locale
    /// of the same language, else English, else the first.
    ///
    /// # Complexity
    /// O(locales).
    pub fn get(&self, locale: &str) -> &Arc<str> {
        static NOTHING: std::sync::LazyLock<Arc<str>> = std::sync::LazyLock::new(|| Arc::from(""));
        let texts = match self {
            Self::Plain(text) => return text,
            Self::Localized(texts) => texts,
        };
        let language = |locale: &str| locale.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        let wanted = language(locale);
        let same = |name: &str| name.replace('_', "-").eq_ignore_ascii_case(&locale.replace('_', "-"));
        let by = |test: &dyn Fn(&str) -> bool| texts.iter().find(|(name, _)| test(name)).map(|(_, text)| text);
        by(&same)
            .or_else(|| texts.get(wanted.as_str()))
            .or_else(|| by(&|name| language(name) == wanted))
            .or_else(|| texts.get("en"))
            .or_else(|| texts.values().next())
            .unwrap_or(&NOTHING)
    }

    /// Returns the locales that it is written in; none where it is the same for everybody.
    pub fn locales(&self) -> impl Iterator<Item = &Arc<str>> {
        match self {
            Self::Plain(_) => None,
            Self::Localized(texts) => Some(texts.keys()),
        }
        .into_iter()
        .flatten()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::Plain(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_locale_wins() {
        let texts =
            |names: &[&str]| Text::Localized(names.iter().map(|name| (Arc::from(*name), Arc::from(*name))).collect());
        let check =
            |names: &[&str], locale: &str, expect: &str| assert_eq!(&**texts(names).get(locale), expect, "{locale}");
        check(&["en", "zh", "zh-CN"], "zh-CN", "zh-CN");
        check(&["en", "zh", "zh-CN"], "zh_cn", "zh-CN");
        check(&["en", "zh"], "zh-TW", "zh");
        check(&["en", "zh-CN"], "zh", "zh-CN");
        check(&["de", "en"], "fr", "en");
        check(&["de", "it"], "fr", "de");
        assert_eq!(&**Text::from("a").get("fr"), "a");
    }
}
