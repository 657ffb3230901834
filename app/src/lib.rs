//! The designer as a library (egui).

pub mod canvas;
pub mod theme;
