//! Calls of functions.

use std::{borrow::Cow, sync::Arc};

use super::{
    Evaluator, Problem,
    frame::{Binding, Frame},
    functions::{Action, Function, Special},
};
use crate::{
    error::{Diagnostic, SourceId, Sources, Span, suggest},
    template::{
        hcl,
        syntax::{Call, Expr, ExprKind},
    },
    value::{Kind, Marks, Refinement, Type, Value},
};

impl Evaluator<'_> {
    #[inline(never)]
    pub(super) fn call(&mut self, call: &Call, span: Span, frame: Option<&Frame<'_>>) -> Value {
        let functions = self.functions;
        let name: Cow<'_, str> = match call.name.as_slice() {
            [one] => Cow::Borrowed(one.as_str()),
            _ => Cow::Owned(call.full_name().to_string()),
        };
        let found = match name.strip_prefix("provider::").and_then(|rest| rest.split_once("::")) {
            // A module may call a provider by a name of its own.
            Some((local, rest)) => self.scope.provider_of_function(local).and_then(|provider| {
                if provider == local {
                    functions.get(&name)
                } else {
                    functions.get(&format!("provider::{provider}::{rest}"))
                }
            }),
            None => functions.get(&name),
        };
        let Some(function) = found else { return self.no_function(&name, call) };
        if function.edition() > self.context.options().edition {
            return self.too_new(function, call);
        }
        match function.action() {
            Action::Special(Special::Convert) => return self.convert_to(call, function, frame),
            Action::Special(Special::Try) => return self.try_each(&call.args, span, frame),
            Action::Special(Special::Can) => return self.can(call, function, frame),
            Action::Special(Special::TypeName) => return self.misplaced_type(call),
            Action::Refuse(message) => {
                let problem = Diagnostic::error("eval.function_unsupported", message.to_string());
                return self.fail(problem.at(call.name_span()));
            }
            _ => {}
        }
        let before = self.problem_count();
        let Some(arguments) = self.arguments(call, frame) else { return Value::unknown(Type::Any) };
        if self.problem_count() > before {
            return Value::unknown(Type::Any);
        }
        let marks = arguments.iter().map(Value::marks_deep).collect::<Marks>();
        let result = match function.action() {
            Action::Special(special @ (Special::TemplateFile | Special::TemplateString)) => {
                match function.check_count(arguments.len()) {
                    Ok(()) => return self.render(*special, function, call, &arguments, frame),
                    Err(problem) => Err(problem),
                }
            }
            _ => function.call(arguments, &self.context),
        };
        match result {
            Ok(value) => value,
            Err(problem) => self.refused(function, problem, call, marks),
        }
    }

    #[cold]
    fn no_function(&mut self, name: &str, call: &Call) -> Value {
        let span = call.name_span();
        if let Some((local, rest)) = name.strip_prefix("provider::").and_then(|rest| rest.split_once("::")) {
            let (message, help) = match self.scope.provider_of_function(local) {
                Some(provider) => {
                    let start = format!("provider::{provider}::");
                    let offers = self.functions.iter().filter_map(|function| function.name().strip_prefix(&*start));
                    let near = suggest(rest, offers).map(|near| format!("did you mean `provider::{local}::{near}`?"));
                    (format!("the provider `{local}` has no function `{rest}`"), near)
                }
                None => (
                    format!("the module does not say which provider `{local}` is"),
                    Some(format!("add `{local}` to its `required_providers`")),
                ),
            };
            let mut problem = Diagnostic::error("eval.function_unknown", message).at(span);
            problem.help = help;
            return self.fail(problem);
        }
        let mut problem = Diagnostic::error("eval.function_unknown", format!("there is no function `{name}`")).at(span);
        problem.help = self.functions.suggest(name).map(|near| format!("did you mean `{near}`?"));
        self.fail(problem)
    }

    #[cold]
    fn too_new(&mut self, function: &Function, call: &Call) -> Value {
        let (name, edition) = (function.name(), function.edition());
        let message = format!("`{name}` came with edition `{edition}` of the language");
        let problem = Diagnostic::error("eval.function_unsupported", message).at(call.name_span());
        self.fail(problem.help(format!("ask for it: `terraform {{ language = {edition} }}`")))
    }

    /// Converts a value to a type that is written, not computed.
    fn convert_to(&mut self, call: &Call, function: &Function, frame: Option<&Frame<'_>>) -> Value {
        let [value, ty] = call.args.as_slice() else {
            let problem =
                function.check_count(call.args.len()).err().unwrap_or_else(|| Problem::new("it takes two arguments"));
            return self.refused(function, problem, call, Marks::NONE);
        };
        let mut problems = crate::template::decode::Problems::default();
        let constraint = crate::template::decode::constraint(ty, &mut problems);
        let value = self.expr(value, frame);
        if !problems.list.is_empty() {
            problems.list.into_iter().for_each(|problem| self.report(problem));
            return Value::unknown(Type::Any).with_marks(value.marks());
        }
        let value = constraint.apply_defaults(&value);
        self.converted(value, &constraint.ty, call.args.first().map_or(call.name_span(), |first| first.span))
    }

    #[cold]
    fn misplaced_type(&mut self, call: &Call) -> Value {
        let problem = if self.context.options().console {
            Diagnostic::error("eval.function", "`type` cannot be a part of an expression")
                .help("call it around the whole: `type(…)`")
        } else {
            Diagnostic::error("eval.function_unsupported", "`type` can only be called in a console")
        };
        self.fail(problem.at(call.name_span()))
    }

    /// Evaluates the arguments; `None` where the last one should be expanded but cannot be.
    fn arguments(&mut self, call: &Call, frame: Option<&Frame<'_>>) -> Option<Vec<Value>> {
        let mut arguments = Vec::with_capacity(call.args.len());
        let Some((expanded, others)) = call.args.split_last().filter(|_| call.expand_final) else {
            for argument in &call.args {
                arguments.push(self.expr(argument, frame));
            }
            return Some(arguments);
        };
        // What is expanded comes first, as in Terraform: while it is not known, nothing is said of the others.
        let (before, span) = (self.problem_count(), expanded.span);
        let last = self.expr(expanded, frame);
        let is_list = matches!(last.kind(), Kind::List(_) | Kind::Set(_) | Kind::Tuple(_));
        if self.problem_count() > before || !is_list {
            others.iter().for_each(|argument| {
                self.touch(|this| this.expr(argument, frame));
            });
        } else {
            for argument in others {
                arguments.push(self.expr(argument, frame));
            }
        }
        match last.kind() {
            Kind::List(items) | Kind::Set(items) | Kind::Tuple(items) => {
                self.room(items.len(), span)?;
                arguments.extend(items.iter().map(|item| item.clone().with_marks(last.marks())));
                return Some(arguments);
            }
            Kind::Unknown(unknown)
                if matches!(unknown.ty, Type::Any | Type::List(_) | Type::Set(_) | Type::Tuple(_)) => {}
            Kind::Null(_) => {
                let problem = Diagnostic::error("eval.null", "null cannot be expanded into arguments");
                self.report(problem.label(span, "is null"));
            }
            _ => {
                let ty = last.ty().friendly_name();
                let message = format!("only a list, set or tuple can be expanded into arguments, not a {ty}");
                self.report(Diagnostic::error("eval.function", message).label(span, format!("is a {ty}")));
            }
        }
        None
    }

    /// Reports why a function refused its arguments. Words that may tell of a marked argument are not used.
    #[cold]
    fn refused(&mut self, function: &Function, problem: Problem, call: &Call, marks: Marks) -> Value {
        let name = function.name();
        let parameter = problem.argument.and_then(|idx| function.parameter(idx));
        // Arguments that came of an expansion are all where the last one is written.
        let written = |idx: usize| call.args.get(idx).or(call.args.last()).map(|argument| argument.span);
        let place = problem.argument.and_then(written).unwrap_or_else(|| call.name_span());
        if problem.code == "eval.budget" {
            return self.exhaust(Problem { message: format!("`{name}`: {}", problem.message), ..problem }, place);
        }
        let why = if marks.is_empty() || problem.is_value_free {
            problem.message
        } else {
            "it refused its arguments; why is not told, because one of them is sensitive".to_owned()
        };
        let message = match parameter {
            Some(parameter) => format!("`{name}`, argument `{}`: {why}", parameter.name),
            None => format!("`{name}`: {why}"),
        };
        let mut diagnostic = Diagnostic::error(problem.code, message).at(place);
        diagnostic.help = problem.help.filter(|_| marks.is_empty() || problem.is_value_free);
        if diagnostic.help.is_none() && problem.is_value_free {
            diagnostic.help = Some(format!("it is called as `{}`", function.signature()));
        }
        self.fail(diagnostic)
    }

    /// Returns the first argument without a problem. Where that is not wholly known, nothing can be said: what comes may
    /// still have one.
    fn try_each(&mut self, arguments: &[Expr], span: Span, frame: Option<&Frame<'_>>) -> Value {
        let before = self.problem_count();
        let mut reasons = Vec::new();
        for (idx, argument) in arguments.iter().enumerate() {
            let met_unknown = std::mem::replace(&mut self.met_unknown, false);
            let (value, waits) = self.deciding(argument, frame);
            self.met_unknown |= met_unknown;
            if waits || (self.problem_count() == before && !value.is_wholly_known()) {
                self.forget_problems(before);
                let later = arguments.get(idx + 1..).unwrap_or_default();
                if !waits {
                    later.iter().for_each(|argument| self.touch(|this| this.expr(argument, frame)));
                }
                return Value::unknown(Type::Any);
            }
            if self.problem_count() == before {
                return value;
            }
            reasons.extend(self.problems_since(before).first().map(|problem| (argument.span, problem.message.clone())));
            self.forget_problems(before);
            if self.problem_count() > before {
                return Value::unknown(Type::Any);
            }
        }
        let mut problem = if arguments.is_empty() {
            Diagnostic::error("eval.function", "`try` takes at least one argument").at(span)
        } else {
            Diagnostic::error("eval.function", "`try`: every argument has a problem").at(span)
        };
        for (place, reason) in reasons {
            problem = problem.label(place, reason);
        }
        self.fail(problem.help("add a last argument that always works, such as a literal"))
    }

    fn can(&mut self, call: &Call, function: &Function, frame: Option<&Frame<'_>>) -> Value {
        let [argument] = call.args.as_slice() else {
            let problem =
                function.check_count(call.args.len()).err().unwrap_or_else(|| Problem::new("it takes one argument"));
            return self.refused(function, problem, call, Marks::NONE);
        };
        let before = self.problem_count();
        let met_unknown = std::mem::replace(&mut self.met_unknown, false);
        let (value, waits) = self.deciding(argument, frame);
        self.met_unknown |= met_unknown;
        let failed = self.problem_count() > before;
        self.forget_problems(before);
        if waits || (!failed && !value.is_wholly_known()) {
            return Value::unknown(Type::Bool);
        }
        Value::bool(!failed)
    }

    /// Evaluates the text of a file or a value as a template that sees nothing but the given variables.
    fn render(
        &mut self,
        special: Special,
        function: &Function,
        call: &Call,
        arguments: &[Value],
        frame: Option<&Frame<'_>>,
    ) -> Value {
        let marks = arguments.iter().map(Value::marks_deep).collect::<Marks>();
        let [source, variables] = arguments else { return Value::unknown(Type::Any) };
        let refuse = |this: &mut Self, problem: Problem| this.refused(function, problem, call, marks);
        let (is_open, is_unknown) = (variables.ty() == Type::Any && !variables.is_known(), !variables.is_known());
        if special == Special::TemplateString && !is_unknown && !call.args.first().is_some_and(is_direct) {
            let problem = Problem::argument(0, "it must refer to a text elsewhere, such as a local or an attribute")
                .help("write a template that stands here directly, in quotes");
            return refuse(self, problem.value_free());
        }
        if is_rendering(frame) {
            return refuse(self, Problem::new("a template cannot render another one").value_free());
        }
        if variables.is_null() {
            return refuse(self, Problem::argument(1, "it must not be null").value_free());
        }
        if !source.is_known() || is_unknown {
            let ty = if special == Special::TemplateFile || is_open { Type::Any } else { Type::String };
            // The text of a file's name is sensitive, the text of a template is not known.
            let source = if special == Special::TemplateFile { source.marks() } else { Marks::NONE };
            if is_open && special == Special::TemplateFile {
                return Value::unknown(ty);
            }
            return Value::unknown_with(ty, Refinement::not_null()).with_marks(source | variables.marks_deep());
        }
        let Some(text) = source.as_str() else {
            let problem = if source.is_null() { "it must not be null" } else { "a text is required" };
            return refuse(self, Problem::argument(0, problem).value_free());
        };
        let Some(fields) = variables.fields() else {
            return refuse(self, Problem::argument(1, "a map or object of variables is required").value_free());
        };
        if let Some(name) = fields.names().find(|name| !is_variable(name)) {
            let message = format!("`{name}` cannot be the name of a variable");
            return refuse(self, Problem::argument(1, message));
        }
        let (title, content) = match special {
            Special::TemplateFile => match self.read(text) {
                Ok(content) => (text.to_owned(), content),
                Err(problem) => return refuse(self, problem.at_argument(0)),
            },
            _ => ("template".to_owned(), text.to_owned()),
        };
        let hides = !variables.marks_deep().is_empty() || !source.marks().is_empty();
        let given: Vec<(&str, Value)> = fields.iter().map(|(name, value)| (&**name, value.clone())).collect();
        let place = call.args.first().map_or_else(|| call.name_span(), |argument| argument.span);
        let before = self.problem_count();
        let text = self.render_text(&title, &content, &given, (function.name(), place, hides));
        // Nothing came of it, so nothing of the arguments is in it.
        if self.problem_count() > before { Value::unknown(Type::Any) } else { text.with_marks(marks) }
    }

    fn read(&self, path: &str) -> Result<String, Problem> {
        let bytes = self.context.options().files.read(path)?;
        String::from_utf8(bytes.to_vec())
            .map_err(|_| Problem::new(format!("the content of `{path}` is not UTF-8")).code("eval.file"))
    }

    fn render_text(
        &mut self,
        title: &str,
        content: &str,
        variables: &[(&str, Value)],
        (function, place, hides): (&str, Span, bool),
    ) -> Value {
        let mut sources = Sources::new();
        let id: SourceId = sources.add(title.to_owned(), content.to_owned());
        let (expr, problems) = hcl::parse_template(id, content);
        let before = self.problem_count();
        let value = if problems.is_empty() {
            let closed = Frame::closed(title);
            self.with_variables(variables, Some(&closed), &mut |this, frame| this.expr(&expr, frame))
        } else {
            problems.into_iter().for_each(|problem| self.report(problem));
            Value::unknown(Type::Any)
        };
        // Spans in the template mean nothing to whoever reads them later: say where in words.
        self.map_problems_since(before, |problem| {
            let at = problem.span().filter(|span| span.source == id && problem.code != "eval.budget");
            let Some(span) = at else { return Diagnostic { labels: vec![], ..problem }.at(place) };
            let position = sources.position(span);
            let why = if hides && !is_value_free(&problem.code) { "it has a problem there" } else { &problem.message };
            let message = format!("`{function}`: {title}, line {}, column {}: {why}", position.line, position.column);
            Diagnostic { message, labels: vec![], ..problem }.at(place)
        });
        value
    }
}

/// Codes whose messages speak of names and types alone.
fn is_value_free(code: &str) -> bool {
    code.starts_with("syntax.")
        || matches!(code, "eval.null" | "eval.template_variable" | "eval.template" | "eval.operand")
}

fn is_rendering(mut frame: Option<&Frame<'_>>) -> bool {
    while let Some(at) = frame {
        if matches!(at.binding, Binding::Closed(_)) {
            return true;
        }
        frame = at.outer;
    }
    false
}

fn is_direct(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Traversal(_) => true,
        ExprKind::Index(index) => is_direct(&index.collection),
        ExprKind::Relative(relative) => is_direct(&relative.source),
        _ => false,
    }
}

fn is_variable(name: &Arc<str>) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(unicode_ident::is_xid_start)
        && chars.all(|c| c == '-' || unicode_ident::is_xid_continue(c))
}
