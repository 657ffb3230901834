//! A broken rule, operator or oracle does not go unnoticed.

use std::sync::Arc;

use graph_model::document::Document;
use graph_model::event::Event;
use graph_model::validate::Diagnostic;
use runtime::kind::{Build, Kind, Make};
use runtime::operator::{Context, Operator, Output};
use runtime::oracle::Oracle;
use runtime::simulate::Record;
use runtime_protocol::Problem;

use crate::campaign::{Campaign, Figures, conduct};
use crate::family::{DET, Family, LIMIT};
use crate::generate::Theme;
use crate::machine::{Machine, WHOLE};

/// Designs until a break has to be seen.
const DESIGNS: u64 = 600;

/// Designs in which nothing may be seen.
const CALM: u64 = 120;

/// That numbers are what they are made of: the reference is as broken as the run where an operator is.
const NUMBERS: Family = Family {
    name: "numbers",
    codes: &["PART", "DELIV", "ORDER", "SCHEMA", "STATE"],
    sorts: &[],
    judges: &[],
    deep: &[Oracle::D2],
    theme: Theme::Plain,
    all_speak: false,
    record: Record::Off,
};

/// The first violation among designs from this seed on; the seed of a rare one stands near it.
fn first(machine: &Machine, seed: u64) -> Figures {
    first_of(&DET, machine, (seed, DESIGNS))
}

fn first_of(family: &Family, machine: &Machine, seeds: (u64, u64)) -> Figures {
    let campaign = Campaign {
        seeds,
        runs: 12,
        enough: 1,
        shrink: false,
    };
    conduct(campaign, machine, family)
}

fn without(code: &'static str) -> impl Fn(&Document) -> Vec<Diagnostic> {
    move |document| {
        let mut found = (WHOLE.rules)(document);
        found.retain(|found| found.code != code);
        found
    }
}

#[test]
fn a_rule_that_forgets_is_noticed() {
    for (code, seed) in [("DELIV-002", 0), ("PART-001", 3_780), ("ORDER-001", 0)] {
        let rules = without(code);
        let broken = Machine {
            rules: &rules,
            ..WHOLE
        };
        let figures = first(&broken, seed);
        assert!(!figures.violations.is_empty(), "{code}: {figures}");
    }
}

#[test]
fn a_rule_of_load_that_forgets_is_noticed() {
    for code in ["COST-001", "COST-002", "COST-006"] {
        let rules = without(code);
        let broken = Machine {
            rules: &rules,
            ..WHOLE
        };
        let figures = first_of(&LIMIT, &broken, (0, DESIGNS));
        assert!(!figures.violations.is_empty(), "{code}: {figures}");
    }
}

#[test]
fn an_operator_that_forgets_is_noticed() {
    for (kind, seed) in [("dedupe", 0), ("version_guard", 0)] {
        let kinds = || broken(kind, |_| Ok(Box::new(Forgetful)));
        let machine = Machine {
            kinds: &kinds,
            ..WHOLE
        };
        let figures = first(&machine, seed);
        assert!(!figures.violations.is_empty(), "{kind}: {figures}");
    }
}

#[test]
fn an_aggregate_that_ignores_its_key_is_noticed() {
    let kinds = || broken("aggregate", without_group);
    let machine = Machine {
        kinds: &kinds,
        ..WHOLE
    };
    let figures = first_of(&NUMBERS, &machine, (0, DESIGNS));
    assert!(!figures.violations.is_empty(), "{figures}");
    let whole = first_of(&NUMBERS, &WHOLE, (0, CALM));
    assert!(
        whole.violations.is_empty(),
        "{}",
        whole.violations.join("\n")
    );
}

/// An aggregate that puts all groups together.
fn without_group(build: &Build) -> Result<Box<dyn Operator>, Problem> {
    let mut node = build.node.clone();
    node.config.remove("group");
    let kinds = runtime::catalog::kinds();
    let whole = kinds.iter().find(|kind| kind.spec.id == build.spec.id);
    match whole.map(|kind| &kind.make) {
        Some(Make::Operator(make)) => make(&Build {
            id: build.id,
            node: &node,
            spec: build.spec,
            document: build.document,
            project: build.project,
            world: Arc::clone(&build.world),
            shared: build.shared,
        }),
        _ => Err(build.problem("it is an operator of the catalog")),
    }
}

#[test]
fn an_oracle_that_compares_nothing_is_noticed() {
    // Only what never ends is repaired, so that there is something to find.
    let rules = |document: &Document| {
        let mut found = (WHOLE.rules)(document);
        found.retain(|found| {
            ["STRUCT", "LOOP"]
                .iter()
                .any(|kept| found.code.starts_with(kept))
        });
        found
    };
    let flawed = Machine {
        rules: &rules,
        ..WHOLE
    };
    let blind = Machine {
        judge: &|_, _, _, _| Vec::new(),
        ..flawed
    };
    let finds = |machine: &Machine| !first_of(&DET, machine, (0, CALM)).violations.is_empty();
    assert!(finds(&flawed), "flawed designs are found out");
    assert!(!finds(&blind), "what compares nothing finds nothing");
}

fn broken(id: &str, make: fn(&Build) -> Result<Box<dyn Operator>, Problem>) -> Vec<Kind> {
    let mut kinds = (WHOLE.kinds)();
    for kind in kinds.iter_mut().filter(|kind| kind.spec.id == id) {
        kind.make = Make::Operator(make);
    }
    kinds
}

/// Lets everything pass that a dedupe or a guard has seen.
struct Forgetful;

impl Operator for Forgetful {
    fn on_event(&mut self, event: Event, _input: usize, _ctx: &Context<'_>, out: &mut Output) {
        out.emit(0, event);
    }
}
