//! Code that no rule can look into, in the place of some mappings.

use super::fields::{Env, Sort, field};
use super::fill::Filled;
use super::skeleton::Skeleton;
use crate::chance::Chance;
use crate::opaque::Code;

/// Of so many designs one may have code.
const EACH: u64 = 3;

/// Has some of the mappings done by code. All other designs stay as they are.
pub(super) fn put_in(seed: u64, skeleton: &mut Skeleton) {
    if seed % EACH != 1 {
        return;
    }
    let mut chance = Chance::new(seed ^ 0xc0de);
    for part in skeleton.parts.iter_mut().filter(|part| part.kind == "map") {
        if chance.percent(60) {
            part.kind = "function";
        }
    }
}

pub(super) fn draw(chance: &mut Chance, ins: &Env) -> (String, Vec<(&'static str, Env)>) {
    let code = *chance.pick(&Code::ALL);
    let mut fields = match code {
        Code::Mixed | Code::Named | Code::Counted => Vec::new(),
        _ => ins.fields.clone(),
    };
    let mut add = |name: &str, sort| {
        let new = field(name, sort);
        fields.retain(|held| held.path != new.path);
        fields.push(new);
    };
    match code {
        Code::Mixed => {
            add("id", Sort::Id);
            add("text", Sort::Key);
            add("number", Sort::Number);
        }
        Code::Named => add("id", Sort::Id),
        Code::Counted => {
            add("id", Sort::Id);
            add("number", Sort::Number);
        }
        Code::Twice => add("part", Sort::Number),
        Code::Same | Code::Some | Code::Picky => {}
    }
    let config = format!("component={}.wasm", code.name());
    (config, vec![("ok", Env::of(fields))])
}

/// How many events the code of a node sends for one at most.
pub(super) fn gain(part: &Filled) -> u32 {
    if part.config.contains(Code::Twice.name()) {
        2
    } else {
        1
    }
}

/// What is declared of the code of a node: all that it remembers, and what it reads where that is not all.
pub(super) fn marks(part: &Filled) -> &'static str {
    let does = |code: Code| part.kind == "function" && part.config.contains(code.name());
    if does(Code::Counted) {
        " ^state=instance"
    } else if does(Code::Named) {
        " ^reads=[\"/id\"]"
    } else {
        ""
    }
}
