//! A1, fields that nobody listed: where a type lets anybody add some, they are for those inside, as nobody
//! has decided otherwise.

use std::collections::BTreeMap;

use graph_model::document::Document;
use graph_model::id::Id;
use graph_model::label::{Atom, Clause, Label};
use graph_model::pointer::Pointer;
use graph_model::schema::Schema;
use graph_model::value::Object;

use super::viewers::type_of;
use crate::simulate::Outcome;

/// A field of a fact that its type does not list, and who may read it.
pub(super) type Unlisted<'o> = (Pointer, &'o Label);

/// Types that say that fields may be added.
pub(super) struct Open {
    /// With the fields that they list.
    pub(super) types: BTreeMap<Id, Vec<Pointer>>,
    inside: Label,
}

impl Open {
    pub(super) fn of(document: &Document) -> Open {
        let types = document.types.iter();
        let types = types.filter_map(|(id, ty)| {
            let schema = Schema::new(&ty.schema);
            let listed = schema.fields().into_iter().map(|field| field.pointer);
            let labelled = ty.labels.keys().cloned();
            schema
                .welcomes_others()
                .then(|| (id.clone(), listed.chain(labelled).collect()))
        });
        Open {
            types: types.collect(),
            inside: Label([Clause([Atom::Org].into())].into()),
        }
    }

    /// By the number of a fact: its fields that its type does not list.
    pub(super) fn unlisted<'o>(
        &'o self,
        document: &Document,
        run: &Outcome,
    ) -> BTreeMap<u32, Vec<Unlisted<'o>>> {
        let mut all = BTreeMap::new();
        if self.types.is_empty() {
            return all;
        }
        for (number, fact) in (0..).zip(&run.facts) {
            let ty = type_of(document, fact);
            let listed = ty.and_then(|ty| self.types.get(ty));
            let fields = fact.event.data.as_object();
            let (Some(listed), Some(fields)) = (listed, fields) else {
                continue;
            };
            let fields = Object::iter(fields).map(|(name, _)| Pointer::root().child(name.clone()));
            let unlisted = fields.filter(|field| !listed.iter().any(|held| field.covers(held)));
            let unlisted: Vec<Unlisted<'_>> = unlisted.map(|field| (field, &self.inside)).collect();
            if !unlisted.is_empty() {
                all.insert(number, unlisted);
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::super::Oracle;
    use super::super::testing::Trial;

    #[test]
    fn what_nobody_listed_is_for_those_inside() {
        let shown = r#"A1 at `out`: {"field":"order/note","seen_by":"partners 1","value":"told in confidence"} instead of "only org""#;
        for (rest, way, whom, wanted) in [
            (", ...", "", "partners", shown),
            (", ...", "", "clerks", ""),
            (", ...", "some: map(expr={order}) -> ", "partners", ""),
            // Where nobody says that fields may be added, nobody says whose they are.
            ("", "", "partners", ""),
        ] {
            let flow = format!(
                "role partners external
                 role clerks
                 type order(id=/order): order string{rest}
                 in: manual(event_type=order) -> {way}out: view @{whom}"
            );
            let trial = Trial::new(&flow, r#"in {"order":"o-1","note":"told in confidence"}"#);
            assert_eq!(
                trial.judge(Oracle::A1).lines().next().unwrap_or_default(),
                wanted,
                "{rest} {way} {whom}"
            );
        }
    }
}
