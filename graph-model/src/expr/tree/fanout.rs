//! How many outputs an expression may have; too many are refused.

use super::reader::Reader;
use super::{Node, StepPart};
use crate::expr::ExprError;
use crate::expr::bounds::{BRANCHES_MAX, LOOPS_MAX};

/// How many outputs there may be for one input: `branches` times the size of the data to the power
/// of `loops`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fanout {
    pub(super) branches: u64,
    loops: u32,
}

impl Fanout {
    const ONE: Fanout = Fanout {
        branches: 1,
        loops: 0,
    };

    fn times(self, other: Fanout) -> Fanout {
        Fanout {
            branches: self.branches.saturating_mul(other.branches),
            loops: self.loops + other.loops,
        }
    }

    fn plus(self, other: Fanout) -> Fanout {
        Fanout {
            branches: self.branches.saturating_add(other.branches),
            loops: self.loops.max(other.loops),
        }
    }
}

impl Reader<'_> {
    /// Refuses what would multiply its outputs beyond the bounds.
    pub(super) fn fanout(&self, node: &Node) -> Result<Fanout, ExprError> {
        let product = |nodes: &[&Node]| {
            nodes
                .iter()
                .try_fold(Fanout::ONE, |all, node| Ok(all.times(self.fanout(node)?)))
        };
        let each = Fanout {
            branches: 1,
            loops: 1,
        };
        let fanout = match node {
            Node::Comma(a, b) => self.fanout(a)?.plus(self.fanout(b)?),
            Node::Alt(a, b) => {
                let (a, b) = (self.fanout(a)?, self.fanout(b)?);
                Fanout {
                    branches: a.branches.max(b.branches),
                    loops: a.loops.max(b.loops),
                }
            }
            Node::Recurse => each,
            Node::Array(Some(of)) => {
                self.fanout(of)?;
                Fanout::ONE
            }
            Node::Path(head, steps) => {
                let mut all = self.fanout(head)?;
                for step in steps {
                    all = all.times(match &step.part {
                        StepPart::Each => each,
                        StepPart::Index(node) => self.fanout(node)?,
                        StepPart::Slice(from, to) => {
                            product(&from.iter().chain(to).collect::<Vec<_>>())?
                        }
                        StepPart::Key(_) | StepPart::At(_) => Fanout::ONE,
                    });
                }
                all
            }
            Node::If(branches, otherwise) => {
                let mut tests = Fanout::ONE;
                let mut most = match otherwise {
                    Some(otherwise) => self.fanout(otherwise)?,
                    None => Fanout::ONE,
                };
                for (test, then) in branches {
                    tests = tests.times(self.fanout(test)?);
                    let then = self.fanout(then)?;
                    most = Fanout {
                        branches: most.branches.max(then.branches),
                        loops: most.loops.max(then.loops),
                    };
                }
                tests.times(most)
            }
            Node::Try(body, catch) => {
                let body = self.fanout(body)?;
                match catch {
                    Some(catch) => body.plus(self.fanout(catch)?),
                    None => body,
                }
            }
            Node::Reduce(source, _, init, update) => {
                let (source, init, update) = (
                    self.fanout(source)?,
                    self.fanout(init)?,
                    self.fanout(update)?,
                );
                if source.loops > 0 && (update.branches > 1 || update.loops > 0) {
                    return self.fail(
                        self.code,
                        "the update of `reduce` has several outputs, which multiply with each element",
                        "collect them in an array",
                    );
                }
                // Each output of the source multiplies the outputs of the update.
                (0..source.branches.min(64)).fold(init, |all, _| all.times(update))
            }
            Node::Foreach(source, _, init, update, extract) => {
                let (source, init, update) = (
                    self.fanout(source)?,
                    self.fanout(init)?,
                    self.fanout(update)?,
                );
                if update.branches > 1 || update.loops > 0 {
                    return self.fail(
                        self.code,
                        "the update of `foreach` has several outputs, which multiply with each element",
                        "collect them in an array",
                    );
                }
                let extract = match extract {
                    Some(extract) => self.fanout(extract)?,
                    None => Fanout::ONE,
                };
                source.times(init).times(extract)
            }
            Node::Call(name, args) => {
                let inner = product(&args.iter().collect::<Vec<_>>())?;
                match (*name, args.len()) {
                    ("first" | "last", 1)
                    | (
                        "map" | "map_values" | "walk" | "with_entries" | "add" | "any" | "all"
                        | "isempty" | "sort_by" | "group_by" | "unique_by" | "min_by" | "max_by"
                        | "del" | "pick",
                        _,
                    ) => Fanout::ONE,
                    (
                        "path" | "paths" | "match" | "capture" | "scan" | "splits" | "fromjson",
                        _,
                    ) => inner.times(each),
                    _ => inner,
                }
            }
            other => product(&other.children())?,
        };
        if fanout.branches > BRANCHES_MAX || fanout.loops > LOOPS_MAX {
            return self.fail(
                self.code,
                format!(
                    "the outputs multiply beyond {BRANCHES_MAX} written branches or {LOOPS_MAX} nested iterations"
                ),
                "use fewer commas and `[]` that multiply with each other",
            );
        }
        Ok(fanout)
    }
}
