use syn::LitStr;

/// How serde spells names, as `rename_all` says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Case {
    /// As in the code.
    #[default]
    AsIs,
    Lower,
    Upper,
    Pascal,
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
}

impl Case {
    pub(crate) fn parse(text: &LitStr) -> syn::Result<Self> {
        Ok(match text.value().as_str() {
            "lowercase" => Self::Lower,
            "UPPERCASE" => Self::Upper,
            "PascalCase" => Self::Pascal,
            "camelCase" => Self::Camel,
            "snake_case" => Self::Snake,
            "SCREAMING_SNAKE_CASE" => Self::ScreamingSnake,
            "kebab-case" => Self::Kebab,
            "SCREAMING-KEBAB-CASE" => Self::ScreamingKebab,
            _ => return Err(syn::Error::new(text.span(), "no such way to spell names")),
        })
    }

    /// Spells the name of a field, which is in snake case.
    pub(crate) fn field(self, name: &str) -> String {
        match self {
            Self::AsIs | Self::Lower | Self::Snake => name.to_owned(),
            Self::Upper | Self::ScreamingSnake => name.to_ascii_uppercase(),
            Self::Pascal => name.split('_').map(capitalised).collect(),
            Self::Camel => uncapitalised(&Self::Pascal.field(name)),
            Self::Kebab => name.replace('_', "-"),
            Self::ScreamingKebab => name.to_ascii_uppercase().replace('_', "-"),
        }
    }

    /// Spells the name of a variant, which is in Pascal case.
    pub(crate) fn variant(self, name: &str) -> String {
        match self {
            Self::AsIs | Self::Pascal => name.to_owned(),
            Self::Lower => name.to_ascii_lowercase(),
            Self::Upper => name.to_ascii_uppercase(),
            Self::Camel => uncapitalised(name),
            Self::Snake | Self::ScreamingSnake | Self::Kebab | Self::ScreamingKebab => self.field(&snake(name)),
        }
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

fn uncapitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

fn snake(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for (idx, letter) in name.char_indices() {
        if idx > 0 && letter.is_uppercase() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(case: &str, field: &str, variant: &str) {
        let case = LitStr::new(case, proc_macro2::Span::call_site());
        let case = Case::parse(&case).expect("a way to spell names");
        assert_eq!((case.field("max_size").as_str(), case.variant("VeryBig").as_str()), (field, variant));
    }

    #[test]
    fn names_are_spelled_as_serde_spells_them() {
        check("lowercase", "max_size", "verybig");
        check("UPPERCASE", "MAX_SIZE", "VERYBIG");
        check("PascalCase", "MaxSize", "VeryBig");
        check("camelCase", "maxSize", "veryBig");
        check("snake_case", "max_size", "very_big");
        check("SCREAMING_SNAKE_CASE", "MAX_SIZE", "VERY_BIG");
        check("kebab-case", "max-size", "very-big");
        check("SCREAMING-KEBAB-CASE", "MAX-SIZE", "VERY-BIG");
    }
}
