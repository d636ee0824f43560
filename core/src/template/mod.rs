//! One model of what the user wrote.
