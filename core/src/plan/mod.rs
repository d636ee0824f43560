//! Desired and actual, compared: the changes and their order.
