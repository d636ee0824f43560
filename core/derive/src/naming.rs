use syn::{Attribute, Expr, Ident, LitStr, Token, ext::IdentExt as _, meta::ParseNestedMeta, parenthesized, token};

use crate::case::Case;

/// Container settings of serde after which the data is not the struct any more.
const RESHAPING: [&str; 8] =
    ["tag", "content", "untagged", "transparent", "from", "try_from", "into", "variant_identifier"];

/// What serde is told about one field or variant.
#[derive(Debug, Default)]
pub(crate) struct Naming {
    pub(crate) rename: Option<String>,
    /// Neither written nor read.
    pub(crate) is_skipped: bool,
}

impl Naming {
    /// Reads the serde settings of a field or variant.
    pub(crate) fn parse(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut naming = Self::default();
        each_setting(attributes, &mut |meta| {
            if meta.path.is_ident("rename") {
                naming.rename = Some(both_ways(meta)?.value());
            } else if meta.path.is_ident("skip") {
                naming.is_skipped = true;
            } else if meta.path.is_ident("flatten") {
                return Err(meta.error("a flattened field is no attribute; write its fields here, or nest it"));
            } else if meta.path.is_ident("skip_serializing") || meta.path.is_ident("skip_deserializing") {
                return Err(meta.error("an attribute is both written and read; `skip` leaves it out"));
            } else {
                pass_over(meta)?;
            }
            Ok(())
        })?;
        Ok(naming)
    }

    /// Returns the name of a field.
    pub(crate) fn field(&self, ident: &Ident, case: Case) -> String {
        self.rename.clone().unwrap_or_else(|| case.field(&ident.unraw().to_string()))
    }

    /// Returns the name of a variant.
    pub(crate) fn variant(&self, ident: &Ident, case: Case) -> String {
        self.rename.clone().unwrap_or_else(|| case.variant(&ident.unraw().to_string()))
    }
}

/// Reads how serde spells the names in a struct or enum.
pub(crate) fn rename_all(attributes: &[Attribute]) -> syn::Result<Case> {
    let mut case = Case::default();
    each_setting(attributes, &mut |meta| {
        if meta.path.is_ident("rename_all") {
            case = Case::parse(&both_ways(meta)?)?;
            Ok(())
        } else if RESHAPING.iter().any(|name| meta.path.is_ident(name)) {
            Err(meta.error("with this, the data is not what the fields say"))
        } else {
            pass_over(meta)
        }
    })?;
    Ok(case)
}

fn each_setting(
    attributes: &[Attribute],
    visit: &mut dyn FnMut(&ParseNestedMeta<'_>) -> syn::Result<()>,
) -> syn::Result<()> {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        attribute.parse_nested_meta(|meta| visit(&meta))?;
    }
    Ok(())
}

/// Reads `= "x"`, or `(serialize = "x", deserialize = "x")` with the same text twice.
fn both_ways(meta: &ParseNestedMeta<'_>) -> syn::Result<LitStr> {
    if meta.input.peek(Token![=]) {
        return meta.value()?.parse();
    }
    let mut found: Vec<LitStr> = Vec::new();
    meta.parse_nested_meta(|direction| {
        found.push(direction.value()?.parse()?);
        Ok(())
    })?;
    match found.as_slice() {
        [one, other] if one.value() == other.value() => Ok(one.clone()),
        _ => Err(meta.error("an attribute has the same name when it is written and when it is read")),
    }
}

/// Reads over the value of a setting that does not matter here.
fn pass_over(meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    if meta.input.peek(Token![=]) {
        meta.value()?.parse::<Expr>()?;
    } else if meta.input.peek(token::Paren) {
        let content;
        parenthesized!(content in meta.input);
        content.parse::<proc_macro2::TokenStream>()?;
    }
    Ok(())
}
