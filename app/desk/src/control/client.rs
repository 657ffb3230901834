//! The calling side: finds the run of a project, sends commands, follows events.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use axum::http::{Request, StatusCode, header};
use graph_model::id::EdgeId;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use runtime_protocol::{Answer, Command, Notice, Problem};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use super::{Session, TOKEN_HEADER, read_session, session_path};

/// A line to whatever runs a project.
pub struct Line {
    project: PathBuf,
    session: Session,
    sender: SendRequest<Full<Bytes>>,
    /// Drives the connection; dropped last.
    runtime: Runtime,
}

/// Why there is no line, or no longer one: what, where, what next.
#[derive(Debug, thiserror::Error)]
pub enum NoLine {
    #[error("{}: nothing runs here; start it with `weir run`, or press Run in the designer", .0.display())]
    NotRunning(PathBuf),
    #[error("{}: the run that was here (process {process}) is gone; start it again with `weir run`", project.display())]
    Stale { project: PathBuf, process: u32 },
    #[error("the run ended, or the line to it broke ({0})")]
    Broken(String),
    #[error("{0}")]
    Refused(Problem),
}

impl Line {
    /// A line to the run of this project.
    pub fn open(project: &Path) -> Result<Line, NoLine> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(broken)?;
        if !session_path(project).exists() {
            return Err(NoLine::NotRunning(project.to_path_buf()));
        }
        let Some(session) = read_session(project) else {
            return Err(NoLine::NotRunning(project.to_path_buf()));
        };
        let connected = runtime.block_on(async {
            let stream = TcpStream::connect(session.address).await?;
            let (sender, connection) = http1::handshake(TokioIo::new(stream))
                .await
                .map_err(io::Error::other)?;
            // How the connection ends is seen by whoever waits for an answer.
            tokio::spawn(async { drop(connection.await) });
            Ok::<_, io::Error>(sender)
        });
        let sender = connected.map_err(|_| NoLine::Stale {
            project: project.to_path_buf(),
            process: session.process,
        })?;
        Ok(Line {
            project: project.to_path_buf(),
            session,
            sender,
            runtime,
        })
    }

    /// Sends a command and waits for its answer.
    pub fn call(&mut self, command: &Command) -> Result<Answer, NoLine> {
        let body = serde_json::to_vec(command).expect("commands are plain data");
        let response = self.post("/command", body)?;
        let bytes = self
            .runtime
            .block_on(response.collect())
            .map_err(broken)?
            .to_bytes();
        let result: Result<Answer, Problem> = serde_json::from_slice(&bytes).map_err(broken)?;
        result.map_err(NoLine::Refused)
    }

    /// Hands every notice about these edges (without any: about all) to `each`, until it has seen
    /// enough or the run ends.
    pub fn observe<B>(
        &mut self,
        edges: &[EdgeId],
        mut each: impl FnMut(Notice) -> ControlFlow<B>,
    ) -> Result<Option<B>, NoLine> {
        let body = serde_json::to_vec(edges).expect("ids are texts");
        let mut response = self.post("/observe", body)?;
        let mut text = Vec::new();
        while let Some(frame) = self.runtime.block_on(response.frame()) {
            let Ok(bytes) = frame.map_err(broken)?.into_data() else {
                continue;
            };
            text.extend_from_slice(&bytes);
            while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let notice = serde_json::from_slice(&text[..end]).map_err(broken)?;
                text.drain(..=end);
                if let ControlFlow::Break(value) = each(notice) {
                    return Ok(Some(value));
                }
            }
        }
        Ok(None)
    }

    fn post(&mut self, path: &str, body: Vec<u8>) -> Result<Incoming, NoLine> {
        let request = Request::post(path)
            .header(header::HOST, self.session.address.to_string())
            .header(TOKEN_HEADER, &self.session.token)
            .body(Full::new(Bytes::from(body)))
            .map_err(broken)?;
        let response = self.runtime.block_on(async {
            self.sender.ready().await?;
            self.sender.send_request(request).await
        });
        let response = response.map_err(broken)?;
        match response.status() {
            StatusCode::OK => Ok(response.into_body()),
            // The port of a dead run may belong to another one by now.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                Err(NoLine::Stale {
                    project: self.project.clone(),
                    process: self.session.process,
                })
            }
            other => Err(broken(other)),
        }
    }
}

fn broken(error: impl std::fmt::Display) -> NoLine {
    NoLine::Broken(error.to_string())
}
