//! Reads the file of a witness; what is wrong is named with its place.

use std::sync::Arc;

use graph_model::event::Event;
use graph_model::format;
use graph_model::id::{NodeId, PortRef};
use graph_model::pointer::Pointer;
use graph_model::validate::Subject;
use graph_model::value::Value;
use smol_str::SmolStr;

use super::{MARK, POINTS, VERSION, Witness, WitnessError};
use crate::oracle::{Finding, Oracle};
use crate::simulate::{Fact, Fault, FaultKind, Limits, Place, Record, Scenario, Sort, TraceHash};

/// A value of the file, with its place.
#[derive(Clone)]
struct At<'v> {
    value: &'v Value,
    at: Pointer,
}

type Read<T> = Result<T, WitnessError>;

pub(super) fn witness(bytes: &[u8]) -> Read<Witness> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let value = Value::parse(bytes, format::SIZE_MAX)?;
    if value.get("weir").and_then(Value::as_str) != Some(MARK) {
        return Err(WitnessError::NotAWitness);
    }
    let file = At {
        value: &value,
        at: Pointer::root(),
    };
    let version = file.field("version")?;
    match version.value.as_i64() {
        Some(version) if version > VERSION => return Err(WitnessError::Newer { version }),
        Some(VERSION) => {}
        _ => return Err(version.wrong("expected the version of the format, 1")),
    }
    let flow = file.field("flow")?;
    let opened = format::open(flow.value.to_json().as_bytes());
    let document = opened
        .map_err(|error| flow.wrong(error.to_string()))?
        .document;
    let of = file.field("of")?;
    let scenario = Scenario {
        seed: file.field("seed")?.whole()?,
        facts: file
            .field("facts")?
            .each(|fact| fact.fact(&document))?
            .into(),
        own_events: false,
        hop_us: Scenario::default().hop_us,
        faults: file.field("faults")?.each(At::fault)?.into(),
        partitions: file.field("partitions")?.maybe(At::small)?,
        one_by_one: false,
        limits: file.field("limits")?.limits()?,
        record: Record::Events,
        keep_facts: true,
        replay: None,
    };
    let explanation = file.field("explanation")?;
    let explanation: [String; 3] = explanation
        .each(|text| text.text().map(String::from))?
        .try_into()
        .map_err(|_| explanation.wrong("expected three sentences"))?;
    Ok(Witness {
        document: Arc::new(document),
        flow: of.field("name")?.text()?,
        digest: of.field("digest")?.text()?.into(),
        code: file.field("code")?.text()?,
        subject: file.field("subject")?.subject()?,
        scenario,
        principals: file.field("principals")?.each(At::text)?,
        finding: Finding {
            oracle: file.field("oracle")?.oracle()?,
            at: file.field("at")?.text()?,
            observed: file.field("observed")?.value.clone(),
            expected: file.field("expected")?.value.clone(),
            fact: file.field("fact")?.maybe(At::small)?,
        },
        hash: file.field("trace")?.hash()?,
        explanation,
        tried: file.field("tried")?.small()?,
    })
}

impl<'v> At<'v> {
    fn wrong(&self, message: impl Into<String>) -> WitnessError {
        WitnessError::Field {
            at: self.at.clone(),
            message: message.into(),
        }
    }

    fn field(&self, name: &str) -> Read<At<'v>> {
        let at = self.at.clone().child(name);
        match self.value.get(name) {
            Some(value) => Ok(At { value, at }),
            None => Err(WitnessError::Field {
                at,
                message: "is missing".to_owned(),
            }),
        }
    }

    fn each<T>(&self, read: impl Fn(&At<'v>) -> Read<T>) -> Read<Vec<T>> {
        let items = self.value.as_array();
        let items = items.ok_or_else(|| self.wrong("expected a list"))?;
        let items = items.iter().enumerate();
        items
            .map(|(number, value)| {
                read(&At {
                    value,
                    at: self.at.clone().child(number.to_string()),
                })
            })
            .collect()
    }

    fn maybe<T>(&self, read: impl FnOnce(&At<'v>) -> Read<T>) -> Read<Option<T>> {
        match self.value {
            Value::Null => Ok(None),
            _ => read(self).map(Some),
        }
    }

    fn text(&self) -> Read<SmolStr> {
        let text = self.value.as_str().map(SmolStr::from);
        text.ok_or_else(|| self.wrong("expected a text"))
    }

    fn whole(&self) -> Read<u64> {
        let number = self
            .value
            .as_i64()
            .and_then(|number| u64::try_from(number).ok());
        number.ok_or_else(|| self.wrong("expected a whole number from 0"))
    }

    fn small(&self) -> Read<u32> {
        let number = u32::try_from(self.whole()?);
        number.map_err(|_| self.wrong("it is too large"))
    }

    fn oracle(&self) -> Read<Oracle> {
        let id = self.text()?;
        Oracle::parse(&id).ok_or_else(|| {
            let all: Vec<&str> = Oracle::ALL.iter().map(|oracle| oracle.id()).collect();
            self.wrong(format!(
                "`{id}` is no oracle; choose among {}",
                all.join(", ")
            ))
        })
    }

    fn hash(&self) -> Read<TraceHash> {
        let text = self.text()?;
        let wrong = || self.wrong("expected 64 hexadecimal digits");
        let mut hash = TraceHash::default();
        if text.len() != 2 * hash.0.len() || !text.is_ascii() {
            return Err(wrong());
        }
        for (byte, place) in hash.0.iter_mut().zip((0..).step_by(2)) {
            let digits = &text[place..place + 2];
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
        }
        Ok(hash)
    }

    fn subject(&self) -> Read<Subject> {
        let id = self.field("id")?;
        let text = id.text()?;
        match self.field("kind")?.text()?.as_str() {
            "node" => Ok(Subject::Node(text.as_str().into())),
            "edge" => Ok(Subject::Edge(text.as_str().into())),
            "type" => Ok(Subject::Type(text.as_str().into())),
            "port" => match text.split_once('.') {
                Some((node, port)) => Ok(Subject::Port(PortRef::new(node, port))),
                None => Err(id.wrong("expected `node.port`")),
            },
            _ => Err(self
                .field("kind")?
                .wrong("expected `node`, `edge`, `port` or `type`")),
        }
    }

    fn limits(&self) -> Read<Limits> {
        Ok(Limits {
            steps_max: self.field("steps")?.whole()?,
            duration_us: self.field("duration_us")?.whole()?,
            in_flight_max: self.field("in_flight")?.whole()?,
            bytes_max: self.field("bytes")?.whole()?,
        })
    }

    fn fact(&self, document: &graph_model::document::Document) -> Read<Fact> {
        let source = self.field("source")?;
        let id = NodeId::from(source.text()?.as_str());
        if !document.nodes.contains_key(&id) {
            return Err(source.wrong(format!("there is no node `{id}` in its flow")));
        }
        let event = self.field("event")?;
        Ok(Fact {
            source: id,
            at_us: self.field("at_us")?.whole()?,
            event: Event::from_cloudevent(event.value)
                .map_err(|error| event.wrong(error.to_string()))?,
        })
    }

    fn fault(&self) -> Read<Fault> {
        let what = self.field("what")?;
        let name = what.text()?;
        let sort = if name == Sort::Refuse.name() {
            Sort::Refuse
        } else {
            name.parse().map_err(|error: String| what.wrong(error))?
        };
        let kind = match sort {
            Sort::Duplicate => FaultKind::Duplicate {
                after_us: self.field("after_us")?.whole()?,
            },
            Sort::Replay => FaultKind::Replay {
                back: self.field("back")?.small()?,
            },
            Sort::Lose => FaultKind::Lose,
            Sort::Delay => FaultKind::Delay {
                by_us: self.field("by_us")?.whole()?,
            },
            Sort::Late => FaultKind::Late {
                by_us: self.field("by_us")?.whole()?,
            },
            Sort::Crash => {
                let point = self.field("point")?;
                let name = point.text()?;
                let known = POINTS.iter().find(|(one, _)| *one == name);
                let (_, known) = known.ok_or_else(|| {
                    point.wrong("expected `before_effect`, `before_ack` or `after_ack`")
                })?;
                FaultKind::Crash(*known)
            }
            Sort::Recycle => FaultKind::Recycle,
            Sort::Slow => FaultKind::Slow {
                times: self.field("times")?.small()?,
            },
            Sort::Refuse => FaultKind::Refuse,
            Sort::Clock => {
                let ms = self.field("ms")?;
                FaultKind::Clock {
                    ms: ms
                        .value
                        .as_i64()
                        .ok_or_else(|| ms.wrong("expected a whole number"))?,
                }
            }
            Sort::Partitions => {
                return Err(what.wrong("partitions have a field of their own, `partitions`"));
            }
        };
        let place = match (self.field("node"), self.field("edge")) {
            (Ok(node), _) => Place::Node(node.text()?.as_str().into()),
            (_, Ok(edge)) => Place::Edge(edge.text()?.as_str().into()),
            (Err(_), Err(_)) => return Err(self.wrong("expected a `node` or an `edge`")),
        };
        Ok(Fault {
            kind,
            place,
            nth: self.field("nth")?.whole()?,
        })
    }
}
