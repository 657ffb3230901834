//! The designer as a web page: starts it on the page's canvas, with the host that the page has.

#[cfg(any(target_arch = "wasm32", test))]
mod address;
#[cfg(target_arch = "wasm32")]
mod alone;
#[cfg(any(target_arch = "wasm32", test))]
mod aria;
#[cfg(target_arch = "wasm32")]
mod bridge;
#[cfg(target_arch = "wasm32")]
mod dom;
#[cfg(target_arch = "wasm32")]
mod mirror;
#[cfg(target_arch = "wasm32")]
mod page;
#[cfg(target_arch = "wasm32")]
mod socket;
#[cfg(target_arch = "wasm32")]
mod token;

#[cfg(target_arch = "wasm32")]
pub use page::start;
