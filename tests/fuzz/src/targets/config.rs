//! The daemon's settings: TOML that an operator wrote.
//!
//! Promised: a refusal names the file; settings that are taken have limits that the protocols allow, and two listeners at two places.

use std::path::Path;

use bootwright::config::Config;

use crate::feed::Feed;

/// One input.
pub fn check(input: &[u8]) {
    let Some(text) = Feed::new(input).text() else { return };
    match Config::parse(Path::new("site.toml"), text) {
        Err(fault) => assert!(fault.to_string().contains("site.toml")),
        Ok(config) => {
            assert!((8..=65464).contains(&config.tftp.max_block) && (1..=64).contains(&config.tftp.max_window));
            let one_port = config.boot.listen.port() != 0
                && config.boot.listen == std::net::SocketAddrV4::new(*config.boot.listen.ip(), config.admin.listen.port());
            assert!(!one_port || config.boot.listen.ip() != &config.admin.listen.ip(), "both listen on {}", config.admin.listen);
            assert!(config.admin.listen.ip().is_loopback() || config.admin.tls_cert.is_some());
        }
    }
}
