//! What strings of the language can do that Rust's cannot: graphemes, simple case mapping, Go's idea of titles.

use unicode_segmentation::UnicodeSegmentation as _;

/// Returns the part of `text` from `offset`, at most `length` long, both in grapheme clusters. A negative offset counts
/// from the end, a negative length means everything.
pub(super) fn substring(text: &str, offset: i64, length: i64) -> &str {
    // As in Terraform no length at all means everything, if it is counted from the end.
    let length = if offset < 0 && length == 0 { -1 } else { length };
    let offset = if offset < 0 {
        let total = text.graphemes(true).count() as i64;
        (total + offset).max(0)
    } else {
        offset
    };
    let skip = usize::try_from(offset).unwrap_or(usize::MAX);
    let Some((start, _)) = text.grapheme_indices(true).nth(skip) else { return "" };
    let rest = text.get(start..).unwrap_or("");
    let Ok(take) = usize::try_from(length) else { return rest };
    let end = rest.grapheme_indices(true).nth(take).map_or(rest.len(), |(end, _)| end);
    rest.get(..end).unwrap_or("")
}

/// Returns the grapheme clusters in reverse order.
pub(super) fn reversed(text: &str) -> String {
    text.graphemes(true).rev().collect()
}

/// Returns the text in capitals, each character becoming one character: `ß` stays.
pub(super) fn upper(text: &str) -> String {
    text.chars().map(upper_char).collect()
}

/// Returns the text in small letters, each character becoming one character.
pub(super) fn lower(text: &str) -> String {
    // Of all characters only `İ` becomes two.
    text.chars().map(|c| c.to_lowercase().next().unwrap_or(c)).collect()
}

fn upper_char(c: char) -> char {
    let mut mapped = c.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => with_iota_subscript(c),
    }
}

/// Greek letters with an iota below have capitals of one character, which full case mapping spells out in two.
fn with_iota_subscript(c: char) -> char {
    let code = u32::from(c);
    let mapped = match code {
        0x1f80..=0x1f87 | 0x1f90..=0x1f97 | 0x1fa0..=0x1fa7 => code + 8,
        0x1fb3 | 0x1fc3 | 0x1ff3 => code + 9,
        _ => code,
    };
    char::from_u32(mapped).unwrap_or(c)
}

fn title_char(c: char) -> char {
    match c {
        'Ǆ' | 'ǅ' | 'ǆ' => 'ǅ',
        'Ǉ' | 'ǈ' | 'ǉ' => 'ǈ',
        'Ǌ' | 'ǋ' | 'ǌ' => 'ǋ',
        'Ǳ' | 'ǲ' | 'ǳ' => 'ǲ',
        // Georgian sentences begin with small letters.
        '\u{10d0}'..='\u{10ff}' => c,
        _ => upper_char(c),
    }
}

/// Returns the text with the first letter of each word capital; the other letters stay.
pub(super) fn title(text: &str) -> String {
    let mut previous = ' ';
    text.chars()
        .map(|c| {
            let starts = is_separator(previous);
            previous = c;
            if starts { title_char(c) } else { c }
        })
        .collect()
}

fn is_separator(c: char) -> bool {
    if c.is_ascii() {
        return !(c.is_ascii_alphanumeric() || c == '_');
    }
    !c.is_alphanumeric() && c.is_whitespace()
}

/// Returns the text with spaces before every line but the first.
pub(super) fn indented(text: &str, spaces: usize) -> String {
    text.replace('\n', &format!("\n{}", " ".repeat(spaces)))
}

/// Returns how many grapheme clusters the text has.
pub(super) fn grapheme_count(text: &str) -> usize {
    if text.is_ascii() && !text.contains('\r') { text.len() } else { text.graphemes(true).count() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn substrings_count_graphemes() {
        let check = |offset, length, expect: &str| assert_eq!(substring("hello", offset, length), expect);
        check(1, 3, "ell");
        check(2, -1, "llo");
        check(10, 2, "");
        check(-3, 2, "ll");
        check(-10, 2, "he");
        check(1, 0, "");
        check(-2, 0, "lo");
        check(0, i64::MAX, "hello");
        check(i64::MIN, i64::MIN, "hello");
        assert_eq!(substring("noe\u{308}l", 0, 3), "noe\u{308}");
    }

    #[test]
    fn cases_map_one_to_one() {
        assert_eq!(upper("straße ŉ ᾳ ǆ"), "STRAßE ŉ ᾼ Ǆ");
        assert_eq!(lower("İ ΑΣ"), "i ας".replace('ς', "σ"));
        assert_eq!(title("o'neil éa 1abc _x.y"), "O'Neil Éa 1abc _x.Y");
        assert_eq!(title("hello-world foo_bar ǆabc ß"), "Hello-World Foo_bar ǅabc ß");
    }

    #[test]
    fn reverses_and_indents() {
        assert_eq!(reversed("👨‍👩‍👧a"), "a👨‍👩‍👧");
        assert_eq!(indented("a\nb\n", 2), "a\n  b\n  ");
        assert_eq!((grapheme_count("a\r\nb"), grapheme_count("👨‍👩‍👧")), (3, 1));
    }
}
