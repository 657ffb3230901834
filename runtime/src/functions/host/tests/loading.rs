//! What can be loaded, and why the rest is refused.

use super::*;

#[test]
fn imports_are_the_list_of_what_a_function_may_use() {
    use Capability::{Clock, Config, Logging, Output, Random, State};
    let imports =
        |function: &LoadedFunction| function.info().imports.iter().copied().collect::<Vec<_>>();
    assert_eq!(
        imports(&ORDER_TAX),
        [Config, Logging, Output],
        "without state, clock and chance"
    );
    assert_eq!(
        imports(&MISBEHAVE),
        [Config, Clock, Logging, Output, Random, State]
    );
}

#[test]
fn built_components_are_the_recorded_ones() {
    let built = fs::read_to_string(in_project("samples/functions/built.json"))
        .expect("the record is there");
    for function in [&*MISBEHAVE, &*ORDER_TAX, &*SEVERITY_JS] {
        assert!(
            built.contains(&function.info().sha256),
            "run samples/functions/build"
        );
    }
}

#[test]
fn what_is_no_function_is_refused_with_a_hint() {
    let check = |bytes: &[u8], expect: Expect| expect.assert_eq(&refusal(bytes));
    check(
        b"hello, world",
        expect![
            "not a WebAssembly file; choose the `.wasm` component that the function's build made"
        ],
    );
    check(
        &component("(module)"),
        expect![
            "a core WebAssembly module, not a component; componentize it, as with `wasm-tools component new`"
        ],
    );
    check(
        &component("(component)"),
        expect![
            "the function does not export `handle`, nor `handle-all`; build it for the world `flow:function/function@0.1.0`"
        ],
    );
    check(
        &component(
            r#"(component
                (import "wasi:cli/environment@0.2.0" (instance))
                (import "flow:function/files@0.1.0" (instance))
                (import "flow:function/output@0.2.0" (instance))
                (import "flow:function/clock@0.1.7" (instance)))"#,
        ),
        expect![
            "the function imports `wasi:cli/environment@0.2.0`, `flow:function/files@0.1.0`, `flow:function/output@0.2.0`, which functions are not given; use only `flow:function@0.1`"
        ],
    );
}

#[test]
fn a_handle_of_another_type_is_refused() {
    let text = r#"(component
        (core module $code (func (export "handle")))
        (core instance $code (instantiate $code))
        (func (export "handle") (canon lift (core func $code "handle"))))"#;
    let refusal = refusal(&component(text));
    assert!(
        refusal.starts_with("the function does not fit the contract"),
        "{refusal}"
    );
}

#[test]
fn a_truncated_file_is_refused() {
    let whole = fs::read(in_project("runtime/tests/fixtures/misbehave.wasm"))
        .expect("the fixture is there");
    let refusal = refusal(&whole[..whole.len() / 2]);
    assert!(
        refusal.starts_with("not a valid component: ") && refusal.contains("copy it whole"),
        "{refusal}"
    );
}

#[test]
fn a_missing_file_is_named() {
    let error = HOST
        .load_file(Path::new("no/such.wasm"))
        .expect_err("there is no such file")
        .to_string();
    assert!(
        error.starts_with("cannot read the function: ") && error.ends_with("no/such.wasm"),
        "{error}"
    );
}
