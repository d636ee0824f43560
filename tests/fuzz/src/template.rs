//! Whole templates: files become a model, and a graph is drawn of it.

use stackwright::{
    error::{RenderOptions, render_all},
    template::{Files, Options, StaticNode, Template, drawn_graph},
};

use crate::text;

/// Files one after the other: a line `=== path` begins one; what comes before is `main.tf`.
pub(crate) fn template(data: &[u8]) {
    let text = text(data);
    let mut files = vec![("main.tf".to_owned(), String::new())];
    for line in text.split_inclusive('\n') {
        match line.strip_prefix("=== ") {
            Some(path) => files.push((path.trim().to_owned(), String::new())),
            None => {
                if let Some((_, text)) = files.last_mut() {
                    text.push_str(line);
                }
            }
        }
    }
    let files = Files::from_texts(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    let (template, problems) = Template::parse(&files, &Options::default());
    let told = render_all(&problems, template.sources(), RenderOptions { color: false });
    assert_eq!(told.is_empty(), problems.is_empty());
    let (again, same) = Template::parse(&files, &Options::default());
    assert_eq!(problems, same, "the same files give the same problems");
    let label = |graph: &Template| drawn_graph(graph).dot(StaticNode::label);
    assert_eq!(label(&template), label(&again));
}
