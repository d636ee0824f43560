use crate::template::syntax::{Expr, ExprKind, Literal, ObjectKey, Step, StepKind, TemplatePart};

/// Returns an expression as nested lists: `(+ 1 (* 2 3))`. Texts of templates are quoted, steps start with their
/// sign.
pub(super) fn sketch(expr: &Expr) -> String {
    let list = |items: &[Expr]| items.iter().map(sketch).collect::<Vec<_>>().join(" ");
    match &expr.kind {
        ExprKind::Literal(literal) => literal.to_string(),
        ExprKind::Template(template) => {
            format!("({}{})", if template.heredoc.is_some() { "heredoc" } else { "template" }, parts(&template.parts))
        }
        ExprKind::Tuple(items) => format!("[{}]", list(items)),
        ExprKind::Object(items) => {
            let item = |key: &ObjectKey, value: &Expr| match key {
                ObjectKey::Ident(ident) => format!("{}={}", ident.name, sketch(value)),
                ObjectKey::Expr(expr) => format!("<{}>={}", sketch(expr), sketch(value)),
            };
            format!("{{{}}}", items.iter().map(|it| item(&it.key, &it.value)).collect::<Vec<_>>().join(" "))
        }
        ExprKind::ForTuple(expr) => {
            let key = expr.key.as_ref().map_or("_", |key| key.as_str());
            let condition = expr.condition.as_ref().map_or_else(|| "_".to_owned(), sketch);
            format!("[for {key} {} {} {} {condition}]", expr.value.name, sketch(&expr.collection), sketch(&expr.body))
        }
        ExprKind::ForObject(expr) => {
            let key = expr.key.as_ref().map_or("_", |key| key.as_str());
            let condition = expr.condition.as_ref().map_or_else(|| "_".to_owned(), sketch);
            let group = if expr.group { "..." } else { "" };
            let body = format!("{} {}{group}", sketch(&expr.body_key), sketch(&expr.body_value));
            format!("{{for {key} {} {} {body} {condition}}}", expr.value.name, sketch(&expr.collection))
        }
        ExprKind::Call(call) => {
            let dots = if call.expand_final { "..." } else { "" };
            format!("(call {} {}{dots})", call.full_name(), list(&call.args))
        }
        ExprKind::Unary(op, operand) => format!("({op} {})", sketch(operand)),
        ExprKind::Binary(binary) => format!("({} {} {})", binary.op, sketch(&binary.left), sketch(&binary.right)),
        ExprKind::Conditional(it) => {
            format!("(? {} {} {})", sketch(&it.condition), sketch(&it.then), sketch(&it.otherwise))
        }
        ExprKind::Paren(inner) => format!("(paren {})", sketch(inner)),
        ExprKind::Traversal(traversal) => format!("{}{}", traversal.root.name, steps(&traversal.steps)),
        ExprKind::Relative(relative) => format!("(of {} {})", sketch(&relative.source), steps(&relative.steps)),
        ExprKind::Index(index) => format!("(at {} {})", sketch(&index.collection), sketch(&index.key)),
        ExprKind::Splat(splat) => format!("({:?} {} {})", splat.kind, sketch(&splat.source), sketch(&splat.each)),
        ExprKind::SplatItem => "it".to_owned(),
        ExprKind::Invalid => "INVALID".to_owned(),
    }
}

fn steps(steps: &[Step]) -> String {
    let one = |step: &Step| match &step.kind {
        StepKind::Attr(name) => format!(".{name}"),
        StepKind::Index(key) => format!("[{key}]"),
        StepKind::LegacyIndex(number) => format!(".{number}"),
    };
    steps.iter().map(one).collect()
}

fn parts(list: &[TemplatePart]) -> String {
    let one = |part: &TemplatePart| match part {
        TemplatePart::Literal { text, .. } => format!(" {}", Literal::String(text.clone())),
        TemplatePart::Interpolation { expr, .. } => format!(" {}", sketch(expr)),
        TemplatePart::If(it) => {
            format!(" (if {}{} else{})", sketch(&it.condition), parts(&it.then), parts(&it.otherwise))
        }
        TemplatePart::For(it) => {
            let key = it.key.as_ref().map_or("_", |key| key.as_str());
            format!(" (for {key} {} {}{})", it.value.name, sketch(&it.collection), parts(&it.body))
        }
    };
    list.iter().map(one).collect()
}

/// Returns the sketch of an expression in which heredocs are quoted strings.
pub(super) fn sketch_quoted(expr: &Expr) -> String {
    let plain = regex::Regex::new(r#"\(heredoc ("(?:[^"\\]|\\.)*")\)"#).expect("a pattern");
    let text = plain.replace_all(&sketch(expr), "$1").replace("(heredoc)", "\"\"");
    text.replace("(heredoc", "(template")
}
