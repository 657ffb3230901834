//! Whether a loop ends where somebody decides, once for each group.

use super::ends::Ring;
use crate::validate::design::EdgeIx;

impl Ring<'_> {
    /// Whether what comes round is of groups that were told already, or waits for the end of a window.
    pub(super) fn decides_once(
        &mut self,
        edge: EdgeIx,
        (group, seal_key): (&str, &str),
        (claim, wait): (&str, &str),
    ) -> bool {
        let design = self.design;
        let node = design.edges[edge].from;
        // Enough may have come before the window ends, and no end mark makes them more.
        let waits = design
            .text(node, claim)
            .is_some_and(|claim| claim != "at_least");
        if waits && design.text(node, wait) == Some("window") {
            return true;
        }
        self.ins_of(node).iter().all(|back| {
            let seals = design.edges[*back].input > 0;
            let key = if seals && design.text(node, seal_key).is_some() {
                seal_key
            } else {
                group
            };
            // Without a key all are of one group.
            seals && !waits || design.text(node, key).is_none() || self.key_comes_back(edge, key)
        })
    }
}
