use super::{Planner, entry::Entry};
use crate::{address::Address, error::Diagnostic, plan::Mode};

impl Planner {
    /// Reports targets and imports that mean nothing.
    pub(super) fn unused_options(&mut self, entries: &[Entry]) {
        let addresses: Vec<&Address> = entries.iter().map(|entry| &entry.address).collect();
        for target in self.targets.unused(&addresses) {
            self.problems.push(
                Diagnostic::warning("plan.target_unused", format!("the target `{target}` means nothing that there is"))
                    .help("compare it with the addresses that `stackwright state list` prints"),
            );
        }
        for address in self.input.options.imports.keys() {
            let adopts = |entry: &Entry| entry.node.is_some() && entry.address == *address;
            if !entries.iter().any(adopts) {
                self.problems.push(
                    Diagnostic::error("plan.import_invalid", format!("the template has no `{address}`"))
                        .address(address.to_string())
                        .help("write its block first; what is adopted is then compared with it"),
                );
            }
        }
        let told = self.input.options.mode == Mode::Normal && !self.targets.any();
        for adoption in self.table.adoptions().filter(|_| told) {
            let adopts = |entry: &Entry| entry.node.is_some() && entry.address == adoption.address;
            if !entries.iter().any(adopts) {
                self.problems.push(
                    Diagnostic::error("plan.import_invalid", format!("the template has no `{}`", adoption.address))
                        .at(adoption.span)
                        .address(adoption.address.to_string())
                        .help("its block gives other instances; correct the key, or have `count` or `for_each` give this one"),
                );
            }
        }
        for address in &self.input.options.replace {
            if !addresses.contains(&address) {
                self.problems.push(
                    Diagnostic::warning(
                        "plan.replace_unused",
                        format!("`{address}` is to be replaced, but there is no such instance"),
                    )
                    .help("compare it with the addresses that `stackwright state list` prints"),
                );
            }
        }
    }
}
