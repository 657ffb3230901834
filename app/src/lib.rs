//! The designer as a library (egui).
