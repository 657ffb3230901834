//! How each kind of node passes facts on.

use std::collections::BTreeSet;
use std::rc::Rc;

use smol_str::SmolStr;

use crate::catalog::{Behaviour, Delivery, PortRole};
use crate::expr::{Condition, Expr, Op, Operand};
use crate::label::Atom;
use crate::pointer::Pointer;
use crate::validate::design::NodeIx;
use crate::validate::facts::definition::Definition;
use crate::validate::facts::delivery::{Copies, Losing, Loss, Mode, Order, Part};
use crate::validate::facts::groups::parts_of;
use crate::validate::facts::labels::{Labels, Sort, Tag, TagKey};
use crate::validate::facts::origins::{Base, Origin, OriginId};
use crate::validate::facts::payload::Payload;
use crate::validate::facts::placement::Side;
use crate::validate::facts::redelivery::Redelivery;
use crate::validate::facts::tags::TagSet;
use crate::validate::facts::unsettled::Doubts;
use crate::validate::facts::{Facts, Port, numbers, owners, pointers};
use crate::validate::rules::{broken_by_copies, decides_early};
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
            Behaviour::Merge
            | Behaviour::Route { .. }
            | Behaviour::Table { .. }
            | Behaviour::Bucket { .. }
            | Behaviour::Observe { .. }
            | Behaviour::Effect { .. }
            | Behaviour::DeadLetter => Rc::clone(input?),
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
            Behaviour::Topic => {
                self.deliver(node, Copies::Any(node), &mut port);
                port.order = port.order.lost_at(node, Loss::Channel);
                port.part = Part::Single;
            }
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
                if design.value(node, transactional) == Some(&Value::Bool(true)) {
                    // What a delivery brought comes and goes with it, so none is there twice.
                    match port.redelivery.called_again {
                        Some(source) => port.copies = Copies::Any(source),
                        None => once(&mut port),
                    }
                }
                self.deliver(node, Copies::Suffix(node), &mut port);
                let count = design.value(node, partitions).and_then(Value::as_i64);
                self.place(node, design.expr(node, key), count.unwrap_or(1), &mut port);
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
            Behaviour::Dedupe { key, .. } => {
                self.tell_of_keys(node, &[key], &mut port);
                self.drop_copies(node, &[key], &mut port);
                if let Some(expr) = design.expr(node, key) {
                    let key = self.key(expr, &port);
                    if let Mode::Upsert(thing) = &port.mode
                        && !thing.is_empty()
                        && self.determines(thing, &key)
                    {
                        // Of each thing the first version passes, as if it were made then.
                        port.mode = Mode::Append;
                    }
                    port.multiplied = self.still_multiplied(expr, &port);
                    let by = format!("{key:?}");
                    port.definition = Rc::new(port.definition.step("dedupe", &by, expr.code()));
                }
            }
            Behaviour::Redact { fields, how } => {
                let fields = pointers(design.value(node, fields));
                let hashes = design.text(node, how) == Some("hash");
                let released = self.released(node, &fields, "hash", &port);
                let origins = &mut *self.origins.borrow_mut();
                port.payload = Rc::new(port.payload.without(node, &fields, origins));
                port.labels = Rc::new(if hashes {
                    port.labels.less(&released)
                } else {
                    port.labels.without(&fields)
                });
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
                group,
                aggregates,
                window,
            } => {
                let broken = broken_by_copies(&design, node, port.copies).is_some();
                let copied = port.copies != Copies::No;
                self.aggregate(node, group, aggregates, &mut port);
                let windowed = design.text(node, window).is_some_and(|kind| kind != "none");
                self.answer(node, broken, copied && !windowed, &mut port);
                port.doubts.running = (!windowed).then_some(node);
            }
            Behaviour::Fold { group, step, .. } => {
                let broken = broken_by_copies(&design, node, port.copies).is_some();
                let copied = port.copies != Copies::No;
                self.fold(node, group, step, &mut port);
                self.answer(node, broken, copied, &mut port);
                port.doubts.running = None;
            }
            Behaviour::Decide { group, .. } => {
                let broken = broken_by_copies(&design, node, port.copies).is_some();
                self.decide(node, group, second, &mut port);
                // It answers once for a group, and with the same id when it answers again.
                self.answer(node, broken, false, &mut port);
                port.doubts.running = None;
                if port.doubts.hasty.is_none() && decides_early(self, node, input, second).is_some()
                {
                    port.doubts.hasty = Some(node);
                }
            }
            Behaviour::Resequence { key, version } | Behaviour::VersionGuard { key, version } => {
                self.tell_of_keys(node, &[key, version], &mut port);
                self.put_in_order(node, key, &mut port);
                self.drop_copies(node, &[key, version], &mut port);
            }
            Behaviour::Opaque { ty } => {
                let reads = pointers(design.declared(node, "reads"));
                let of = |labels: &Labels| match &reads[..] {
                    [] => labels.all(),
                    fields => {
                        let mut all = TagSet::default();
                        for field in fields {
                            all.join(&labels.at(field));
                        }
                        all
                    }
                };
                let (everything, taints) = (of(&port.labels), of(&port.taint));
                let whole = [Pointer::root()];
                let released = self.released(node, &whole, "code", &port);
                let everything = &everything - &released;
                port.labels = Rc::new(Labels::at_root(&everything));
                port.taint = Rc::new(Labels::at_root(&taints));
                let named = self.renews_ids(&port).is_none();
                port.payload = Rc::new(Payload::made(node, None));
                self.origins.borrow_mut().mark_opaque(Base::Made(node));
                self.identify_by_context(node);
                self.renew(node, named, &mut port);
                let ty = ty.as_ref().and_then(|field| design.text(node, field));
                self.declare(node, ty, &mut port);
                if let Order::PerKey(_) = port.order {
                    port.order = Order::Lost(node, Loss::Code);
                }
                let name = design.nodes[node].id.as_str();
                port.definition = Rc::new(port.definition.step("code", name, name));
                port.mode = Mode::Append;
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
        input: Option<&Port>,
        output: Option<&Port>,
    ) -> Option<Vec<(SmolStr, Rc<Port>)>> {
        let design = Rc::clone(&self.design);
        let (port, (view, behaviour)) = (input?, design.acting(node)?);
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
            // What finds no partner leaves in the shape of a pair, with nothing on one side.
            Behaviour::Join { .. } => aside(Port {
                owners: Rc::clone(&port.owners),
                present: Rc::default(),
                ..output?.clone()
            }),
            Behaviour::Route { .. } if port.labels.is_empty() => None,
            Behaviour::Route { routes, otherwise } => {
                let table = self.design.value(node, routes)?.as_object()?;
                let mut asked = port.clone();
                let mut branches = Vec::new();
                // Whoever sees one way knows what was asked before it was taken.
                for (name, code) in table.iter() {
                    let mut branch = asked.clone();
                    if let Some(expr) = code.as_str().and_then(|code| self.design.compiled(code)) {
                        self.hold(&expr.analysis().condition, &mut branch);
                        Facts::tell(expr, &mut branch);
                        Facts::tell(expr, &mut asked);
                    }
                    branches.push((name.clone(), Rc::new(branch)));
                }
                branches.push((otherwise.clone(), Rc::new(asked)));
                Some(branches)
            }
            _ => None,
        }
    }

    /// A channel delivers what arrives, and again.
    fn deliver(&self, node: NodeIx, copies: Copies, port: &mut Port) {
        let design = &self.design;
        port.copies = port.copies.or(copies);
        // Its own copies were not there when somebody else should have dropped them.
        port.redelivery.let_through = None;
        if design.declared_flag(node, "exactly_once") {
            port.redelivery.claimed = Some(node);
        }
        let kept = design.declared_ms(node, "retention");
        let horizon = kept.max(design.redelivers_for(node));
        port.redelivery.reach(horizon.map(|ms| (ms, node)));
        port.redelivery.delivered_by = Some(node);
        port.redelivery.patience = design.waits_for(node);
    }

    /// That an event passes tells that none with these keys came before, unless no two events have
    /// the same: what those others held and what chose them is told, whosever they are.
    fn tell_of_keys(&mut self, node: NodeIx, keys: &[&SmolStr], port: &mut Port) {
        let design = Rc::clone(&self.design);
        let exprs = keys.iter().filter_map(|field| design.expr(node, field));
        let exprs: Vec<&Expr> = exprs.collect();
        let parts: Vec<OriginId> = exprs.iter().flat_map(|expr| self.key(expr, port)).collect();
        if self.identifies(&parts, port) {
            return;
        }
        let mut told = port.presence.clone();
        for expr in exprs {
            told.join(&port.labels.of(&expr.analysis().reads));
        }
        let told = self.folded_tags(node, &parts, &told, false);
        if told != port.presence {
            port.presence = told;
        }
    }

    /// Copies end here, if these expressions tell them from other events.
    fn drop_copies(&self, node: NodeIx, keys: &[&SmolStr], port: &mut Port) {
        let mut keys = keys.iter().map(|field| self.design.expr(node, field));
        if keys.all(|key| key.is_some_and(|key| self.stable(key, port))) {
            once(port);
        } else if port.copies != Copies::No {
            port.redelivery.let_through = Some(node);
        }
    }

    /// What a node makes of groups is sent once where a hazard of copies is reported for it: what
    /// follows from that is no other one. `anew` says that a copy makes a result of its own.
    fn answer(&self, node: NodeIx, broken: bool, anew: bool, port: &mut Port) {
        if broken {
            once(port);
            return;
        }
        port.copies = port.copies.in_turn();
        self.renew(node, !anew, port);
    }

    /// A node makes something anew of each copy; its ids as well, unless they are `named` after what
    /// all copies have in common.
    fn renew(&self, node: NodeIx, named: bool, port: &mut Port) {
        if !named {
            let origins = &mut *self.origins.borrow_mut();
            let own = Origin::Context(Base::Made(node), Pointer::root().child("id"));
            let own = origins.id(own);
            origins.mark_unstable(own);
        }
        if port.copies != Copies::No {
            Rc::make_mut(&mut port.renewers).insert(node);
        }
    }

    /// What a node leaves in the resource that it writes.
    pub(super) fn stored(&mut self, node: NodeIx, input: Option<&Rc<Port>>) -> Option<Rc<Port>> {
        let design = Rc::clone(&self.design);
        let (view, behaviour) = design.acting(node)?;
        let input = input?;
        let Behaviour::Table { key, .. } = behaviour else {
            return Some(Rc::clone(input));
        };
        let mut port = (**input).clone();
        let columns = design.columns(node);
        let mut labels = Labels::default();
        let mut taint = Labels::default();
        let mut payload = Payload::made(node, None);
        {
            let origins = &mut *self.origins.borrow_mut();
            if columns.is_empty() {
                let at = Pointer::root().child("data");
                payload.embed(&at, &port.payload, origins);
                labels.shift(&at, &port.labels);
                taint.shift(&at, &port.taint);
            }
            for (name, expr) in &columns {
                let at = Pointer::root().child((*name).clone());
                let Some(expr) = expr else { continue };
                let analysis = expr.analysis();
                let copy = analysis
                    .outputs
                    .iter()
                    .find_map(|row| row.copy.as_ref().filter(|_| row.pointer.is_root()));
                if let Some(copy) = copy {
                    let origin = port.payload.field(copy, origins);
                    payload.set(at.clone(), origin);
                }
                labels.add(at.clone(), &port.labels.of(&analysis.reads));
                taint.add(at, &port.taint.of(&analysis.reads));
            }
        }
        if let (true, Some(expr)) = (design.overwrites(node), design.expr(node, key)) {
            let key = self.key(expr, &port);
            port.mode = Mode::Upsert(key.clone().into());
            port.order = Order::PerKey(key.into());
        }
        let name = view.id.as_str();
        port.definition = Rc::new(Definition::of_source(node).step("table", name, name));
        port.payload = Rc::new(payload);
        port.labels = Rc::new(labels);
        port.taint = Rc::new(taint);
        port.guards = Rc::default();
        port.part = Part::Single;
        Some(Rc::new(port))
    }

    fn source(&mut self, node: NodeIx, ty: &str, delivery: Delivery, keyed: bool) -> Port {
        let design = Rc::clone(&self.design);
        let mut port = Port {
            payload: Rc::new(Payload::made(node, None)),
            labels: Rc::default(),
            taint: Rc::default(),
            presence: TagSet::default(),
            guards: Rc::default(),
            owners: Rc::default(),
            present: Rc::default(),
            copies: match delivery {
                Delivery::CallerRetries => Copies::Any(node),
                Delivery::Resumable => Copies::Suffix(node),
                Delivery::Once => Copies::No,
            },
            redelivery: Redelivery {
                horizon: design
                    .declared_ms(node, "max_delay")
                    .filter(|_| delivery != Delivery::Once)
                    .map(|ms| (ms, node)),
                called_again: (delivery == Delivery::CallerRetries).then_some(node),
                ..Redelivery::default()
            },
            renewers: Rc::default(),
            doubts: Doubts {
                read_time: self.reads_late(node, ty, delivery).then_some(node),
                ..Doubts::default()
            },
            order: match delivery {
                Delivery::CallerRetries => Order::Lost(node, Loss::Source),
                Delivery::Resumable | Delivery::Once => Order::Total,
            },
            part: Part::Single,
            mode: Mode::Append,
            multiplied: Rc::default(),
            losing: design
                .declared_flag(node, "may_lose")
                .then_some(Losing::Node(node)),
            delay: design.declared_ms(node, "max_delay").map(|ms| (ms, node)),
            definition: Rc::new(Definition::of_source(node)),
            size: None,
        };
        let called = delivery == Delivery::CallerRetries;
        if called || self.is_open(node) {
            self.let_outsiders_in(node, &mut port);
        }
        if keyed {
            self.identify_by_context(node);
        }
        self.declare(node, design.text(node, ty), &mut port);
        port
    }

    /// Whether a source reads events that were made before, and their type names no time.
    fn reads_late(&self, node: NodeIx, ty: &str, delivery: Delivery) -> bool {
        let ty = self.design.text(node, ty);
        let ty = ty.and_then(|ty| self.design.document.types.get(ty));
        delivery == Delivery::Resumable && ty.is_some_and(|ty| ty.time.is_none())
    }

    /// A source gets what others wrote where it listens.
    fn hear(&mut self, node: NodeIx, stored: &Port, port: &mut Port) {
        Rc::make_mut(&mut port.labels).join(&stored.labels);
        Rc::make_mut(&mut port.taint).join(&stored.taint);
        port.presence = stored.presence.clone();
        port.owners = self.same_places(stored, &port.payload);
        port.losing = port.losing.or(stored.losing);
        if port.payload.ty.is_none() && stored.payload.ty.is_some() {
            let ty = stored.payload.ty.clone();
            self.declare(node, ty.as_ref().map(crate::id::Id::as_str), port);
        }
    }

    /// The changes of a table: `{op, key, before, after}`.
    fn changes(&mut self, node: NodeIx, ty: &str, stored: Option<&Port>) -> Port {
        let design = Rc::clone(&self.design);
        let mut port = self.source(node, "", Delivery::Resumable, true);
        let key = Pointer::root().child("key");
        let version = self.field(&key, &port);
        port.mode = Mode::Upsert([version].into());
        port.order = Order::PerKey([version].into());
        if let Some(stored) = stored {
            let mut payload = (*port.payload).clone();
            for side in ["before", "after"] {
                let at = Pointer::root().child(side);
                // The row before is another event's row: only what comes after is the one that was
                // written.
                if side == "after" {
                    payload.embed(&at, &stored.payload, &mut self.origins.borrow_mut());
                }
                Rc::make_mut(&mut port.labels).shift(&at, &stored.labels);
                Rc::make_mut(&mut port.taint).shift(&at, &stored.taint);
            }
            if let Mode::Upsert(by) = &stored.mode {
                let origins = &mut *self.origins.borrow_mut();
                match &by[..] {
                    [single] => payload.set(key, *single),
                    parts => {
                        for part in parts {
                            origins.decide(vec![version], *part);
                        }
                        origins.decide(parts.to_vec(), version);
                    }
                }
                port.mode = Mode::Upsert(Rc::clone(by));
                port.order = Order::PerKey(Rc::clone(by));
            }
            port.payload = Rc::new(payload);
            port.presence = stored.presence.clone();
            port.owners = Rc::clone(&stored.owners);
            port.losing = stored.losing;
        }
        self.declare(node, design.text(node, ty), &mut port);
        port
    }

    pub(super) fn identify_by_context(&mut self, node: NodeIx) -> OriginId {
        let base = Base::Made(node);
        let origins = &mut *self.origins.borrow_mut();
        let id = origins.id(Origin::Context(base, Pointer::root().child("id")));
        origins.identify(base, id);
        id
    }

    /// What an event type says of the events that leave a node.
    fn declare(&mut self, node: NodeIx, ty: Option<&str>, port: &mut Port) {
        let design = Rc::clone(&self.design);
        let Some((id, ty)) = ty.and_then(|ty| design.document.types.get_key_value(ty)) else {
            return;
        };
        let payload = Rc::make_mut(&mut port.payload);
        payload.ty = Some(id.clone());
        {
            let origins = &mut *self.origins.borrow_mut();
            let unique = ty.declared.get("unique");
            let unique = pointers(unique);
            let versions = ty.stands_for() == Some("version");
            let mut identities: Vec<OriginId> = unique
                .iter()
                .chain(ty.id.iter().filter(|_| !versions))
                .map(|field| payload.field(field, origins))
                .collect();
            if let (true, Some(id), Some(version)) = (versions, &ty.id, &ty.version) {
                // The id is that of the thing, whose versions are events of their own.
                let parts = [id, version].map(|field| payload.field(field, origins));
                identities.push(origins.id(Origin::Computed("version".into(), parts.to_vec())));
            }
            for identity in identities {
                origins.identify(payload.context, identity);
                origins.identify(payload.base, identity);
            }
            for dependency in &ty.depends {
                let from: Vec<_> = dependency
                    .from
                    .iter()
                    .map(|field| payload.field(field, origins))
                    .collect();
                for to in &dependency.to {
                    let to = payload.field(to, origins);
                    origins.decide(from.clone(), to);
                }
            }
        }
        let source = matches!(
            design.behaviour(node),
            Some(Behaviour::Source { .. } | Behaviour::Changes { .. })
        );
        match ty.stands_for() {
            Some("version") => {
                let key = ty.id.as_ref().map(|field| {
                    let payload = &port.payload;
                    payload.field(field, &mut self.origins.borrow_mut())
                });
                port.mode = Mode::Upsert(key.into_iter().collect());
            }
            Some("snapshot") => port.mode = Mode::Snapshot,
            Some("fact") => port.mode = Mode::Append,
            _ => {}
        }
        if source || port.size.is_none() {
            port.size = ty
                .declared
                .get("size_max")
                .and_then(Value::as_str)
                .and_then(crate::units::parse_bytes);
        }
        let checks = matches!(design.behaviour(node), Some(Behaviour::Validate { .. }));
        let labels = self.labels_of(id);
        for (place, (field, clauses)) in labels.iter().enumerate() {
            if checks && self.was_hidden(field, &port.payload) {
                continue;
            }
            let mut tags = Vec::with_capacity(clauses.len());
            for (number, clause) in clauses.iter().enumerate() {
                let origins = &self.origins;
                let origin = |field| port.payload.field(field, &mut origins.borrow_mut());
                let owners = clause.0.iter().filter_map(|atom| match atom {
                    Atom::Subject(owner) | Atom::Tenant(owner) => {
                        Some((atom.clone(), origin(owner)))
                    }
                    Atom::Org | Atom::Role(_) => None,
                });
                let anchors: Rc<[(Atom, OriginId)]> = owners.collect();
                let subjects = anchors.iter();
                let subjects = subjects.filter(|(atom, _)| matches!(atom, Atom::Subject(_)));
                let mut people: Vec<OriginId> = subjects.map(|(_, owner)| *owner).collect();
                if people.is_empty() {
                    people.extend(ty.subject.as_ref().or(ty.tenant.as_ref()).map(origin));
                }
                let tag = Tag {
                    node,
                    ty: id.clone(),
                    field: field.clone(),
                    clause: Rc::clone(clause),
                    anchors,
                    people: people.into(),
                    fold: None,
                    sort: Sort::Clause,
                };
                let key = TagKey::Clause(node, place as u32, number as u32);
                tags.push(self.tag(key, tag));
            }
            let tags = tags.into_iter().collect();
            Rc::make_mut(&mut port.labels).add(field.clone(), &tags);
        }
    }

    fn map(&mut self, node: NodeIx, expr: Option<&Expr>, elements: bool, port: &mut Port) {
        if elements {
            let named = self.renews_ids(port).is_none();
            self.identify_by_context(node);
            self.renew(node, named, port);
        }
        let makes = expr.is_some_and(|expr| expr.analysis().outputs.iter().any(|row| row.nondet));
        if makes {
            self.renew(node, true, port);
        }
        let origins = &mut *self.origins.borrow_mut();
        let Some(expr) = expr else {
            // Nothing is known of what it makes.
            port.labels = Rc::new(Labels::at_root(&port.labels.all()));
            port.taint = Rc::new(Labels::at_root(&port.taint.all()));
            port.payload = Rc::new(Payload::made(node, None));
            return;
        };
        let analysis = expr.analysis();
        if !port.labels.is_empty() {
            // What decides whether anything comes of an event is told by its coming.
            let tags = port.labels.of(&analysis.emptiness);
            port.presence.join(&tags);
        }
        port.payload = Rc::new(port.payload.through(node, analysis, elements, origins));
        for labels in [&mut port.labels, &mut port.taint] {
            if !labels.is_empty() {
                *labels = Rc::new(labels.through(analysis, elements));
            }
        }
        // What it leaves out of an event that is larger is not known to be small.
        if analysis.rest.is_none() && !analysis.outputs.iter().all(|row| row.copy.is_some()) {
            port.size = None;
        }
    }

    /// What is known of events for which a condition holds.
    fn hold(&self, condition: &Condition, port: &mut Port) {
        self.assert_present(condition, port);
        self.equate_all(condition, port);
        let freed = self.freed(condition, port);
        if !freed.is_empty() {
            port.labels = Rc::new(port.labels.less(&freed));
            port.presence = &port.presence - &freed;
        }
    }

    /// What must be there for a condition to hold.
    fn assert_present(&self, condition: &Condition, port: &mut Port) {
        for conjunct in &condition.conjuncts {
            let (Operand::Field(field), Operand::Constant(value)) =
                (&conjunct.left, &conjunct.right)
            else {
                continue;
            };
            let present = match conjunct.op {
                Op::Truthy | Op::Gt => true,
                Op::Eq | Op::Ge => *value != Value::Null,
                Op::Ne => *value == Value::Null,
                Op::Lt | Op::Le | Op::Falsy => false,
            };
            if present {
                let origin = self.field(field, port);
                Rc::make_mut(&mut port.present).insert(origin);
            }
        }
    }

    /// Events that a predicate chose: that they come tells what it looked at, and they are not all.
    fn select(&self, predicate: &Expr, port: &mut Port) {
        let reads = &predicate.analysis().reads;
        Facts::tell(predicate, port);
        let looked: Vec<OriginId> = reads
            .fields
            .iter()
            .map(|field| self.field(field, port))
            .collect();
        let mut text = predicate.code().to_owned();
        for field in &reads.fields {
            // Names do not matter, only what is compared.
            text = text.replace(&field.to_string().replacen('/', ".", 1), "_");
        }
        if self.is_creation(predicate, port) {
            port.mode = Mode::Append;
        }
        let by = format!("{text} {looked:?}");
        port.definition = Rc::new(port.definition.step("filter", &by, predicate.code()));
    }

    /// That an event takes one way and not another tells what the predicate looked at.
    fn tell(predicate: &Expr, port: &mut Port) {
        let tags = port.labels.of(&predicate.analysis().reads);
        port.presence.join(&tags);
    }

    fn queue(&mut self, node: NodeIx, key: Option<&Expr>, count: i64, port: &mut Port) {
        let Some(key) = key else {
            self.deliver(node, Copies::Any(node), port);
            port.order = port.order.lost_at(node, Loss::Channel);
            port.part = if count > 1 {
                Part::Any { count, by: node }
            } else {
                Part::Single
            };
            return;
        };
        // A group waits for its first event, so what comes again comes in order.
        self.deliver(node, Copies::Suffix(node), port);
        self.place(node, Some(key), count, port);
        if port.order == Order::Total {
            let key = self.key(key, port);
            port.order = Order::PerKey(key.into());
        }
    }

    /// Moves events to the partition of their key.
    fn place(&mut self, node: NodeIx, key: Option<&Expr>, count: i64, port: &mut Port) {
        let placed = key.map(|key| (self.key(key, port), self.keyed(key, port)));
        let Some((key, form)) = placed.filter(|(key, _)| count > 1 && !key.is_empty()) else {
            port.part = Part::Single;
            return;
        };
        port.order = match &port.order {
            Order::Lost(..) => port.order.clone(),
            known if self.in_order(known, &key) => Order::PerKey(key.clone().into()),
            _ => Order::Lost(node, Loss::Instances),
        };
        port.part = Part::Hash {
            key: key.into(),
            form: Rc::new(form),
            count,
            by: node,
        };
    }

    /// Fields that hold tokens now: the same value has the same token.
    fn tokenise(&mut self, node: NodeIx, fields: &[Pointer], port: &mut Port) {
        let released = self.released(node, fields, "tokenise", port);
        let origins = &mut *self.origins.borrow_mut();
        let mut payload = port.payload.without(node, fields, origins);
        for field in fields {
            let old = port.payload.field(field, origins);
            let new = payload.field(field, origins);
            origins.decide(vec![old], new);
            origins.decide(vec![new], old);
        }
        payload.ty = None;
        port.payload = Rc::new(payload);
        port.labels = Rc::new(port.labels.less(&released));
    }

    /// Tags on the fields that a release rule of this sort lets go here.
    pub(crate) fn released(
        &self,
        node: NodeIx,
        fields: &[Pointer],
        by: &str,
        port: &Port,
    ) -> TagSet {
        let releases = self.releases();
        let under = |at: &Pointer| fields.iter().any(|field| field.covers(at));
        let tags = port.labels.iter().filter(|(at, _)| under(at));
        tags.flat_map(|(_, tags)| tags.iter())
            .filter(|tag| {
                let tag = &self.tags[*tag as usize];
                let runs_as = self.design.nodes[node].node.notes.runs_as.as_ref();
                releases.iter().any(|release| {
                    release.lets_go(tag, by) && release.allows(&self.design.document, runs_as)
                })
            })
            .collect()
    }

    fn join(&mut self, node: NodeIx, keys: (&str, &str), left: &Port, right: &Port) -> Port {
        let design = Rc::clone(&self.design);
        let sides = [
            (Pointer::root().child("left"), left, keys.0),
            (Pointer::root().child("right"), right, keys.1),
        ];
        let id = self.identify_by_context(node);
        let named = [left, right]
            .iter()
            .all(|side| self.renews_ids(side).is_none());
        let mut payload = Payload::made(node, None);
        let (mut labels, mut taint) = (Labels::default(), Labels::default());
        let mut matched = TagSet::default();
        let mut of_both = Vec::new();
        for (at, side, key) in &sides {
            if let Some(key) = design.expr(node, key) {
                matched.join(&side.labels.of(&key.analysis().reads));
            }
            let origins = &mut *self.origins.borrow_mut();
            payload.embed(at, &side.payload, origins);
            labels.shift(at, &side.labels);
            taint.shift(at, &side.taint);
            // Whoever knows the pair knows both, and the reverse.
            let identity = origins.identities(side.payload.context).first().copied();
            if let Some(identity) = identity {
                origins.decide(vec![id], identity);
                of_both.push(identity);
            }
        }
        if of_both.len() == 2 {
            self.origins.borrow_mut().decide(of_both, id);
        }
        let side = |port, key| Side {
            port,
            key: design.expr(node, key),
        };
        let part = self.matched_part(node, side(left, keys.0), side(right, keys.1));
        let union = |a: &BTreeSet<OriginId>, b: &BTreeSet<OriginId>| a | b;
        let mut port = Port {
            payload: Rc::new(payload),
            labels: Rc::new(labels),
            taint: Rc::new(taint),
            presence: &left.presence | &right.presence,
            guards: Rc::new(owners::both(&left.guards, &right.guards)),
            owners: Rc::new(&*left.owners | &*right.owners),
            present: Rc::new(union(&left.present, &right.present)),
            copies: left.copies.or(right.copies),
            redelivery: Redelivery::of_all(&[&left.redelivery, &right.redelivery].into_iter()),
            renewers: Rc::new(&*left.renewers | &*right.renewers),
            doubts: left.doubts.or(right.doubts),
            order: Order::Lost(node, Loss::Meeting),
            part,
            // Pairs come again with each version of what is on either side.
            mode: match left.mode {
                Mode::Append => right.mode.clone(),
                ref known => known.clone(),
            },
            multiplied: self.multiplied_by(node, [left, right]),
            losing: left.losing.or(right.losing),
            delay: left.delay.max(right.delay),
            definition: Rc::new(left.definition.with(&right.definition)),
            size: left.size.zip(right.size).map(|(a, b)| a.saturating_add(b)),
        };
        port.presence.join(&matched);
        self.equate_keys(node, keys, (left, right), &mut port);
        self.renew(node, named, &mut port);
        port
    }

    fn enrich(
        &mut self,
        node: NodeIx,
        keys: (&str, &str),
        into: &str,
        port: &mut Port,
        rows: Option<&Port>,
    ) {
        let design = Rc::clone(&self.design);
        let name = design.text(node, into).unwrap_or("row");
        let at = Pointer::root().child(name);
        let mut payload = (*port.payload).clone();
        payload.ty = None;
        let mut labels = port.labels.without(std::slice::from_ref(&at));
        let mut taint = port.taint.without(std::slice::from_ref(&at));
        if let Some(key) = design.expr(node, keys.0) {
            labels.add(at.clone(), &port.labels.of(&key.analysis().reads));
        }
        {
            let origins = &mut *self.origins.borrow_mut();
            payload.clear(&at, node, origins);
            if let Some(rows) = rows {
                payload.embed(&at, &rows.payload, origins);
                labels.shift(&at, &rows.labels);
                taint.shift(&at, &rows.taint);
            }
        }
        port.payload = Rc::new(payload);
        port.labels = Rc::new(labels);
        port.taint = Rc::new(taint);
        if let Some(rows) = rows {
            let events = port.clone();
            port.owners = Rc::new(&*port.owners | &*rows.owners);
            self.equate_keys(node, keys, (&events, rows), port);
            port.losing = port.losing.or(rows.losing);
            port.size = port.size.zip(rows.size).map(|(a, b)| a.saturating_add(b));
            let name = design.nodes[node].id.as_str();
            port.definition = Rc::new(port.definition.step("enrich", name, name));
        }
    }

    fn aggregate(&mut self, node: NodeIx, group: &str, aggregates: &str, port: &mut Port) {
        let design = Rc::clone(&self.design);
        let columns = self.columns_of(node, aggregates).into_iter();
        let results = columns.map(|column| {
            let (labels, taint) = column.of.map_or_else(Default::default, |of| {
                let reads = &of.analysis().reads;
                (port.labels.of(reads), port.taint.of(reads))
            });
            GroupResult {
                at: Pointer::root().child(column.name),
                labels,
                taint,
                blurs: column.blurs(),
            }
        });
        let results = results.collect();
        let (group, text) = (design.expr(node, group), design.text(node, group));
        let by = self.folding(node, group, port);
        self.grouped(node, group, port, results);
        if numbers::windowed(&design, node) {
            port.mode = Mode::Append;
        }
        let definition = port
            .definition
            .step("aggregate", &by, text.unwrap_or("null"));
        port.definition = Rc::new(definition);
    }

    fn fold(&mut self, node: NodeIx, group: &str, step: &str, port: &mut Port) {
        let design = Rc::clone(&self.design);
        let (labels, taint) = match design.expr(node, step) {
            Some(step) => {
                let reads = &step.analysis().reads;
                (port.labels.of(reads), port.taint.of(reads))
            }
            None => (port.labels.all(), port.taint.all()),
        };
        let state = GroupResult {
            at: Pointer::root().child("state"),
            labels,
            taint,
            blurs: false,
        };
        self.grouped(node, design.expr(node, group), port, vec![state]);
        let name = design.nodes[node].id.as_str();
        port.definition = Rc::new(port.definition.step("fold", name, name));
    }

    fn decide(&mut self, node: NodeIx, group: &str, seal: Option<&Port>, port: &mut Port) {
        let design = Rc::clone(&self.design);
        // How many came says what chose them.
        let holds = GroupResult {
            at: Pointer::root().child("holds"),
            labels: port.presence.clone(),
            taint: TagSet::default(),
            blurs: false,
        };
        self.grouped(node, design.expr(node, group), port, vec![holds]);
        port.mode = Mode::Append;
        if let Some(seal) = seal {
            port.losing = port.losing.or(seal.losing);
        }
        let name = design.nodes[node].id.as_str();
        port.definition = Rc::new(port.definition.step("decide", name, name));
    }

    /// Results of groups, with the key of their group in `key`.
    fn grouped(
        &mut self,
        node: NodeIx,
        group: Option<&Expr>,
        port: &mut Port,
        results: Vec<GroupResult>,
    ) {
        let at = Pointer::root().child("key");
        let mut key = Vec::new();
        let (mut labels, mut taint) = (Labels::default(), Labels::default());
        let mut chosen = TagSet::default();
        if let Some(group) = group {
            key = self.key(group, port);
            chosen = port.labels.of(&group.analysis().reads);
            labels.add(at.clone(), &self.folded_tags(node, &key, &chosen, false));
            taint.add(at.clone(), &port.taint.of(&group.analysis().reads));
        }
        let blurs = results.iter().all(|result| result.blurs);
        for result in results {
            // Which events it is of says what they were grouped by.
            let tags = &result.labels | &chosen;
            let tags = self.folded_tags(node, &key, &tags, result.blurs);
            labels.add(result.at.clone(), &tags);
            taint.add(result.at, &result.taint);
        }
        let presence = &port.presence | &chosen;
        port.presence = self.folded_tags(node, &key, &presence, blurs);
        port.part = self.kept_part(node, group, &key, port);
        self.identify_by_context(node);
        let origins = &mut *self.origins.borrow_mut();
        let (mut payload, whole) = Payload::of_group(node, &key, origins);
        if let Some(group) = group {
            for (place, field) in parts_of(group) {
                let origin = port.payload.field(&field, origins);
                payload.set(at.join(&place), origin);
            }
        }
        port.payload = Rc::new(payload);
        port.labels = Rc::new(labels);
        port.taint = Rc::new(taint);
        port.guards = Rc::default();
        if !port.multiplied.is_empty() {
            port.multiplied = Rc::default();
        }
        port.size = None;
        port.mode = Mode::Upsert([whole].into());
        // The results of a group leave the one place that folds it.
        port.order = Order::PerKey([whole].into());
    }

    fn put_in_order(&mut self, node: NodeIx, key: &str, port: &mut Port) {
        let design = Rc::clone(&self.design);
        if let Some(expr) = design.expr(node, key) {
            let key = self.key(expr, port);
            port.part = self.kept_part(node, Some(expr), &key, port);
            port.order = Order::PerKey(key.into());
        }
    }
}

/// One field of the results of groups.
struct GroupResult {
    at: Pointer,
    labels: TagSet,
    taint: TagSet,
    /// No single value can be read from it.
    blurs: bool,
}

/// Copies end here.
fn once(port: &mut Port) {
    port.copies = Copies::No;
    port.redelivery.horizon = None;
    port.redelivery.called_again = None;
    port.redelivery.let_through = None;
    if !port.renewers.is_empty() {
        port.renewers = Rc::default();
    }
}
