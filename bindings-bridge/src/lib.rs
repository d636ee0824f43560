//! What bridges to other languages have in common: an engine with threads of its own, and a mailbox.
//!
//! ```text
//!                    ┌──────────── Client ────────────┐
//! language ─ ask ───▶│ Session ── engine's threads    │
//!          ─ reply ─▶│ RemoteHost: Host               │
//!          ◀─ take ──│ Mailbox ◀─ answers and calls   │──▶ Bell (one wake for many letters)
//!                    └────────────────────────────────┘
//! ```
//!
//! A bridge of a language wraps [`Client`] into a class of that language, implements [`Bell`] with whatever wakes the thread
//! that takes the letters, and passes JSON text. It holds no logic: what is asked and answered is
//! [`stackwright::ffi`]'s affair, and how it looks is the affair of the package on top.
//!
//! What holds:
//! * The engine's threads never run code of the language, but for functions of templates and ciphers, for which it waits.
//! * The bell rings once for all letters that come in before they are taken.
//! * A promise is settled exactly once, whatever panics; so is a call, or it is said to be dropped.

mod cipher;
mod client;
mod host;
mod mailbox;
mod open;

pub use cipher::{Answer, Place, RemoteCipher};
pub use client::{Client, LiveCall};
pub use mailbox::{Bell, Letter};
