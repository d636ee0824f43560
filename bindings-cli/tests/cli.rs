//! What people type and what they get, as texts: `tests/cases/*.md`, and `*.toml` where something is typed in.
//!
//! `TRYCMD=overwrite cargo test -p stackwright-cli --test cli` writes what was printed into the cases; read it then.

/// Each case runs in a copy of its folder.
#[test]
fn cases() {
    trycmd::TestCases::new()
        .case("tests/cases/*.md")
        .case("tests/cases/*.toml")
        .register_bin("rm", std::path::Path::new("/bin/rm"))
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .env("USER", "ann");
}
