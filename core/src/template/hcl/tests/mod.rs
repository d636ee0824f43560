//! Behaviour of the front end, from text to tree and back.

mod broken;
mod hostile;
mod layout;
mod sketch;
mod valid;
