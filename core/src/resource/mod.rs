//! Resource types: the trait, its context, the registry and layers.
