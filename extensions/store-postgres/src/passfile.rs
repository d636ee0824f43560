use std::{fs, path::Path};

use stackwright::Result;
use tokio_postgres::{Config, config::Host};

use crate::error::unusable;

/// Returns the password of the first line that fits the first host.
pub(crate) fn look_up(path: &Path, config: &Config) -> Result<Option<String>> {
    let unreadable = |error: std::io::Error| {
        unusable("the password file cannot be read").context("path", path.display()).because(error.to_string())
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode();
        if mode & 0o077 != 0 {
            let message = "others than its owner can read the password file; `chmod 600` it";
            return Err(unusable(message).context("path", path.display()));
        }
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        _ => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432).to_string();
    let user = config.get_user().unwrap_or_default();
    let database = config.get_dbname().unwrap_or(user);
    Ok(find(&text, [&host, &port, database, user]))
}

fn find(text: &str, wanted: [&str; 4]) -> Option<String> {
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut fields = fields(line);
        let password = (fields.len() == 5).then(|| fields.pop()).flatten()?;
        let fits = fields.iter().zip(wanted).all(|(field, wanted)| field == "*" || field == wanted);
        fits.then_some(password)
    })
}

/// Returns the five fields of a line; the last one may hold `:` as it is.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        let count = fields.len();
        let Some(field) = fields.last_mut() else { break };
        match letter {
            '\\' => field.extend(letters.next()),
            ':' if count < 5 => fields.push(String::new()),
            other => field.push(other),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_first_line_that_fits() {
        let text = "# a comment\n\nbroken:line\ndb:5432:shop:me:one\n*:*:shop:*:t\\:w:o\\\\\n*:*:*:*:any\n";
        let find = |wanted| find(text, wanted);
        assert_eq!(find(["db", "5432", "shop", "me"]).as_deref(), Some("one"));
        assert_eq!(find(["db", "5433", "shop", "me"]).as_deref(), Some("t:w:o\\"));
        assert_eq!(find(["db", "5432", "blog", "me"]).as_deref(), Some("any"));
        assert_eq!(super::find("a:1:b:c:d", ["x", "1", "b", "c"]), None);
    }
}
