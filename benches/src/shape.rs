use std::fmt::Write as _;

use crate::Random;

/// A shape of dependencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `n` independent blocks.
    Flat,
    /// One block with `count = n`.
    Count,
    /// Two blocks with `count = n / 2`; `b[i]` refers to `a[count.index]`.
    Pair,
    /// Two blocks with `for_each` over `n / 2` keys; `b[k]` refers to `a[each.key]`.
    ForEach,
    /// Two blocks with `count = n / 2`; each `b[i]` refers to all of `a`.
    Splat,
    /// Ten layers of `n / 10` blocks; each refers to two of the layer before.
    Layered,
    /// `n` blocks; each refers to the one before.
    Chain,
}

impl Shape {
    /// All shapes.
    pub const ALL: [Self; 7] =
        [Self::Flat, Self::Count, Self::Pair, Self::ForEach, Self::Splat, Self::Layered, Self::Chain];

    /// Returns the name used in tables and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Count => "count",
            Self::Pair => "pair",
            Self::ForEach => "for_each",
            Self::Splat => "splat",
            Self::Layered => "layered",
            Self::Chain => "chain",
        }
    }

    /// Returns the shape with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|shape| shape.name() == name)
    }

    /// Returns a template with `instance_count` instances in all.
    pub fn template(self, instance_count: usize) -> String {
        let n = instance_count;
        let mut text = String::with_capacity(n * 80 + 256);
        match self {
            Self::Flat => (0..n).for_each(|i| block(&mut text, &format!("r{i}"), &format!("\"value {i}\""))),
            Self::Count => text.push_str(&counted("a", n, "\"value ${count.index}\"")),
            Self::Pair => {
                text.push_str(&counted("a", n / 2, "\"value ${count.index}\""));
                text.push_str(&counted("b", n - n / 2, "terraform_data.a[count.index].output"));
            }
            Self::ForEach => {
                // `range` makes 1,024 numbers at most, here as in Terraform.
                let key_count = n / 2;
                let (rows, width) = (key_count.div_ceil(1_000), key_count.min(1_000));
                let number = format!("{width} * i + j");
                let row = format!("[for j in range({width}) : \"key-${{{number}}}\" if {number} < {key_count}]");
                let keys = format!("toset(flatten([for i in range({rows}) : {row}]))");
                let _ = writeln!(text, "locals {{\n  keys = {keys}\n}}\n");
                for (name, input) in [("a", "each.key"), ("b", "terraform_data.a[each.key].output")] {
                    let _ = writeln!(
                        text,
                        "resource \"terraform_data\" \"{name}\" {{\n  for_each = local.keys\n  input    = {input}\n}}\n"
                    );
                }
            }
            Self::Splat => {
                text.push_str(&counted("a", n / 2, "\"value ${count.index}\""));
                let input = "\"${count.index} of ${length(terraform_data.a[*].id)}\"";
                text.push_str(&counted("b", n - n / 2, input));
            }
            Self::Layered => layered(&mut text, n),
            Self::Chain => (0..n).for_each(|i| {
                let input = match i {
                    0 => "\"start\"".to_owned(),
                    _ => format!("terraform_data.r{}.output", i - 1),
                };
                block(&mut text, &format!("r{i}"), &input);
            }),
        }
        text
    }
}

fn block(text: &mut String, name: &str, input: &str) {
    let _ = writeln!(text, "resource \"terraform_data\" \"{name}\" {{\n  input = {input}\n}}\n");
}

fn counted(name: &str, count: usize, input: &str) -> String {
    format!("resource \"terraform_data\" \"{name}\" {{\n  count = {count}\n  input = {input}\n}}\n\n")
}

fn layered(text: &mut String, instance_count: usize) {
    let width = (instance_count / 10).max(1);
    let mut random = Random::new(7);
    for i in 0..instance_count {
        let layer = i / width;
        let input = if layer == 0 {
            format!("\"value {i}\"")
        } else {
            let mut pick = || (layer - 1) * width + random.below(width);
            format!("sha1(\"${{terraform_data.r{}.id}}${{terraform_data.r{}.id}}\")", pick(), pick())
        };
        block(text, &format!("r{i}"), &input);
    }
}

/// Returns about `byte_count` bytes of a template as people write them: blocks, lists, objects, nested blocks, texts
/// with interpolations, comments.
pub fn realistic(byte_count: usize) -> String {
    let mut text = String::with_capacity(byte_count + 1024);
    let mut i = 0;
    while text.len() < byte_count {
        let _ = write!(
            text,
            "# Service number {i}: one of many.\nresource \"acme_service\" \"service_{i}\" {{\n  name        = \"${{var.prefix}}-service-{i}\"\n  description = \"Serves requests of group {group} in ${{var.region}}, as agreed.\"\n  replicas    = {replicas}\n  enabled     = {enabled}\n  ports       = [80, 443, {port}]\n  labels = {{\n    team  = \"core\"\n    owner = local.owners[\"group-{group}\"]\n    tier  = var.production ? \"gold\" : \"bronze\"\n  }}\n\n  network {{\n    subnet_id = acme_subnet.main[{group}].id\n    address   = cidrhost(acme_subnet.main[{group}].cidr, {host})\n  }}\n\n  depends_on = [acme_role.deployer]\n}}\n\n",
            group = i % 17,
            replicas = i % 5 + 1,
            enabled = i % 3 != 0,
            port = 8000 + i % 1000,
            host = i % 250 + 1,
        );
        i += 1;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_have_as_many_blocks_as_they_say() {
        assert_eq!(Shape::Flat.template(10).matches("resource ").count(), 10);
        assert_eq!(Shape::Layered.template(40).matches("resource ").count(), 40);
        assert!(Shape::Pair.template(10).contains("count = 5"));
        assert_eq!(Shape::parse("for_each"), Some(Shape::ForEach));
        assert_eq!(Shape::Layered.template(500), Shape::Layered.template(500));
    }

    #[test]
    fn realistic_text_is_as_long_as_asked() {
        let text = realistic(10_000);
        assert!((10_000..12_000).contains(&text.len()));
    }
}
