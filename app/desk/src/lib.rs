//! The machine under a designer: its files and samples, an engine for each project, the line by which
//! other programs reach a run, and the seat of a designer that is elsewhere.

pub mod control;
pub mod engines;
pub mod files;
pub mod flow_file;
pub mod folders;
pub mod kept;
pub mod samples;
pub mod seat;
pub mod serve;
