//! What we do differently on purpose. `docs/design/language.md` says why, rule by rule.
//!
//! A rule looks at the very call that it is about, with the arguments that it gets: one that says "whatever has
//! `cidrsubnet` in it" would hide mistakes.

use std::collections::BTreeMap;

use stackwright::{
    template::syntax::{BinaryOp, Call, Conditional, Expr, ExprKind, Ident, TemplatePart},
    value::{Type, Value, convert},
};

use crate::{
    Outcome,
    compare::Kind,
    ours::{self, Found},
    world::World,
};

/// What a rule looks at.
pub struct Case<'a> {
    /// What both sides evaluated in.
    pub world: &'a World,
    /// The expression as it is written.
    pub text: &'a str,
    /// What we say of it.
    pub ours: &'a Found,
    /// What Terraform says.
    pub theirs: &'a Outcome,
    /// How that differs.
    pub kind: Kind,
}

/// A difference that is meant.
pub struct Rule {
    /// The name, which `docs/design/language.md` has too.
    pub name: &'static str,
    applies: fn(&Case<'_>) -> bool,
}

/// Every rule.
pub const RULES: &[Rule] = &[
    Rule {
        name: "infinite numbers",
        applies: |case| {
            matches!(&case.ours.outcome, Outcome::Error(message) if message.contains("an infinite number has no form"))
                || case.ours.is_infinite
                || matches!(&case.ours.outcome, Outcome::Value(text) if text.contains("=+Inf") || text.contains("=-Inf"))
        },
    },
    Rule {
        name: "panics inside Terraform",
        applies: |case| {
            case.their_error("panic")
                || case.their_error("goroutine")
                // Behind `try` and `can` nobody sees it.
                // In an arm that is not taken neither.
                || case.calls(
                    |name, _| name == "slice",
                    |case, call| case.value(&call.args[0]).is_some_and(|list| !list.is_known()),
                )
                || case.calls(
                    |name, count| name == "element" && count == 2,
                    |case, call| {
                        let is_tuple = case.value(&call.args[0]).is_some_and(|list| matches!(list.ty(), Type::Tuple(_)));
                        let index = case.value(&call.args[1]).and_then(|index| convert(&index, &Type::Number).ok());
                        is_tuple && index.is_some_and(|index| index.as_number().is_some_and(|n| n.is_negative()))
                    },
                )
        },
    },
    Rule {
        name: "files outside of the template",
        applies: |case| {
            case.calls(
                |name, _| name.starts_with("file") || name == "templatefile",
                |case, call| case.our_error(call).is_some_and(|message| message.starts_with("eval.path_escape")),
            )
        },
    },
    Rule {
        name: "broken file patterns",
        applies: |case| {
            case.calls(
                |name, _| name == "fileset",
                |case, call| {
                    case.our_error(&bare(call)).is_some_and(|message| message.contains("is not a file pattern"))
                },
            )
        },
    },
    Rule {
        name: "subnets outside of their prefix",
        applies: |case| {
            case.calls(
                |name, count| name == "cidrsubnet" && count == 3,
                |case, call| {
                    let number = |idx: usize| {
                        case.value(&call.args[idx])
                            .and_then(|value| convert(&value, &Type::Number).ok()?.as_number().cloned())
                    };
                    let (Some(bits), Some(place)) = (number(1), number(2)) else { return false };
                    place.is_negative() || bits >= 64.into() || case.our_error(call).is_some()
                },
            )
        },
    },
    Rule {
        name: "everything cut into subnets",
        applies: |case| {
            case.calls(
                |name, count| name == "cidrsubnets" && count > 1,
                |case, call| case.text_of(&call.args[0]).is_some_and(|prefix| prefix.ends_with("/0")),
            )
        },
    },
    Rule {
        name: "IPv4 inside IPv6",
        applies: |case| {
            case.calls(
                |name, count| name.starts_with("cidr") && count > 0,
                |case, call| {
                    case.text_of(&call.args[0])
                        .is_some_and(|prefix| prefix.starts_with("::ffff:") && prefix.contains('.'))
                },
            )
        },
    },
    Rule {
        name: "secrets in a `for` of a template",
        applies: |case| {
            let mut templates = Vec::new();
            collect_templates(&case.ours.expr, &mut templates);
            case.kind == Kind::Marks
                // One with a problem stands in an arm that is not taken.
                && templates
                    .into_iter()
                    .any(|template| case.value(template).is_none_or(|text| !text.is_known() && text.is_sensitive()))
        },
    },
    Rule {
        name: "escapes before combining characters",
        applies: |case| {
            matches!(case.kind, Kind::Value | Kind::Accepted)
                && case.calls(
                    |name, count| {
                        (matches!(name, "jsonencode" | "yamlencode")
                            || name.starts_with("provider::terraform::encode_"))
                            && count == 1
                    },
                    |case, call| case.written(call).is_some_and(|text| escapes_marks(&text)),
                )
        },
    },
    Rule {
        name: "compressed bytes",
        applies: |case| {
            matches!(case.kind, Kind::Value | Kind::Accepted)
                && case.calls(
                    |name, count| name == "base64gzip" && count == 1,
                    |case, call| {
                        // Shorter ones repeat nothing.
                        case.text_of(&call.args[0]).is_none_or(|text| text.len() > 3)
                    },
                )
        },
    },
    Rule {
        name: "byte order marks inside of YAML",
        applies: |case| {
            case.calls(
                |name, count| name == "yamldecode" && count == 1,
                |case, call| {
                    case.our_error(&bare(call))
                        .is_some_and(|message| message.contains("byte order mark must not appear"))
                },
            )
        },
    },
    Rule {
        name: "tabs in YAML",
        applies: |case| {
            matches!(case.kind, Kind::Accepted | Kind::Refused | Kind::Value)
                && case.calls(
                    |name, count| name == "yamldecode" && count == 1,
                    |case, call| case.text_of(&bare(call).args[0]).is_some_and(|text| text.contains('\t')),
                )
        },
    },
    Rule {
        name: "years of five digits",
        applies: |case| {
            case.calls(
                |name, count| name == "timeadd" && count == 2,
                |case, call| {
                    case.our_error(&bare(call))
                        .is_some_and(|message| message.contains("outside of the years that can be written"))
                },
            )
        },
    },
    Rule {
        name: "limits",
        applies: |case| matches!(&case.ours.outcome, Outcome::Error(message) if message.starts_with("eval.budget")),
    },
    Rule {
        name: "digits of powers and logarithms",
        applies: |case| {
            matches!(case.kind, Kind::Value | Kind::Accepted | Kind::Refinement)
                && case.calls(|name, _| matches!(name, "pow" | "log"), |_, _| true)
                && case.has_the_same_numbers()
        },
    },
    Rule {
        name: "digits of what is counted",
        applies: |case| {
            matches!(case.kind, Kind::Value | Kind::Refinement)
                && divides(&case.ours.expr)
                && case.has_the_same_numbers()
        },
    },
    Rule {
        name: "digits of written numbers",
        applies: |case| {
            matches!(case.kind, Kind::Value | Kind::Accepted)
                && case.calls(|name, _| name.starts_with("provider::terraform::encode_"), |_, _| true)
                && case.has_the_same_numbers()
        },
    },
    Rule {
        name: "types that are known later",
        applies: |case| case.kind == Kind::Accepted && ours::validates(case.world, &case.ours.expr).is_err(),
    },
    Rule {
        name: "elements of objects that differ",
        applies: |case| {
            let refused = case.kind == Kind::Accepted && case.their_error("result value has the wrong type: ");
            // What fails inside of an arm that is not taken leaves its type open.
            let (roots, nested) = conditionals(&case.ours.expr);
            // What they convert twice may have lost everything by then.
            let lost = case.kind == Kind::Refused
                && matches!(&case.ours.outcome, Outcome::Error(message) if message.starts_with("eval.type"));
            let met = if refused || lost { [roots, nested].concat() } else { nested };
            met.into_iter().any(|conditional| {
                [&conditional.then, &conditional.otherwise]
                    .map(|arm| case.value(arm).map(|value| value.ty()))
                    .map(|ty| match ty {
                        Some(Type::Tuple(_) | Type::Object(_)) => 1,
                        Some(Type::List(_) | Type::Map(_)) => 2,
                        // A splat whose elements fail is a list of nobody knows what, in an arm that is not taken.
                        None if refused => 2,
                        _ => 0,
                    })
                    .into_iter()
                    .sum::<i32>()
                    == 3
                    && (lost
                        || case
                            .value(&Expr {
                                kind: ExprKind::Conditional(Box::new(conditional.clone())),
                                span: case.ours.expr.span,
                            })
                            .is_some())
            })
        },
    },
    Rule {
        name: "lists of sets that are not wholly known",
        applies: |case| {
            let is_list = |outcome: &Outcome| matches!(outcome, Outcome::Value(text) if text.contains("?list("));
            let (roots, nested) = conditionals(&case.ours.expr);
            case.kind == Kind::Value
                && is_list(&case.ours.outcome)
                && is_list(case.theirs)
                && [roots, nested].concat().into_iter().any(|conditional| {
                    [&conditional.then, &conditional.otherwise].into_iter().any(|arm| {
                        case.value(arm).is_some_and(|set| matches!(set.ty(), Type::Set(_)) && !set.is_wholly_known())
                    })
                })
        },
    },
    Rule {
        name: "lists formatted behind what is not known",
        applies: |case| {
            case.kind == Kind::Value
                && case.calls(
                    |name, count| name == "formatlist" && count > 2,
                    |case, call| {
                        let lists = call.args.iter().skip(1).filter_map(|list| case.value(list));
                        lists.filter(|list| !list.is_wholly_known()).count() > 0
                    },
                )
        },
    },
];

impl Case<'_> {
    fn their_error(&self, part: &str) -> bool {
        matches!(self.theirs, Outcome::Error(message) if message.contains(part))
    }

    /// Whether the expression has a call of such a name and number of arguments for which the rest holds.
    fn calls(&self, which: fn(&str, usize) -> bool, then: impl Fn(&Self, &Call) -> bool) -> bool {
        let mut calls = Vec::new();
        collect(&self.ours.expr, &mut calls);
        calls.into_iter().filter(|call| which(&call.full_name(), call.args.len())).any(|call| then(self, call))
    }

    /// What a part comes to by itself; nothing where it refers to variables of a loop around it.
    fn value(&self, part: &Expr) -> Option<Value> {
        ours::value(self.world, part).ok()
    }

    fn text_of(&self, part: &Expr) -> Option<String> {
        self.value(part)?.as_str().map(str::to_owned)
    }

    fn our_error(&self, call: &Call) -> Option<String> {
        ours::value(self.world, &expr_of(call)).err()
    }

    /// The text that a call by itself comes to.
    fn written(&self, call: &Call) -> Option<String> {
        self.text_of(&expr_of(call))
    }

    /// Whether both values are the same but for the last digits that a double-precision number has, and those behind.
    fn has_the_same_numbers(&self) -> bool {
        let (Outcome::Value(ours), Outcome::Value(theirs)) = (&self.ours.outcome, self.theirs) else { return false };
        rounded(ours) == rounded(theirs)
    }
}

/// The call with arguments that are not sensitive, so that it says why it refuses them.
fn bare(call: &Call) -> Call {
    let mut call = call.clone();
    for argument in &mut call.args {
        let span = argument.span;
        let name = vec![Ident { name: "nonsensitive".into(), span }];
        let around = Call { name, args: vec![argument.clone()], expand_final: false };
        *argument = Expr { kind: ExprKind::Call(Box::new(around)), span };
    }
    call
}

fn expr_of(call: &Call) -> Expr {
    Expr { kind: ExprKind::Call(Box::new(call.clone())), span: call.name_span() }
}

/// Whether a combining mark (U+0300 to U+036F) is escaped.
fn escapes_marks(text: &str) -> bool {
    let code = |part: &str| u32::from_str_radix(part.get(..4)?, 16).ok();
    text.split("\\u").skip(1).filter_map(code).any(|code| (0x300..0x370).contains(&code))
}

/// Whether something is divided by something, or the remainder of that is taken.
fn divides(expr: &Expr) -> bool {
    let mut found =
        matches!(&expr.kind, ExprKind::Binary(binary) if matches!(binary.op, BinaryOp::Divide | BinaryOp::Modulo));
    expr.for_each_child(&mut |child, _| found |= divides(child));
    found
}

/// The text with thirteen digits of its numbers; next to nothing is nothing.
fn rounded(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, number) = rest.split_at(at);
        let end = number.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(number.len());
        let (number, behind) = number.split_at(end);
        out.push_str(before);
        match number.parse::<f64>() {
            Ok(number) if number < 1e-15 => out.push_str(&format!("{:.12e}", 0.0)),
            Ok(number) => out.push_str(&format!("{number:.12e}")),
            Err(_) => out.push_str(number),
        }
        rest = behind;
    }
    out + rest
}

fn collect<'e>(expr: &'e Expr, calls: &mut Vec<&'e Call>) {
    if let ExprKind::Call(call) = &expr.kind {
        calls.push(call);
    }
    expr.for_each_child(&mut |child, _| collect(child, calls));
}

/// The conditionals that are the whole of an expression, and those inside of others or of something else.
fn conditionals(expr: &Expr) -> (Vec<&Conditional>, Vec<&Conditional>) {
    fn walk<'e>(expr: &'e Expr, found: &mut Vec<&'e Conditional>) {
        if let ExprKind::Conditional(conditional) = &expr.kind {
            found.push(conditional);
        }
        expr.for_each_child(&mut |child, _| walk(child, found));
    }
    let mut nested = Vec::new();
    let mut root = expr;
    while let ExprKind::Paren(inner) = &root.kind {
        root = inner;
    }
    root.for_each_child(&mut |child, _| walk(child, &mut nested));
    let roots = match &root.kind {
        ExprKind::Conditional(conditional) => vec![&**conditional],
        _ => Vec::new(),
    };
    (roots, nested)
}

/// Collects the texts with a `for` in them.
fn collect_templates<'e>(expr: &'e Expr, templates: &mut Vec<&'e Expr>) {
    if let ExprKind::Template(template) = &expr.kind
        && has_loop(&template.parts)
    {
        templates.push(expr);
    }
    expr.for_each_child(&mut |child, _| collect_templates(child, templates));
}

fn has_loop(parts: &[TemplatePart]) -> bool {
    parts.iter().any(|part| match part {
        TemplatePart::For(_) => true,
        TemplatePart::If(part) => has_loop(&part.then) || has_loop(&part.otherwise),
        TemplatePart::Literal { .. } | TemplatePart::Interpolation { .. } => false,
    })
}

/// Returns the rule that a difference falls under.
pub fn rule(case: &Case<'_>) -> Option<&'static Rule> {
    RULES.iter().find(|rule| (rule.applies)(case))
}

/// How often each rule applied.
pub type Meant = BTreeMap<&'static str, usize>;

/// What Terraform decides by chance: no rule can say where, but asking again does.
pub const CHANCE: &str = "comparisons that Terraform decides by chance";
