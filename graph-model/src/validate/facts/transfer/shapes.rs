//! What a shape says of what code sends, where the engine takes nothing else of it.

use std::rc::Rc;

use smol_str::SmolStr;

use crate::catalog::Behaviour;
use crate::pointer::Pointer;
use crate::schema::Schema;
use crate::validate::design::NodeIx;
use crate::validate::facts::labels::Labels;
use crate::validate::facts::origins::Base;
use crate::validate::facts::payload::Payload;
use crate::validate::facts::{Facts, Port};
use crate::value::{Object, Value};

impl Facts {
    /// The events that code sends have this type, as the engine has checked.
    pub(super) fn shape(&mut self, node: NodeIx, ty: Option<&str>, port: &mut Port) {
        self.shape_after(0, node, ty, port);
    }

    /// The same where types of other ports of the node have `before` fields with labels.
    fn shape_after(&mut self, before: usize, node: NodeIx, ty: Option<&str>, port: &mut Port) {
        if let Some(schema) = ty.and_then(|ty| self.schema(ty))
            && !schema.is_unknown()
        {
            confine(&schema, port);
        }
        self.declare_after(before, node, ty, port);
    }

    /// What leaves code by each port that has a type of its own, in the order of the table.
    pub(super) fn typed(
        &mut self,
        node: NodeIx,
        types: &Object,
        input: &Port,
    ) -> Vec<(SmolStr, Rc<Port>)> {
        let mut run = input.clone();
        self.run(node, &mut run);
        let mut typed = Vec::with_capacity(types.len());
        // The first numbers are those of the type that the other ports have.
        let main = self.output_type(node);
        let mut before = main.map_or(0, |ty| self.labelled(&ty));
        for (number, (name, ty)) in types.iter().enumerate() {
            let ty = ty.as_str().filter(|ty| !ty.is_empty());
            let base = Base::Sent(node, number as u16);
            let mut port = run.clone();
            let mut payload = Payload::made(node, None);
            payload.base = base;
            port.payload = Rc::new(payload);
            if !self.design.is_pure(node) || !input.renewers.is_empty() {
                self.origins.borrow_mut().mark_opaque(base);
            }
            self.shape_after(before, node, ty, &mut port);
            before += ty.map_or(0, |ty| self.labelled(ty));
            let mut port = Rc::new(port);
            self.leave(node, &mut port);
            self.resize(node, Some(input), &mut port);
            typed.push((name.clone(), port));
        }
        typed
    }

    /// The type of what code sends by ports that have none of their own.
    fn output_type(&self, node: NodeIx) -> Option<SmolStr> {
        let Some(Behaviour::Opaque { ty: Some(ty), .. }) = self.design.behaviour(node) else {
            return None;
        };
        self.design.text(node, ty).map(SmolStr::from)
    }

    /// How many fields of an event type have labels.
    fn labelled(&self, ty: &str) -> usize {
        let declared = self.design.document.types.get(ty);
        declared.map_or(0, |ty| ty.labels.len())
    }
}

/// Where a closed shape says which fields there are, what flows into an event flows into those.
/// Nothing is declassified or checked: each of them may hold anything that the code has read, but for
/// those that are always the same.
fn confine(schema: &Schema, port: &mut Port) {
    let Some(varying) = varying(schema) else {
        return;
    };
    if varying.len() < schema_width(schema) {
        // That it comes at all still depends on what was read.
        let all = port.labels.all();
        port.presence.join(&all);
    }
    for labels in [&mut port.labels, &mut port.taint] {
        let all = labels.all();
        let parts = varying.iter().map(|field| (field.clone(), all.clone()));
        *labels = Rc::new(parts.collect::<Labels>());
    }
}

/// The fields of an event whose values can differ, when the shape names all that there are and each
/// event has all of them; nothing otherwise, as then which fields there are may tell something, too.
fn varying(schema: &Schema) -> Option<Vec<Pointer>> {
    if !schema.takes_only_objects() || !schema.refuses_others() {
        return None;
    }
    let top = |pointer: &Pointer| pointer.tokens().len() == 1;
    let fields: Vec<_> = schema
        .fields()
        .into_iter()
        .filter(|field| top(&field.pointer))
        .collect();
    if !fields.iter().all(|field| field.required) {
        return None;
    }
    let fixed = |field: &Pointer| {
        let values = schema.values(field);
        values.is_some_and(|values: &[Value]| values.len() == 1)
    };
    let varying = fields.into_iter().map(|field| field.pointer);
    Some(varying.filter(|field| !fixed(field)).collect())
}

/// How many fields events of a shape have.
fn schema_width(schema: &Schema) -> usize {
    let fields = schema.fields();
    let top = fields
        .iter()
        .filter(|field| field.pointer.tokens().len() == 1);
    top.count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value;

    #[test]
    fn only_what_can_differ_tells_something() {
        let id = || value!({"type": "string"});
        for (schema, fields) in [
            (
                value!({"type": "object", "properties": {"id": (id()), "kind": {"const": "done"}},
                    "required": ["id", "kind"], "additionalProperties": false}),
                Some("/id"),
            ),
            (
                value!({"type": "object", "properties": {"kind": {"enum": ["done"]}},
                    "required": ["kind"], "additionalProperties": false}),
                Some(""),
            ),
            // Others may come, one may be missing, or there may be no object at all.
            (
                value!({"type": "object", "properties": {"id": (id())}, "required": ["id"]}),
                None,
            ),
            (
                value!({"type": "object", "properties": {"id": (id())}, "additionalProperties": false}),
                None,
            ),
            (
                value!({"type": ["object", "string"], "properties": {"id": (id())},
                    "required": ["id"], "additionalProperties": false}),
                None,
            ),
            // People mean an object, but a text has this shape, too.
            (
                value!({"properties": {"id": (id())}, "required": ["id"], "additionalProperties": false}),
                None,
            ),
        ] {
            let found = varying(&Schema::new(&schema));
            let found = found.map(|fields| {
                let fields = fields.iter().map(Pointer::to_string);
                fields.collect::<Vec<_>>().join(" ")
            });
            assert_eq!(found.as_deref(), fields, "{schema}");
        }
    }
}
