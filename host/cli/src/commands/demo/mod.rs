//! `demo`: a small project to see experiments run.

pub mod project;
