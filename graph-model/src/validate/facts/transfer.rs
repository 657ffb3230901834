//! How each kind of node passes facts on.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::catalog::{Behaviour, Delivery};
use crate::expr::{Expr, Op, Operand};
use crate::label::Atom;
use crate::pointer::Pointer;
use crate::validate::design::NodeIx;
use crate::validate::facts::definition::Definition;
use crate::validate::facts::delivery::{Copies, Losing, Loss, Mode, Order, Part};
use crate::validate::facts::labels::{Labels, Tag, TagId};
use crate::validate::facts::origins::{Base, Origin, OriginId};
use crate::validate::facts::payload::Payload;
use crate::validate::facts::{Facts, Port, pointers};
use crate::value::Value;

impl Facts {
    /// What leaves a node by its ordinary outputs.
    pub(super) fn transfer(
        &mut self,
        node: NodeIx,
        input: Option<&Port>,
        second: Option<&Port>,
    ) -> Option<Port> {
        let design = Rc::clone(&self.design);
        let (_, behaviour) = design.acting(node)?;
        match behaviour {
            Behaviour::Source {
                ty,
                delivery,
                keyed_by_id,
            } => {
                let mut port = self.source(node, ty, *delivery, *keyed_by_id);
                if let Some(stored) = input {
                    self.hear(node, stored, &mut port);
                }
                return Some(port);
            }
            Behaviour::Changes { ty } => return Some(self.changes(node, ty, input)),
            _ => {}
        }
        let mut port = input?.clone();
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
                    self.assert_present(expr, &mut port);
                    self.select(expr, &mut port);
                }
            }
            Behaviour::Topic => {
                port.copies = port.copies.or(Copies::Any(node));
                port.order = port.order.lost_at(node, Loss::Channel);
                port.part = Part::Single;
            }
            Behaviour::Queue { fifo, concurrency } => {
                let key = fifo.as_ref().and_then(|field| design.expr(node, field));
                let count = design.value(node, concurrency).and_then(Value::as_i64);
                self.queue(node, key, count.unwrap_or(1), &mut port);
            }
            Behaviour::Log {
                key, partitions, ..
            } => {
                port.copies = port.copies.or(Copies::Suffix(node));
                let count = design.value(node, partitions).and_then(Value::as_i64);
                self.place(node, design.expr(node, key), count.unwrap_or(1), &mut port);
            }
            Behaviour::Repartition { key, partitions } => {
                let count = design.value(node, partitions).and_then(Value::as_i64);
                self.place(node, design.expr(node, key), count.unwrap_or(1), &mut port);
            }
            Behaviour::Map { expr } => self.map(node, design.expr(node, expr), false, &mut port),
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
                if let Some(expr) = design.expr(node, key) {
                    if self.stable(expr, &port) {
                        port.copies = Copies::No;
                    }
                    let by = format!("{:?}", self.key(expr, &port));
                    port.definition = Rc::new(port.definition.step("dedupe", &by, expr.code()));
                }
            }
            Behaviour::Redact { fields, how } => {
                let fields = pointers(design.value(node, fields));
                let hashes = design.text(node, how) == Some("hash");
                let origins = &mut *self.origins.borrow_mut();
                port.payload = Rc::new(port.payload.without(node, &fields, origins));
                if !hashes {
                    port.labels = Rc::new(port.labels.without(&fields));
                }
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
                    let origin = self.field(&field, &port);
                    Rc::make_mut(&mut port.guards).insert((origin, claim.into()));
                }
            }
            Behaviour::Validate { ty } => {
                port.taint = Rc::default();
                self.declare(node, design.text(node, ty), &mut port);
            }
            Behaviour::Join { left, right, .. } => {
                return self.join(node, (left, right), port, second?);
            }
            Behaviour::Enrich {
                key, row_key, into, ..
            } => self.enrich(node, (key, row_key), into, &mut port, second),
            Behaviour::Aggregate {
                group, aggregates, ..
            } => {
                let unsafe_copies = crate::validate::rules::counts_copies(&design, node);
                self.aggregate(node, group, aggregates, &mut port);
                if unsafe_copies {
                    // The hazard is reported here; what follows from it is no other one.
                    port.copies = Copies::No;
                }
            }
            Behaviour::Fold { group, step, .. } => {
                self.fold(node, group, step, &mut port);
                port.copies = Copies::No;
            }
            Behaviour::Decide { group, .. } => {
                self.decide(node, group, second, &mut port);
                port.copies = Copies::No;
            }
            Behaviour::Resequence { key, .. } => self.put_in_order(node, key, &mut port),
            Behaviour::VersionGuard { key, version } => {
                self.put_in_order(node, key, &mut port);
                let parts = [key, version].map(|field| design.expr(node, field));
                if parts
                    .iter()
                    .all(|expr| expr.is_some_and(|expr| self.stable(expr, &port)))
                {
                    port.copies = Copies::No;
                }
            }
            Behaviour::Opaque { ty } => {
                let everything = port.labels.all();
                let taints = port.taint.all();
                port.labels = Rc::new(Labels::at_root(&everything));
                port.taint = Rc::new(Labels::at_root(&taints));
                let base = Base::Made(node);
                port.payload = Rc::new(Payload::made(node, None));
                self.origins.borrow_mut().mark_opaque(base);
                self.identify_by_context(node);
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
        if design.declared_flag(node, "may_lose") && port.losing.is_none() {
            port.losing = Some(Losing::Node(node));
        }
        Some(port)
    }

    /// What a node leaves in the resource that it writes.
    pub(super) fn stored(&mut self, node: NodeIx, input: Option<&Port>) -> Option<Port> {
        let design = Rc::clone(&self.design);
        let (view, behaviour) = design.acting(node)?;
        let mut port = input?.clone();
        let Behaviour::Table { key, .. } = behaviour else {
            return Some(port);
        };
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
        Some(port)
    }

    fn source(&mut self, node: NodeIx, ty: &str, delivery: Delivery, keyed: bool) -> Port {
        let design = Rc::clone(&self.design);
        let mut port = Port {
            payload: Rc::new(Payload::made(node, None)),
            labels: Rc::default(),
            taint: Rc::default(),
            presence: Rc::default(),
            guards: Rc::default(),
            present: Rc::default(),
            copies: match delivery {
                Delivery::CallerRetries => Copies::Any(node),
                Delivery::Resumable => Copies::Suffix(node),
                Delivery::Once => Copies::No,
            },
            order: match delivery {
                Delivery::CallerRetries => Order::Lost(node, Loss::Source),
                Delivery::Resumable | Delivery::Once => Order::Total,
            },
            part: Part::Single,
            mode: Mode::Append,
            losing: design
                .declared_flag(node, "may_lose")
                .then_some(Losing::Node(node)),
            delay: design.declared_ms(node, "max_delay").map(|ms| (ms, node)),
            definition: Rc::new(Definition::of_source(node)),
            size: None,
        };
        if delivery == Delivery::CallerRetries {
            let tag = self.tag(node, Tag::taint(node));
            port.taint = Rc::new(Labels::at_root(&BTreeSet::from([tag])));
        }
        if keyed {
            self.identify_by_context(node);
        }
        self.declare(node, design.text(node, ty), &mut port);
        port
    }

    /// A source gets what others wrote where it listens.
    fn hear(&mut self, node: NodeIx, stored: &Port, port: &mut Port) {
        Rc::make_mut(&mut port.labels).join(&stored.labels);
        Rc::make_mut(&mut port.taint).join(&stored.taint);
        port.presence = Rc::clone(&stored.presence);
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
            port.presence = Rc::clone(&stored.presence);
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
            for field in ty.id.iter().chain(&unique) {
                let identity = payload.field(field, origins);
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
        match ty.declared.get("stands_for").and_then(Value::as_str) {
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
        for (field, label) in &ty.labels {
            let mut tags = BTreeSet::new();
            for (number, clause) in label.0.iter().enumerate() {
                let origins = &self.origins;
                let owners = clause.0.iter().filter_map(|atom| match atom {
                    Atom::Subject(owner) | Atom::Tenant(owner) => {
                        let owner = port.payload.field(owner, &mut origins.borrow_mut());
                        Some((atom.clone(), owner))
                    }
                    Atom::Org | Atom::Role(_) => None,
                });
                let tag = Tag {
                    node,
                    ty: id.clone(),
                    field: field.clone(),
                    number,
                    clause: clause.clone(),
                    anchors: owners.collect(),
                };
                tags.insert(self.tag(node, tag));
            }
            Rc::make_mut(&mut port.labels).add(field.clone(), &tags);
        }
    }

    fn map(&mut self, node: NodeIx, expr: Option<&Expr>, elements: bool, port: &mut Port) {
        let origins = &mut *self.origins.borrow_mut();
        if elements {
            let base = Base::Made(node);
            let id = origins.id(Origin::Context(base, Pointer::root().child("id")));
            origins.identify(base, id);
        }
        let Some(expr) = expr else {
            // Nothing is known of what it makes.
            port.labels = Rc::new(Labels::at_root(&port.labels.all()));
            port.taint = Rc::new(Labels::at_root(&port.taint.all()));
            port.payload = Rc::new(Payload::made(node, None));
            return;
        };
        let analysis = expr.analysis();
        port.payload = Rc::new(port.payload.through(node, analysis, elements, origins));
        for labels in [&mut port.labels, &mut port.taint] {
            if !labels.0.is_empty() {
                *labels = Rc::new(labels.through(analysis, elements));
            }
        }
        // What it leaves out of an event that is larger is not known to be small.
        if analysis.rest.is_none() && !analysis.outputs.iter().all(|row| row.copy.is_some()) {
            port.size = None;
        }
    }

    /// What must be there for a predicate to hold.
    fn assert_present(&mut self, predicate: &Expr, port: &mut Port) {
        for conjunct in &predicate.analysis().condition.conjuncts {
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
    fn select(&mut self, predicate: &Expr, port: &mut Port) {
        let reads = &predicate.analysis().reads;
        let tags = port.labels.of(reads);
        if !tags.is_subset(&port.presence) {
            Rc::make_mut(&mut port.presence).extend(&tags);
        }
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
        let by = format!("{text} {looked:?}");
        port.definition = Rc::new(port.definition.step("filter", &by, predicate.code()));
    }

    fn queue(&mut self, node: NodeIx, key: Option<&Expr>, count: i64, port: &mut Port) {
        let Some(key) = key else {
            port.copies = port.copies.or(Copies::Any(node));
            port.order = port.order.lost_at(node, Loss::Channel);
            port.part = if count > 1 {
                Part::Any { count, by: node }
            } else {
                Part::Single
            };
            return;
        };
        // A group waits for its first event, so what comes again comes in order.
        port.copies = port.copies.or(Copies::Suffix(node));
        self.place(node, Some(key), count, port);
        if port.order == Order::Total {
            let key = self.key(key, port);
            port.order = Order::PerKey(key.into());
        }
    }

    /// Moves events to the partition of their key.
    fn place(&mut self, node: NodeIx, key: Option<&Expr>, count: i64, port: &mut Port) {
        let key = key.map(|key| self.key(key, port)).unwrap_or_default();
        if count <= 1 || key.is_empty() {
            port.part = Part::Single;
            return;
        }
        port.order = match &port.order {
            Order::Lost(..) => port.order.clone(),
            known if self.in_order(known, &key) => Order::PerKey(key.clone().into()),
            _ => Order::Lost(node, Loss::Instances),
        };
        port.part = Part::Hash {
            key: key.into(),
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
    ) -> BTreeSet<TagId> {
        let releases = self.releases();
        let under = |at: &Pointer| fields.iter().any(|field| field.covers(at));
        let tags = port.labels.0.iter().filter(|(at, _)| under(at));
        tags.flat_map(|(_, tags)| tags)
            .filter(|tag| {
                let tag = &self.tags[**tag as usize];
                let runs_as = self.design.nodes[node].node.notes.runs_as.as_ref();
                releases.iter().any(|release| {
                    release.lets_go(tag, by) && release.allows(&self.design.document, runs_as)
                })
            })
            .copied()
            .collect()
    }

    fn join(&mut self, node: NodeIx, keys: (&str, &str), left: Port, right: &Port) -> Option<Port> {
        let design = Rc::clone(&self.design);
        let sides = [
            (Pointer::root().child("left"), &left, keys.0),
            (Pointer::root().child("right"), right, keys.1),
        ];
        let id = self.identify_by_context(node);
        let mut payload = Payload::made(node, None);
        let (mut labels, mut taint) = (Labels::default(), Labels::default());
        let mut matched = BTreeSet::new();
        let mut of_both = Vec::new();
        for (at, side, key) in &sides {
            if let Some(key) = design.expr(node, key) {
                matched.extend(side.labels.of(&key.analysis().reads));
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
        let part = if self.together(node, keys, &left, right) {
            left.part.clone()
        } else {
            Part::Mixed { at: node }
        };
        let union = |a: &BTreeSet<OriginId>, b: &BTreeSet<OriginId>| a | b;
        let mut port = Port {
            payload: Rc::new(payload),
            labels: Rc::new(labels),
            taint: Rc::new(taint),
            presence: Rc::new(&*left.presence | &*right.presence),
            guards: Rc::new(&*left.guards | &*right.guards),
            present: Rc::new(union(&left.present, &right.present)),
            copies: left.copies.or(right.copies),
            order: Order::Lost(node, Loss::Meeting),
            part,
            mode: Mode::Append,
            losing: left.losing.or(right.losing),
            delay: left.delay.max(right.delay),
            definition: Rc::new(left.definition.with(&right.definition)),
            size: left.size.zip(right.size).map(|(a, b)| a.saturating_add(b)),
        };
        if !matched.is_subset(&port.presence) {
            Rc::make_mut(&mut port.presence).extend(&matched);
        }
        Some(port)
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
        if let Some(rows) = rows {
            port.losing = port.losing.or(rows.losing);
            port.size = port.size.zip(rows.size).map(|(a, b)| a.saturating_add(b));
            let name = design.nodes[node].id.as_str();
            port.definition = Rc::new(port.definition.step("enrich", name, name));
        }
        port.payload = Rc::new(payload);
        port.labels = Rc::new(labels);
        port.taint = Rc::new(taint);
    }

    fn aggregate(&mut self, node: NodeIx, group: &str, aggregates: &str, port: &mut Port) {
        let design = Rc::clone(&self.design);
        let mut labels = Labels::default();
        let mut taint = Labels::default();
        for (name, of) in self.folded(node, aggregates) {
            if let Some(of) = of {
                let at = Pointer::root().child(name);
                labels.add(at.clone(), &port.labels.of(&of.analysis().reads));
                taint.add(at, &port.taint.of(&of.analysis().reads));
            }
        }
        let group = design.expr(node, group);
        self.grouped(node, group, port, (labels, taint));
        let name = design.nodes[node].id.as_str();
        port.definition = Rc::new(port.definition.step("aggregate", name, name));
    }

    fn fold(&mut self, node: NodeIx, group: &str, step: &str, port: &mut Port) {
        let design = Rc::clone(&self.design);
        let at = Pointer::root().child("state");
        let (mut labels, mut taint) = (Labels::default(), Labels::default());
        let (tags, taints) = match design.expr(node, step) {
            Some(step) => {
                let reads = &step.analysis().reads;
                (port.labels.of(reads), port.taint.of(reads))
            }
            None => (port.labels.all(), port.taint.all()),
        };
        labels.add(at.clone(), &tags);
        taint.add(at, &taints);
        self.grouped(node, design.expr(node, group), port, (labels, taint));
        let name = design.nodes[node].id.as_str();
        port.definition = Rc::new(port.definition.step("fold", name, name));
    }

    fn decide(&mut self, node: NodeIx, group: &str, seal: Option<&Port>, port: &mut Port) {
        let design = Rc::clone(&self.design);
        let mut labels = Labels::default();
        // How many came says what chose them.
        let at = Pointer::root().child("holds");
        labels.add(at, &port.presence);
        self.grouped(
            node,
            design.expr(node, group),
            port,
            (labels, Labels::default()),
        );
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
        (mut labels, mut taint): (Labels, Labels),
    ) {
        let at = Pointer::root().child("key");
        let mut key = Vec::new();
        if let Some(group) = group {
            key = self.key(group, port);
            labels.add(at.clone(), &port.labels.of(&group.analysis().reads));
            taint.add(at, &port.taint.of(&group.analysis().reads));
        }
        self.identify_by_context(node);
        let origins = &mut *self.origins.borrow_mut();
        let (payload, whole) = Payload::of_group(node, &key, origins);
        port.payload = Rc::new(payload);
        port.labels = Rc::new(labels);
        port.taint = Rc::new(taint);
        port.guards = Rc::default();
        port.size = None;
        port.mode = Mode::Upsert([whole].into());
        // The results of a group leave the one place that folds it.
        port.order = Order::PerKey([whole].into());
    }

    fn put_in_order(&mut self, node: NodeIx, key: &str, port: &mut Port) {
        let design = Rc::clone(&self.design);
        if let Some(key) = design.expr(node, key) {
            let key = self.key(key, port);
            port.order = Order::PerKey(key.into());
        }
    }
}
