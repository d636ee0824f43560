//! Attributes and nested blocks of a resource type.
