//! Tables of expressions with what they mean.

use super::*;
use crate::value;

fn run(code: &str, input: &str) -> String {
    let input = Value::parse(input.as_bytes(), 1 << 20).expect("test JSON");
    let event = |variable| {
        (variable == Variable::Event).then(|| value!({"id": "e1", "type": "order.placed", "subject": "s"}))
    };
    match Expr::compile(code) {
        Ok(expr) => match expr.eval_all(&input, &Env::new(&event), 100) {
            Ok(outputs) => outputs.iter().map(Value::to_json).collect::<Vec<_>>().join(" "),
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
        ("{a, \"b\": .b, \"c d\": 1, (.k): 2, $event}|keys", r#"{"k":"z"}"#, r#"["a","b","c d","event","z"]"#),
        ("$event.type", "1", "\"order.placed\""),
        ("\"\\(.a)-\\($event.id)\"", r#"{"a":[1]}"#, "\"[1]-e1\""),
        (".v2 = .value * 2 | .big = (.value >= 5)", r#"{"value":4}"#, r#"{"big":false,"v2":8,"value":4}"#),
        (".a |= . + 1", r#"{"a":1}"#, r#"{"a":2}"#),
        (".a += 1", r#"{"a":1}"#, r#"{"a":2}"#),
        (".a //= 7", "{}", r#"{"a":7}"#),
        ("del(.a)", r#"{"a":1,"b":2}"#, r#"{"b":2}"#),
        ("del(.items[] | select(.x))", r#"{"items":[{"x":true},{"y":1}]}"#, r#"{"items":[{"y":1}]}"#),
        ("map(. * 2)", "[1,2]", "[2,4]"),
        ("[.[] | select(. > 1)]", "[1,2,3]", "[2,3]"),
        ("any(. > 2)", "[1,2,3]", "true"),
        ("all", "[true,null]", "false"),
        ("add", "[1,2]", "3"),
        ("if . > 1 then \"a\" elif . == 1 then \"b\" else \"c\" end", "1", "\"b\""),
        (".a // \"none\"", "{}", "\"none\""),
        ("try error(\"x\") catch .", "1", "\"x\""),
        ("error({a: 1})", "1", "! the expression threw an object"),
        (". as {a: $x, b: [$y, $z]} | $x + $y + $z", r#"{"a":1,"b":[2,3]}"#, "6"),
        ("reduce .[] as $x (0; . + $x)", "[1,2,3]", "6"),
        ("[foreach .[] as $x (0; . + $x; [$x, .])]", "[1,2]", "[[1,1],[2,3]]"),
        ("to_entries", r#"{"b":1,"a":2}"#, r#"[{"key":"a","value":2},{"key":"b","value":1}]"#),
        ("with_entries(.value += 1)", r#"{"a":1}"#, r#"{"a":2}"#),
        ("group_by(.k) | map(length)", r#"[{"k":1},{"k":2},{"k":1}]"#, "[2,1]"),
        ("unique_by(.k) | length", r#"[{"k":1},{"k":2},{"k":1}]"#, "2"),
        ("sort_by(.k) | map(.k)", r#"[{"k":3},{"k":2}]"#, "[2,3]"),
        ("split(\",\") | join(\";\")", "\"a,b\"", "\"a;b\""),
        ("@json", r#"{"b":1,"a":[]}"#, r#""{\"a\":[],\"b\":1}""#),
        ("tojson | fromjson", "[1,{}]", "[1,{}]"),
        ("[..]", "[[1]]", "[[[1]],[1],1]"),
        ("[paths]", r#"{"a":[1]}"#, r#"[["a"],["a",0]]"#),
        ("getpath([\"a\",\"b\"])", r#"{"a":{"b":1}}"#, "1"),
        ("walk(if type == \"number\" then . + 1 else . end)", "[1,[2]]", "[2,[3]]"),
        ("has(\"a\"), has(\"b\")", r#"{"a":null}"#, "true false"),
        ("contains({a: \"b\"})", r#"{"a":"abc"}"#, "true"),
        ("inside(\"abc\")", "\"b\"", "true"),
        ("index(\"b\"), rindex(\"b\"), indices(\"b\")", "\"abcb\"", "1 3 [1,3]"),
        ("tonumber + 1", "\"41\"", "42"),
        ("(.a | tostring), (.b | tostring)", r#"{"a":"x","b":1.5}"#, "\"x\" \"1.5\""),
        ("ascii_downcase, ascii_upcase, length", "\"Ab\"", "\"ab\" \"AB\" 2"),
        ("ltrimstr(\"a\"), rtrimstr(\"b\"), startswith(\"a\"), endswith(\"a\")", "\"ab\"", "\"b\" \"a\" true false"),
        ("floor, ceil, round", "-1.5", "-2 -1 -2"),
        ("limit(2; .[])", "[1,2,3]", "1 2"),
        ("first(.[]), last(.[]), first, last", "[1,2,3]", "1 3 1 3"),
        ("min, max, unique, reverse, sort", "[2,1,2]", "1 2 [1,2] [2,1,2] [1,2,2]"),
        ("flatten, transpose", "[[1,[2]],[3]]", "[1,2,3] [[1,3],[[2],null]]"),
        ("def f(x): x + 1; f(.a) * f(.b)", r#"{"a":1,"b":2}"#, "6"),
        ("def f($x; $y): $x - $y; f(3; 1)", "null", "2"),
        ("label $out | 1, break $out, 2", "null", "1"),
        ("empty", "1", ""),
        ("1, 2", "null", "1 2"),
        ("9223372036854775807 + 1", "null", "9.223372036854776e+18"),
        ("5 % 0", "null", "! cannot calculate 5 % 0"),
        ("\"ab\" * 2, \"ab\" * 0", "null", "\"abab\" null"),
        ("\"a,b\" / \",\"", "null", r#"["a","b"]"#),
        ("{a: {b: 1}} * {a: {c: 2}}", "null", r#"{"a":{"b":1,"c":2}}"#),
        ("[1,2,1] - [1]", "null", "[2]"),
        ("nan < nan, nan == nan, ([nan] | sort)", "null", "true false [null]"),
        ("isvalid(1)", "null", "!! 1:1: the filter `isvalid` is not known; there is no filter of this name"),
    ] {
        let got = run(code, input);
        if got != want {
            wrong.push(format!("{code} on {input}: {got}, not {want}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
