//! Tables of expressions with what they mean.

use super::*;
use crate::value;

fn run(code: &str, input: &str) -> String {
    let input = Value::parse(input.as_bytes(), 1 << 20).expect("test JSON");
    let event = |variable| {
        (variable == Variable::Event)
            .then(|| value!({"id": "e1", "type": "order.placed", "subject": "s"}))
    };
    match Expr::compile(code) {
        Ok(expr) => match expr.eval_all(&input, &Env::new(&event), 100) {
            Ok(outputs) => outputs
                .iter()
                .map(Value::to_json)
                .collect::<Vec<_>>()
                .join(" "),
            Err(error) => format!("! {error}"),
        },
        Err(error) => format!("!! {error}"),
    }
}

#[test]
fn expressions_evaluate() {
    let mut wrong = Vec::new();
    for (code, input, want) in [
        (".", "1", "1"),
        ("test(\"^a+$\")", "\"aaa\"", "true"),
        (
            "capture(\"(?<y>[0-9]+)-(?<m>[0-9]+)\")",
            "\"2024-05\"",
            r#"{"m":"05","y":"2024"}"#,
        ),
        ("gsub(\"a\"; \"b\")", "\"banana\"", "\"bbnbnb\""),
        ("@base64 | ., @base64d", "\"hi\"", "\"aGk=\" \"hi\""),
        ("todate", "0", "\"1970-01-01T00:00:00Z\""),
        ("fromdate", "\"2024-02-29T12:00:00Z\"", "1709208000"),
        ("strftime(\"%Y-%m\")", "0", "\"1970-01\""),
        ("gmtime | mktime", "86400", "86400"),
        (
            "gmtime",
            "1e300",
            "! 1e+300 is no time that a calendar reaches",
        ),
        (".a.b", r#"{"a":{"b":2}}"#, "2"),
        (".a.b", "{}", "null"),
        (".a.b", r#"{"a":3}"#, "! cannot index 3 with \"b\""),
        (".a?", "3", ""),
        (".[1]", "[1,2]", "2"),
        (".[-1]", "[1,2]", "2"),
        (".[1:]", "[1,2,3]", "[2,3]"),
        (".[:1]", "\"äb\"", "\"ä\""),
        (".[\"a\"]", r#"{"a":1}"#, "1"),
        (".a + .b", r#"{"a":1,"b":2.5}"#, "3.5"),
        (".a / .b", r#"{"a":4,"b":2}"#, "2"),
        (". + {b: 2}", r#"{"a":1}"#, r#"{"a":1,"b":2}"#),
        (
            "{a, \"b\": .b, \"c d\": 1, (.k): 2, $event}|keys",
            r#"{"k":"z"}"#,
            r#"["a","b","c d","event","z"]"#,
        ),
        ("$event.type", "1", "\"order.placed\""),
        ("\"\\(.a)-\\($event.id)\"", r#"{"a":[1]}"#, "\"[1]-e1\""),
        (
            ".v2 = .value * 2 | .big = (.value >= 5)",
            r#"{"value":4}"#,
            r#"{"big":false,"v2":8,"value":4}"#,
        ),
        (".a |= . + 1", r#"{"a":1}"#, r#"{"a":2}"#),
        (".a += 1", r#"{"a":1}"#, r#"{"a":2}"#),
        (".a //= 7", "{}", r#"{"a":7}"#),
        ("del(.a)", r#"{"a":1,"b":2}"#, r#"{"b":2}"#),
        (
            "del(.items[] | select(.x))",
            r#"{"items":[{"x":true},{"y":1}]}"#,
            r#"{"items":[{"y":1}]}"#,
        ),
        ("map(. * 2)", "[1,2]", "[2,4]"),
        ("[.[] | select(. > 1)]", "[1,2,3]", "[2,3]"),
        ("any(. > 2)", "[1,2,3]", "true"),
        ("all", "[true,null]", "false"),
        ("add", "[1,2]", "3"),
        (
            "if . > 1 then \"a\" elif . == 1 then \"b\" else \"c\" end",
            "1",
            "\"b\"",
        ),
        (".a // \"none\"", "{}", "\"none\""),
        ("try error(\"x\") catch .", "1", "\"x\""),
        ("error({a: 1})", "1", "! the expression threw an object"),
        (
            ". as {a: $x, b: [$y, $z]} | $x + $y + $z",
            r#"{"a":1,"b":[2,3]}"#,
            "6",
        ),
        ("reduce .[] as $x (0; . + $x)", "[1,2,3]", "6"),
        (
            "[foreach .[] as $x (0; . + $x; [$x, .])]",
            "[1,2]",
            "[[1,1],[2,3]]",
        ),
        (
            "to_entries",
            r#"{"b":1,"a":2}"#,
            r#"[{"key":"a","value":2},{"key":"b","value":1}]"#,
        ),
        ("with_entries(.value += 1)", r#"{"a":1}"#, r#"{"a":2}"#),
        (
            "group_by(.k) | map(length)",
            r#"[{"k":1},{"k":2},{"k":1}]"#,
            "[2,1]",
        ),
        (
            "unique_by(.k) | length",
            r#"[{"k":1},{"k":2},{"k":1}]"#,
            "2",
        ),
        ("sort_by(.k) | map(.k)", r#"[{"k":3},{"k":2}]"#, "[2,3]"),
        ("split(\",\") | join(\";\")", "\"a,b\"", "\"a;b\""),
        ("@json", r#"{"b":1,"a":[]}"#, r#""{\"a\":[],\"b\":1}""#),
        ("tojson | fromjson", "[1,{}]", "[1,{}]"),
        ("[..]", "[[1]]", "[[[1]],[1],1]"),
        ("[paths]", r#"{"a":[1]}"#, r#"[["a"],["a",0]]"#),
        ("getpath([\"a\",\"b\"])", r#"{"a":{"b":1}}"#, "1"),
        (
            "walk(if type == \"number\" then . + 1 else . end)",
            "[1,[2]]",
            "[2,[3]]",
        ),
        ("has(\"a\"), has(\"b\")", r#"{"a":null}"#, "true false"),
        ("contains({a: \"b\"})", r#"{"a":"abc"}"#, "true"),
        ("inside(\"abc\")", "\"b\"", "true"),
        (
            "index(\"b\"), rindex(\"b\"), indices(\"b\")",
            "\"abcb\"",
            "1 3 [1,3]",
        ),
        ("tonumber + 1", "\"41\"", "42"),
        (
            "(.a | tostring), (.b | tostring)",
            r#"{"a":"x","b":1.5}"#,
            "\"x\" \"1.5\"",
        ),
        (
            "ascii_downcase, ascii_upcase, length",
            "\"Ab\"",
            "\"ab\" \"AB\" 2",
        ),
        (
            "ltrimstr(\"a\"), rtrimstr(\"b\"), startswith(\"a\"), endswith(\"a\")",
            "\"ab\"",
            "\"b\" \"a\" true false",
        ),
        ("floor, ceil, round", "-1.5", "-2 -1 -2"),
        ("limit(2; .[])", "[1,2,3]", "1 2"),
        ("first(.[]), last(.[]), first, last", "[1,2,3]", "1 3 1 3"),
        (
            "min, max, unique, reverse, sort",
            "[2,1,2]",
            "1 2 [1,2] [2,1,2] [1,2,2]",
        ),
        (
            "flatten, transpose",
            "[[1,[2]],[3]]",
            "[1,2,3] [[1,3],[[2],null]]",
        ),
        ("def f(x): x + 1; f(.a) * f(.b)", r#"{"a":1,"b":2}"#, "6"),
        ("def f($x; $y): $x - $y; f(3; 1)", "null", "2"),
        ("label $out | 1, break $out, 2", "null", "1"),
        ("empty", "1", ""),
        ("1, 2", "null", "1 2"),
        ("9223372036854775807 + 1", "null", "9.223372036854776e+18"),
        ("5 % 0", "null", "! cannot calculate 5 % 0"),
        ("\"ab\" * 2, \"ab\" * 0", "null", "\"abab\" null"),
        ("\"a,b\" / \",\"", "null", r#"["a","b"]"#),
        (
            "{a: {b: 1}} * {a: {c: 2}}",
            "null",
            r#"{"a":{"b":1,"c":2}}"#,
        ),
        ("[1,2,1] - [1]", "null", "[2]"),
        (
            "nan < nan, nan == nan, ([nan] | sort)",
            "null",
            "true false [null]",
        ),
        (
            "isvalid(1)",
            "null",
            "!! 1:1: the filter `isvalid` is not known; there is no filter of this name",
        ),
    ] {
        let got = run(code, input);
        if got != want {
            wrong.push(format!("{code} on {input}: {got}, not {want}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn refusals_say_what_where_and_what_next() {
    for (code, want) in [
        (
            "",
            "1:1: the expression is empty; write `.` for the whole event",
        ),
        (
            ".a +",
            "1:5: expected a value or a path, the expression ends",
        ),
        (
            ".a\n| lenght",
            "2:3: the filter `lenght` is not known; did you mean `length`?",
        ),
        (
            "{a: 1",
            "1:6: `{` is not closed; close it, or remove the opening one",
        ),
        (".a && .b", "1:4: `&` has no meaning here; write `and`"),
        (
            "if . then 1",
            "1:12: expected a else or end, the expression ends; close `if` with `end`",
        ),
        (
            "now",
            "1:1: the filter `now` cannot be used; it reads the clock; take the time of the event from `$event.time`, or `$now` for that of processing",
        ),
        (
            "$ENV.HOME",
            "1:1: `$ENV` cannot be used; it reaches outside of the expression; give the value as a field of the event",
        ),
        (
            "$evnt.id",
            "1:1: unknown variable `$evnt`; did you mean `$event`?",
        ),
        (
            "$viewer.id",
            "1:1: unknown variable `$viewer`; it has no value in this place",
        ),
        (
            ". as $x | $y",
            "1:11: unknown variable `$y`; did you mean `$x`?",
        ),
        (
            "def f: f; f",
            "1:8: `f` calls itself, so it may run for ever; use `map`, `reduce` or `..` over the event, or a script node",
        ),
        (
            "import \"a\" as a; .",
            "1:8: expected an operator or the end, found `\"a\"`",
        ),
        (
            "break $x",
            "1:7: there is no label `$x`; write `label $name | …` around it",
        ),
    ] {
        assert_eq!(
            Expr::compile(code).expect_err(code).to_string(),
            want,
            "{code}"
        );
    }
}

#[test]
fn nothing_impure_or_endless_compiles() {
    for code in [
        "range(9)",
        "repeat(.)",
        "while(.; .)",
        "until(.; .)",
        "recurse(.a)",
        "input",
        "inputs",
        "env",
        "debug",
        "stderr",
        "halt",
        "halt_error",
        "localtime",
        "strflocaltime(\"%Y\")",
        "input_filename",
        "$__loc__",
        "combinations",
        "input_line_number",
        "[limit(3; repeat(1))]",
        "def f(g): f(g | g); f(.)",
        "def f: def g: f; g; f",
        "getpath",
        "debug_empty",
        "moment",
        "f::g",
        "error_empty",
        "split_(\"a\"; \"g\")",
        "matches(\"a\"; \"g\")",
        "range(1; 2; 3)",
        "key_values",
    ] {
        assert!(Expr::compile(code).is_err(), "{code}");
    }
}

#[test]
fn bounds_hold_when_compiled() {
    let long = ".a".repeat(CODE_MAX);
    let nested = format!(
        "{}1{}",
        "[".repeat(NESTING_MAX + 1),
        "]".repeat(NESTING_MAX + 1)
    );
    let in_text = format!(
        "{}1{}",
        "\"\\(".repeat(NESTING_MAX),
        ")\"".repeat(NESTING_MAX)
    );
    let operators = format!("1{}", "+1".repeat(OPERATORS_MAX + 1));
    let branches = format!("[{}]", ["(1,2,3,4)"; 8].join(" + "));
    let loops = format!("[{}]", [".[]"; 5].join(" + "));
    let definitions =
        "def a: 1 + 1; def b: a + a; def c: b + b; def d: c + c; def e: d + d; def f: e + e;
        def g: f + f; def h: g + g; def i: h + h; def j: i + i; def k: j + j; k";
    for code in [
        &long,
        &nested,
        &in_text,
        &operators,
        &branches,
        &loops,
        definitions,
    ] {
        assert!(Expr::compile(code).is_err(), "{}", &code[..40]);
    }
    assert!(Expr::compile("reduce .[] as $x (1; ., .)").is_err());
}

#[test]
fn the_deepest_allowed_expressions_run_on_a_small_stack() {
    let times = |piece: &str, most: usize| piece.repeat(most);
    let definitions = |most: usize| {
        let body = |at| {
            if at == most {
                "sort".to_owned()
            } else {
                format!("f{}", at + 1)
            }
        };
        (0..=most)
            .rev()
            .map(|at| format!("def f{at}: {}; ", body(at)))
            .collect::<Vec<_>>()
            .concat()
    };
    let codes = move |most: usize| {
        vec![
            format!("1{}", times(" + .[0]", most)),
            format!(".{}", times(" | .", most)),
            format!("{}1", times("- ", most)),
            format!("{}1", times("try ", most)),
            format!("{}1{}", times("if . then ", most), times(" end", most)),
            format!("{}.", times(". as $x | ", most)),
            format!("{}.", times(". as [$x] | ", most)),
            format!("{}.", times("label $x | ", most)),
            format!(".{}", times(" // .", most)),
            format!("[]{}", times(" | sort", most)),
            format!("[]{}", times(" | map(.)", most)),
            format!(".{}", times(" | .[0] |= .", most)),
            format!("{}sort", times("reduce .[] as $x (0; .) | ", most)),
            format!("{}1{}", "[".repeat(NESTING_MAX), "]".repeat(NESTING_MAX)),
            format!(
                "{}sort{}",
                "[".repeat(NESTING_MAX - 1),
                "]".repeat(NESTING_MAX - 1)
            ),
            format!(
                "{}. | sort{}",
                "map(".repeat(NESTING_MAX - 1),
                ")".repeat(NESTING_MAX - 1)
            ),
            // Folds within folds: each is gone through until nothing new comes of it.
            format!(
                "{}. + .a{}",
                "reduce .[] as $x (.; ".repeat(NESTING_MAX - 1),
                ")".repeat(NESTING_MAX - 1)
            ),
            format!("{}{}", definitions(most), "f0"),
        ]
    };
    let run = move || {
        // Just below the bound of terms, and around the bound of operators.
        for code in [
            TERMS_MAX - 2,
            OPERATORS_MAX / 4,
            OPERATORS_MAX / 2,
            OPERATORS_MAX,
        ]
        .into_iter()
        .flat_map(codes)
        {
            if let Ok(expr) = Expr::compile(&code) {
                let _unused = expr.eval_all(&Value::from(vec![value!([1])]), &Env::empty(), 10);
                expr.analysis();
            }
        }
    };
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(run)
        .expect("thread")
        .join()
        .expect("no overflow");
}

#[test]
fn bounds_hold_when_run() {
    let items: Value = (0..2000).collect();
    for (code, want) in [
        ("reduce .[] as $x (\"a\"; . + .)", Limit::Weight),
        ("reduce .[] as $x (1; [., .])", Limit::Depth),
        ("reduce .[] as $x (1; {a: .})", Limit::Depth),
        ("reduce .[] as $x ({}; .a = .)", Limit::Depth),
        ("reduce .[] as $x ([1]; . + .)", Limit::Weight),
        (
            "[.[] as $a | .[] as $b | .[] as $c | 1] | sort",
            Limit::Steps,
        ),
        (
            "[[.[] , .[]] | .[] as $x | .[] as $y | $x + $y]",
            Limit::Steps,
        ),
        ("\"ab\" * 1000000000", Limit::Weight),
        ("[.[] | tojson] | join(\"x\" * 100000)", Limit::Weight),
        (
            "try (reduce .[] as $x (\"a\"; . + .)) catch 1",
            Limit::Weight,
        ),
        (
            "(reduce .[:40][] as $x ([1, 2]; [.[0:], .])) == 1",
            Limit::Weight,
        ),
        (
            "(reduce .[:60][] as $x (1; [., .])) as $a | (reduce .[:60][] as $x (1; [., .])) | . == $a",
            Limit::Steps,
        ),
    ] {
        let expr = Expr::compile(code).expect(code);
        match expr.eval(&items, &Env::empty()) {
            Err(EvalError::Exceeded(limit)) => {
                assert!(limit == want || code.contains("=="), "{code}: {limit}");
            }
            Ok(output) if code.contains("==") => assert!(output.as_bool().is_some(), "{code}"),
            other => panic!("{code}: {other:?}"),
        }
    }
    let doubling = format!("{{a: ., b: .}}{}", " | {a: ., b: .}".repeat(60));
    let expr = Expr::compile(&doubling).expect("compiles");
    assert!(matches!(
        expr.eval(&items, &Env::empty()),
        Err(EvalError::Exceeded(_))
    ));
}

#[test]
fn analyses_say_what_flows_where() {
    let shown = |code| {
        let expr = Expr::compile_with(code, &Variable::ALL).expect(code);
        format!("> {code}\n{}", expr.analysis())
    };
    let all: Vec<_> = [
        ".",
        ".a.b",
        "{id: .orderId, amount: (.total * 1.22)}",
        ".v2 = .value * 1.1 | .big = (.value >= 90)",
        ". + {region: \"eu\", who: .customer.id}",
        "{state: \"new\"} + .",
        "del(.card, .customer.email)",
        ".customer.email = null",
        "if .vip then .discount = 0.1 else . end",
        ".name // \"none\"",
        "select(.kind == \"order\" and .total > 10) | {id}",
        "{items: [.items[] | select(.price > 0) | {sku}]}",
        ".items | map({id, price})",
        ".items[].price |= . * 2",
        ".items[0].price",
        ".items | length",
        "[.items[].price] | add",
        "\"\\(.tenant)-\\(.id)\"",
        ".id | tostring",
        "[.tenant, .id]",
        "{t: .tenant, i: $event.id}",
        ".email | ascii_downcase",
        ".tenant == $viewer.tenant and (.secret | not)",
        "10 <= .age and .age < 20",
        ".a == 1 or .b == 2",
        ".a and (.b // false) and (.c | test(\"x\"))",
        ".a as {b: $x} | {x: $x}",
        "reduce .items[] as $i (0; . + $i.price)",
        "with_entries(.value |= tostring)",
        ".[.field]",
        "..",
        "sort_by(.at) | first",
        "group_by(.team) | map({n: length})",
        "(.a.b)? // 0",
        "try error(.a) catch {said: .}",
        "{at: $now, id}",
        ".a, .b",
        "empty",
        ".address.zip |= .[0:3]",
    ]
    .into_iter()
    .map(shown)
    .collect();
    expect_test::expect_file!["analysis.txt"].assert_eq(&all.concat());
}

#[test]
fn conditions_exclude_each_other() {
    for (one, other, want) in [
        (".k == 1", ".k == 2", true),
        (".k == 1", ".k == 1", false),
        (".k == 1", ".j == 2", false),
        (".k > 5", ".k <= 5", true),
        (".k >= 5", ".k <= 5", false),
        (".k > 5", "3 > .k", true),
        (".k == 7", ".k > 9", true),
        (".k", ".k | not", true),
        (".k == null", ".k", true),
        (".k == true", ".k", false),
        (".k and .a == 1", ".b == 2 and (.k | not)", true),
        (".k == 1 or .k == 2", ".k == 3", false),
        (".t == $event.subject", ".t != $event.subject", true),
        (".k | not", ".k > 0", true),
        ("false", ".k", true),
        (".k < true", ".k", true),
    ] {
        let condition = |code| {
            Expr::compile(code)
                .expect(code)
                .analysis()
                .condition
                .clone()
        };
        let (one_is, other_is) = (condition(one), condition(other));
        assert_eq!(one_is.excludes(&other_is), want, "{one} and {other}");
        assert_eq!(other_is.excludes(&one_is), want, "{other} and {one}");
    }
    let never = Expr::compile(".k > 5 and .k < 3").expect("compiles");
    assert!(never.analysis().condition.is_unsatisfiable());
}
