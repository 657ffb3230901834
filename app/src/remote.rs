//! A host whose files are on the machine at the other end of a line.

use runtime_protocol::Transport;
use runtime_protocol::host::{Ask, Sample, Told};
use runtime_protocol::remote::Remote;
use runtime_protocol::wire::Desktop;

use crate::host::Host;

/// Files, samples and first flow come from the other end. So do window, settings and links, if that is
/// the desktop around this designer; else they are here.
pub struct RemoteHost {
    remote: Remote,
    here: Box<dyn Host>,
    samples: Vec<Sample>,
    folder: String,
    desktop: Option<Desktop>,
    /// The other end has said who it is.
    ready: bool,
    told: Vec<Told>,
}

impl RemoteHost {
    pub fn new(remote: Remote, here: Box<dyn Host>) -> RemoteHost {
        RemoteHost {
            remote,
            here,
            samples: Vec::new(),
            folder: String::new(),
            desktop: None,
            ready: false,
            told: Vec::new(),
        }
    }

    fn hear_welcome(&mut self) {
        let Some(welcome) = self.remote.fresh_welcome() else {
            return;
        };
        self.samples = welcome.samples;
        self.folder = welcome.folder;
        self.desktop = welcome.desktop;
        if !self.ready {
            self.ready = true;
            self.told.extend(welcome.open.map(Told::Open));
        }
    }

    /// An ask that has an answer gets one, even if the line takes no more.
    fn refuse(&mut self, ask: Ask, why: String) {
        self.told.extend(match ask {
            Ask::Read(location) => Some(Told::Read {
                location,
                result: Err(why),
            }),
            Ask::Write { location, .. } => Some(Told::Written {
                location,
                result: Err(why),
            }),
            Ask::PickOpen | Ask::PickSave { .. } => Some(Told::Dismissed),
            Ask::Store { name, .. } => Some(Told::NotStored { name, why }),
            _ => None,
        });
    }
}

impl Host for RemoteHost {
    fn ask(&mut self, ask: Ask) {
        match (&ask, &mut self.desktop) {
            (Ask::Store { .. } | Ask::Title { .. } | Ask::OpenLink(_) | Ask::Close, None) => {
                return self.here.ask(ask);
            }
            (Ask::Store { name, text }, Some(desktop)) => {
                match text {
                    Some(text) => desktop.stored.insert(name.clone(), text.clone()),
                    None => desktop.stored.remove(name),
                };
            }
            _ => {}
        }
        if let Err(problem) = self.remote.ask(ask.clone()) {
            self.refuse(ask, problem.message);
        }
    }

    fn poll(&mut self) -> Vec<Told> {
        self.hear_welcome();
        let mut told = std::mem::take(&mut self.told);
        told.extend(self.here.poll());
        told.extend(self.remote.told());
        told
    }

    fn stored(&self, name: &str) -> Option<String> {
        match &self.desktop {
            Some(desktop) => desktop.stored.get(name).cloned(),
            None => self.here.stored(name),
        }
    }

    fn ready(&self) -> bool {
        self.ready || matches!(self.remote.line(), runtime_protocol::Line::Ended { .. })
    }

    fn shows_menus(&self) -> bool {
        self.desktop.as_ref().is_some_and(|desktop| desktop.menus)
    }

    fn samples(&self) -> Vec<Sample> {
        self.samples.clone()
    }

    fn folder(&self) -> String {
        self.folder.clone()
    }

    fn clock(&self) -> f64 {
        self.here.clock()
    }

    fn today(&self) -> String {
        self.here.today()
    }
}
