use std::{str::FromStr, sync::Arc};

use unicode_ident::{is_xid_continue, is_xid_start};

use super::{Address, Error, InstanceKey, Mode, ModuleInstance, ModuleStep, ResourceAddress, Target};

/// Longest piece of input that an error quotes, in characters.
const QUOTED: usize = 120;

/// Returns whether a text can be the name of a block, a type or an attribute.
///
/// A letter or `_` comes first (as Unicode defines identifiers), then letters, digits, marks, `_` and `-`.
pub fn is_identifier(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(starts_name) && letters.all(continues_name)
}

fn starts_name(letter: char) -> bool {
    letter == '_' || is_xid_start(letter)
}

fn continues_name(letter: char) -> bool {
    letter == '-' || is_xid_continue(letter)
}

/// Reads a text from left to right; `at` is a byte offset that always lies on a character.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += letter.len_utf8();
        Some(letter)
    }

    fn eat(&mut self, letter: char) -> bool {
        let found = self.peek() == Some(letter);
        if found {
            self.at += letter.len_utf8();
        }
        found
    }

    /// Takes the longest run of characters that satisfy a condition; may be empty.
    fn take(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|letter| !wanted(letter)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn expect(&mut self, letter: char, expected: &'static str) -> Result<(), Error> {
        if self.eat(letter) { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    fn name(&mut self, expected: &'static str) -> Result<&'a str, Error> {
        if !self.peek().is_some_and(starts_name) {
            return Err(self.unexpected(expected));
        }
        Ok(self.take(continues_name))
    }

    /// Reads `[0]` or `["k"]`, if one stands here.
    fn key(&mut self) -> Result<Option<InstanceKey>, Error> {
        if !self.eat('[') {
            return Ok(None);
        }
        let key = if self.eat('"') {
            InstanceKey::from(&*self.quoted()?)
        } else {
            let start = self.at;
            let digits = self.take(|letter| letter.is_ascii_digit());
            if digits.is_empty() {
                return Err(self.unexpected("a number or a quoted string"));
            }
            let too_large = || Error::KeyTooLarge { input: shortened(self.text), position: self.position(start) };
            InstanceKey::Int(digits.parse().map_err(|_| too_large())?)
        };
        self.expect(']', "`]`")?;
        Ok(Some(key))
    }

    /// Reads up to and with the closing quote.
    fn quoted(&mut self) -> Result<String, Error> {
        let mut text = String::new();
        loop {
            text.push_str(self.take(|letter| !matches!(letter, '"' | '\\' | '$' | '%') && !letter.is_control()));
            match self.peek() {
                Some('"') => {
                    self.next();
                    return Ok(text);
                }
                Some('\\') => text.push(self.escape()?),
                Some(sigil @ ('$' | '%')) => self.sigil(sigil, &mut text)?,
                _ => return Err(self.unexpected("a letter, an escape or the closing quote")),
            }
        }
    }

    /// Reads `$` or `%`: doubled before a brace it stands for itself, and a template may not begin in a key.
    fn sigil(&mut self, sigil: char, text: &mut String) -> Result<(), Error> {
        self.next();
        if self.peek() == Some('{') {
            return Err(self.unexpected("no template: write `$${` for `${` and `%%{` for `%{`"));
        }
        if self.rest().strip_prefix(sigil).is_some_and(|rest| rest.starts_with('{')) {
            self.next();
        }
        text.push(sigil);
        Ok(())
    }

    /// Reads a backslash and what it escapes.
    fn escape(&mut self) -> Result<char, Error> {
        self.next();
        let letter = match self.peek() {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some(letter @ ('"' | '\\')) => letter,
            Some('u') => return self.code_point(4),
            Some('U') => return self.code_point(8),
            _ => {
                return Err(self.unexpected("one of `n`, `r`, `t`, `\"`, `\\`, `uNNNN`, `UNNNNNNNN` after a backslash"));
            }
        };
        self.next();
        Ok(letter)
    }

    /// Reads `u` or `U` and the hexadecimal digits of a character's number.
    fn code_point(&mut self, digits: u32) -> Result<char, Error> {
        let start = self.at;
        self.next();
        let mut code = 0_u32;
        for _ in 0..digits {
            let Some(digit) = self.peek().and_then(|letter| letter.to_digit(16)) else {
                return Err(self.unexpected("a hexadecimal digit"));
            };
            self.next();
            code = (code << 4) | digit;
        }
        char::from_u32(code).ok_or_else(|| {
            self.at = start;
            self.unexpected("the number of a Unicode character")
        })
    }

    /// Reads `module.a["x"].module.b` as far as it goes; tells whether a dot after it was read.
    fn modules(&mut self) -> Result<(ModuleInstance, bool), Error> {
        let mut steps = Vec::new();
        loop {
            let start = self.at;
            let word = self.take(continues_name);
            if word != "module" {
                self.at = start;
                return Ok((ModuleInstance::from_steps(steps), true));
            }
            self.expect('.', "`.` and the name of a module")?;
            let name = Arc::from(self.name("the name of a module")?);
            steps.push(ModuleStep { name, key: self.key()? });
            if !self.eat('.') {
                return Ok((ModuleInstance::from_steps(steps), false));
            }
        }
    }

    /// Reads what follows the modules: `data.type.name`, `ephemeral.type.name`, `resource.type.name` or
    /// `type.name`.
    fn resource(&mut self, module: ModuleInstance) -> Result<ResourceAddress, Error> {
        let mut type_name = self.name("`module`, `data` or a resource type")?;
        let mut mode = Mode::Managed;
        if let "data" | "ephemeral" | "resource" = type_name {
            mode = match type_name {
                "data" => Mode::Data,
                "ephemeral" => Mode::Ephemeral,
                _ => Mode::Managed,
            };
            self.expect('.', "`.` and a resource type")?;
            type_name = self.name("a resource type")?;
        }
        self.expect('.', "`.` and the name of a resource")?;
        let name = self.name("the name of a resource")?;
        Ok(ResourceAddress::new(module, mode, type_name, name))
    }

    fn target(&mut self) -> Result<Target, Error> {
        let (module, goes_on) = self.modules()?;
        let target = if goes_on {
            let resource = self.resource(module)?;
            match self.key()? {
                Some(key) => Target::Instance(resource.instance(Some(key))),
                None => Target::Resource(resource),
            }
        } else {
            Target::Module(module)
        };
        match self.peek() {
            None => Ok(target),
            Some(letter) => Err(Error::Trailing {
                input: shortened(self.text),
                position: self.position(self.at),
                found: shown(letter),
            }),
        }
    }

    fn position(&self, at: usize) -> usize {
        self.text.get(..at).map_or(0, |before| before.chars().count()) + 1
    }

    fn unexpected(&self, expected: &'static str) -> Error {
        Error::Unexpected {
            input: shortened(self.text),
            position: self.position(self.at),
            expected,
            found: self.peek().map_or_else(|| "the end".to_owned(), shown),
        }
    }
}

fn shown(letter: char) -> String {
    format!("`{}`", letter.escape_debug())
}

/// Returns the input as an error may show it: on one line and of bounded length.
fn shortened(text: &str) -> String {
    let one_line = |letter: char| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter };
    let mut short: String = text.chars().take(QUOTED).map(one_line).collect();
    if text.chars().nth(QUOTED).is_some() {
        short.push('…');
    }
    short
}

impl FromStr for Target {
    type Err = Error;

    /// Parses a module (`module.a`), a resource (`t.n`) or an instance (`t.n[0]`).
    fn from_str(text: &str) -> Result<Self, Error> {
        Reader::new(text).target()
    }
}

impl FromStr for Address {
    type Err = Error;

    /// Parses the address of an instance; without a key it is the resource's only instance.
    fn from_str(text: &str) -> Result<Self, Error> {
        match text.parse()? {
            Target::Instance(address) => Ok(address),
            Target::Resource(resource) => Ok(resource.instance(None)),
            Target::Module(_) => Err(wrong_sort(text, "a module", "a resource instance")),
        }
    }
}

impl FromStr for ResourceAddress {
    type Err = Error;

    /// Parses the address of a resource: no key at the end.
    fn from_str(text: &str) -> Result<Self, Error> {
        match text.parse()? {
            Target::Resource(resource) => Ok(resource),
            Target::Instance(_) => Err(wrong_sort(text, "one instance of a resource", "a resource, without a key")),
            Target::Module(_) => Err(wrong_sort(text, "a module", "a resource")),
        }
    }
}

impl FromStr for ModuleInstance {
    type Err = Error;

    /// Parses the address of a module instance; the empty text is the root module.
    fn from_str(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Ok(Self::root());
        }
        match text.parse()? {
            Target::Module(module) => Ok(module),
            Target::Resource(_) | Target::Instance(_) => Err(wrong_sort(text, "a resource", "a module")),
        }
    }
}

fn wrong_sort(text: &str, found: &'static str, expected: &'static str) -> Error {
    Error::WrongSort { input: shortened(text), found, expected }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Parses and prints; the canonical form, or the message.
    fn printed<T: FromStr<Err = Error> + ToString>(text: &str) -> String {
        match text.parse::<T>() {
            Ok(parsed) => parsed.to_string(),
            Err(error) => {
                assert_eq!(error.code(), "address.invalid");
                format!("error: {error}")
            }
        }
    }

    #[test]
    fn addresses_print_as_they_parse() {
        for text in [
            "acme_vpc.main",
            "acme_vpc.main[0]",
            "acme_vpc.main[18446744073709551615]",
            "data.acme_zone.main[\"k\"]",
            "module.net[\"a\"].acme_vpc.main[0]",
            "module.a.module.b[3].data.t-x.größe",
            "module.modules.module_x.n",
            r#"t.n["\"\\\n\t\r"]"#,
            r#"t.n["$${a} %%{b} $a %a $ $$"]"#,
            r#"t.n["\u200b\u202e\U000e0001"]"#,
            r#"t.n["it's größe 漢字 👩‍👩‍👧"]"#,
        ] {
            let expect = text.replace('\u{200d}', "\\u200d");
            assert_eq!(printed::<Address>(text), expect);
        }
        assert_eq!(printed::<Address>("resource.t.n"), "t.n");
        assert_eq!(printed::<Address>("t.n[007]"), "t.n[7]");
        assert_eq!(printed::<Address>("t.n[\"e\u{301}\"]"), "t.n[\"é\"]");
    }

    #[test]
    fn modules_and_targets_print_as_they_parse() {
        for text in ["", "module.a", "module.a[0].module.b[\"x.y\"]"] {
            assert_eq!(printed::<ModuleInstance>(text), text);
        }
        for text in ["module.a", "module.a[0]", "t.n", "data.t.n[1]", "module.a.t.n"] {
            assert_eq!(printed::<Target>(text), text);
        }
    }

    #[test]
    fn errors_say_where_and_what() {
        let check = |text: &str, expect: &str| assert_eq!(printed::<Address>(text), format!("error: {expect}"));
        check("", "`` is not an address: expected `module`, `data` or a resource type at character 1, found the end");
        check("vpc", "`vpc` is not an address: expected `.` and the name of a resource at character 4, found the end");
        check("größe.1", "`größe.1` is not an address: expected the name of a resource at character 7, found `1`");
        check("t.n.0", "`t.n.0` is not an address: it should end before character 4, where `.` follows");
        check("t.n[0", "`t.n[0` is not an address: expected `]` at character 6, found the end");
        check("t.n[x]", "`t.n[x]` is not an address: expected a number or a quoted string at character 5, found `x`");
        check("t.n[-1]", "`t.n[-1]` is not an address: expected a number or a quoted string at character 5, found `-`");
        check(
            "t.n[99999999999999999999]",
            "`t.n[99999999999999999999]` is not an address: the key at character 5 is too large a number",
        );
        check("module.a", "`module.a` names a module, but a resource instance is needed");
        check(
            "module",
            "`module` is not an address: expected `.` and the name of a module at character 7, found the end",
        );
        check(
            "t.n[\"${x}\"]",
            "`t.n[\"${x}\"]` is not an address: expected no template: write `$${` for `${` and `%%{` for `%{` at character 7, found `{`",
        );
        check(
            "t.n[\"\\ud800\"]",
            "`t.n[\"\\ud800\"]` is not an address: expected the number of a Unicode character at character 7, found `u`",
        );
        check(
            "t.n[\"a\nb\"]",
            "`t.n[\"a\u{fffd}b\"]` is not an address: expected a letter, an escape or the closing quote at character 7, found `\\n`",
        );
        assert_eq!(printed::<ModuleInstance>("t.n"), "error: `t.n` names a resource, but a module is needed");
        let key = printed::<ResourceAddress>("t.n[0]");
        assert_eq!(key, "error: `t.n[0]` names one instance of a resource, but a resource, without a key is needed");
    }

    #[test]
    fn long_input_makes_short_errors() {
        let text = "é".repeat(1 << 20);
        let message = printed::<Address>(&text);
        assert!(message.len() < 500, "{} bytes", message.len());
        assert!(message.ends_with("at character 1048577, found the end"), "{message}");
    }

    #[test]
    fn identifiers() {
        for name in ["a", "_", "a-b", "größe", "漢", "x1", "module"] {
            assert!(is_identifier(name), "{name}");
        }
        for name in ["", "1a", "-a", "a b", "a.b", "a\"", "$"] {
            assert!(!is_identifier(name), "{name}");
        }
    }

    fn name() -> impl Strategy<Value = String> {
        "[a-z_é漢][a-z0-9_é-]{0,8}"
            .prop_filter("a keyword", |name| !matches!(name.as_str(), "module" | "data" | "resource"))
    }

    fn key() -> impl Strategy<Value = Option<InstanceKey>> {
        let weird = proptest::collection::vec(
            prop_oneof![
                any::<char>(),
                prop::sample::select(vec![
                    '"', '\\', '$', '%', '{', '}', '\n', '\0', '\u{301}', '\u{202e}', '\u{7f}', ']'
                ]),
            ],
            0..12,
        )
        .prop_map(|letters| InstanceKey::from(&*letters.into_iter().collect::<String>()));
        prop_oneof![Just(None), any::<u64>().prop_map(|n| Some(n.into())), weird.prop_map(Some)]
    }

    fn address() -> impl Strategy<Value = Address> {
        let modules = proptest::collection::vec((name(), key()), 0..3);
        let mode = prop::sample::select(vec![Mode::Managed, Mode::Data, Mode::Ephemeral]);
        (modules, mode, name(), name(), key()).prop_map(|(modules, mode, type_name, name, key)| {
            let steps = modules.into_iter().map(|(name, key)| ModuleStep { name: name.into(), key });
            ResourceAddress::new(ModuleInstance::from_steps(steps), mode, type_name, name).instance(key)
        })
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_back(address in address()) {
            let text = address.to_string();
            prop_assert_eq!(text.parse::<Address>(), Ok(address.clone()), "{}", text);
            prop_assert!(!text.contains(|letter: char| letter.is_control()));
            let module = &address.resource.module;
            prop_assert_eq!(module.to_string().parse::<ModuleInstance>(), Ok(module.clone()));
            let json = serde_json::to_string(&address).expect("a string");
            prop_assert_eq!(serde_json::from_str::<Address>(&json).expect("the same string"), address);
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), tail in r#"(module\.)?[a-z]\.?[a-z]?\[?"?[\\$%{u0-9"]{0,9}\]?"#) {
            let both = format!("{tail}{text}");
            for text in [text, tail, both] {
                if let Ok(target) = text.parse::<Target>() {
                    let printed = target.to_string();
                    prop_assert_eq!(printed.parse::<Target>(), Ok(target));
                }
            }
        }
    }
}
