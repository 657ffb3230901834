//! Random expressions over random events: all evaluators agree, and nothing panics.

use proptest::prelude::*;

use super::*;
use crate::pointer::Pointer;
use crate::value;
use seed::seed;

#[path = "../../tests/seed/mod.rs"]
mod seed;

fn key() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("a"), Just("b"), Just("c")]
}

pub(super) fn event() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-5i64..100).prop_map(Value::from),
        (-8i64..8).prop_map(|eighths| Value::Float(eighths as f64 / 8.0)),
        "[ab,]{0,3}".prop_map(Value::from),
    ];
    let below = scalar.prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..4)
                .prop_map(|entries| entries.into_iter().collect::<Object>().into()),
        ]
    });
    prop_oneof![
        4 => prop::collection::vec((key(), below.clone()), 0..4)
            .prop_map(|entries| Value::from(entries.into_iter().collect::<Object>())),
        1 => below,
    ]
}

use crate::value::Object;

fn path() -> impl Strategy<Value = String> {
    let step = prop_oneof![
        6 => key().prop_map(|key| format!(".{key}")),
        1 => key().prop_map(|key| format!(".[\"{key}\"]")),
        1 => (-2i64..3).prop_map(|at| format!(".[{at}]")),
        1 => key().prop_map(|key| format!(".{key}?")),
    ];
    prop::collection::vec(step, 1..3).prop_map(|steps| steps.concat())
}

fn places() -> impl Strategy<Value = String> {
    prop_oneof![4 => path(), 1 => Just(".[]".to_owned()), 1 => path().prop_map(|path| format!("{path}[]?")), 1 => path().prop_map(|path| format!("{path}[].a"))]
}

/// An expression of the part that the quick evaluator knows.
pub(super) fn quick() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        1 => Just(".".to_owned()),
        6 => path(),
        1 => (-3i64..100).prop_map(|number| number.to_string()),
        1 => Just("0.5".to_owned()),
        1 => "[ab]{0,2}".prop_map(|text| format!("\"{text}\"")),
        1 => prop_oneof![Just("null"), Just("true"), Just("[]"), Just("{}"), Just("empty"), Just("$event.type")]
            .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        let math = prop_oneof![Just("+"), Just("-"), Just("*"), Just("/"), Just("%")];
        let cmp = prop_oneof![Just("=="), Just("!="), Just("<"), Just("<="), Just(">"), Just(">=")];
        let word = prop_oneof![Just("and"), Just("or"), Just("//"), Just("|"), Just("|")];
        let simple = prop_oneof![
            Just("length"), Just("not"), Just("tostring"), Just("tonumber"), Just("ascii_upcase"),
            Just("ascii_downcase"), Just("floor"), Just("round"), Just("type"), Just("keys"), Just("add"),
            Just("any"), Just("all"), Just("first"), Just("last"), Just("tojson"), Just("values"),
        ];
        let unary = prop_oneof![
            Just("has"), Just("startswith"), Just("endswith"), Just("ltrimstr"), Just("rtrimstr"), Just("select"),
            Just("map"), Just("any"), Just("all"), Just("join"), Just("split"), Just("contains"), Just("add"),
        ];
        let assign = prop_oneof![Just("="), Just("|="), Just("+="), Just("-="), Just("*="), Just("//=")];
        prop_oneof![
            3 => (two.clone(), math).prop_map(|((a, b), op)| format!("({a} {op} {b})")),
            2 => (two.clone(), cmp).prop_map(|((a, b), op)| format!("({a} {op} {b})")),
            3 => (two.clone(), word).prop_map(|((a, b), op)| format!("({a} {op} {b})")),
            2 => (inner.clone(), simple).prop_map(|(a, name)| format!("({a} | {name})")),
            2 => (inner.clone(), inner.clone(), unary).prop_map(|(a, b, name)| format!("({a} | {name}({b}))")),
            3 => (places(), inner.clone(), assign).prop_map(|(path, a, op)| format!("({path} {op} {a})")),
            1 => (places(), path()).prop_map(|(a, b)| format!("del({a}, {b})")),
            1 => (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("if {a} then {b} else {c} end")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("if {a} then {b} end")),
            2 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{a: {a}, x: ({b})}}")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{({a}): ({b})}}")),
            1 => inner.clone().prop_map(|a| format!("[{a}]")),
            1 => inner.clone().prop_map(|a| format!("[.[] | {a}]")),
            1 => inner.clone().prop_map(|a| format!("[.[]?, {a}]")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("\"<\\({a})-\\({b})>\"")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} as $x | {b} | [., $x])")),
            1 => inner.clone().prop_map(|a| format!("({a})?")),
            1 => inner.clone().prop_map(|a| format!("(try {a} catch [.])")),
            1 => (path(), inner.clone()).prop_map(|(path, a)| format!("{path}[{a}]")),
            1 => (path(), inner).prop_map(|(path, a)| format!("{path}[{a}:]")),
        ]
    })
}

/// An expression that only the general evaluator knows.
pub(super) fn general_only() -> impl Strategy<Value = String> {
    (quick(), quick(), path(), 0usize..12).prop_map(|(a, b, path, shape)| match shape {
        0 => format!("reduce ({path}[]?) as $x ({a}; [., $x])"),
        1 => format!("[foreach ({path}[]?) as $x ({a}; $x)]"),
        2 => format!("sort_by({a})?"),
        3 => format!("[group_by({a})[]? | {b}]"),
        4 => format!("with_entries(.value |= {a})"),
        5 => format!("to_entries | map({a})"),
        6 => format!("[.. | {a}?]"),
        7 => format!("{a} as [$x, {{a: $y}}] | [$x, $y, {path}]"),
        8 => format!("(if {a} then .a else .b end) |= {b}"),
        9 => format!("[paths], {{x: {a}}}"),
        10 => format!("first({a}, {b})"),
        _ => format!("[limit(2; {path}[]?, {a})] | unique"),
    })
}

pub(super) fn env(variable: Variable) -> Option<Value> {
    (variable == Variable::Event).then(|| value!({"id": "e1", "type": "ab", "subject": "s"}))
}

/// Runs the expression by jaq with jaq's own values.
fn foreign(code: &str, input: &Value) -> Result<Vec<Value>, String> {
    use jaq_core::data::JustLut;
    use jaq_core::load::{Arena, File, Loader};
    use jaq_core::{Compiler, Ctx, Vars};
    use jaq_json::{Val, read};
    let read = |value: &Value| read::parse_single(value.to_json().as_bytes()).expect("JSON");
    let arena = Arena::default();
    let defs = jaq_core::defs()
        .chain(jaq_std::defs())
        .chain(jaq_json::defs());
    let modules = Loader::new(defs)
        .load(&arena, File { code, path: () })
        .map_err(|_| "unreadable")?;
    let funs = jaq_core::funs()
        .chain(jaq_std::funs())
        .chain(jaq_json::funs());
    let filter = Compiler::default()
        .with_funs(funs)
        .with_global_vars(["$event"])
        .compile(modules)
        .map_err(|errors| {
            format!(
                "{:?}",
                errors.iter().map(|(_, errors)| errors).collect::<Vec<_>>()
            )
        })?;
    let vars = Vars::new([read(&env(Variable::Event).expect("given"))]);
    let context = Ctx::<JustLut<Val>>::new(&filter.lut, vars);
    filter
        .id
        .run((context, read(input)))
        .map(|output| match output.map_err(jaq_core::Exn::get_err) {
            Ok(output) => Value::parse(output.to_string().as_bytes(), 1 << 20)
                .map_err(|error| error.to_string()),
            Err(Ok(error)) => Err(error.to_string()),
            Err(Err(_)) => Err("stopped".into()),
        })
        .collect()
}

/// Whether a text may be made of a whole number that was a fraction on the way: with us it reads `1`, as
/// with jq, and with them `1.0`.
fn prints_otherwise(code: &str, input: &Value) -> bool {
    let prints = ["tojson", "tostring", "join", "\\("]
        .iter()
        .any(|word| code.contains(word));
    let fractions = code.contains("0.5") || code.contains('/');
    prints && (fractions || input.to_json().contains('.')) || code.contains("nan")
}

fn agree(left: &Result<Vec<Value>, EvalError>, right: &Result<Vec<Value>, EvalError>) -> bool {
    let same = |left: &[Value], right: &[Value]| {
        left.len() == right.len()
            && left
                .iter()
                .zip(right)
                .all(|(a, b)| a.to_json() == b.to_json())
    };
    match (left, right) {
        (Ok(left), Ok(right)) => same(left, right),
        (Err(_), Err(_)) => true,
        _ => false,
    }
}

fn generally(code: &str, input: &Value, limit: usize) -> Result<Vec<Value>, EvalError> {
    let filter = general(code, &[Variable::Event]).expect("jaq knows it");
    Ok(filter.run(input, &Env::new(&env), limit)?.0)
}

#[test]
fn caught_errors_read_alike() {
    for code in [
        "try keys catch .",
        "try length catch .",
        "try .[] catch .",
        "try floor catch .",
        "try add catch .",
    ] {
        for input in [
            value!(null),
            value!(true),
            value!(1.5),
            value!("x"),
            value!([{}]),
            value!({"a": 1}),
        ] {
            let expr = Expr::compile(code).expect("compiles");
            let quick = expr.eval_all(&input, &Env::new(&env), 50);
            let general = generally(code, &input, 50);
            assert!(
                agree(&quick, &general),
                "{code} on {input}: {quick:?} and {general:?}"
            );
        }
    }
}

/// What jq 1.7 prints.
#[test]
fn whole_numbers_print_as_whole_numbers() {
    for (code, printed) in [
        ("(0 * 0.5) | tojson", "\"0\""),
        ("(4 * 0.5) | tostring", "\"2\""),
        ("[2 / 2, 3 / 2] | tojson", "\"[1,1.5]\""),
        ("\"<\\(4 * 0.5)>\"", "\"<2>\""),
        ("[4 * 0.5] | join(\",\")", "\"2\""),
        ("0.5 + 0.5", "1"),
        // jq prints `-0`. It equals 0, and equal keys have to read alike.
        ("(0 * -0.5) | tojson", "\"0\""),
    ] {
        let expr = Expr::compile(code).expect("compiles");
        let quick = expr.eval_all(&Value::Null, &Env::new(&env), 50);
        let general = generally(code, &Value::Null, 50);
        assert!(agree(&quick, &general), "{code}: {quick:?} and {general:?}");
        let quick = quick.expect("no error");
        assert_eq!(quick[0].to_json(), printed, "{code}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, rng_seed: seed(), ..ProptestConfig::default() })]

    #[test]
    fn quick_and_general_agree(code in quick(), input in event()) {
        let Ok(expr) = Expr::compile(&code) else { return Ok(()) };
        prop_assert!(matches!(expr.compiled.program, Program::Fast(_)), "{} is not quick", code);
        let env = Env::new(&env);
        let quick = expr.eval_all(&input, &env, 50);
        let general = generally(&code, &input, 50);
        prop_assert!(agree(&quick, &general), "{} on {}: {:?} and {:?}", code, input, quick, general);
        let owned = expr.eval_owned(input.clone(), &env).map(|output| vec![output]);
        let first = expr.eval(&input, &env).map(|output| vec![output]);
        prop_assert!(agree(&owned, &first), "{} on {}: {:?} and {:?}", code, input, owned, first);
        let truth = expr.test(&input, &env);
        match first {
            Ok(first) => prop_assert_eq!(truth, Ok(first[0].truthy())),
            Err(EvalError::NoOutput) => prop_assert_eq!(truth, Ok(false)),
            Err(_) => prop_assert!(truth.is_err()),
        }
    }

    #[test]
    fn random_text_is_refused_or_runs(code in "[-.a\\[\\]{}()|,:;\"\\\\$?@#=+*/<> 0-9]{0,24}|\\PC{0,24}") {
        if let Ok(expr) = Expr::compile(&code) {
            let _unused = expr.eval_all(&Value::Null, &Env::empty(), 10);
            expr.analysis();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, rng_seed: seed(), ..ProptestConfig::default() })]

    #[test]
    fn our_values_and_those_of_jaq_agree(code in prop_oneof![quick(), general_only()], input in event()) {
        if Expr::compile(&code).is_err() {
            return Ok(());
        }
        if prints_otherwise(&code, &input) {
            return Ok(());
        }
        // What is an error only with them, or only with us, may be caught.
        let updates = ["|=", " = ", "+=", "-=", "*=", "//=", "del("].iter().any(|op| code.contains(op));
        let catches = ["try", "first"].iter().any(|catch| code.contains(catch)) || code.replace("[]?", "").contains('?');
        if catches || updates && code.contains('?') {
            return Ok(());
        }
        let ours = generally(&code, &input, 10_000);
        let theirs = foreign(&code, &input);
        match (&ours, &theirs) {
            (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, theirs, "{} on {}", code, input),
            (Err(_), Err(_)) => {}
            // Theirs have numbers as keys and numbers that are none, neither is JSON, make no objects
            // and slices of null, and make nothing of an empty text, which is an error with jq.
            (Err(_), Ok(_)) | (Ok(_), Err(_)) => {
                let ours = format!("{ours:?}");
                let theirs = format!("{theirs:?}");
                let known = ["needs texts as keys", "cannot read \\\"\\\" as a number", "cannot index an object", "not JSON", "null as iterable", "null as range", "cannot index [", "as integer", "look for the key", "cannot change an object"];
                prop_assert!(
                    known.iter().any(|known| ours.contains(known) || theirs.contains(known)),
                    "{} on {}: {} and {}", code, input, ours, theirs
                );
            }
        }
    }
}

/// Every scalar and every empty container of a value, with its place.
fn leaves(value: &Value) -> Vec<(Pointer, Value)> {
    fn take(value: &Value, at: &Pointer, into: &mut Vec<(Pointer, Value)>) {
        match value {
            Value::Arr(items) if !items.is_empty() => {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(index, item)| take(item, &at.child(index.to_string()), into));
            }
            Value::Obj(object) if !object.is_empty() => {
                object
                    .iter()
                    .for_each(|(key, item)| take(item, &at.child(key.clone()), into));
            }
            leaf => into.push((at.clone(), leaf.clone())),
        }
    }
    let mut all = Vec::new();
    take(value, &Pointer::root(), &mut all);
    all
}

/// Every place in a value.
fn places_in(value: &Value) -> Vec<Pointer> {
    let mut all: Vec<_> = leaves(value).into_iter().map(|(at, _)| at).collect();
    let mut above: Vec<_> = all.clone();
    while let Some(at) = above.pop() {
        if let Some(parent) = at.parent() {
            all.push(parent.clone());
            above.push(parent);
        }
    }
    all.sort();
    all.dedup();
    all
}

/// What differs between two runs must be what the analysis says the change may reach.
fn explain(
    code: &str,
    before: &Value,
    after: &Value,
    changed: &Pointer,
    comes: bool,
) -> Result<(), String> {
    let Ok(expr) = Expr::compile(code) else {
        return Ok(());
    };
    let analysis = expr.analysis();
    let env = Env::new(&env);
    let (one, two) = (expr.eval(before, &env), expr.eval(after, &env));
    let touched = |sources: &Sources| sources.touched_by(changed, comes);
    let failed = |result: &Result<Value, EvalError>| matches!(result, Err(error) if *error != EvalError::NoOutput);
    if failed(&one) != failed(&two) && !touched(&analysis.failure) && !touched(&analysis.emptiness)
    {
        return Err(format!("fails: {one:?} and {two:?}"));
    }
    if failed(&one) || failed(&two) {
        return Ok(());
    }
    let all = |value| {
        expr.eval_all(value, &env, 1000)
            .map_or(0, |outputs| outputs.len())
    };
    let (some, others) = (all(before), all(after));
    if some != others && !touched(&analysis.emptiness) && !touched(&analysis.failure) {
        return Err(format!("{some} and {others} outputs"));
    }
    let known = &analysis.multiplicity;
    let broken = |result: &Result<Value, EvalError>| result.is_err() && !known.may_be_none;
    if broken(&one) || broken(&two) || (some > 1 && !known.may_be_many) {
        return Err(format!("{some} outputs"));
    }
    let (Ok(one), Ok(two)) = (one, two) else {
        return Ok(());
    };
    if let (Some(elements), Some(made)) = (analysis.elements, one.as_array()) {
        let made = made.len() as u64;
        if made < elements.least || elements.most.is_some_and(|most| made > most) {
            return Err(format!("{made} elements"));
        }
    }
    for (left, right) in [(&one, &two), (&two, &one)] {
        let there = leaves(right);
        for (at, leaf) in leaves(left) {
            if there
                .iter()
                .any(|(other, value)| *other == at && value.to_json() == leaf.to_json())
            {
                continue;
            }
            if !touched(&analysis.reaching(&at)) {
                return Err(format!("{at} differs: {one} and {two}"));
            }
        }
    }
    let condition = &analysis.condition;
    if one.truthy() != two.truthy()
        && !touched(&condition.fields)
        && !analysis.multiplicity.may_be_many
    {
        return Err("the condition differs".into());
    }
    Ok(())
}

fn operand_value(operand: &Operand, input: &Value) -> Value {
    match operand {
        Operand::Field(pointer) => pointer.get(input).cloned().unwrap_or_default(),
        Operand::Context(read) => env(read.variable)
            .and_then(|value| read.pointer.get(&value).cloned())
            .unwrap_or_default(),
        Operand::Constant(value) => value.clone(),
    }
}

fn holds(comparison: &Comparison, input: &Value) -> bool {
    let (left, right) = (
        operand_value(&comparison.left, input),
        operand_value(&comparison.right, input),
    );
    match comparison.op {
        Op::Eq => left == right,
        Op::Ne => left != right,
        Op::Lt => left < right,
        Op::Le => left <= right,
        Op::Gt => left > right,
        Op::Ge => left >= right,
        Op::Truthy => left.truthy(),
        Op::Falsy => !left.truthy(),
    }
}

fn change() -> impl Strategy<Value = (prop::sample::Index, Option<Value>)> {
    (
        any::<prop::sample::Index>(),
        prop::option::weighted(0.8, event()),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, rng_seed: seed(), ..ProptestConfig::default() })]

    #[test]
    fn what_does_not_flow_does_not_matter(
        code in prop_oneof![2 => quick(), 1 => general_only()],
        input in event(),
        (place, new) in change(),
    ) {
        let all = places_in(&input);
        let at = place.get(&all).clone();
        let mut after = input.clone();
        let comes = new.is_none();
        match new {
            Some(new) => at.set(&mut after, new),
            None => drop(at.remove(&mut after)),
        }
        let explained = explain(&code, &input, &after, &at, comes);
        let analysis = Expr::compile(&code).map(|expr| expr.analysis().to_string()).unwrap_or_default();
        prop_assert_eq!(explained, Ok(()), "{}\non {} and {}, changed {}\n{}", code, input, after, at, analysis);
    }

    #[test]
    fn conjuncts_hold_with_the_predicate(code in quick(), other in quick(), input in event()) {
        let (Ok(expr), Ok(other)) = (Expr::compile(&code), Expr::compile(&other)) else { return Ok(()) };
        let env = Env::new(&env);
        let Ok(truth) = expr.test(&input, &env) else { return Ok(()) };
        let condition = &expr.analysis().condition;
        let conjunction = condition.conjuncts.iter().all(|conjunct| holds(conjunct, &input));
        prop_assert!(!truth || conjunction, "{} on {}: {}", code, input, condition);
        prop_assert!(truth || !(condition.complete && conjunction), "{} on {}: {}", code, input, condition);
        if condition.excludes(&other.analysis().condition) {
            let both = truth && other.test(&input, &env).unwrap_or(false);
            prop_assert!(!both, "{} and {} on {}", code, other.code(), input);
        }
        let guard = &expr.analysis().guard;
        let passed = expr.eval(&input, &env).is_ok();
        let holds = guard.conjuncts.iter().all(|conjunct| holds(conjunct, &input));
        prop_assert!(!passed || holds, "{} on {}: guard {}", code, input, guard);
    }
}
