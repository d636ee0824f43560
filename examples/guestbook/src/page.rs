//! The page, as text.

use crate::{book::Entry, replica::Config};

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1d2530; --dim: #667085; --paper: #f6f4ef; --card: #fff; --line: #e4e0d8; --accent: #b4532a }
@media (prefers-color-scheme: dark) { :root { --ink: #ece8e1; --dim: #9aa4b2; --paper: #15181d; --card: #1d2229; --line: #2c333d; --accent: #e58a5f } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif }
main { max-width: 42rem; margin: 0 auto; padding: 3rem 1.25rem 4rem }
h1 { font: 600 2.1rem/1.2 Georgia, serif; margin: 0 0 .25rem }
.greeting { color: var(--dim); margin: 0 0 2rem }
form, article { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1.1rem 1.25rem }
label { display: block; font-size: .85rem; color: var(--dim); margin-bottom: .25rem }
input, textarea { width: 100%; font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--line); border-radius: .5rem; padding: .5rem .7rem; margin-bottom: .8rem }
button { font: inherit; font-weight: 600; color: #fff; background: var(--accent); border: 0; border-radius: .5rem; padding: .55rem 1.2rem; cursor: pointer }
article { margin-top: 1rem } article p { margin: 0 0 .5rem; white-space: pre-wrap } article b { color: var(--accent) }
.empty { color: var(--dim); text-align: center; margin: 2rem 0 } footer { color: var(--dim); font-size: .8rem; margin-top: 2.5rem; text-align: center }
";

/// Returns the whole page; everything that people wrote is escaped.
pub(crate) fn render(config: &Config, entries: &[Entry], served_by: &str) -> String {
    let list = if entries.is_empty() {
        "<p class=\"empty\">Nobody has written yet. Be the first.</p>".to_owned()
    } else {
        entries.iter().map(article).collect()
    };
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style></head><body><main><h1>{title}</h1>\
         <p class=\"greeting\">{greeting}</p><form method=\"post\" action=\"/entries\"><label for=\"name\">Your name\
         </label><input id=\"name\" name=\"name\" maxlength=\"80\" required><label for=\"message\">Your message</label>\
         <textarea id=\"message\" name=\"message\" rows=\"3\" maxlength=\"2000\" required></textarea><button>Sign</button>\
         </form>{list}<footer>served by the {served}</footer></main></body></html>\n",
        title = escape(&config.title),
        greeting = escape(&config.greeting),
        served = escape(served_by),
    )
}

fn article(entry: &Entry) -> String {
    format!("<article><p>{}</p><b>{}</b></article>", escape(&entry.message), escape(&entry.name))
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_escaped() {
        assert_eq!(escape("<b a=\"1\">&'"), "&lt;b a=&quot;1&quot;&gt;&amp;&#39;");
    }
}
