//! How long expressions take on a small event.

use divan::{Bencher, black_box};
use graph_model::expr::{Env, Expr, Variable};
use graph_model::value;
use graph_model::value::Value;

fn main() {
    divan::main();
}

fn event() -> Value {
    value!({"id": "e-1042", "key": "meter-7", "unit": "C", "value": 93.5})
}

#[divan::bench(args = [
    ".value >= 50",
    ".unit == \"C\" and .value > 10",
    "$event.type == \"reading\"",
    ".key | startswith(\"meter\")",
])]
fn test(bencher: Bencher, code: &str) {
    let expr = Expr::compile(code).expect("compiles");
    let input = event();
    let context = |_: Variable| Some(value!({"type": "reading"}));
    bencher.bench(|| black_box(&expr).test(black_box(&input), &Env::new(&context)));
}

#[divan::bench(args = [
    ".v2 = .value * 1.1",
    ".v2 = .value * 1.1 | .big = (.value >= 90)",
    ". + {big: (.value >= 90)}",
    "del(.unit)",
    ".value = 1",
    ".",
])]
fn update(bencher: Bencher, code: &str) {
    let expr = Expr::compile(code).expect("compiles");
    // Each object is made anew, so that nobody else holds it.
    bencher
        .with_inputs(|| Value::parse(event().to_json().as_bytes(), 1000).expect("JSON"))
        .bench_values(|input| black_box(&expr).eval_owned(input, &Env::empty()));
}

#[divan::bench(args = [".key", "{id, key, v: .value}", "\"\\(.key)-\\(.id)\"", "sort_by(.a)?", "test(\"^e-\")?"])]
fn eval(bencher: Bencher, code: &str) {
    let expr = Expr::compile(code).expect("compiles");
    let input = event();
    bencher.bench(|| black_box(&expr).eval(black_box(&input), &Env::empty()));
}

#[divan::bench(args = [".v2 = .value * 1.1 | .big = (.value >= 90)", "group_by(.a)"])]
fn compile(code: &str) -> Expr {
    Expr::compile(black_box(code)).expect("compiles")
}
