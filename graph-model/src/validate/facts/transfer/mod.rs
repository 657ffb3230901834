//! How each kind of node passes facts on: what it sends by its ordinary outputs, by those that only some
//! of its events take, and what all nodes have in common.

mod apart;
mod channels;
mod conditions;
mod copies;
mod groups;
mod hiding;
mod joins;
mod maps;
mod places;
mod shapes;
mod sources;
mod stores;
mod types;

use std::rc::Rc;

use smol_str::SmolStr;

use crate::catalog::{Behaviour, PortRole};
use crate::pointer::Pointer;
use crate::validate::design::NodeIx;
use crate::validate::facts::delivery::{Losing, Part};
use crate::validate::facts::transfer::joins::Sides;
use crate::validate::facts::{Facts, Port, pointers};
use crate::value::Value;

impl Facts {
    /// What leaves a node by its ordinary outputs.
    pub(super) fn transfer(
        &mut self,
        node: NodeIx,
        input: Option<&Rc<Port>>,
        second: Option<&Port>,
    ) -> Option<Rc<Port>> {
        let design = Rc::clone(&self.design);
        let (_, behaviour) = design.acting(node)?;
        let mut port = match behaviour {
            Behaviour::Source {
                ty,
                delivery,
                keyed_by_id,
            } => {
                let mut port = self.source(node, ty, *delivery, *keyed_by_id);
                if let Some(stored) = input {
                    self.hear(node, stored, &mut port);
                }
                return Some(Rc::new(port));
            }
            Behaviour::Changes { ty } => {
                let stored = input.map(|stored| &**stored);
                return Some(Rc::new(self.changes(node, ty, stored)));
            }
            // They pass on what arrives.
            Behaviour::Merge | Behaviour::Route { .. } => Rc::clone(input?),
            Behaviour::Table { .. }
            | Behaviour::Bucket { .. }
            | Behaviour::Observe { .. }
            | Behaviour::Effect { .. }
            | Behaviour::DeadLetter => {
                self.put_in_place(node, input?);
                in_one_place(input?)
            }
            // A join or a decision may get nothing but what comes to the other input.
            Behaviour::Join { left, right, .. } if input.is_none() || second.is_none() => {
                let sides = match (input, second) {
                    (Some(left), _) => Sides::Left(left),
                    (None, right) => Sides::Right(right?),
                };
                Rc::new(self.half(node, (left, right), sides))
            }
            Behaviour::Decide {
                group, seal_key, ..
            } if input.is_none() => {
                let key = design.expr(node, seal_key).map_or(group, |_| seal_key);
                Rc::new(self.decide(node, (key, key), second?, second))
            }
            _ => Rc::new(self.act(node, behaviour, input?, second)?),
        };
        self.leave(node, &mut port);
        Some(port)
    }

    /// What a node makes of the events that arrive.
    fn act(
        &mut self,
        node: NodeIx,
        behaviour: &Behaviour,
        input: &Port,
        second: Option<&Port>,
    ) -> Option<Port> {
        let design = Rc::clone(&self.design);
        let mut port = input.clone();
        match behaviour {
            Behaviour::Source { .. }
            | Behaviour::Changes { .. }
            | Behaviour::Merge
            | Behaviour::Route { .. }
            | Behaviour::Table { .. }
            | Behaviour::Bucket { .. }
            | Behaviour::Observe { .. }
            | Behaviour::Effect { .. }
            | Behaviour::DeadLetter => {}
            Behaviour::Filter { predicate } => {
                if let Some(expr) = design.expr(node, predicate) {
                    self.hold(&expr.analysis().condition, &mut port);
                    self.select(expr, &mut port);
                }
            }
            Behaviour::Topic => self.topic(node, &mut port),
            Behaviour::Queue { fifo, concurrency } => {
                let key = fifo.as_ref().and_then(|field| design.expr(node, field));
                let count = design.value(node, concurrency).and_then(Value::as_i64);
                self.queue(node, key, count.unwrap_or(1), &mut port);
            }
            Behaviour::Log {
                key,
                partitions,
                transactional,
            } => {
                let key = design.expr(node, key);
                let count = design.value(node, partitions).and_then(Value::as_i64);
                let whole = design.value(node, transactional) == Some(&Value::Bool(true));
                self.log(node, key, count.unwrap_or(1), whole, &mut port);
            }
            Behaviour::Repartition { key, partitions } => {
                let count = design.value(node, partitions).and_then(Value::as_i64);
                self.place(node, design.expr(node, key), count.unwrap_or(1), &mut port);
            }
            Behaviour::Map { expr } => {
                let expr = design.expr(node, expr);
                if let Some(expr) = expr {
                    self.hold(&expr.analysis().guard, &mut port);
                }
                self.map(node, expr, false, &mut port);
            }
            Behaviour::Split { expr } => {
                self.map(node, design.expr(node, expr), true, &mut port);
                let code = design.text(node, expr).unwrap_or("?");
                port.definition = Rc::new(port.definition.step("split", code, code));
            }
            Behaviour::Mediate { expr, target } => {
                self.map(node, design.expr(node, expr), false, &mut port);
                self.declare(node, design.text(node, target), &mut port);
            }
            Behaviour::Dedupe { key, .. } => self.dedupe(node, key, &mut port),
            Behaviour::Redact { fields, how } => {
                let fields = pointers(design.value(node, fields));
                let hashes = design.text(node, how) == Some("hash");
                self.redact(node, &fields, hashes, &mut port);
            }
            Behaviour::Tokenise { fields } => {
                let fields = pointers(design.value(node, fields));
                self.tokenise(node, &fields, &mut port);
            }
            Behaviour::Guard { field, claim } => {
                let field = design
                    .text(node, field)
                    .and_then(|text| Pointer::parse(text).ok());
                if let (Some(field), Some(claim)) = (field, design.text(node, claim)) {
                    self.compare(&field, &claim.into(), &mut port);
                }
            }
            Behaviour::Validate { ty } => {
                port.taint = Rc::new(self.checked(&port.taint));
                self.declare(node, design.text(node, ty), &mut port);
            }
            Behaviour::Join { left, right, .. } => {
                port = self.join(node, (left, right), &port, second?);
            }
            Behaviour::Enrich {
                key, row_key, into, ..
            } => self.enrich(node, (key, row_key), into, &mut port, second),
            Behaviour::Aggregate {
                group, aggregates, ..
            } => self.aggregate(node, group, aggregates, &mut port),
            Behaviour::Fold { group, step, .. } => self.fold(node, group, step, &mut port),
            Behaviour::Decide {
                group, seal_key, ..
            } => port = self.decide(node, (group, seal_key), input, second),
            Behaviour::Resequence { key, version } | Behaviour::VersionGuard { key, version } => {
                self.tell_of_keys(node, &[key, version], &mut port);
                self.put_in_order(node, key, &mut port);
                self.drop_copies(node, &[key, version], &mut port);
            }
            Behaviour::Opaque { ty, .. } => {
                let ty = ty.as_ref().and_then(|field| design.text(node, field));
                self.run(node, &mut port);
                self.shape(node, ty, &mut port);
            }
        }
        Some(port)
    }

    /// What holds of the events that leave a node, whatever it does.
    fn leave(&mut self, node: NodeIx, port: &mut Rc<Port>) {
        let design = Rc::clone(&self.design);
        if port.losing.is_none() && design.declared_flag(node, "may_lose") {
            Rc::make_mut(port).losing = Some(Losing::Node(node));
        }
        let doubts = &port.doubts;
        if doubts.clock.is_none()
            && (design.asks_the_time(node)
                || doubts.read_time.is_some() && design.compares_times(node))
        {
            Rc::make_mut(port).doubts.clock = Some(node);
        }
        if self.is_open(node) {
            self.let_outsiders_in(node, Rc::make_mut(port));
        }
        if port.guards.values().any(Option::is_none) && design.is_kept(node) {
            // Who looks later was not there when the owner was compared.
            let guards = port.guards.iter();
            let since = |since: &Option<NodeIx>| since.or(Some(node));
            let guards = guards.map(|(guard, held)| (guard.clone(), since(held)));
            let guards = Rc::new(guards.collect());
            Rc::make_mut(port).guards = guards;
        }
        if let (Some(patience), Some(takes)) = (port.redelivery.patience, design.works_for(node)) {
            Rc::make_mut(port).redelivery.patience = Some(patience.saturating_sub(takes));
        }
    }

    /// What leaves by outputs that not all of the node's events take.
    pub(super) fn branches(
        &mut self,
        node: NodeIx,
        (input, second): (Option<&Port>, Option<&Port>),
        output: Option<&Port>,
    ) -> Option<Vec<(SmolStr, Rc<Port>)>> {
        let mut branches = self
            .chosen(node, (input, second), output)
            .unwrap_or_default();
        if let Some((name, port)) = self.given_up(node, input.or(second)?, second) {
            branches.push((name, Rc::new(port)));
        }
        Some(branches)
    }

    /// What a node with two inputs gives up: events of both.
    fn given_up(
        &self,
        node: NodeIx,
        first: &Port,
        second: Option<&Port>,
    ) -> Option<(SmolStr, Port)> {
        let mut outs = self.design.nodes[node].outs.iter();
        let failed = outs.find(|edge| self.design.edges[**edge].role == PortRole::Failed)?;
        let name = self.design.edges[*failed].edge.from.port.clone();
        Some((name, self.meet(node, first, std::iter::once(second?))))
    }

    /// What leaves by outputs that only some of the events take, where that tells something.
    fn chosen(
        &mut self,
        node: NodeIx,
        (input, second): (Option<&Port>, Option<&Port>),
        output: Option<&Port>,
    ) -> Option<Vec<(SmolStr, Rc<Port>)>> {
        let design = Rc::clone(&self.design);
        let (port, (view, behaviour)) = (input.or(second)?, design.acting(node)?);
        let outputs = view.kind.iter().flat_map(|kind| &kind.outputs).skip(1);
        let aside = |port: Port| {
            let ports = outputs.filter(|output| output.role == PortRole::Data);
            let port = Rc::new(port);
            Some(
                ports
                    .map(|output| (output.name.clone(), Rc::clone(&port)))
                    .collect(),
            )
        };
        match behaviour {
            Behaviour::Filter { predicate } => {
                let mut rest = port.clone();
                Facts::tell(self.design.expr(node, predicate)?, &mut rest);
                (rest.presence != port.presence).then(|| aside(rest))?
            }
            Behaviour::Dedupe { key, .. } => {
                let mut rest = port.clone();
                self.tell_of_keys(node, &[key], &mut rest);
                (rest.presence != port.presence).then(|| aside(rest))?
            }
            Behaviour::VersionGuard { key, version } => {
                let mut rest = port.clone();
                self.tell_of_keys(node, &[key, version], &mut rest);
                (rest.presence != port.presence).then(|| aside(rest))?
            }
            Behaviour::Join { .. } => aside(self.unmatched(node, [input, second], output?)),
            Behaviour::Enrich { key, row_key, .. } => {
                let rest = self.missing(node, (key, row_key), input?, second?);
                (rest.presence != port.presence).then(|| aside(rest))?
            }
            // Whether it is late says the end mark, which may be lost, and for a window late itself.
            Behaviour::Decide { wait, .. } => {
                let second = second?;
                let losing = port.losing.or(second.losing);
                let of_both = input.is_some() && design.text(node, wait) == Some("window");
                let late = if of_both {
                    self.meet(node, port, std::iter::once(second))
                } else {
                    port.clone()
                };
                (of_both || losing != port.losing).then(|| aside(Port { losing, ..late }))?
            }
            Behaviour::Opaque {
                types: Some(types), ..
            } => {
                let types = design.value(node, types)?.as_object()?;
                Some(self.typed(node, types, port))
            }
            Behaviour::Route { .. } if port.labels.is_empty() => None,
            Behaviour::Route { routes, otherwise } => {
                let routes = design.value(node, routes)?.as_object()?;
                Some(self.ways(routes, otherwise, port))
            }
            // What compares versions hands on what is old from where it writes.
            Behaviour::Table { .. } if port.part != Part::Single => aside(Port {
                part: Part::Single,
                ..port.clone()
            }),
            _ => None,
        }
    }
}

/// Whoever writes does so in one place, wherever events come from.
fn in_one_place(port: &Rc<Port>) -> Rc<Port> {
    let mut port = Rc::clone(port);
    if port.part != Part::Single {
        Rc::make_mut(&mut port).part = Part::Single;
    }
    port
}
