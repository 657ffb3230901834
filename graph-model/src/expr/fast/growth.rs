//! How much larger than its input a result may be.

use super::{Op, Stream, TextPart};

impl Op {
    /// An upper bound of how many times larger than its input the result is.
    pub(super) fn factor(&self) -> u64 {
        let sum = |ops: &mut dyn Iterator<Item = &Op>| {
            ops.fold(0u64, |sum, op| sum.saturating_add(op.factor()))
        };
        match self {
            Op::Text(parts) => sum(&mut parts.iter().filter_map(|part| match part {
                TextPart::Op(op) => Some(op),
                TextPart::Plain(_) => None,
            }))
            .max(1),
            Op::Object(entries) => {
                sum(&mut entries.iter().flat_map(|(key, value)| [key, value])).max(1)
            }
            Op::Collect(stream) | Op::Add(stream) => stream.factor(),
            Op::Pipe(left, right) | Op::Bind(left, _, right) => {
                left.factor().saturating_mul(right.factor())
            }
            Op::Alt(left, right) | Op::Math(_, left, right) => {
                left.factor().saturating_add(right.factor())
            }
            Op::If(branches, otherwise) => {
                sum(&mut branches.iter().map(|(_, then)| then).chain([&**otherwise]))
            }
            Op::Try(body, catch) => body
                .factor()
                .saturating_add(catch.as_ref().map_or(0, |catch| catch.factor())),
            Op::Assign(_, of)
            | Op::Update(_, of)
            | Op::UpdateMath(_, _, of)
            | Op::UpdateAlt(_, of) => of.factor().saturating_add(1),
            Op::Binary(_, argument) => argument.factor().saturating_add(1),
            _ => 1,
        }
    }

    /// Whether the result may weigh more or be nested deeper than input and variables.
    pub(super) fn grows(&self) -> bool {
        match self {
            Op::Text(_)
            | Op::Object(_)
            | Op::Collect(_)
            | Op::Add(_)
            | Op::Throw(_)
            | Op::Binary(..)
            | Op::Update(..)
            | Op::UpdateMath(..)
            | Op::UpdateAlt(..)
            | Op::Math(..) => true,
            Op::Pipe(left, right) | Op::Alt(left, right) => left.grows() || right.grows(),
            Op::Bind(_, _, body) => body.grows(),
            Op::If(branches, otherwise) => {
                otherwise.grows() || branches.iter().any(|(_, then)| then.grows())
            }
            Op::Try(body, catch) => {
                body.grows() || catch.as_ref().is_some_and(|catch| catch.grows())
            }
            // Products and sums of scalars are scalars; texts are bounded where they are made.
            Op::Assign(_, of) => !matches!(
                **of,
                Op::Math(..)
                    | Op::Cmp(..)
                    | Op::And(..)
                    | Op::Or(..)
                    | Op::Const(_)
                    | Op::Neg(_)
                    | Op::Any(..)
            ),
            _ => false,
        }
    }
}

impl Stream {
    pub(super) fn factor(&self) -> u64 {
        match self {
            Stream::One(op) => op.factor(),
            Stream::Comma(left, right) => left.factor().saturating_add(right.factor()),
            Stream::Each { of, then, .. } => of.factor().saturating_mul(then.factor()),
            Stream::Pipe(left, right) => left.factor().saturating_mul(right.factor()),
        }
    }

    pub(super) fn grows(&self) -> bool {
        match self {
            Stream::One(op) => op.grows(),
            _ => true,
        }
    }
}
