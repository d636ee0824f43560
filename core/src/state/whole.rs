use std::collections::HashMap;

use super::Row;
use crate::address::{Address, ModuleInstance, ModuleStep, Target};

/// The blocks and modules that rows refer to as a whole: who does, and what stands there.
///
/// A row that refers to all of a block names the block, not its objects. So n rows that each refer to all of m others take
/// n words and not n × m, and the block may grow without a row of its users being written. What stands there is looked up
/// when it matters: when something is deleted, moved or written out.
///
/// Rows are meant by their places in the order in which they were given.
///
/// # Examples
/// ```
/// use stackwright::{address::Target, state::Wholes};
///
/// let net: Target = "module.net".parse()?;
/// let around = Wholes::around(&"module.net[0].acme_vpc.main[1]".parse()?);
/// assert!(around.contains(&net));
/// assert!(around.contains(&"module.net[0].acme_vpc.main".parse()?));
/// # Ok::<(), stackwright::address::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Wholes {
    list: Vec<Whole>,
    by_target: HashMap<Target, usize>,
}

/// A block or module that some row refers to as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Which.
    pub target: Target,
    /// The rows that refer to it, in order.
    pub users: Vec<usize>,
    /// The rows of objects that stand there, in order.
    pub members: Vec<usize>,
}

impl Wholes {
    /// Returns what these rows refer to as a whole, in the order in which it is first named.
    ///
    /// # Complexity
    /// O(n · d²), n rows and the wholes that they name, d modules inside one another.
    pub fn of_rows<'a>(rows: impl Iterator<Item = &'a Row> + Clone) -> Self {
        let mut wholes = Self::default();
        for (place, row) in rows.clone().enumerate() {
            for target in &row.wholes {
                let whole = wholes.intern(target);
                if let Some(whole) = wholes.list.get_mut(whole) {
                    whole.users.push(place);
                }
            }
        }
        if wholes.list.is_empty() {
            return wholes;
        }
        for (place, row) in rows.enumerate() {
            for whole in wholes.containing(&row.address) {
                if let Some(whole) = wholes.list.get_mut(whole) {
                    whole.members.push(place);
                }
            }
        }
        wholes
    }

    fn intern(&mut self, target: &Target) -> usize {
        if let Some(place) = self.by_target.get(target) {
            return *place;
        }
        let place = self.list.len();
        self.list.push(Whole { target: target.clone(), users: Vec::new(), members: Vec::new() });
        self.by_target.insert(target.clone(), place);
        place
    }

    /// Returns them all.
    pub fn list(&self) -> &[Whole] {
        &self.list
    }

    /// Returns the places in [`list`](Self::list) of those that an address stands in, sorted.
    pub fn containing(&self, address: &Address) -> Vec<usize> {
        if self.list.is_empty() {
            return Vec::new();
        }
        let mut found: Vec<usize> =
            Self::around(address).iter().filter_map(|target| self.by_target.get(target)).copied().collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Returns every block and module that an address stands in: its own block, and each module around it, with and without
    /// the key of its last step.
    pub fn around(address: &Address) -> Vec<Target> {
        let mut targets = vec![Target::Resource(address.resource.clone())];
        let steps = address.module().steps();
        for (depth, last) in steps.iter().enumerate() {
            let above = steps.get(..depth).unwrap_or_default();
            let module = |key| {
                let last = ModuleStep { name: last.name.clone(), key };
                Target::Module(ModuleInstance::from_steps(above.iter().cloned().chain([last])))
            };
            targets.push(module(None));
            if last.key.is_some() {
                targets.push(module(last.key.clone()));
            }
        }
        targets
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        state::{ObjectId, RowStatus},
        value::Value,
    };

    fn row(number: u128, address: &str, wholes: &[&str]) -> Row {
        Row {
            object_id: ObjectId::from_u128(number),
            address: address.parse().expect("an address"),
            status: RowStatus::Current,
            type_name: "t".into(),
            provider: "".into(),
            schema_version: 0,
            remote_id: None,
            attributes: Value::empty_object(),
            private: None,
            dependencies: Vec::new(),
            wholes: wholes.iter().map(|target| target.parse().expect("a target")).collect(),
            order_lines: Vec::new(),
            uses: crate::state::Uses::default(),
            create_before_destroy: false,
            prevent_destroy: false,
            ready: true,
            version: 1,
        }
    }

    #[test]
    fn tells_users_and_members() {
        let rows = [
            row(0, "t.a[0]", &[]),
            row(1, "t.a[1]", &[]),
            row(2, "t.b", &["t.a", "module.m"]),
            row(3, "module.m[\"x\"].t.a", &[]),
            row(4, "module.m[\"x\"].module.n[0].t.c", &["t.a"]),
            row(5, "t.d", &["module.m[\"x\"].module.n[0]", "t.gone"]),
        ];
        let wholes = Wholes::of_rows(rows.iter());
        let shown: Vec<String> = wholes
            .list()
            .iter()
            .map(|whole| format!("{} {:?} {:?}", whole.target, whole.users, whole.members))
            .collect();
        assert_eq!(
            shown,
            ["t.a [2, 4] [0, 1]", "module.m [2] [3, 4]", "module.m[\"x\"].module.n[0] [5] [4]", "t.gone [5] []",]
        );
        assert_eq!(wholes.containing(&rows[4].address), [1, 2]);
        assert!(Wholes::of_rows([].iter()).list().is_empty());
    }

    #[test]
    fn is_around_an_address_what_contains_it() {
        let address: Address = "module.m[0].module.n[\"k\"].t.a[3]".parse().expect("an address");
        let around = Wholes::around(&address);
        assert_eq!(around.len(), 5);
        assert!(around.iter().all(|target| target.contains(&address)));
    }
}
