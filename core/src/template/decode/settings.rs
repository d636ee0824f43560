use std::{collections::BTreeMap, sync::Arc};

use crate::{
    error::{Diagnostic, Span},
    template::{
        model::{Edition, ProviderName, RequiredProvider, Settings, VersionConstraint},
        syntax::{Attribute, Block, Expr},
    },
};

use super::{
    Problems, Reader,
    body::{labels, unknown},
    constant, dependency, provider,
};

/// Reads a `terraform` block into the settings; a module may have several.
pub(super) fn settings(block: Block, edition: Edition, into: &mut Settings, problems: &mut Problems) {
    if labels(&block, [], problems).is_none() {
        return;
    }
    let mut reader = Reader::new("a `terraform` block", block, problems);
    if let Some(attribute) = reader.attribute("required_version") {
        required_version(&attribute, edition, into, reader.problems);
    }
    reader.not_yet(&["backend", "cloud", "encryption", "experiments", "language", "provider_meta", "state_store"]);
    for block in reader.blocks("required_providers") {
        required_providers(block, &mut into.required_providers, reader.problems);
    }
    reader.finish();
}

fn required_version(attribute: &Attribute, edition: Edition, into: &mut Settings, problems: &mut Problems) {
    let span = attribute.expr.span;
    let Some(constraint) = version(Some(attribute.clone()), problems) else { return };
    let [major, minor, patch] = edition.language_version();
    if !constraint.allows([major, minor, patch]) {
        problems.push(
            Diagnostic::error("template.version", format!("the module asks for another version: {constraint}"))
                .label(span, format!("the language understood here is that of version {major}.{minor}.{patch}"))
                .help("widen `required_version`, if the module does not use anything else"),
        );
    }
    into.required_version.push(constraint);
}

fn version(attribute: Option<Attribute>, problems: &mut Problems) -> Option<VersionConstraint> {
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

fn entry(name: Option<&str>, span: Span, value: &Expr, provider: &mut RequiredProvider, problems: &mut Problems) {
    const KNOWN: [&str; 3] = ["source", "version", "configuration_aliases"];
    let attribute = |name: &str| Attribute {
        name: crate::template::syntax::Ident::new(name, span),
        expr: Arc::new(value.clone()),
        span: span.to(value.span),
    };
    match name {
        Some("source") => provider.source = constant::text(Some(attribute("source")), problems),
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
