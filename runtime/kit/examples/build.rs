//! Builds the function of a folder, as `weir build` does: `build FOLDER [WORK [OUTPUT]]`.

use std::env;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use function_kit::{Build, Built, Error, Progress};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let places: Vec<&Path> = arguments.iter().map(Path::new).collect();
    let (folder, work, output) = match places.as_slice() {
        [folder] => (folder, None, None),
        [folder, work] => (folder, Some(work), None),
        [folder, work, output] => (folder, Some(work), Some(output)),
        _ => return end(&Err("usage: build FOLDER [WORK [OUTPUT]]".to_owned())),
    };
    let built = Build::of(folder).and_then(|mut build| {
        if let Some(work) = work {
            build = build.work_in(work);
        }
        if let Some(output) = output {
            build = build.output(output);
        }
        build.run(&mut |progress| match progress {
            Progress::Step(what) => tell(&format!("{what} ...")),
            Progress::Line(line) => tell(&line),
        })
    });
    end(&built.map_err(|error: Error| error.to_string()))
}

fn end(built: &Result<Built, String>) -> ExitCode {
    match built {
        Ok(built) => {
            for place in &built.names {
                tell(&format!("the component names {place}"));
            }
            tell(&format!(
                "{}: {} bytes",
                built.component.display(),
                built.bytes
            ));
            ExitCode::SUCCESS
        }
        Err(why) => {
            tell(why);
            ExitCode::FAILURE
        }
    }
}

fn tell(line: &str) {
    // Where nothing can be told, there is nobody to tell that to.
    drop(writeln!(io::stderr(), "{line}"));
}
