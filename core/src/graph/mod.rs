//! A directed graph with cycle explanation and a priority frontier.
