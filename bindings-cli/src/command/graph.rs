use stackwright::{
    error::{Diagnostics as _, Error},
    template::static_graph,
};

use super::{Failure, InSources as _};
use crate::{arguments, exit::Exit, session::Session};

pub(super) fn run(session: &Session, arguments: &arguments::Graph) -> Result<Exit, Failure> {
    let loaded = session.load()?;
    if loaded.problems.has_errors() {
        let error = Error::from_diagnostics("template.invalid", loaded.problems);
        return Err(error).in_sources(loaded.template.sources());
    }
    let graph = static_graph(&loaded.template);
    let label = |node: &stackwright::template::StaticNode| node.to_string().trim_matches('`').to_owned();
    match arguments.format.as_str() {
        "mermaid" => say!("{}", graph.mermaid(label)),
        _ => say!("{}", graph.dot(label)),
    }
    Ok(Exit::Success)
}
