//! Where an instance stands in the template.
