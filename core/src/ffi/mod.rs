//! Language-neutral shapes for bindings.
