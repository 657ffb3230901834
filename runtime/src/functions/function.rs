//! Functions: WebAssembly components as nodes.

use graph_model::catalog::{
    Behaviour, Family, FieldSpec, FieldType, KindSpec, PortSpec, ReachKind,
};
use runtime_protocol::Problem;

use super::fields::{limit_fields, outside_fields};
use super::node::Sandboxed;
use crate::catalog::with_reliability;
use crate::kind::{Build, Kind, Make};
use crate::operator::Operator;

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Operator(make),
    }
}

pub(super) fn make(build: &Build) -> Result<Box<dyn Operator>, Problem> {
    Ok(Box::new(sandboxed(build, true)?))
}

pub(super) fn sandboxed(build: &Build, live: bool) -> Result<Sandboxed, Problem> {
    let loaded = build.shared.functions.load(&build.path("component")?);
    let function = loaded.map_err(|error| build.problem(format!("`component`: {error}")))?;
    Sandboxed::new(build, function, [], live)
}

fn spec() -> KindSpec {
    KindSpec {
        id: "function".into(),
        family: Family::Function,
        title: "Function".into(),
        summary: "Runs your code on each event, in a sandbox.".into(),
        doc: "A WebAssembly component with the contract `flow:function`. What it sends is released when it returns; when it fails, nothing of it is kept. It has no access to anything but what its imports name. What it remembers with `state` is kept for each partition, at most 64 MiB, in the folder `.weir` of the project, and outlives the run. A trap or too much memory in an instance that had handled other events, and a passed time limit, are tried again; otherwise the event is at fault.".into(),
        icon: "function".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![PortSpec::each("ports", "Events that the function sends here"), PortSpec::failed("Events that were given up, with their cause")],
        config: with_reliability([vec![FieldSpec::new("component", "Component", FieldType::Path { folder: false }, "WebAssembly component inside the project").reaches(ReachKind::Component).required(), FieldSpec::new("ports", "Ports", FieldType::Texts, "Names of its output ports").default_to(vec!["ok".into()]), FieldSpec::new("config", "Configuration", FieldType::Table, "What the function reads with `config.get`"), FieldSpec::new("output_type", "Output type", FieldType::EventType, "Type of what it sends; what does not have its shape is refused"), FieldSpec::new("port_types", "Types by port", FieldType::EventTypes, "Types of what single ports send, such as `rejected` to `refusal`; the others send the output type").advanced()], outside_fields(), limit_fields()].concat()),
        behaviour: Behaviour::Opaque { ty: Some("output_type".into()), types: Some("port_types".into()), uses: Some("may_use".into()), fresh: Some("fresh".into()), hosts: Some("hosts".into()) },
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::event::extension;
    use graph_model::value;

    use crate::delivery::Share;
    use crate::operators::testing::{Bench, event};

    const ORDER_TAX: &str = "samples/functions/order-tax/order-tax.wasm";

    fn order_tax() -> Bench {
        let ports = value!(["ok", "rejected"]);
        Bench::new("function", value!({"component": ORDER_TAX, "ports": ports}))
    }

    #[test]
    fn what_a_function_sends_leaves_by_its_ports() {
        let mut bench = order_tax();
        let order = value!({"orderId": "o1", "country": "IT", "total": 100});
        let output = bench.handle(event("e1", 5, order), &Share::none());
        let (port, sent) = &output.emitted[0];
        assert_eq!((*port, sent.data.get("tax")), (0, Some(&value!(22))));
        let context = &sent.context;
        assert_eq!((&*context.id, &*context.ty), ("e1/node.0", "order.taxed"));
        assert_eq!((&*context.source, context.time_ms), ("bench", 5));
        assert_eq!(context.extensions[extension::CAUSATION], "e1");
        assert!(bench.feed(value!({"orderId": "o2"}))[0].starts_with("rejected {"));
    }

    #[test]
    fn a_failure_of_the_function_is_one_of_the_event() {
        let line = order_tax().feed(value!(null)).join("");
        assert!(
            line.starts_with("failed Invalid: the function refused the event:"),
            "{line}"
        );
    }

    #[test]
    fn a_node_without_a_usable_component_is_refused() {
        for (config, message) in [
            (value!({}), "`component` is empty; fill it in"),
            (
                value!({"component": "samples/index.json"}),
                "`component`: not a WebAssembly file; choose the `.wasm` component that the function's build made",
            ),
            (
                value!({"component": ORDER_TAX, "ports": ["failed"]}),
                "`ports`: `failed` is no name for a port; choose another",
            ),
        ] {
            assert_eq!(Bench::refusal("function", config), message);
        }
    }
}
