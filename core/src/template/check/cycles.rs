use crate::error::Span;
use crate::{
    error::Diagnostic,
    graph::{Cycle, Graph},
    template::{
        graph::{StaticNode, static_graph},
        model::Template,
    },
};

/// How many hops of a loop are pointed at; a longer one would fill the page.
const MOST: usize = 12;

/// Reports every loop in what refers to what.
pub(super) fn check(template: &Template, problems: &mut Vec<Diagnostic>) {
    let graph = static_graph(template);
    let mut cycles: Vec<Diagnostic> = Vec::new();
    for cycle in graph.cycles() {
        let problem = explain(&graph, &cycle);
        // The same loop in a module that is called twice is one mistake.
        if !cycles.iter().any(|known| known.labels == problem.labels && !known.labels.is_empty()) {
            cycles.push(problem);
        }
    }
    problems.append(&mut cycles);
}

fn explain(graph: &Graph<StaticNode, Option<Span>>, cycle: &Cycle) -> Diagnostic {
    let path = cycle.path();
    let name = |idx| graph.get(idx).map(ToString::to_string).unwrap_or_default();
    let hops = path.iter().zip(path.iter().cycle().skip(1));
    let mut message = String::new();
    for (position, (from, needs)) in hops.clone().enumerate() {
        match position {
            _ if path.len() == 1 => message = format!("{} refers to itself", name(*from)),
            0 => message = format!("{} refers to {}", name(*from), name(*needs)),
            MOST => message.push_str(", and so on"),
            position if position > MOST => {}
            _ => message.push_str(&format!(", which refers to {}", name(*needs))),
        }
    }
    let mut problem = Diagnostic::error("template.cycle", message)
        .help("nothing in the loop can be worked out first; break it at one of these places");
    for (from, needs) in hops.take(MOST) {
        if let Some(Some(span)) = graph.edge(*from, *needs) {
            problem = problem.label(*span, format!("{} refers to {}", name(*from), name(*needs)));
        }
    }
    problem
}
