use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value as Json;

use super::{
    LedgerKey, LedgerRecord, StackKey, Store,
    cipher::Cipher,
    codec::{ChainHash, Sealer, decode_ledger_entry, encode_ledger_entry},
    failure,
};
use crate::{
    error::{Error, Result, Retry},
    event::{Clock, Timestamp},
    value::Value,
};

/// How often the same records are offered to a store that says that repeating may help.
const TRIES: u32 = 6;

/// Before the second try; doubles with each.
const PAUSE: Duration = Duration::from_millis(50);

/// Where a ledger ends: the number of its next entry, and the hash of its last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Head {
    /// The number of the next entry.
    pub next: u64,
    /// The hash of the last entry; zeros where there is none.
    pub hash: ChainHash,
}

/// What is to be appended to a ledger.
#[derive(Clone, Debug, Default)]
pub struct LedgerDraft {
    /// What happened; never a secret: it is stored as it is.
    pub fact: Json,
    /// Values that go with it, by name; sensitive parts are sealed.
    pub values: BTreeMap<String, Value>,
}

impl LedgerDraft {
    /// Returns a draft that says `fact`.
    ///
    /// # Errors
    /// `engine.bug` where it has no JSON form.
    pub fn new(fact: &impl Serialize) -> Result<Self> {
        let fact = serde_json::to_value(fact).map_err(|_| Error::bug("what a ledger is told has no JSON form"))?;
        Ok(Self { fact, values: BTreeMap::new() })
    }

    /// Adds a value.
    pub fn with(mut self, name: impl Into<String>, value: Value) -> Self {
        self.values.insert(name.into(), value);
        self
    }
}

/// One entry of a ledger, opened and proved.
#[derive(Clone, Debug)]
pub struct LedgerEntry {
    /// Its number, from 0.
    pub seq: u64,
    /// When it was appended.
    pub at: Timestamp,
    /// Its hash, over everything in it and the hash of the entry before.
    pub hash: ChainHash,
    /// What happened.
    pub fact: Json,
    /// Values that go with it, by name.
    pub values: BTreeMap<String, Value>,
}

impl LedgerEntry {
    /// Returns what happened, typed.
    ///
    /// # Errors
    /// `store.corrupt` where it is none: a program with a mistake wrote it, for the entry is as it was written.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(&self.fact)
            .map_err(|_| failure::corrupt("an entry of a ledger says something impossible").context("entry", self.seq))
    }
}

/// A ledger as it was read, from some entry on.
#[derive(Clone, Debug)]
pub struct LedgerHistory {
    /// The entries, in order.
    pub entries: Vec<LedgerEntry>,
    /// Where the ledger ended.
    pub head: Head,
}

impl LedgerHistory {
    /// Returns whether what was seen earlier is still there: an end that somebody kept elsewhere shows whether entries were
    /// cut off since, which the ledger itself cannot.
    ///
    /// Only right for a history from the first entry on.
    pub fn extends(&self, earlier: &Head) -> bool {
        match earlier.next.checked_sub(1) {
            None => true,
            Some(last) => {
                let last = usize::try_from(last).ok().and_then(|idx| self.entries.get(idx));
                last.is_some_and(|entry| entry.hash == earlier.hash)
            }
        }
    }
}

/// An append-only list of a tenant: its entries are sealed, and each carries the hash of the one before.
///
/// An entry that is edited, dropped from the middle, put elsewhere or added by somebody without the key is noticed
/// (`ledger.broken`, `store.corrupt`, `cipher.open_failed`). Entries that are cut off at the end are not, unless somebody kept
/// the [`Head`]. Entries never change, so they are never sealed again: whoever rotates keys keeps the older ones for as long
/// as ledgers are to be read.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use stackwright::{
///     event::SystemClock,
///     state::{Head, Ledger, LedgerDraft, LedgerKey, MemoryStore, cipher::{AesGcmCipher, Key}},
/// };
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> stackwright::Result<()> {
/// let cipher = Arc::new(AesGcmCipher::new(Key::generate()?));
/// let key = LedgerKey::new("acme", "note", "shop");
/// let ledger = Ledger::new(Arc::new(MemoryStore::new()), cipher, Arc::new(SystemClock::default()), key);
/// let head = ledger.append(&Head::default(), &[LedgerDraft::new(&"opened")?]).await?;
/// ledger.append(&head, &[LedgerDraft::new(&"closed")?]).await?;
/// let history = ledger.load().await?;
/// assert_eq!(history.entries[1].read::<String>()?, "closed");
/// // Somebody who has not seen the last entry cannot append.
/// assert_eq!(ledger.append(&head, &[LedgerDraft::new(&"again")?]).await.unwrap_err().code(), "store.conflict");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Ledger {
    store: Arc<dyn Store>,
    sealer: Sealer,
    clock: Arc<dyn Clock>,
    key: LedgerKey,
}

impl Ledger {
    /// Returns the ledger of that key, whether anything was appended to it or not.
    pub fn new(store: Arc<dyn Store>, cipher: Arc<dyn Cipher>, clock: Arc<dyn Clock>, key: LedgerKey) -> Self {
        // Its values open in no stack of the same name: the kind of record is another.
        let sealer = Sealer::new(cipher, StackKey::new(Arc::clone(&key.tenant), Arc::clone(&key.name)));
        Self { store, sealer, clock, key }
    }

    /// Returns its key.
    pub fn key(&self) -> &LedgerKey {
        &self.key
    }

    /// Reads and proves all of it.
    ///
    /// # Errors
    /// `ledger.broken`, `store.corrupt`, `store.version`, `cipher.open_failed`; those of [`Store`].
    ///
    /// # Complexity
    /// O(bytes).
    pub async fn load(&self) -> Result<LedgerHistory> {
        self.load_on(Head::default()).await
    }

    /// Reads and proves what was appended since it ended at `head`.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub async fn load_on(&self, mut head: Head) -> Result<LedgerHistory> {
        let records = self.store.load_ledger(&self.key, head.next).await?;
        let mut entries = Vec::with_capacity(records.len());
        for record in &records {
            let entry = decode_ledger_entry(&self.key, record, &head, &self.sealer)?;
            head = Head { next: entry.seq + 1, hash: entry.hash };
            entries.push(entry);
        }
        Ok(LedgerHistory { entries, head })
    }

    /// Appends entries behind `head`, all or none, and returns where the ledger ends then.
    ///
    /// The same records are offered again while the store says that repeating may help.
    ///
    /// # Errors
    /// `store.conflict` where the ledger does not end there any more: read on and decide anew. `engine.bug` for ephemeral
    /// values; what the cipher says; those of [`Store`].
    pub async fn append(&self, head: &Head, drafts: &[LedgerDraft]) -> Result<Head> {
        let at = self.clock.now();
        let mut head = *head;
        let mut records: Vec<LedgerRecord> = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let (record, hash) = encode_ledger_entry(&self.key, &head, at, draft, &self.sealer)?;
            head = Head { next: head.next + 1, hash };
            records.push(record);
        }
        let mut pause = PAUSE;
        for attempt in 1..=TRIES {
            match self.store.append(&self.key, records.clone()).await {
                Ok(()) => return Ok(head),
                Err(error) if error.retry_advice() != Retry::No && attempt < TRIES => {
                    self.clock.sleep(pause).await;
                    pause *= 2;
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::bug("appending to a ledger ended without an answer"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::SystemClock,
        state::{
            MemoryStore,
            testing::{Faults, FaultyStore, fixed_cipher},
        },
        value::Marks,
    };

    const SECRET: &str = "hunter2-äöü";

    fn key() -> LedgerKey {
        LedgerKey::new("acme", "note", "shop")
    }

    fn of(store: Arc<dyn Store>, key: LedgerKey) -> Ledger {
        Ledger::new(store, fixed_cipher(), Arc::new(SystemClock::default()), key)
    }

    fn draft(text: &str) -> LedgerDraft {
        let secret = Value::string(SECRET).with_marks(Marks::SENSITIVE);
        let inputs = Value::object([("name", Value::string(text)), ("password", secret)]);
        LedgerDraft::new(&text).expect("a fact").with("inputs", inputs)
    }

    async fn three(store: Arc<dyn Store>) -> (Ledger, Vec<LedgerRecord>) {
        let ledger = of(Arc::clone(&store), key());
        let head = ledger.append(&Head::default(), &[draft("a"), draft("b")]).await.expect("appends");
        ledger.append(&head, &[draft("c")]).await.expect("appends");
        (ledger, store.load_ledger(&key(), 0).await.expect("reads"))
    }

    #[tokio::test]
    async fn comes_back_whole_and_sealed() {
        let (ledger, records) = three(Arc::new(MemoryStore::new())).await;
        let history = ledger.load().await.expect("proved");
        let facts: Vec<String> = history.entries.iter().map(|entry| entry.read().expect("a text")).collect();
        assert_eq!(facts, ["a", "b", "c"]);
        assert_eq!(history.entries[1].values, draft("b").values);
        for record in &records {
            let text = String::from_utf8(record.body.to_vec()).expect("UTF-8");
            assert!(!text.contains("hunter2") && text.contains(r#""name":"#), "{text}");
        }
        let last = ledger.load_on(Head { next: 2, hash: history.entries[1].hash }).await.expect("proved");
        assert_eq!((last.entries.len(), last.head), (1, history.head));
        assert_eq!(last.entries[0].read::<u32>().expect_err("a text").code(), "store.corrupt");
    }

    /// Returns what reading says of a store that has these records.
    async fn of_records(records: Vec<LedgerRecord>, key: LedgerKey) -> Result<LedgerHistory> {
        let store = Arc::new(MemoryStore::new());
        let records = (0..).zip(records).map(|(seq, record)| LedgerRecord { seq, ..record }).collect();
        store.append(&key, records).await.expect("appends");
        of(store, key).load().await
    }

    #[tokio::test]
    async fn what_was_tampered_with_is_noticed() {
        let (_, good) = three(Arc::new(MemoryStore::new())).await;
        let code = |result: Result<LedgerHistory>| {
            let error = result.expect_err("noticed");
            assert!(!error.report().contains("hunter2"), "{error:?}");
            error.code().to_owned()
        };
        assert!(of_records(good.clone(), key()).await.is_ok());
        // Dropped, turned round, there twice, in another ledger: records say where they stand.
        let pick = |list: &[usize]| list.iter().map(|&idx| good[idx].clone()).collect::<Vec<_>>();
        for list in [&[1, 2][..], &[0, 2], &[1, 0, 2], &[0, 0, 1]] {
            assert_eq!(code(of_records(pick(list), key()).await), "store.corrupt", "{list:?}");
        }
        for other in [("acme", "note", "blog"), ("acme", "other", "shop"), ("evil", "note", "shop")] {
            let other = LedgerKey::new(other.0, other.1, other.2);
            assert_eq!(code(of_records(good.clone(), other).await), "store.corrupt");
        }
        // The last ones missing: the ledger is one; whoever kept its end knows better.
        let cut = of_records(pick(&[0, 1]), key()).await.expect("a ledger");
        let whole = of_records(good.clone(), key()).await.expect("a ledger");
        assert!(whole.extends(&cut.head) && whole.extends(&Head::default()) && whole.extends(&whole.head));
        assert!(!cut.extends(&whole.head));
    }

    #[tokio::test]
    async fn other_entries_with_their_own_chain_are_noticed() {
        let (_, good) = three(Arc::new(MemoryStore::new())).await;
        let (_, other) = three(Arc::new(MemoryStore::new())).await;
        // Each is well formed, sealed with the right key and in its place; they are not of one chain.
        let error = of_records(vec![good[0].clone(), other[1].clone()], key()).await.expect_err("another chain");
        assert_eq!(error.code(), "ledger.broken", "{error:?}");
    }

    #[tokio::test]
    async fn appends_once_whatever_the_store_answers() {
        for faults in [Faults::none(), Faults::lose_reply(0), Faults::transient(0, 3)] {
            let disk = Arc::new(MemoryStore::new());
            let ledger = of(Arc::new(FaultyStore::new(disk.clone(), faults)), key());
            let head = ledger.append(&Head::default(), &[draft("a")]).await.expect("gets through");
            assert_eq!(ledger.load().await.expect("proved").head, head);
        }
        let ledger = of(Arc::new(FaultyStore::new(Arc::new(MemoryStore::new()), Faults::transient(0, 99))), key());
        let error = ledger.append(&Head::default(), &[draft("a")]).await.expect_err("not for ever");
        assert_eq!(error.code(), "store.unavailable");
    }

    #[tokio::test]
    async fn whoever_is_late_is_told_so() {
        let (ledger, _) = three(Arc::new(MemoryStore::new())).await;
        let error = ledger.append(&Head::default(), &[draft("late")]).await.expect_err("there is more");
        assert_eq!(error.code(), "store.conflict");
        assert_eq!(ledger.load().await.expect("proved").entries.len(), 3);
    }
}
