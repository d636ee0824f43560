use stackwright::{
    error::{Diagnostics as _, Error},
    template::{StaticNode, drawn_graph},
};

use super::{Failure, InSources as _};
use crate::{arguments, exit::Exit, session::Session};

pub(super) fn run(session: &Session, arguments: &arguments::Graph) -> Result<Exit, Failure> {
    let loaded = session.load()?;
    if loaded.problems.has_errors() {
        let error = Error::from_diagnostics("template.invalid", loaded.problems);
        return Err(error).in_sources(loaded.template.sources());
    }
    let graph = drawn_graph(&loaded.template);
    match arguments.format.as_str() {
        "mermaid" => say_part!("{}", graph.mermaid(StaticNode::label)),
        _ => say_part!("{}", graph.dot(StaticNode::label)),
    }
    Ok(Exit::Success)
}
