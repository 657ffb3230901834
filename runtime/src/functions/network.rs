//! What requests of functions go over: a thread that looks after them, and names that lead to others.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::thread;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::shared::lock;

/// The thread on which requests are under way; there once somebody sends one.
#[derive(Default)]
pub(crate) struct Network(Mutex<Option<Running>>);

struct Running {
    handle: Handle,
    /// Ends the thread when it is dropped.
    _end: oneshot::Sender<()>,
}

impl Network {
    pub(super) fn handle(&self) -> Result<Handle, String> {
        let mut running = lock(&self.0);
        if let Some(running) = &*running {
            return Ok(running.handle.clone());
        }
        let failed = |error: std::io::Error| format!("no thread could be started ({error})");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        let run = move || {
            // Both a word and its absence end it.
            let _word = runtime.block_on(ended);
        };
        let thread = thread::Builder::new().name("function-requests".into());
        thread.spawn(run).map_err(failed)?;
        *running = Some(Running {
            handle: handle.clone(),
            _end: end,
        });
        Ok(handle)
    }
}

/// Looks names up. Names of others do not lead to this machine, nor to what answers only to machines of
/// one cloud.
pub(super) struct Names {
    /// They are names of this machine.
    pub(super) here: bool,
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let here = self.here;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found
                .filter(|address| here || !is_near(address.ip()))
                .collect();
            if found.is_empty() {
                let why = "its name leads to this machine, which is not listed";
                return Err(Box::<dyn Error + Send + Sync>::from(why));
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn is_near(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_unspecified() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unspecified() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_do_not_lead_here() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let look_up = |here: bool| {
            let name: Name = "localhost".parse().expect("a name");
            runtime.block_on(Names { here }.resolve(name))
        };
        let refused = look_up(false).map(|_| ()).expect_err("it is this machine");
        assert_eq!(
            refused.to_string(),
            "its name leads to this machine, which is not listed"
        );
        assert!(look_up(true).expect("it is listed").next().is_some());
        for (ip, near) in [
            ("127.8.8.8", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("0.0.0.0", true),
            ("169.254.169.254", true),
            ("fe80::1", true),
            ("10.1.2.3", false),
            ("93.184.216.34", false),
        ] {
            assert_eq!(is_near(ip.parse().expect("an address")), near, "{ip}");
        }
    }
}
