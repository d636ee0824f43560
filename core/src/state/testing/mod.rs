//! Stores that fail on purpose and a key that everybody knows, for tests of everything that uses a store.
//!
//! A crash sweep counts the writes of one undisturbed operation, then repeats it once per write and dies there:
//!
//! ```
//! # use std::{sync::Arc, time::Duration};
//! # use stackwright::{event::Timestamp, state::{MemoryStore, StackKey, Store, testing::{Faults, FaultyStore}}};
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! # async fn operation(store: &dyn Store) -> stackwright::Result<()> {
//! #     let lease = store.acquire(&StackKey::new("t", "s"), "me", Timestamp(0), Duration::from_secs(9)).await?;
//! #     store.release(&lease).await
//! # }
//! let count = {
//!     let store = FaultyStore::new(Arc::new(MemoryStore::new()), Faults::none());
//!     operation(&store).await.expect("nothing fails");
//!     store.write_count()
//! };
//! for number in 0..count {
//!     for faults in [Faults::die_before(number), Faults::die_after(number)] {
//!         let disk = Arc::new(MemoryStore::new());
//!         let store = FaultyStore::new(disk.clone(), faults).hang_when_dead();
//!         tokio::select! {
//!             () = store.died() => {}
//!             result = operation(&store) => panic!("survived its death: {result:?}"),
//!         }
//!         // `disk` holds what was durable: resume from it here, then compare the world.
//!     }
//! }
//! # }
//! ```

mod faulty;
mod key;

pub use faulty::{Faults, FaultyStore, Verdict, WriteKind, WritePoint};
pub use key::{fixed_cipher, fixed_sealer};
