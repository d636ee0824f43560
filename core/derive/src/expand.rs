use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{
    Attribute, Data, DataEnum, DeriveInput, Expr, ExprLit, Field, Fields, FieldsNamed, Lit, Meta, Variant,
    spanned::Spanned as _,
};

use crate::{
    case::Case,
    naming::{Naming, rename_all},
    setting::{Fallback, Problems, Settings, widened},
};

/// Returns the implementations that the derive stands for.
pub(crate) fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => structure(input, fields),
            _ => Err(syn::Error::new(input.ident.span(), "a struct needs named fields to have attributes")),
        },
        Data::Enum(data) => enumeration(input, data),
        Data::Union(_) => Err(syn::Error::new(input.ident.span(), "a union has no attributes")),
    }
}

fn structure(input: &DeriveInput, fields: &FieldsNamed) -> syn::Result<TokenStream> {
    let mut problems = Problems::default();
    refuse_settings(&input.attrs, "settings stand at the fields", &mut problems);
    let case = problems.keep(rename_all(&input.attrs)).unwrap_or_default();
    let mut names = BTreeSet::new();
    let mut expressions = Vec::new();
    for field in &fields.named {
        let Some((name, expression)) = problems.keep(one_field(field, case)).flatten() else { continue };
        if !names.insert(name.clone()) {
            problems.add(syn::Error::new(field.span(), format!("there is another attribute `{name}`")));
        }
        expressions.push(expression);
    }
    let ident = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    let description = described(&input.attrs);
    problems.into_result(quote! {
        #[automatically_derived]
        impl #impl_generics ::stackwright::resource::typed::Attributes for #ident #type_generics #where_clause {
            fn fields() -> ::std::vec::Vec<::stackwright::resource::typed::Field> {
                ::std::vec![#(#expressions),*]
            }

            fn description() -> &'static str {
                #description
            }
        }

        #[automatically_derived]
        impl #impl_generics ::stackwright::resource::typed::AttributeType for #ident #type_generics #where_clause {
            fn ty() -> ::stackwright::value::Type {
                ::stackwright::resource::typed::object_type::<Self>()
            }
        }
    })
}

/// Returns the name of a field and the expression for it; nothing if it is no attribute.
fn one_field(field: &Field, case: Case) -> syn::Result<Option<(String, TokenStream)>> {
    let mut problems = Problems::default();
    let naming = problems.keep(Naming::parse(&field.attrs)).unwrap_or_default();
    let settings = problems.keep(Settings::parse(&field.attrs)).unwrap_or_default();
    let Some(ident) = &field.ident else { return problems.into_result(None) };
    if naming.is_skipped {
        refuse_settings(&field.attrs, "a skipped field is no attribute", &mut problems);
        return problems.into_result(None);
    }
    let name = naming.field(ident, case);
    let description = described(&field.attrs);
    let ty = &field.ty;
    let made = if settings.has("block") {
        let refinements = block_refinements(&settings);
        quote_spanned! {ty.span()=>
            ::stackwright::resource::typed::Field::block::<#ty>(#name, #description)#refinements
        }
    } else {
        let refinements = attribute_refinements(&settings, field);
        let made = quote_spanned! {ty.span()=> ::stackwright::resource::typed::Field::attribute::<#ty>(#name) };
        quote! { #made.describe(#description)#refinements }
    };
    let assertion = settings.has("write_only").then(|| {
        quote_spanned! {ty.span()=>
            const {
                ::std::assert!(
                    <#ty as ::stackwright::resource::typed::AttributeType>::OPTIONAL,
                    "a write-only field is an `Option`: objects that were stored do not have it"
                )
            };
        }
    });
    let expression = match assertion {
        Some(assertion) => quote! {{ #assertion #made }},
        None => made,
    };
    problems.into_result(Some((name, expression)))
}

fn block_refinements(settings: &Settings) -> TokenStream {
    let mut calls = TokenStream::new();
    if settings.has("force_new") {
        calls.extend(quote! { .force_new() });
    }
    if let Some(count) = &settings.min_items {
        calls.extend(quote! { .min_items(#count) });
    }
    if let Some(count) = &settings.max_items {
        calls.extend(quote! { .max_items(#count) });
    }
    if let Some(instead) = &settings.deprecated {
        calls.extend(quote! { .deprecated(#instead) });
    }
    calls
}

fn attribute_refinements(settings: &Settings, field: &Field) -> TokenStream {
    let mut calls = TokenStream::new();
    for (name, call) in [
        ("force_new", quote! { .force_new() }),
        ("sensitive", quote! { .sensitive() }),
        ("write_only", quote! { .write_only() }),
        ("required", quote! { .required() }),
        ("stable", quote! { .stable() }),
        ("takes_tags", quote! { .takes_tags() }),
    ] {
        if settings.has(name) {
            calls.extend(call);
        }
    }
    if let Some(fallback) = &settings.default {
        calls.extend(match fallback {
            Fallback::OfType => {
                let ty = &field.ty;
                quote_spanned! {ty.span()=> .default(<#ty as ::std::default::Default>::default()) }
            }
            Fallback::Is(expression) => {
                let expression = widened((**expression).clone());
                quote_spanned! {expression.span()=> .default(#expression) }
            }
        });
    }
    if let Some(pattern) = &settings.pattern {
        calls.extend(quote! { .pattern(#pattern) });
    }
    if let Some(values) = &settings.one_of {
        let values = values.elems.iter().cloned().map(widened);
        calls.extend(quote! { .one_of([#(#values),*]) });
    }
    if let Some(min) = &settings.min {
        calls.extend(quote! { .min(#min) });
    }
    if let Some(max) = &settings.max {
        calls.extend(quote! { .max(#max) });
    }
    match (&settings.min_length, &settings.max_length) {
        (Some(min), Some(max)) => calls.extend(quote! { .length(#min, ::std::option::Option::Some(#max)) }),
        (Some(min), None) => calls.extend(quote! { .length(#min, ::std::option::Option::None) }),
        (None, Some(max)) => calls.extend(quote! { .length(0u64, ::std::option::Option::Some(#max)) }),
        (None, None) => {}
    }
    if let Some(instead) = &settings.deprecated {
        calls.extend(quote! { .deprecated(#instead) });
    }
    calls
}

fn enumeration(input: &DeriveInput, data: &DataEnum) -> syn::Result<TokenStream> {
    let mut problems = Problems::default();
    refuse_settings(&input.attrs, "an enum has no settings; those of the field that holds it count", &mut problems);
    let case = problems.keep(rename_all(&input.attrs)).unwrap_or_default();
    if data.variants.is_empty() {
        problems.add(syn::Error::new(input.ident.span(), "an enum without variants has no value"));
    }
    let mut names = Vec::new();
    for variant in &data.variants {
        names.extend(problems.keep(one_variant(variant, case)).flatten());
    }
    let ident = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    problems.into_result(quote! {
        #[automatically_derived]
        impl #impl_generics ::stackwright::resource::typed::AttributeType for #ident #type_generics #where_clause {
            fn ty() -> ::stackwright::value::Type {
                ::stackwright::value::Type::String
            }

            fn checks() -> ::std::vec::Vec<::stackwright::schema::Check> {
                ::std::vec![::stackwright::schema::Check::OneOf(
                    ::std::vec![#(::stackwright::value::Value::string(#names)),*]
                )]
            }
        }
    })
}

fn one_variant(variant: &Variant, case: Case) -> syn::Result<Option<String>> {
    let mut problems = Problems::default();
    refuse_settings(&variant.attrs, "a variant has no settings", &mut problems);
    let naming = problems.keep(Naming::parse(&variant.attrs)).unwrap_or_default();
    if !matches!(variant.fields, Fields::Unit) {
        problems.add(syn::Error::new(variant.span(), "a variant with data is no text; use a struct with options"));
    }
    let name = (!naming.is_skipped).then(|| naming.variant(&variant.ident, case));
    problems.into_result(name)
}

fn refuse_settings(attributes: &[Attribute], why: &str, problems: &mut Problems) {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("attribute")) {
        problems.add(syn::Error::new(attribute.span(), why));
    }
}

/// Returns doc comments as text: lines of a paragraph joined, paragraphs apart.
fn described(attributes: &[Attribute]) -> String {
    let mut text = String::new();
    let mut at_paragraph = true;
    for line in attributes.iter().filter_map(doc_line) {
        let line = line.trim();
        if line.is_empty() {
            at_paragraph = true;
            continue;
        }
        if !text.is_empty() {
            text.push_str(if at_paragraph { "\n\n" } else { " " });
        }
        text.push_str(line);
        at_paragraph = false;
    }
    text
}

fn doc_line(attribute: &Attribute) -> Option<String> {
    match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}
