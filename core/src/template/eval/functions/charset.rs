//! Character encodings other than UTF-8, for `textencodebase64` and its inverse.

/// A character encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    Utf8,
    /// With a byte order mark; big-endian when written.
    Utf16,
    Utf16Little,
    Utf16Big,
    Ascii,
    Latin1,
    Windows1252,
}

/// What the bytes 0x80 to 0x9f mean in windows-1252; a zero is nothing.
const WINDOWS: [u16; 32] = [
    0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017d, 0, 0,
    0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0, 0x017e, 0x0178,
];

impl Charset {
    /// Returns the encoding of that IANA name or alias, in any case.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "utf-8" => Self::Utf8,
            "utf-16" => Self::Utf16,
            "utf-16le" => Self::Utf16Little,
            "utf-16be" => Self::Utf16Big,
            "us-ascii" | "iso646-us" | "ansi_x3.4-1968" => Self::Ascii,
            "iso-8859-1" | "iso_8859-1" | "iso_8859-1:1987" | "latin1" | "l1" => Self::Latin1,
            "windows-1252" => Self::Windows1252,
            _ => return None,
        })
    }

    /// Returns the bytes of the text; `None` where a character has none.
    pub(super) fn encode(self, text: &str) -> Option<Vec<u8>> {
        let units = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
        match self {
            Self::Utf8 => Some(text.as_bytes().to_vec()),
            Self::Utf16 => Some([vec![0xfe, 0xff], units(u16::to_be_bytes)].concat()),
            Self::Utf16Little => Some(units(u16::to_le_bytes)),
            Self::Utf16Big => Some(units(u16::to_be_bytes)),
            Self::Ascii => text.is_ascii().then(|| text.as_bytes().to_vec()),
            Self::Latin1 => text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect(),
            Self::Windows1252 => text.chars().map(windows_byte).collect(),
        }
    }

    /// Returns the text that the bytes stand for; `None` where they mean nothing.
    pub(super) fn decode(self, bytes: &[u8]) -> Option<String> {
        match self {
            Self::Utf8 => String::from_utf8(bytes.to_vec()).ok(),
            Self::Utf16 => match bytes {
                [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
                [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
                bytes => utf16(bytes, u16::from_be_bytes),
            },
            Self::Utf16Little => utf16(bytes, u16::from_le_bytes),
            Self::Utf16Big => utf16(bytes, u16::from_be_bytes),
            Self::Ascii => bytes.is_ascii().then(|| bytes.iter().copied().map(char::from).collect()),
            Self::Latin1 => Some(bytes.iter().copied().map(char::from).collect()),
            Self::Windows1252 => bytes.iter().map(|byte| windows_char(*byte)).collect(),
        }
    }
}

fn utf16(bytes: &[u8], order: fn([u8; 2]) -> u16) -> Option<String> {
    let pairs = bytes.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    let units = pairs.filter_map(|pair| pair.try_into().ok().map(order));
    char::decode_utf16(units).collect::<Result<String, _>>().ok()
}

fn windows_char(byte: u8) -> Option<char> {
    match byte {
        0x80..=0x9f => {
            let code = WINDOWS.get(usize::from(byte - 0x80)).copied().filter(|code| *code != 0)?;
            char::from_u32(u32::from(code))
        }
        byte => Some(char::from(byte)),
    }
}

fn windows_byte(c: char) -> Option<u8> {
    match u32::from(c) {
        code @ (0..=0x7f | 0xa0..=0xff) => u8::try_from(code).ok(),
        code => {
            let idx = WINDOWS.iter().position(|other| *other != 0 && u32::from(*other) == code)?;
            u8::try_from(idx + 0x80).ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let check = |name: &str, text: &str, bytes: &[u8]| {
            let charset = Charset::named(name).expect(name);
            assert_eq!(charset.encode(text).as_deref(), Some(bytes), "{name}");
            assert_eq!(charset.decode(bytes).as_deref(), Some(text), "{name}");
        };
        check("UTF-16LE", "hé", &[b'h', 0, 0xe9, 0]);
        check("utf-16", "é", &[0xfe, 0xff, 0, 0xe9]);
        check("ISO-8859-1", "é", &[0xe9]);
        check("windows-1252", "€ÿ", &[0x80, 0xff]);
        check("us-ascii", "a", b"a");
    }

    #[test]
    fn refuses_what_has_no_form() {
        for (name, text) in [("latin1", "€"), ("us-ascii", "é"), ("windows-1252", "\u{81}")] {
            assert_eq!(Charset::named(name).expect(name).encode(text), None, "{name}");
        }
        assert_eq!(Charset::Windows1252.decode(&[0x81]), None);
        assert_eq!(Charset::Utf16.decode(&[0, 0x68]).as_deref(), Some("h"));
        assert_eq!(Charset::Utf16Little.decode(&[0x00, 0xd8]), None);
        assert_eq!(Charset::Utf16Little.decode(&[0]), None);
        assert_eq!(Charset::named("ascii"), None);
    }
}
