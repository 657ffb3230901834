//! `weir serve`: the designer in browsers, and the engine for designers elsewhere.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use desk::control::Control;
use desk::flow_file;
use desk::serve::{Bundle, ServeConfig, Server, Wake};
use runtime::engine::{Engine, EngineConfig};
use runtime::world::SystemWorld;
use runtime_protocol::host::Location;
use runtime_protocol::{Command, Role, Transport};
use serde::Serialize;

use super::interrupts::Interrupts;
use super::out::Out;
use super::{Stop, Verdict, open};

/// Serve a project to browsers and to designers elsewhere
///
/// Prints two links, one for operators and one for viewers; whoever has a link may come in. It listens on
/// this machine alone unless `--listen` names another address. Runs until it is interrupted, and then
/// finishes what is under way.
#[derive(Args)]
pub(super) struct Serve {
    /// The flow to show first, a folder with one, or the name of a sample
    #[arg(value_name = "FILE|FOLDER")]
    place: PathBuf,
    /// Address to listen on; port 0 takes any that is free
    #[arg(long, default_value = "127.0.0.1:8790")]
    listen: SocketAddr,
    /// A further name under which browsers may come, such as that of a tunnel with its port
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// Start the flow at once
    #[arg(long)]
    run: bool,
    /// Folder of the designer's page [default: the one beside this program]
    #[arg(long, value_name = "FOLDER")]
    web: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// The answer for programs.
#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
enum Said<'s> {
    Serving {
        version: u32,
        address: SocketAddr,
        /// Links with a token each.
        operator: &'s str,
        viewer: &'s str,
    },
}

impl Serve {
    pub(super) fn run(self, out: &Out) -> Result<Verdict, Stop> {
        let flow = flow_file::read(&open::find(&self.place)?)?;
        let engine = Arc::new(Engine::new(EngineConfig {
            project: flow.project.clone(),
            world: Arc::new(SystemWorld::new()),
        })?);
        engine.shared().print_to(std::io::stderr());
        let lines = Arc::clone(&engine);
        let connect = move || Box::new(lines.connect()) as Box<dyn Transport + Send>;
        let control = Control::open(&flow.project, Arc::new(connect))
            .map_err(|error| Stop::because(error.to_string()))?;
        let lines = Arc::clone(&engine);
        let server = Server::open(ServeConfig {
            listen: self.listen,
            hosts: self.hosts.clone(),
            project: flow.project.clone(),
            open: Location::new(flow.path.file_name().unwrap_or_default().to_string_lossy()),
            bundle: self.bundle(out)?,
            lines: Arc::new(move |wake: Wake| {
                let line = lines.connect();
                line.wake_with(move || wake());
                Box::new(line)
            }),
        })
        .map_err(Stop::because)?;
        if self.run {
            engine.block_on(async {
                let deploy = Command::Deploy {
                    flow: flow.text.clone(),
                };
                engine.call(deploy).await?;
                engine.call(Command::Start).await
            })?;
        }
        self.tell(&server, out)?;
        engine.block_on(async {
            let mut interrupts = Interrupts::new()
                .map_err(|error| Stop::because(format!("signals cannot be heard: {error}")))?;
            interrupts.next().await;
            let stop = engine.call(Command::Stop);
            tokio::pin!(stop);
            tokio::select! {
                stopped = &mut stop => drop(stopped?),
                () = interrupts.next() => drop(engine.call(Command::Stop).await?),
            }
            Ok::<(), Stop>(())
        })?;
        drop(server);
        drop(control);
        Ok(Verdict::Well)
    }

    fn bundle(&self, out: &Out) -> Result<Option<Bundle>, Stop> {
        let Some(folder) = self.web.clone().or_else(Bundle::find) else {
            out.note(
                "the designer for browsers is not built (.ci/web builds it); `weir attach` works",
            );
            return Ok(None);
        };
        Bundle::read(&folder)
            .map(Some)
            .map_err(|error| Stop::because(format!("{}: {error}", folder.display())))
    }

    fn tell(&self, server: &Server, out: &Out) -> Result<(), Stop> {
        let operator = server.link(Role::Operator);
        let viewer = server.link(Role::Viewer);
        if !server.address().ip().is_loopback() {
            out.note("others on the network can read this line along; use a tunnel, such as `ssh -L`, where that matters");
        }
        if self.json {
            return out.json(&Said::Serving {
                version: 1,
                address: server.address(),
                operator: &operator,
                viewer: &viewer,
            });
        }
        out.line(format_args!("operate  {operator}"))?;
        out.line(format_args!("look on  {viewer}"))
    }
}
