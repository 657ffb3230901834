//! The program as its users start it: real processes, files and sockets.

mod bad_input;
mod checking;
mod files;
mod harness;
mod running;
mod samples;
mod webhooks;
mod window;
mod witness;
