//! The filters that expressions may call, and why others may not be called.

/// Filters by name with the numbers of arguments they take, sorted by name.
const ALLOWED: &[(&str, &[usize])] = &[
    ("@base64", &[0]),
    ("@base64d", &[0]),
    ("@html", &[0]),
    ("@json", &[0]),
    ("@sh", &[0]),
    ("@text", &[0]),
    ("@uri", &[0]),
    ("@urid", &[0]),
    ("abs", &[0]),
    ("add", &[0, 1]),
    ("all", &[0, 1, 2]),
    ("any", &[0, 1, 2]),
    ("arrays", &[0]),
    ("ascii_downcase", &[0]),
    ("ascii_upcase", &[0]),
    ("booleans", &[0]),
    ("bsearch", &[1]),
    ("capture", &[1, 2]),
    ("cbrt", &[0]),
    ("ceil", &[0]),
    ("contains", &[1]),
    ("cos", &[0]),
    ("del", &[1]),
    ("delpaths", &[1]),
    ("empty", &[0]),
    ("endswith", &[1]),
    ("error", &[0, 1]),
    ("exp", &[0]),
    ("exp10", &[0]),
    ("exp2", &[0]),
    ("explode", &[0]),
    ("fabs", &[0]),
    ("false", &[0]),
    ("finites", &[0]),
    ("first", &[0, 1]),
    ("flatten", &[0, 1]),
    ("floor", &[0]),
    ("fmod", &[2]),
    ("from_entries", &[0]),
    ("fromdate", &[0]),
    ("fromdateiso8601", &[0]),
    ("fromjson", &[0]),
    ("getpath", &[1]),
    ("gmtime", &[0]),
    ("group_by", &[1]),
    ("gsub", &[2, 3]),
    ("has", &[1]),
    ("implode", &[0]),
    ("in", &[1]),
    ("index", &[1]),
    ("indices", &[1]),
    ("infinite", &[0]),
    ("inside", &[1]),
    ("isarray", &[0]),
    ("isboolean", &[0]),
    ("isempty", &[1]),
    ("isfinite", &[0]),
    ("isinfinite", &[0]),
    ("isnan", &[0]),
    ("isnormal", &[0]),
    ("isnumber", &[0]),
    ("isobject", &[0]),
    ("isstring", &[0]),
    ("iterables", &[0]),
    ("join", &[1]),
    ("keys", &[0]),
    ("keys_unsorted", &[0]),
    ("last", &[0, 1]),
    ("length", &[0]),
    ("limit", &[2]),
    ("log", &[0]),
    ("log10", &[0]),
    ("log2", &[0]),
    ("ltrim", &[0]),
    ("ltrimstr", &[1]),
    ("map", &[1]),
    ("map_values", &[1]),
    ("match", &[1, 2]),
    ("max", &[0]),
    ("max_by", &[1]),
    ("min", &[0]),
    ("min_by", &[1]),
    ("mktime", &[0]),
    ("nan", &[0]),
    ("not", &[0]),
    ("nth", &[1, 2]),
    ("null", &[0]),
    ("nulls", &[0]),
    ("numbers", &[0]),
    ("objects", &[0]),
    ("path", &[1]),
    ("paths", &[0, 1]),
    ("pick", &[1]),
    ("pow", &[2]),
    ("recurse", &[0]),
    ("reverse", &[0]),
    ("rindex", &[1]),
    ("round", &[0]),
    ("rtrim", &[0]),
    ("rtrimstr", &[1]),
    ("scalars", &[0]),
    ("scan", &[1, 2]),
    ("select", &[1]),
    ("setpath", &[2]),
    ("sin", &[0]),
    ("skip", &[2]),
    ("sort", &[0]),
    ("sort_by", &[1]),
    ("split", &[1, 2]),
    ("splits", &[1, 2]),
    ("sqrt", &[0]),
    ("startswith", &[1]),
    ("strftime", &[1]),
    ("strings", &[0]),
    ("strptime", &[1]),
    ("sub", &[2, 3]),
    ("test", &[1, 2]),
    ("to_entries", &[0]),
    ("toboolean", &[0]),
    ("todate", &[0]),
    ("todateiso8601", &[0]),
    ("tojson", &[0]),
    ("tonumber", &[0]),
    ("tostring", &[0]),
    ("transpose", &[0]),
    ("trim", &[0]),
    ("true", &[0]),
    ("trunc", &[0]),
    ("type", &[0]),
    ("unique", &[0]),
    ("unique_by", &[1]),
    ("utf8bytelength", &[0]),
    ("values", &[0]),
    ("walk", &[1]),
    ("with_entries", &[1]),
];

const CLOCK: &str = "it reads the clock; take the time of the event from `$event.time`, or `$now` for that of processing";
const INPUT: &str = "an expression sees one event; join or aggregate nodes bring events together";
const OUTSIDE: &str =
    "it reaches outside of the expression; give the value as a field of the event";
const ZONE: &str = "it depends on the time zone of the machine; use `gmtime` or `strftime`";
const ENDLESS: &str =
    "it may run for ever; use `map`, `reduce` or `..` over the event, or a script node";
const EXPLODES: &str = "its result may outgrow every bound; use a script node";

/// Filters of jq that are refused, with the reason.
const REFUSED: &[(&str, &str)] = &[
    ("$ENV", OUTSIDE),
    ("$__loc__", OUTSIDE),
    ("$__prog_args", OUTSIDE),
    ("combinations", EXPLODES),
    ("debug", OUTSIDE),
    ("env", OUTSIDE),
    ("get_search_list", OUTSIDE),
    ("halt", OUTSIDE),
    ("halt_error", OUTSIDE),
    ("import", OUTSIDE),
    ("include", OUTSIDE),
    ("input", INPUT),
    ("input_filename", INPUT),
    ("input_line_number", INPUT),
    ("inputs", INPUT),
    ("localtime", ZONE),
    ("now", CLOCK),
    ("range", ENDLESS),
    ("recurse", ENDLESS),
    ("recurse_down", ENDLESS),
    ("repeat", ENDLESS),
    ("stderr", OUTSIDE),
    ("strflocaltime", ZONE),
    ("until", ENDLESS),
    ("while", ENDLESS),
];

/// Answers the name as it stands in the table when a filter of that name takes that many arguments.
pub(super) fn allowed(name: &str, arity: usize) -> Option<&'static str> {
    arities(name)
        .filter(|(_, arities)| arities.contains(&arity))
        .map(|(name, _)| name)
}

/// What to tell somebody who calls a filter that there is not.
pub(super) fn advice(name: &str, arity: usize) -> String {
    if let Some((_, arities)) = arities(name)
        && !(name == "recurse" && arity > 0)
    {
        let counts: Vec<_> = arities.iter().map(usize::to_string).collect();
        return format!("`{name}` takes {} arguments", counts.join(" or "));
    }
    if let Some((_, reason)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
        return (*reason).to_owned();
    }
    let near = nearest(name, ALLOWED.iter().map(|(name, _)| *name));
    if near.is_empty() {
        "there is no filter of this name".into()
    } else {
        format!("did you mean {near}?")
    }
}

/// Whether jq has a filter of that name which expressions may not call.
pub(super) fn refused(name: &str, arity: usize) -> bool {
    allowed(name, arity).is_none() && REFUSED.iter().any(|(refused, _)| *refused == name)
}

/// Up to three names much like `name`, quoted.
pub(super) fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> String {
    let mut near: Vec<_> = names
        .map(|known| (distance(name, known), known))
        .filter(|(distance, known)| *distance <= 1 + known.len() / 4)
        .collect();
    near.sort_unstable();
    let near: Vec<_> = near
        .iter()
        .take(3)
        .map(|(_, known)| format!("`{known}`"))
        .collect();
    near.join(" or ")
}

fn arities(name: &str) -> Option<(&'static str, &'static [usize])> {
    ALLOWED
        .binary_search_by(|(known, _)| (*known).cmp(name))
        .ok()
        .map(|at| ALLOWED[at])
}

/// How many letters to insert, remove or replace to make `a` from `b`.
fn distance(a: &str, b: &str) -> usize {
    if a.len() > 40 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.bytes().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, other) in b.bytes().enumerate() {
            let replaced = corner + usize::from(letter != other);
            corner = row[j + 1];
            row[j + 1] = replaced.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(ALLOWED.is_sorted_by(|a, b| a.0 < b.0));
        assert!(REFUSED.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn advice_names_what_is_near() {
        assert_eq!(advice("lenght", 0), "did you mean `length`?");
        assert_eq!(advice("startwith", 1), "did you mean `startswith`?");
        assert_eq!(advice("has", 2), "`has` takes 1 arguments");
        assert_eq!(advice("now", 0), CLOCK);
        assert_eq!(advice("recurse", 1), ENDLESS);
        assert_eq!(advice("frobnicate", 0), "there is no filter of this name");
    }
}
