//! A small cloud with buckets, seen through the untyped trait.

mod bucket;
mod plans;
mod schemas;
mod verbs;
