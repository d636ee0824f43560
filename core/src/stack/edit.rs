use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::Stack;
use crate::{
    address::{Address, Target},
    error::{Error, ErrorKind, Result},
    state::{
        Commit, Lease, Lineage, ObjectId, Row, RowStatus, RowWrite, StackWrite,
        codec::{Sealer, decode_checks, decode_outputs, encode_outputs, encode_row, encode_stack},
        splice,
    },
};

/// What a person found out about an object that the engine could not tell about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Settlement {
    /// It does not exist: the row goes.
    Absent,
    /// It exists, possibly half made: the next plan replaces it.
    Tainted,
    /// It exists: the next plan reads how it is.
    Present,
}

impl Stack {
    /// Gives the object at `from` the address `to`. The object is not touched.
    ///
    /// # Errors
    /// `state.no_such_address` (`NotFound`), `state.address_taken` (`AlreadyExists`), `lease.held`, `run.unfinished`.
    pub async fn move_address(&self, from: &Address, to: &Address) -> Result<()> {
        self.edit("state mv", |rows| {
            if rows.values().any(|row| row.status != RowStatus::Deposed && row.address == *to) {
                let message = format!("there is an object at `{to}` already");
                return Err(Error::new(ErrorKind::AlreadyExists, "state.address_taken", message));
            }
            let mut writes = Vec::new();
            for row in rows.values_mut().filter(|row| row.address == *from) {
                row.address = to.clone();
                row.version += 1;
                writes.push(row.object_id);
            }
            if writes.is_empty() {
                return Err(no_such(from, rows));
            }
            writes.extend(keep_users(rows, &writes, from, to));
            Ok(writes.iter().filter_map(|object| rows.get(object).cloned()).map(Edit::Put).collect())
        })
        .await
        .map(drop)
    }

    /// Stops managing what `target` covers; the objects stay. Returns the addresses that were removed, sorted.
    ///
    /// # Errors
    /// `state.no_such_address` (`NotFound`), `lease.held`, `run.unfinished`.
    pub async fn forget_rows(&self, target: &Target) -> Result<Vec<Address>> {
        let edits = self
            .edit("state rm", |rows| {
                let gone: Vec<_> =
                    rows.values().filter(|row| target.contains(&row.address)).map(|row| row.object_id).collect();
                if gone.is_empty() {
                    let message = format!("nothing in state is covered by `{target}`");
                    return Err(Error::new(ErrorKind::NotFound, "state.no_such_address", message));
                }
                Ok(remove(rows, &gone))
            })
            .await?;
        let mut addresses: Vec<_> = edits
            .into_iter()
            .filter_map(|edit| if let Edit::Remove(row) = edit { Some(row.address) } else { None })
            .collect();
        addresses.sort();
        Ok(addresses)
    }

    /// Says what became of an object whose row is uncertain.
    ///
    /// # Errors
    /// `state.no_such_address` (`NotFound`) when no uncertain row has the address; `state.unknown_id` (`Conflict`) for
    /// [`Settlement::Tainted`] and [`Settlement::Present`] when nobody knows the id of the object, which could then be neither read nor deleted; `lease.held`,
    /// `run.unfinished`.
    pub async fn settle(&self, address: &Address, settlement: Settlement) -> Result<()> {
        self.edit("settle", |rows| {
            let uncertain = |row: &&mut Row| row.status == RowStatus::Uncertain && row.address == *address;
            let Some(row) = rows.values_mut().find(uncertain) else {
                let message = format!("no uncertain object is at `{address}`");
                return Err(Error::new(ErrorKind::NotFound, "state.no_such_address", message));
            };
            match settlement {
                Settlement::Tainted | Settlement::Present if row.remote_id.is_none() => {
                    let message = format!(
                        "nobody knows the id of the object at `{address}`, so nothing can be done with it; settle it as \
                         absent, and import it if it exists"
                    );
                    Err(Error::new(ErrorKind::Conflict, "state.unknown_id", message))
                }
                Settlement::Tainted | Settlement::Present => {
                    let is_whole = settlement == Settlement::Present;
                    row.status = if is_whole { RowStatus::Current } else { RowStatus::Tainted };
                    row.version += 1;
                    Ok(vec![Edit::Put(row.clone())])
                }
                Settlement::Absent => {
                    let object_id = row.object_id;
                    Ok(remove(rows, &[object_id]))
                }
            }
        })
        .await
        .map(drop)
    }

    /// Seals rows and outputs again with the newest key of the cipher; what they say stays the same. Returns how many
    /// rows there are.
    ///
    /// For a host that rotates keys: until this has been done for every stack, its cipher needs the older keys too.
    /// Plans and journals of earlier runs are not written again. A stack that nothing was ever applied to is left alone.
    ///
    /// # Errors
    /// `cipher.open_failed` where a row was sealed with a key that the cipher lacks (nothing is written then),
    /// `lease.held`, `run.unfinished`.
    ///
    /// # Complexity
    /// O(rows), in one commit.
    pub async fn reseal(&self) -> Result<usize> {
        if self.store().load_stack(&self.key).await?.is_none() {
            return Ok(0);
        }
        let edits = self
            .edit("rotate-key", |rows| {
                for row in rows.values_mut() {
                    row.version += 1;
                }
                Ok(rows.values().cloned().map(Edit::Put).collect())
            })
            .await?;
        Ok(edits.len())
    }

    /// Changes rows under a lease, in one commit.
    async fn edit(
        &self,
        operation: &str,
        change: impl FnOnce(&mut BTreeMap<ObjectId, Row>) -> Result<Vec<Edit>> + Send,
    ) -> Result<Vec<Edit>> {
        let lease = self.acquire(operation).await?;
        let result = self.edit_leased(&lease, change).await;
        let released = self.store().release(&lease).await;
        let edits = result?;
        released.map(|()| edits)
    }

    async fn edit_leased(
        &self,
        lease: &Lease,
        change: impl FnOnce(&mut BTreeMap<ObjectId, Row>) -> Result<Vec<Edit>> + Send,
    ) -> Result<Vec<Edit>> {
        self.refuse_unfinished().await?;
        let sealer = self.sealer();
        let mut rows = self.rows(&sealer).await?.into_iter().map(|row| (row.object_id, row)).collect();
        let edits = change(&mut rows)?;
        let mut writes = Vec::with_capacity(edits.len());
        for edit in &edits {
            writes.push(match edit {
                Edit::Put(row) => RowWrite::Put(encode_row(row, &sealer)?),
                Edit::Remove(row) => RowWrite::Delete(row.object_id),
            });
        }
        let stack = self.stack_write(&sealer).await?;
        self.store().commit(lease, Commit { rows: writes, stack: Some(stack), ..Commit::default() }).await?;
        // Whoever needs the room finds out, too.
        let _ = self.settle_quota(None).await;
        Ok(edits)
    }

    /// Returns the stack's record as it is, sealed anew, so that a commit of rows counts the serial up.
    async fn stack_write(&self, sealer: &Sealer) -> Result<StackWrite> {
        Ok(match self.store().load_stack(&self.key).await? {
            Some(record) => {
                let (outputs, checks) = (decode_outputs(&record.body, sealer)?, decode_checks(&record.body, sealer)?);
                StackWrite { lineage: record.lineage, body: encode_stack(&outputs, &checks, sealer)? }
            }
            None => {
                let body: Arc<[u8]> = encode_outputs(&BTreeMap::new(), sealer)?;
                StackWrite { lineage: Lineage::mint(), body }
            }
        })
    }
}

enum Edit {
    Put(Row),
    Remove(Row),
}

/// Whoever referred to a whole that an object no longer stands in refers to the object itself from now on. Returns whose
/// rows changed.
fn keep_users(rows: &mut BTreeMap<ObjectId, Row>, moved: &[ObjectId], from: &Address, to: &Address) -> Vec<ObjectId> {
    let mut changed = Vec::new();
    for row in rows.values_mut().filter(|row| !moved.contains(&row.object_id)) {
        let leaves = row.wholes.iter().any(|whole| whole.contains(from));
        if leaves && !row.wholes.iter().any(|whole| whole.contains(to)) {
            row.dependencies.extend(moved);
            row.dependencies.sort_unstable();
            row.dependencies.dedup();
            row.version += 1;
            changed.push(row.object_id);
        }
    }
    changed
}

/// Takes rows out; what depended on them depends on what they depended on.
fn remove(rows: &mut BTreeMap<ObjectId, Row>, gone: &[ObjectId]) -> Vec<Edit> {
    let removed: Vec<Edit> = gone.iter().filter_map(|object| rows.get(object).cloned()).map(Edit::Remove).collect();
    let mut changed = BTreeSet::new();
    for object in gone {
        changed.extend(splice(rows, *object));
        rows.remove(object);
    }
    let kept = changed.iter().filter_map(|object| rows.get(object).cloned()).map(Edit::Put);
    removed.into_iter().chain(kept).collect()
}

fn no_such(address: &Address, rows: &BTreeMap<ObjectId, Row>) -> Error {
    let known: Vec<String> = rows.values().map(|row| row.address.to_string()).collect();
    let near = crate::error::suggest(&address.to_string(), known.iter().map(String::as_str));
    let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    Error::new(ErrorKind::NotFound, "state.no_such_address", format!("nothing in state is at `{address}`{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

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
            wholes: wholes.iter().map(|whole| whole.parse().expect("a target")).collect(),
            order_lines: Vec::new(),
            uses: crate::state::Uses::default(),
            create_before_destroy: false,
            prevent_destroy: false,
            ready: true,
            version: 1,
        }
    }

    #[test]
    fn users_of_a_whole_keep_what_moves_out_of_it() {
        let rows = [row(1, "t.a[0]", &[]), row(2, "t.b", &["t.a"]), row(3, "t.c", &["t.d"])];
        let mut rows: BTreeMap<_, _> = rows.into_iter().map(|row| (row.object_id, row)).collect();
        let [object, user] = [1, 2].map(ObjectId::from_u128);
        let address = |text: &str| text.parse::<Address>().expect("an address");
        assert_eq!(keep_users(&mut rows, &[object], &address("t.a[0]"), &address("t.a[7]")), []);
        assert_eq!(keep_users(&mut rows, &[object], &address("t.a[0]"), &address("t.e")), [user]);
        assert_eq!((&rows[&user].dependencies[..], rows[&user].version), (&[object][..], 2));
    }
}
