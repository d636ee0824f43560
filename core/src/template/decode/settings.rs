use std::{collections::BTreeMap, sync::Arc};

use crate::{
    error::{Diagnostic, Span},
    template::{
        model::{Edition, Module, ProviderName, RequiredProvider, RequiredVersion, Settings, VersionConstraint},
        syntax::{Attribute, Block, Expr, ExprKind, Literal},
    },
};

use super::{
    Problems, Reader,
    body::{labels, unknown},
    constant, dependency, provider,
};

/// Reads a `terraform` block into the settings; a module may have several.
pub(super) fn settings(block: Block, into: &mut Settings, problems: &mut Problems) {
    if labels(&block, [], problems).is_none() {
        return;
    }
    let mut reader = Reader::new("a `terraform` block", block, problems);
    if let Some(attribute) = reader.attribute("required_version") {
        let span = attribute.expr.span;
        let constraint = version(Some(attribute), reader.problems);
        into.required_version.extend(constraint.map(|constraint| RequiredVersion { constraint, span }));
    }
    if let Some(attribute) = reader.attribute("language") {
        language(&attribute, into, reader.problems);
    }
    reader.not_yet(&["backend", "cloud", "encryption", "experiments", "provider_meta", "state_store"]);
    for (idx, block) in reader.blocks("required_providers").into_iter().enumerate() {
        if idx > 0 {
            reader.problems.push(
                Diagnostic::error("template.duplicate", "a module says what it requires in one block")
                    .at(block.kind.span)
                    .help("write all providers into the first `required_providers` block"),
            );
        }
        required_providers(block, &mut into.required_providers, reader.problems);
    }
    reader.finish();
}

/// Reads `language`: a bare word. Terraform knows only `TF2021`, and refuses a template that names another.
fn language(attribute: &Attribute, into: &mut Settings, problems: &mut Problems) {
    let span = attribute.expr.span;
    match attribute.expr.as_keyword() {
        Some("TF2021") => {}
        Some("stackwright") => into.language = Some((Edition::Stackwright, span)),
        _ if attribute.expr.is_invalid() => {}
        _ => problems.push(
            Diagnostic::error("template.version", "the language of the template is not known")
                .at(span)
                .help("write `language = stackwright` for this engine's extensions, or leave it out"),
        ),
    }
}

/// Returns the edition of a template: what the root module asks for, or the given one; and reports modules that ask for
/// something else.
pub(super) fn edition(root: &Module, modules: &[&Module], given: Edition, problems: &mut Vec<Diagnostic>) -> Edition {
    let given = root.settings.language.map_or(given, |(edition, _)| edition);
    for (asked, span) in modules.iter().filter_map(|module| module.settings.language) {
        if asked > given {
            let message = format!("the module is written in edition `{asked}`, the root module is not");
            let help = format!("put `language = {asked}` into the `terraform` block of the root module");
            problems.push(Diagnostic::error("template.version", message).at(span).help(help));
        }
    }
    let fits = |edition: Edition, required: &RequiredVersion| {
        edition.versions().iter().any(|version| required.constraint.allows(*version))
    };
    let required = || modules.iter().flat_map(|module| &module.settings.required_version);
    // Our own edition is never chosen because of a version number.
    let candidates = [given, Edition::V1_12].into_iter().filter(|candidate| *candidate >= given);
    for candidate in candidates {
        if required().all(|required| fits(candidate, required)) {
            return candidate;
        }
    }
    for required in required().filter(|required| !fits(given, required)) {
        let known: Vec<String> = given.versions().iter().map(|[major, minor, _]| format!("{major}.{minor}")).collect();
        let message = format!("the module asks for another version: {}", required.constraint);
        problems.push(
            Diagnostic::error("template.version", message)
                .label(required.span, format!("the language understood here is that of version {}", known.join(", ")))
                .help("widen `required_version`, if the module does not use anything else"),
        );
    }
    given
}

pub(super) fn version(attribute: Option<Attribute>, problems: &mut Problems) -> Option<VersionConstraint> {
    let span = attribute.as_ref()?.expr.span;
    match constant::text(attribute, problems)?.parse() {
        Ok(constraint) => Some(constraint),
        Err(message) => {
            problems.push(Diagnostic::error("template.version", message).at(span));
            None
        }
    }
}

fn required_providers(block: Block, into: &mut BTreeMap<Arc<str>, RequiredProvider>, problems: &mut Problems) {
    if labels(&block, [], problems).is_none() {
        return;
    }
    let mut reader = Reader::new("a `required_providers` block", block, problems);
    for attribute in reader.remaining_attributes() {
        let name = Arc::clone(&attribute.name.name);
        let span = attribute.name.span;
        if let Some(first) = into.get(&name) {
            reader.problems.push(
                Diagnostic::error("template.duplicate", format!("the provider `{name}` is required twice"))
                    .label(span, "again here")
                    .label(first.span, "first here"),
            );
            continue;
        }
        if !is_provider_name(&name) {
            reader.problems.push(
                Diagnostic::error("template.provider", format!("a provider cannot be called `{name}`"))
                    .at(span)
                    .help("write small letters, digits and single dashes between them"),
            );
        }
        let mut provider =
            RequiredProvider { name: Arc::clone(&name), source: None, version: None, aliases: BTreeMap::new(), span };
        if attribute.expr.as_string().is_some() {
            provider.version = version(Some(attribute), reader.problems);
        } else if let Some(items) = attribute.expr.static_map() {
            for item in items {
                entry(item.key.as_str(), item.key.span(), item.value, &mut provider, reader.problems);
            }
        } else if !attribute.expr.is_invalid() {
            reader.problems.push(
                Diagnostic::error("template.static", format!("the requirement of provider `{name}` is not understood"))
                    .at(attribute.expr.span)
                    .help(format!("write `{name} = {{ source = \"owner/{name}\", version = \"~> 1.0\" }}`")),
            );
        }
        into.insert(name, provider);
    }
    reader.finish();
}

/// Returns whether a provider may be called so in a module.
fn is_provider_name(name: &str) -> bool {
    let fits = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() && !c.is_uppercase());
    name.split('-').all(fits)
}

/// Returns whether a text may be the source of a provider: a name, its owner's in front, a host's in front of that.
fn is_source(source: &str) -> bool {
    let parts: Vec<&str> = source.split('/').collect();
    let fits = |part: &&str| !part.is_empty() && !part.contains(char::is_whitespace);
    parts.len() <= 3 && parts.iter().all(fits)
}

/// Refuses a number or a condition where only a text has a meaning.
fn is_text(name: &str, value: &Expr, problems: &mut Problems) -> bool {
    let is_other = matches!(value.kind, ExprKind::Literal(Literal::Number(_) | Literal::Bool(_)));
    if is_other {
        problems.push(Diagnostic::error("template.static", format!("`{name}` takes a text in quotes")).at(value.span));
    }
    !is_other
}

fn entry(name: Option<&str>, span: Span, value: &Expr, provider: &mut RequiredProvider, problems: &mut Problems) {
    const KNOWN: [&str; 3] = ["source", "version", "configuration_aliases"];
    let attribute = |name: &str| Attribute {
        name: crate::template::syntax::Ident::new(name, span),
        expr: Arc::new(value.clone()),
        span: span.to(value.span),
    };
    match name {
        Some("source" | "version") if !is_text(name.unwrap_or_default(), value, problems) => {}
        Some("source") => {
            provider.source = constant::text(Some(attribute("source")), problems);
            if provider.source.as_ref().is_some_and(|source| !is_source(source)) {
                problems.push(
                    Diagnostic::error("template.provider", "this is no source of a provider")
                        .at(value.span)
                        .help("write `owner/name`, with a host in front of it where it is not the usual one"),
                );
            }
        }
        Some("version") => provider.version = version(Some(attribute("version")), problems),
        Some("configuration_aliases") => {
            for alias in dependency::list(&attribute("configuration_aliases"), problems) {
                let span = alias.span();
                match provider::name(&alias) {
                    Some(ProviderName { name, alias: Some(alias) }) if name == provider.name => {
                        provider.aliases.insert(alias, span);
                    }
                    _ => problems.push(
                        Diagnostic::error("template.provider", "this names no configuration of the provider")
                            .at(span)
                            .help(format!("write `{}.alias`", provider.name)),
                    ),
                }
            }
        }
        other => problems.push(unknown(
            "template.argument",
            "argument",
            other.unwrap_or("?"),
            span,
            "the requirement of a provider",
            KNOWN,
        )),
    }
}
