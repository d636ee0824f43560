//! What observers see.
