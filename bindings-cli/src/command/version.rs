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

/// There is nothing to download; hands that come from other programs are told what to type next.
pub(super) fn init() -> Exit {
    say!("Nothing to prepare: the providers are part of the program. Go on with `stackwright plan`.");
    Exit::Success
}
