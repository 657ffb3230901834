//! The embedded engine: plan, operators, live driver, sources, sinks, functions.
