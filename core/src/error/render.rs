use std::fmt::Write as _;

use super::{Diagnostic, Severity, Sources};

/// How diagnostics are drawn.
#[derive(Clone, Copy, Debug, Default)]
pub struct RenderOptions {
    /// Whether to write ANSI colours.
    pub color: bool,
}

/// Returns one diagnostic as text: message, place, the source line with the span underlined, help. Of sources that are
/// withheld only the place is told.
///
/// Ends with a newline. Cost is linear in the text before the span.
pub fn render(diagnostic: &Diagnostic, sources: &Sources, options: RenderOptions) -> String {
    let paint = Paint { on: options.color };
    let (word, tone) = match diagnostic.severity {
        Severity::Error => ("error", "1;31"),
        Severity::Warning => ("warning", "1;33"),
    };
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{}{} {}",
        paint.wrap(tone, &format!("{word}[{}]", diagnostic.code)),
        paint.wrap("1", ":"),
        paint.wrap("1", &diagnostic.message)
    );
    if let Some(address) = &diagnostic.address {
        let _ = writeln!(out, "  {} {address}", paint.wrap("34", "in"));
    }
    for (idx, label) in diagnostic.labels.iter().enumerate() {
        let place = sources.position(label.span);
        let end = sources.end_position(label.span);
        let arrow = if idx == 0 { "-->" } else { ":::" };
        let _ = writeln!(
            out,
            "  {} {}:{}:{}",
            paint.wrap("34", arrow),
            sources.name(label.span.source),
            place.line,
            place.column
        );
        if sources.is_withheld(label.span.source) {
            if !label.text.is_empty() {
                let _ = writeln!(out, "  {} {}", paint.wrap("34", "="), label.text);
            }
            continue;
        }
        let line = sources.text(label.span.source).lines().nth(place.line as usize - 1).unwrap_or("");
        let gutter = place.line.to_string();
        let pad = " ".repeat(gutter.len());
        let _ = writeln!(out, " {pad} {}", paint.wrap("34", "|"));
        let _ = writeln!(out, " {} {} {}", paint.wrap("34", &gutter), paint.wrap("34", "|"), line.replace('\t', " "));
        let width = line.chars().count() as u32 + 1;
        let last = if end.line == place.line { end.column } else { width };
        let marks = last.saturating_sub(place.column).max(1) as usize;
        let lead = " ".repeat(place.column.saturating_sub(1) as usize);
        let words = if label.text.is_empty() { String::new() } else { format!(" {}", label.text) };
        let _ = writeln!(
            out,
            " {pad} {} {lead}{}",
            paint.wrap("34", "|"),
            paint.wrap(tone, &format!("{}{words}", "^".repeat(marks)))
        );
    }
    if let Some(help) = &diagnostic.help {
        let _ = writeln!(out, "  {} {help}", paint.wrap("36", "help:"));
    }
    out
}

/// Returns all diagnostics as text, with an empty line between two.
pub fn render_all(diagnostics: &[Diagnostic], sources: &Sources, options: RenderOptions) -> String {
    diagnostics.iter().map(|diagnostic| render(diagnostic, sources, options)).collect::<Vec<_>>().join("\n")
}

#[derive(Clone, Copy)]
struct Paint {
    on: bool,
}

impl Paint {
    fn wrap(self, tone: &str, text: &str) -> String {
        if self.on { format!("\u{1b}[{tone}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Span;

    #[test]
    fn draws_the_span() {
        let mut sources = Sources::new();
        let id = sources.add("main.tf", "locals {\n  a = vra.x\n}\n");
        let diagnostic = Diagnostic::error("template.reference", "`vra` is not declared")
            .label(Span::new(id, 15, 18), "not found")
            .help("did you mean `var`?");
        let text = render(&diagnostic, &sources, RenderOptions::default());
        assert_eq!(
            text,
            "error[template.reference]: `vra` is not declared\n  --> main.tf:2:7\n   |\n 2 |   a = vra.x\n   |       ^^^ not found\n  help: did you mean `var`?\n"
        );
        let id = sources.add_withheld("x.tfvars", "token = hunter2\n");
        let diagnostic = Diagnostic::error("syntax.unexpected", "no value").label(Span::new(id, 8, 15), "here");
        let text = render(&diagnostic.at(Span::new(id, 0, 5)), &sources, RenderOptions::default());
        assert_eq!(text, "error[syntax.unexpected]: no value\n  --> x.tfvars:1:9\n  = here\n  ::: x.tfvars:1:1\n");
    }
}
