use std::{borrow::Cow, fmt, sync::Arc};

use crate::{
    template::{
        Edition,
        eval::{Context, Problem},
    },
    value::{Marks, Refinement, Type, Value, convert},
};

/// What a function wants at one place of its argument list, and which special values its code can handle.
///
/// What the code cannot handle is dealt with before it runs, the same way for every function: nulls are refused,
/// unknown arguments make the result unknown, marks move from the arguments to the result.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// The name that messages use.
    pub name: Cow<'static, str>,
    /// Arguments are converted to it; [`Type::Any`] takes everything as it is.
    pub ty: Type,
    /// Whether the code takes nulls.
    pub allows_null: bool,
    /// Whether the code takes values that are not known yet.
    pub allows_unknown: bool,
    /// Whether the code sees marks.
    pub allows_marked: bool,
    /// Whether the code takes values whose type is not known yet (an untyped null or unknown).
    pub allows_any: bool,
}

impl Parameter {
    /// Returns a parameter whose argument is a known, unmarked value that is not null.
    pub fn new(name: impl Into<Cow<'static, str>>, ty: Type) -> Self {
        let allows_any = false;
        Self { name: name.into(), ty, allows_null: false, allows_unknown: false, allows_marked: false, allows_any }
    }

    /// Lets nulls through.
    pub fn null(mut self) -> Self {
        self.allows_null = true;
        self
    }

    /// Lets values through that are not known yet.
    pub fn unknown(mut self) -> Self {
        self.allows_unknown = true;
        self
    }

    /// Lets marks through.
    pub fn marked(mut self) -> Self {
        self.allows_marked = true;
        self
    }

    /// Lets values through whose type is not known yet.
    pub fn any(mut self) -> Self {
        self.allows_any = true;
        self
    }
}

/// One call: the arguments after conversion, what the result must be, and where the call happens.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The arguments, in order; nulls, unknowns and marks only where the parameter allows them.
    pub arguments: &'a [Value],
    /// What the function said its result will be.
    pub returns: &'a Type,
    /// Files, budgets, caches and the clock of this evaluation.
    pub context: &'a Context<'a>,
}

/// Works out the type of a result from arguments, which may be unknown.
pub type TypeOf = Arc<dyn Fn(&[Value], &Context<'_>) -> Result<Type, Problem> + Send + Sync>;
/// Computes a result.
pub type Body = Arc<dyn Fn(Call<'_>) -> Result<Value, Problem> + Send + Sync>;

#[derive(Clone)]
enum Returns {
    Fixed(Type),
    Computed(TypeOf),
}

/// What a function does when it is called.
#[derive(Clone)]
pub(in crate::template::eval) enum Action {
    /// Computes its result from its arguments.
    Compute(Body),
    /// Decides by itself what to evaluate.
    Special(Special),
    /// Was removed from the language: what to say.
    Refuse(Cow<'static, str>),
}

/// Functions that the evaluator itself carries out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::template::eval) enum Special {
    Try,
    Can,
    TemplateFile,
    TemplateString,
    TypeName,
    Convert,
}

/// A function that expressions can call.
///
/// # Examples
/// ```
/// use stackwright::{
///     template::eval::{Function, Parameter},
///     value::{Type, Value},
/// };
///
/// let shout = Function::new("shout", "Returns the text in capitals with an exclamation mark.")
///     .takes([Parameter::new("text", Type::String)])
///     .returns(Type::String)
///     .computes(|call| {
///         let text = call.arguments.first().and_then(Value::as_str).unwrap_or("");
///         Ok(Value::string(format!("{}!", text.to_uppercase())))
///     });
/// assert_eq!(shout.signature(), "shout(text: string) -> string");
/// ```
#[derive(Clone)]
pub struct Function {
    name: Cow<'static, str>,
    summary: Cow<'static, str>,
    parameters: Vec<Parameter>,
    variadic: Option<Parameter>,
    returns: Returns,
    never_null: bool,
    edition: Edition,
    action: Action,
}

impl Function {
    /// Returns a function without parameters that gives an untyped null; the setters below make it useful.
    pub fn new(name: impl Into<Cow<'static, str>>, summary: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            summary: summary.into(),
            parameters: Vec::new(),
            variadic: None,
            returns: Returns::Fixed(Type::Any),
            never_null: true,
            edition: Edition::default(),
            action: Action::Compute(Arc::new(|_| Ok(Value::null(Type::Any)))),
        }
    }

    /// Sets the parameters.
    pub fn takes(mut self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        self.parameters = parameters.into_iter().collect();
        self
    }

    /// Takes any number of further arguments.
    pub fn then_any_number_of(mut self, parameter: Parameter) -> Self {
        self.variadic = Some(parameter);
        self
    }

    /// Sets the type of the result.
    pub fn returns(mut self, ty: Type) -> Self {
        self.returns = Returns::Fixed(ty);
        self
    }

    /// Sets how the type of the result follows from the arguments.
    pub fn returns_by(
        mut self,
        ty: impl Fn(&[Value], &Context<'_>) -> Result<Type, Problem> + Send + Sync + 'static,
    ) -> Self {
        self.returns = Returns::Computed(Arc::new(ty));
        self
    }

    /// Says that the result may be null, or that nobody may rely on its not being; without, an unknown result is known not
    /// to be.
    pub fn may_return_null(mut self) -> Self {
        self.never_null = false;
        self
    }

    /// Says in which edition of the language the function came; the first by default.
    pub fn since(mut self, edition: Edition) -> Self {
        self.edition = edition;
        self
    }

    /// Puts the function under the name of a provider: `name` becomes `provider::<provider>::name`.
    pub(crate) fn of_provider(mut self, provider: &str) -> Self {
        self.name = Cow::Owned(format!("provider::{provider}::{}", self.name));
        self
    }

    /// Sets the code.
    pub fn computes(mut self, body: impl Fn(Call<'_>) -> Result<Value, Problem> + Send + Sync + 'static) -> Self {
        self.action = Action::Compute(Arc::new(body));
        self
    }

    pub(in crate::template::eval) fn acts(mut self, action: Action) -> Self {
        self.action = action;
        self
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what it does, in a line.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// Returns the parameters that every call fills.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Returns the parameter that further arguments fill.
    pub fn variadic(&self) -> Option<&Parameter> {
        self.variadic.as_ref()
    }

    /// Returns the edition of the language in which it came.
    pub fn edition(&self) -> Edition {
        self.edition
    }

    /// Returns whether a call can succeed: what was removed from the language is known by name only.
    pub fn is_supported(&self) -> bool {
        !matches!(self.action, Action::Refuse(_))
    }

    pub(in crate::template::eval) fn action(&self) -> &Action {
        &self.action
    }

    /// Returns how it is called, such as `join(separator: string, lists: list of string...) -> string`.
    pub fn signature(&self) -> String {
        let mut parts: Vec<String> = self
            .parameters
            .iter()
            .map(|parameter| format!("{}: {}", parameter.name, parameter.ty.friendly_constraint()))
            .collect();
        if let Some(variadic) = &self.variadic {
            parts.push(format!("{}: {}...", variadic.name, variadic.ty.friendly_constraint()));
        }
        let returns = match &self.returns {
            Returns::Fixed(ty) => ty.friendly_constraint(),
            Returns::Computed(_) => "any type".to_owned(),
        };
        format!("{}({}) -> {returns}", self.name, parts.join(", "))
    }

    /// Returns the parameter that the argument at `idx` (from 0) fills.
    pub fn parameter(&self, idx: usize) -> Option<&Parameter> {
        self.parameters.get(idx).or(self.variadic.as_ref())
    }

    /// Calls the function: checks the number of arguments, converts them, deals with nulls, unknowns and marks, and
    /// runs the code.
    ///
    /// # Errors
    /// What is wrong with the arguments, or what the code says.
    pub fn call(&self, mut arguments: Vec<Value>, context: &Context<'_>) -> Result<Value, Problem> {
        self.check_count(arguments.len())?;
        let mut marks = Marks::NONE;
        let mut unknown = false;
        let mut untyped = false;
        for (idx, argument) in arguments.iter_mut().enumerate() {
            let Some(parameter) = self.parameter(idx) else { continue };
            if parameter.ty != Type::Any && !argument.has_type(&parameter.ty) {
                *argument = convert(argument, &parameter.ty)
                    .map_err(|error| Problem::argument(idx, error.to_string()).value_free())?;
            }
            // Behind something of which not even the type is known nothing is looked at.
            if argument.is_null() && !parameter.allows_null && !untyped {
                return Err(Problem::argument(idx, "it must not be null").value_free());
            }
            if !parameter.allows_marked && !argument.marks_deep().is_empty() {
                let (plain, own) = argument.unmark_deep();
                *argument = plain;
                marks |= own;
            }
            unknown |= !parameter.allows_unknown && !argument.is_known();
            untyped |= !parameter.allows_any && is_untyped(argument);
        }
        if untyped {
            return Ok(Value::unknown(Type::Any).with_marks(marks));
        }
        let returns = match &self.returns {
            Returns::Fixed(ty) => Cow::Borrowed(ty),
            Returns::Computed(ty) => Cow::Owned(ty(&arguments, context)?),
        };
        let result = if unknown {
            Value::unknown((*returns).clone())
        } else {
            match &self.action {
                Action::Compute(body) => body(Call { arguments: &arguments, returns: &returns, context })?,
                Action::Special(_) | Action::Refuse(_) => {
                    return Err(Problem::new("it can only be called from an expression"));
                }
            }
        };
        let result = if self.never_null && !result.is_known() { result.refine(Refinement::not_null()) } else { result };
        Ok(result.with_marks(marks))
    }

    pub(in crate::template::eval) fn check_count(&self, count: usize) -> Result<(), Problem> {
        let wanted = self.parameters.len();
        let plural = |count: usize| if count == 1 { "argument" } else { "arguments" };
        if count < wanted {
            let at_least = if self.variadic.is_some() { "at least " } else { "" };
            let missing: Vec<String> =
                self.parameters.iter().skip(count).map(|parameter| format!("`{}`", parameter.name)).collect();
            return Err(Problem::new(format!(
                "it takes {at_least}{wanted} {}, not {count}: {} {} missing",
                plural(wanted),
                missing.join(" and "),
                if missing.len() == 1 { "is" } else { "are" }
            ))
            .value_free());
        }
        if count > wanted && self.variadic.is_none() {
            return Err(Problem::new(format!("it takes {wanted} {}, not {count}", plural(wanted)))
                .at_argument(wanted)
                .value_free());
        }
        Ok(())
    }
}

fn is_untyped(value: &Value) -> bool {
    match value.kind() {
        crate::value::Kind::Null(ty) => *ty == Type::Any,
        crate::value::Kind::Unknown(unknown) => unknown.ty == Type::Any,
        _ => false,
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.signature())
    }
}
