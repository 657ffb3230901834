//! Whole-product tests and benches.
