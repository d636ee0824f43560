//! Files that belong to a template, and paths.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{Action, Call, Function, Functions, Parameter, Special, glob, string::string};
use crate::{
    template::eval::Problem,
    value::{Type, Value},
};

pub(super) fn register(table: &mut Functions) {
    let path = |name: &'static str, summary: &'static str| {
        Function::new(name, summary).takes([string("path")]).returns(Type::String)
    };
    table.add(
        path("abspath", "Returns a path as an absolute one.")
            .computes(|call| Ok(Value::string(call.context.options().files.absolute(call.text(0)).map_err(first)?))),
    );
    table
        .add(path("basename", "Returns the last part of a path.").computes(|call| call.string(basename(call.text(0)))));
    table.add(
        path("dirname", "Returns a path without its last part.").computes(|call| call.string(dirname(call.text(0)))),
    );
    table.add(path("pathexpand", "Returns a path with the home directory in place of a leading `~`.").computes(
        |call| {
            let text = call.text(0);
            let rest = text.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'));
            match rest {
                None if text.starts_with('~') => {
                    Err(Problem::argument(0, "homes of other users are not supported: write `~/…`"))
                }
                None => Ok(Value::string(text)),
                Some(rest) => match std::env::home_dir() {
                    Some(home) => call.string(format!("{}{rest}", home.to_string_lossy())),
                    None => Err(Problem::argument(0, "there is no home directory")),
                },
            }
        },
    ));
    table.add(path("file", "Returns the content of a file, which must be UTF-8.").computes(|call| {
        let bytes = call.context.options().files.read(call.text(0)).map_err(first)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| {
            Problem::argument(0, format!("the content of `{}` is not UTF-8", call.text(0)))
                .code("eval.file")
                .help("read it with `filebase64`")
        })?;
        call.string(text.to_owned())
    }));
    table.add(path("filebase64", "Returns the content of a file in Base64.").computes(|call| {
        let bytes = call.context.options().files.read(call.text(0)).map_err(first)?;
        call.string(STANDARD.encode(&*bytes))
    }));
    table.add(
        Function::new("fileexists", "Returns whether a file is there.")
            .takes([string("path")])
            .returns(Type::Bool)
            .computes(|call| Ok(Value::bool(call.context.options().files.exists(call.text(0)).map_err(first)?))),
    );
    table.add(
        Function::new("fileset", "Returns the files below a folder whose paths match a pattern.")
            .takes([string("path"), string("pattern")])
            .returns(Type::set(Type::String))
            .computes(file_set),
    );
    table.add(
        Function::new("templatefile", "Returns the content of a file with its template sequences evaluated.")
            .takes([string("path"), Parameter::new("vars", Type::Any).any().marked()])
            .returns(Type::Any)
            .acts(Action::Special(Special::TemplateFile)),
    );
    table.add(
        Function::new("templatestring", "Returns a text from elsewhere with its template sequences evaluated.")
            .takes([string("template"), Parameter::new("vars", Type::Any).any().marked()])
            .returns(Type::String)
            .acts(Action::Special(Special::TemplateString)),
    );
}

fn first(problem: Problem) -> Problem {
    problem.at_argument(0)
}

fn file_set(call: Call<'_>) -> Result<Value, Problem> {
    let folder = clean(call.text(0));
    // As in Terraform the pattern goes on where the folder ends, so that it may lead up again.
    let whole = clean(&format!("{}/{}", if call.text(0).is_empty() { "." } else { call.text(0) }, call.text(1)));
    let parts: Vec<&str> = parts_of(&whole).collect();
    // Whatever has no sign of a pattern in it says where to look. The last part is what is looked for.
    let plain = parts.iter().take_while(|part| !part.contains(['*', '?', '[', '{', '\\'])).count();
    let (start, rest) = parts.split_at(plain.min(parts.len().saturating_sub(1)));
    let start = format!("{}{}", if whole.starts_with('/') { "/" } else { "" }, start.join("/"));
    let regex = glob::compile(&rest.join("/"))?;
    let files = call.context.options().files.list(if start.is_empty() { "." } else { &start }).map_err(first)?;
    let found: Vec<Value> = files
        .iter()
        .filter(|path| regex.is_match(path))
        .map(|path| Value::string(relative(&folder, &format!("{start}/{path}"))))
        .collect();
    call.room(found.len())?;
    Ok(Value::set(Type::String, found))
}

fn parts_of(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !matches!(*part, "" | "."))
}

/// The path that leads from one cleaned path to another.
fn relative(from: &str, to: &str) -> String {
    let (from, to): (Vec<&str>, Vec<&str>) = (parts_of(from).collect(), parts_of(to).collect());
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", from.len() - shared);
    let path = up.chain(to.into_iter().skip(shared)).collect::<Vec<_>>().join("/");
    if path.is_empty() { ".".to_owned() } else { path }
}

fn basename(path: &str) -> String {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() {
        return if path.is_empty() { "." } else { "/" }.to_owned();
    }
    trimmed.rsplit('/').next().unwrap_or(trimmed).to_owned()
}

/// The part before the last slash, cleaned.
fn dirname(path: &str) -> String {
    clean(path.rfind('/').map_or("", |at| path.get(..=at).unwrap_or("")))
}

/// The path with `.`, `..` and doubled slashes resolved.
fn clean(folder: &str) -> String {
    let rooted = folder.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').filter(|part| !matches!(*part, "" | ".")) {
        match (part, parts.last()) {
            ("..", Some(last)) if *last != ".." => {
                parts.pop();
            }
            ("..", None) if rooted => {}
            (part, _) => parts.push(part),
        }
    }
    match (rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_paths() {
        let check = |path: &str, base: &str, folder: &str| {
            assert_eq!((basename(path).as_str(), dirname(path).as_str()), (base, folder), "{path}");
        };
        check("/a/b/", "b", "/a/b");
        check("", ".", ".");
        check("/", "/", "/");
        check("a", "a", ".");
        check("a//b", "b", "a");
        check("../a/../b", "b", "..");
        check("/../a", "a", "/");
    }

    #[test]
    fn from_one_path_to_another() {
        let check = |from: &str, to: &str, expect: &str| assert_eq!(relative(&clean(from), to), expect, "{from} {to}");
        check(".", "a/b", "a/b");
        check("a", "a/b", "b");
        check("a/b.txt", "a/b.txt", ".");
        check("a/x/..", "b", "../b");
        check("../c", "../c/d", "d");
    }
}
