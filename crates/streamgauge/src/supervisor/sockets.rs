//! The sockets that outlive every child.

use std::net::TcpListener;

use anyhow::Result;

use crate::config::Config;
use crate::preflight::{API_LISTEN, LISTEN, OPS_LISTEN, bind};

/// All listening sockets of `up`, bound before any child exists.
#[derive(Debug)]
pub(super) struct Sockets {
    /// The inference port, each socket with its address as text: the name under which it is handed over.
    pub(super) proxy: Vec<(String, TcpListener)>,
    /// The public ops port.
    pub(super) ops: TcpListener,
    /// The port of API and dashboard.
    pub(super) api: TcpListener,
}

// === impl Sockets ===

impl Sockets {
    /// Binds every port of the configuration and writes the real addresses back into it: port 0 means any.
    ///
    /// # Errors
    /// One line for the first port that cannot be had.
    pub(super) fn bind(config: &mut Config) -> Result<Self> {
        let mut proxy = Vec::new();
        for text in &config.proxy.listen {
            let listener = bind(text, LISTEN)?;
            proxy.push((listener.local_addr()?.to_string(), listener));
        }
        let ops = bind(&config.proxy.ops_listen, OPS_LISTEN)?;
        let api = bind(&config.metrics_api.listen.to_string(), API_LISTEN)?;
        let sockets = Self { proxy, ops, api };
        sockets.name(config)?;
        Ok(sockets)
    }

    /// Writes the addresses of these sockets into another configuration, as a reload needs it. Returns the
    /// keys whose new address cannot be taken over before a restart.
    ///
    /// # Errors
    /// When the kernel does not tell an address, which would be a closed socket.
    pub(super) fn keep(&self, old: &Config, new: &mut Config) -> Result<Vec<&'static str>> {
        let mut ignored = Vec::new();
        if new.proxy.listen != old.proxy.listen {
            ignored.push(LISTEN.key);
        }
        if new.proxy.ops_listen != old.proxy.ops_listen {
            ignored.push(OPS_LISTEN.key);
        }
        if new.metrics_api.listen != old.metrics_api.listen {
            ignored.push(API_LISTEN.key);
        }
        self.name(new)?;
        Ok(ignored)
    }

    fn name(&self, config: &mut Config) -> Result<()> {
        config.proxy.listen = self.proxy.iter().map(|(name, _)| name.clone()).collect();
        config.proxy.ops_listen = self.ops.local_addr()?.to_string();
        config.metrics_api.listen = self.api.local_addr()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Flags, load};

    fn config() -> Config {
        let any = || "127.0.0.1:0".to_owned();
        let flags = Flags {
            listen: vec![any(), any()],
            api_listen: Some(any()),
            ops_listen: Some(any()),
            ..Flags::default()
        };
        load(None, &Environment::default(), &flags).unwrap()
    }

    #[test]
    fn port_0_becomes_the_real_port_everywhere() {
        let mut config = config();
        let sockets = Sockets::bind(&mut config).unwrap();
        assert_eq!(config.proxy.listen.len(), 2, "each socket has its own name");
        assert_ne!(config.proxy.listen[0], config.proxy.listen[1]);
        assert!(
            !config.proxy.listen[0].ends_with(":0"),
            "{:?}",
            config.proxy.listen
        );
        assert_eq!(
            sockets.proxy[0].0, config.proxy.listen[0],
            "the name is the key of the hand-over"
        );
        assert_ne!(config.metrics_api.listen.port(), 0);
    }

    #[test]
    fn a_reload_keeps_the_sockets_and_tells_what_it_could_not_change() {
        let requested = config();
        let mut bound = requested.clone();
        let sockets = Sockets::bind(&mut bound).unwrap();
        let mut same = requested.clone();
        assert!(
            sockets.keep(&requested, &mut same).unwrap().is_empty(),
            "nothing changed"
        );
        assert_eq!(same.proxy.listen, bound.proxy.listen);
        let mut moved = requested.clone();
        moved.metrics_api.listen = "127.0.0.1:1".parse().unwrap();
        assert_eq!(
            sockets.keep(&requested, &mut moved).unwrap(),
            ["metrics_api.listen"]
        );
    }
}
