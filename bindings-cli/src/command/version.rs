use crate::{arguments::Version, exit::Exit};

pub(super) fn run(arguments: &Version) -> Exit {
    let version = env!("CARGO_PKG_VERSION");
    if arguments.json {
        say!("{}", serde_json::json!({ "stackwright_version": version, "language_edition": "1.11" }));
    } else {
        say!("stackwright {version}\ntemplate language: Terraform 1.11");
    }
    Exit::Success
}
