//! Turns a core WebAssembly module, as a compiler leaves it, into a component: `componentize IN OUT`.

use std::env;
use std::error::Error;
use std::fs;

use wit_component::ComponentEncoder;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [module, component] = arguments.as_slice() else {
        return Err("usage: componentize IN OUT".into());
    };
    let module = fs::read(module).map_err(|error| format!("cannot read {module}: {error}"))?;
    let bytes = ComponentEncoder::default().validate(true).module(&module)?.encode()?;
    fs::write(component, bytes).map_err(|error| format!("cannot write {component}: {error}"))?;
    Ok(())
}
