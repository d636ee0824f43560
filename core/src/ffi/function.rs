use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{Document, Host, document::read_json};
use crate::{
    error::Error,
    template::eval::{Function, Parameter, Problem},
    value::Type,
};

/// A parameter of a function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterDescriptor {
    /// Its name, for messages.
    pub name: String,
    /// What arguments are converted to.
    #[serde(rename = "type")]
    pub ty: Type,
    /// Whether null is let through.
    #[serde(default)]
    pub nullable: bool,
}

/// A pure function of a host, which templates call as `provider::<provider>::<name>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionDescriptor {
    /// The provider that it belongs to.
    pub provider: String,
    /// Its name.
    pub name: String,
    /// What it does, in a sentence.
    #[serde(default)]
    pub summary: String,
    /// Its parameters, in order.
    #[serde(default)]
    pub parameters: Vec<ParameterDescriptor>,
    /// What any number of further arguments are.
    #[serde(default)]
    pub variadic: Option<ParameterDescriptor>,
    /// What it returns.
    pub returns: Type,
}

/// A call of a host's function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionCall {
    /// The provider that it belongs to.
    pub provider: String,
    /// Its name.
    pub name: String,
    /// The arguments as plain JSON, in order; known and without marks.
    pub arguments: Vec<Json>,
}

impl FunctionDescriptor {
    /// Returns the function, computed by the host.
    pub(super) fn function(self, host: Arc<dyn Host>) -> Function {
        let Self { provider, name, summary, parameters, variadic, returns } = self;
        let parameter = |descriptor: ParameterDescriptor| {
            let parameter = Parameter::new(descriptor.name, descriptor.ty);
            if descriptor.nullable { parameter.null() } else { parameter }
        };
        let mut function = Function::new(name.clone(), summary)
            .takes(parameters.into_iter().map(parameter))
            .returns(returns.clone())
            .may_return_null();
        if let Some(variadic) = variadic {
            function = function.then_any_number_of(parameter(variadic));
        }
        function.computes(move |call| {
            let arguments = call.arguments.iter().map(|argument| Document::of(argument).value).collect();
            let call = FunctionCall { provider: provider.clone(), name: name.clone(), arguments };
            host.compute(&call).and_then(|json| read_json(&json, &returns)).map_err(|error| problem(&error))
        })
    }
}

/// What a host says of its arguments may quote them; so it is no more shown than they are.
fn problem(error: &Error) -> Problem {
    Problem::new(error.message())
}
