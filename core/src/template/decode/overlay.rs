//! Override files: `override.tf`, `*_override.tf` and the same with `.json`.
//!
//! They are laid over the primary files before anything is decoded, tree over tree: what is set wins, and spans keep
//! pointing to where each part was written. So what no longer fits together (a default and a type from two files) is
//! found by the same code as everything else. A base must be right by itself, too; the caller sees to that.

use std::sync::Arc;

use crate::{
    error::{Diagnostic, Span},
    template::syntax::{Attribute, Block, Body},
};

use super::Problems;

/// Kinds whose blocks have no name that an override could mean.
const NAMELESS: [&str; 4] = ["check", "import", "moved", "removed"];

/// Blocks that hold conditions, which cannot be taken back.
const CONDITIONS: [&str; 3] = ["postcondition", "precondition", "validation"];

/// Lays the blocks of one override file over the primary files.
pub(super) fn overlay(base: &mut Vec<Body>, over: Body, problems: &mut Problems) {
    let mut rest = Body { attributes: over.attributes, blocks: Vec::new(), span: over.span, is_json: over.is_json };
    for block in over.blocks {
        match block.kind.as_str() {
            "locals" => locals(base, block, problems),
            "terraform" => {
                settings(base, &block);
                rest.blocks.push(block);
            }
            "resource" | "data" | "ephemeral" | "module" | "output" | "variable" | "provider" => {
                rest.blocks.extend(named(base, block, problems));
            }
            kind if NAMELESS.contains(&kind) => nameless(&block, problems),
            // What it is will be asked when it is read.
            _ => rest.blocks.push(block),
        }
    }
    base.push(rest);
}

fn refuse(message: String, span: Span, problems: &mut Problems) {
    problems.push(
        Diagnostic::error("template.override", message)
            .at(span)
            .help("an override file changes what the other files of the folder declare; write it there"),
    );
}

fn nameless(block: &Block, problems: &mut Problems) {
    let kind = block.kind.as_str();
    if kind == "removed" {
        // Terraform says nothing, and does nothing.
        problems.push(
            Diagnostic::warning("template.override", "a `removed` block in an override file does nothing")
                .at(block.header_span())
                .help("write it into another file"),
        );
    } else {
        refuse(format!("`{kind}` blocks cannot be overridden"), block.header_span(), problems);
    }
}

fn locals(base: &mut [Body], block: Block, problems: &mut Problems) {
    for attribute in block.body.attributes {
        let name = attribute.name.as_str();
        let found = base
            .iter_mut()
            .flat_map(|body| &mut body.blocks)
            .filter(|block| block.kind.as_str() == "locals")
            .find_map(|block| block.body.attributes.iter_mut().find(|base| base.name.as_str() == name));
        match found {
            Some(base) => *base = attribute,
            None => refuse(format!("there is no local `{name}` to override"), attribute.name.span, problems),
        }
    }
}

/// Takes out of the base what the override's `terraform` block says anew; the block itself is read like any other.
fn settings(base: &mut [Body], over: &Block) {
    let providers: Vec<&str> = over
        .body
        .blocks_of("required_providers")
        .flat_map(|block| block.body.attributes.iter().map(|attribute| attribute.name.as_str()))
        .collect();
    for block in base.iter_mut().flat_map(|body| &mut body.blocks).filter(|block| block.kind.as_str() == "terraform") {
        block.body.attributes.retain(|base| over.body.attribute(base.name.as_str()).is_none());
        if over.body.blocks.iter().any(|block| matches!(block.kind.as_str(), "backend" | "cloud")) {
            block.body.blocks.retain(|base| !matches!(base.kind.as_str(), "backend" | "cloud"));
        }
        for required in block.body.blocks.iter_mut().filter(|block| block.kind.as_str() == "required_providers") {
            required.body.attributes.retain(|base| !providers.contains(&base.name.as_str()));
        }
    }
}

/// Lays a block over the one that it names. Returns it where it stands for itself.
fn named(base: &mut [Body], over: Block, problems: &mut Problems) -> Option<Block> {
    let target = base.iter_mut().flat_map(|body| &mut body.blocks).find(|block| is_same(block, &over));
    match target {
        Some(target) => lay_over(target, over, problems),
        // A provider without a block has an empty configuration, and that can be overridden.
        None if over.kind.as_str() == "provider" && alias(&over).is_none() => return Some(over),
        None => {
            let labels: Vec<&str> = over.labels.iter().map(|label| &*label.text).collect();
            let name = [Some(labels.join(".")), alias(&over)].into_iter().flatten().collect::<Vec<_>>().join(".");
            let kind = over.kind.as_str();
            refuse(format!("there is no `{kind}` block `{name}` to override"), over.header_span(), problems);
        }
    }
    None
}

fn is_same(block: &Block, over: &Block) -> bool {
    block.kind.as_str() == over.kind.as_str()
        && block.labels.iter().map(|label| &label.text).eq(over.labels.iter().map(|label| &label.text))
        && (block.kind.as_str() != "provider" || alias(block) == alias(over))
}

fn alias(block: &Block) -> Option<String> {
    block.body.attribute("alias")?.expr.as_string().map(str::to_owned)
}

fn lay_over(target: &mut Block, over: Block, problems: &mut Problems) {
    let Body { mut attributes, blocks, is_json, .. } = over.body;
    if matches!(target.kind.as_str(), "resource" | "data" | "ephemeral" | "module" | "output") {
        attributes.retain(|attribute| attribute.name.as_str() != "depends_on" || is_kept(attribute, problems));
    }
    let is_repeated_twice = ["count", "for_each"]
        .into_iter()
        .all(|name| attributes.iter().any(|attribute| attribute.name.as_str() == name));
    let (conditions, blocks): (Vec<_>, Vec<_>) =
        blocks.into_iter().partition(|block| CONDITIONS.contains(&block.kind.as_str()));
    refuse_conditions(&conditions, problems);
    let (lifecycles, blocks): (Vec<_>, Vec<_>) = if matches!(target.kind.as_str(), "resource" | "data" | "ephemeral") {
        blocks.into_iter().partition(|block| block.kind.as_str() == "lifecycle")
    } else {
        (Vec::new(), blocks)
    };
    lay_body(&mut target.body, attributes, blocks, is_json);
    let repetition = |name: &str| target.body.attribute(name).is_some();
    if !is_repeated_twice && repetition("count") && repetition("for_each") {
        // Of two that different files say, `count` is the one that counts.
        target.body.attributes.retain(|attribute| attribute.name.as_str() != "for_each");
    }
    for over in lifecycles {
        match target.body.blocks.iter_mut().find(|block| block.kind.as_str() == "lifecycle") {
            Some(base) => lifecycle(&mut base.body, over, problems),
            None => {
                let mut base = over.clone();
                base.body.attributes.clear();
                base.body.blocks.clear();
                lifecycle(&mut base.body, over, problems);
                target.body.blocks.push(base);
            }
        }
    }
}

/// Returns whether `depends_on` is for the reader of the block to judge; an empty list says nothing, and any other
/// cannot be overridden.
fn is_kept(attribute: &Attribute, problems: &mut Problems) -> bool {
    match attribute.expr.static_list() {
        Some([]) => false,
        Some(_) => {
            refuse("`depends_on` cannot be overridden".to_owned(), attribute.name.span, problems);
            false
        }
        None => true,
    }
}

fn refuse_conditions(conditions: &[Block], problems: &mut Problems) {
    for block in conditions {
        let message = format!("`{}` blocks cannot be overridden", block.kind.as_str());
        refuse(message, block.header_span(), problems);
    }
}

/// Arguments win one by one; blocks of a kind take the place of all blocks of that kind.
fn lay_body(target: &mut Body, attributes: Vec<Attribute>, blocks: Vec<Block>, is_json: bool) {
    // What JSON spells as an argument may be blocks: whichever it is, it takes the place of both.
    let replaced = |name: &str| {
        blocks.iter().any(|block| type_of(block) == name)
            || is_json && attributes.iter().any(|attribute| attribute.name.as_str() == name)
    };
    target.blocks.retain(|block| !replaced(type_of(block)));
    target.attributes.retain(|attribute| {
        let name = attribute.name.as_str();
        !blocks.iter().any(|block| target.is_json && type_of(block) == name)
            && !attributes.iter().any(|over| over.name.as_str() == name)
    });
    target.attributes.extend(attributes);
    target.blocks.extend(blocks);
    target.is_json |= is_json;
}

/// Returns the kind of the blocks that a block stands for.
fn type_of(block: &Block) -> &str {
    match block.kind.as_str() {
        "dynamic" => block.label(0).unwrap_or("dynamic"),
        kind => kind,
    }
}

fn lifecycle(base: &mut Body, over: Block, problems: &mut Problems) {
    let (conditions, blocks): (Vec<_>, Vec<_>) =
        over.body.blocks.into_iter().partition(|block| CONDITIONS.contains(&block.kind.as_str()));
    refuse_conditions(&conditions, problems);
    base.blocks.extend(blocks);
    for attribute in over.body.attributes {
        match attribute.name.as_str() {
            "replace_triggered_by" => problems.push(
                Diagnostic::warning("template.override", "`replace_triggered_by` in an override file does nothing")
                    .at(attribute.name.span)
                    .help("write it into the block that is overridden"),
            ),
            // `all` stays whatever is said besides, and an empty list says nothing.
            "ignore_changes" if base.attribute("ignore_changes").is_some_and(says_all) || says_nothing(&attribute) => {}
            _ => lay_attribute(base, attribute),
        }
    }
}

fn says_all(attribute: &Attribute) -> bool {
    attribute.expr.as_keyword() == Some("all")
}

fn says_nothing(attribute: &Attribute) -> bool {
    matches!(attribute.expr.static_list(), Some([]))
}

fn lay_attribute(base: &mut Body, attribute: Attribute) {
    let name = Arc::clone(&attribute.name.name);
    base.attributes.retain(|base| base.name.name != name);
    base.attributes.push(attribute);
}
