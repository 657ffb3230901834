//! Witnesses: runs in which a hazard is seen happening.

pub mod values;
