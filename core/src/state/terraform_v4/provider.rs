//! How providers are named: `local`, `module.a.provider.local.east` here;
//! `provider["registry.terraform.io/hashicorp/local"]`, `module.a.provider["…"].east` there.

use std::borrow::Cow;

/// Where providers without a known source come from, as Terraform assumes.
const DEFAULT_SOURCE: &str = "registry.terraform.io/hashicorp";

/// Returns the provider that the name of a type implies: what stands before its first `_`.
pub(super) fn implied(type_name: &str) -> &str {
    type_name.split('_').next().unwrap_or(type_name)
}

/// Returns Terraform's name of one of our providers. `source` tells where a provider (by its local name) comes from.
pub(super) fn to_terraform(provider: &str, type_name: &str, source: &dyn Fn(&str) -> Option<String>) -> String {
    let (module, name) = match provider.rsplit_once("provider.") {
        Some((module, name)) => (module, name),
        None => ("", provider),
    };
    let (name, alias) = name.split_once('.').map_or((name, None), |(name, alias)| (name, Some(alias)));
    let name = if name.is_empty() { implied(type_name) } else { name };
    let source = source(name).unwrap_or_else(|| format!("{DEFAULT_SOURCE}/{name}"));
    let alias = alias.map_or(Cow::Borrowed(""), |alias| format!(".{alias}").into());
    format!("{module}provider[\"{source}\"]{alias}")
}

/// Returns our name of one of Terraform's providers; empty for the one that the type implies. `None` where it is not the
/// name of a provider.
pub(super) fn from_terraform(provider: &str, type_name: &str) -> Option<String> {
    let (module, rest) = provider.split_once("provider[\"").or_else(|| provider.split_once("provider."))?;
    let (source, alias) = match rest.split_once("\"]") {
        Some((source, alias)) => (source, alias),
        // Before Terraform 0.13: `provider.aws.east`.
        None => rest.split_at(rest.find('.').unwrap_or(rest.len())),
    };
    let name = source.rsplit('/').next().filter(|name| !name.is_empty())?;
    let alias = alias.strip_prefix('.').unwrap_or(alias);
    if !module.is_empty() && !module.ends_with('.') {
        return None;
    }
    Some(match (module, alias) {
        ("", "") if name == implied(type_name) => String::new(),
        ("", "") => name.to_owned(),
        (module, "") => format!("{module}provider.{name}"),
        (module, alias) => format!("{module}provider.{name}.{alias}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_both_ways() {
        for (theirs, type_name, ours) in [
            (r#"provider["registry.terraform.io/hashicorp/aws"]"#, "aws_vpc", ""),
            (r#"provider["registry.terraform.io/hashicorp/aws"].east"#, "aws_vpc", "provider.aws.east"),
            (r#"provider["registry.terraform.io/hashicorp/google"]"#, "acme_vpc", "google"),
            (
                r#"module.a["x"].provider["registry.terraform.io/hashicorp/aws"]"#,
                "aws_vpc",
                r#"module.a["x"].provider.aws"#,
            ),
            (r#"module.a.provider["registry.terraform.io/hashicorp/aws"].b"#, "aws_vpc", "module.a.provider.aws.b"),
            (r#"provider["example.com/acme/cloud"]"#, "cloud_vpc", ""),
        ] {
            assert_eq!(from_terraform(theirs, type_name).as_deref(), Some(ours), "{theirs}");
            let source = |name: &str| (name == "cloud").then(|| "example.com/acme/cloud".to_owned());
            assert_eq!(to_terraform(ours, type_name, &source), theirs, "{ours}");
        }
        assert_eq!(from_terraform("provider.aws.east", "aws_vpc").as_deref(), Some("provider.aws.east"));
        for bad in ["", "aws", "provider[\"\"]", "x provider[\"aws\"]"] {
            assert_eq!(from_terraform(bad, "aws_vpc"), None, "{bad}");
        }
    }
}
