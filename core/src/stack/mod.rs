//! The façade: Engine and Stack.
