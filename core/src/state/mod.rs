//! What exists, and how it is remembered.
