//! Removes a wire.

use super::fix;
use crate::id::EdgeId;
use crate::validate::Fix;
use crate::validate::design::Design;

pub(in crate::validate) fn remove_wire(design: &Design, id: &EdgeId) -> Fix {
    fix(design, format!("Remove the wire {id}"), "", |build| {
        build.remove_edge(id);
    })
}
