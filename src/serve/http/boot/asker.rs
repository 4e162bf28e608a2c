//! Who asks, and with what in the URL: the spelling of machine requests, parsed once.
//!
//! Lenient where firmware is sloppy: an empty or unexpanded `mac=` is no MAC and no error; a script is answered all the same.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use axum::{
    extract::{FromRequestParts, Query},
    http::{Method, header::USER_AGENT, request::Parts},
};

use super::super::{listener::Peer, socket::Outlet};
pub(super) use super::pass::pass;
use crate::model::{Arch, SessionId};

/// The machine at the other end.
pub(super) struct Asker {
    /// Its address.
    pub peer: Ipv4Addr,
    /// Ours, as it reached us.
    pub server: Ipv4Addr,
    /// Where a body learns that it was written.
    pub outlet: Option<Outlet>,
    /// The path and query that it asked for.
    pub path: String,
    /// What the URL says after `?`.
    pub query: HashMap<String, String>,
    /// Only the head is wanted: nothing may come of it.
    pub head_only: bool,
    /// iPXE itself asks: it wants a script, whatever happens.
    pub ipxe: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Asker {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<Peer>();
        let query = Query::<HashMap<String, String>>::try_from_uri(&parts.uri).map(|Query(query)| query).unwrap_or_default();
        let agent = parts.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or("");
        Ok(Self {
            peer: peer.map_or(Ipv4Addr::LOCALHOST, |peer| ipv4(peer.remote)),
            server: peer.map_or(Ipv4Addr::LOCALHOST, |peer| ipv4(peer.local)),
            outlet: peer.map(|peer| peer.outlet.clone()),
            path: parts.uri.path_and_query().map_or_else(String::new, ToString::to_string),
            query,
            head_only: parts.method == Method::HEAD,
            ipxe: agent.starts_with("iPXE/"),
        })
    }
}

impl Asker {
    /// A value of the query, if it says anything.
    pub(super) fn word(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(|value| value.trim()).filter(|value| !value.is_empty() && !value.starts_with("${"))
    }

    /// A value of the query that parses; anything else is as if it were not there.
    pub(super) fn parsed<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.word(name)?.parse().ok()
    }

    /// The boot session of the URL: `s=` or `session=`.
    pub(super) fn session(&self) -> Option<SessionId> {
        self.parsed("s").or_else(|| self.parsed("session"))
    }

    /// The architecture of the URL: our name, or what iPXE's `${buildarch}` and `${platform}` say.
    pub(super) fn arch(&self) -> Option<Arch> {
        let word = self.word("arch")?;
        if let Ok(arch) = serde_json::from_value(word.into()) {
            return Some(arch);
        }
        let bios = word == "pcbios" || self.word("platform") == Some("pcbios");
        match word {
            "i386" | "x86_64" | "pcbios" if bios => Some(Arch::Bios),
            "i386" => Some(Arch::Ia32),
            "x86_64" => Some(Arch::X64),
            "aarch64" => Some(Arch::Arm64),
            "arm" => Some(Arch::Arm32),
            _ => None,
        }
    }
}

fn ipv4(address: SocketAddr) -> Ipv4Addr {
    match address.ip().to_canonical() {
        IpAddr::V4(address) => address,
        IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker(uri: &str) -> Asker {
        let (mut parts, ()) = axum::http::Request::builder().uri(uri).body(()).unwrap().into_parts();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let Ok(asker) = runtime.block_on(Asker::from_request_parts(&mut parts, &()));
        asker
    }

    #[track_caller]
    fn check_arch(query: &str, expected: Option<Arch>) {
        assert_eq!(asker(&format!("/boot.ipxe?{query}")).arch(), expected, "{query}");
    }

    #[test]
    fn an_architecture_is_ours_or_ipxes() {
        check_arch("arch=bios", Some(Arch::Bios));
        check_arch("arch=x64", Some(Arch::X64));
        check_arch("arch=x86_64&platform=efi", Some(Arch::X64));
        check_arch("arch=i386&platform=pcbios", Some(Arch::Bios));
        check_arch("arch=x86_64&platform=pcbios", Some(Arch::Bios));
        check_arch("arch=arm64", Some(Arch::Arm64));
        check_arch("arch=vax", None);
        check_arch("arch=", None);
        check_arch("", None);
    }

    #[test]
    fn what_is_empty_or_not_expanded_is_not_there() {
        let asker = asker("/boot.ipxe?mac=52-54-00-00-00-01&uuid=&serial=$%7Bserial%7D&s=0123456789abcdef&session=zz&mac2");
        assert_eq!(asker.parsed::<crate::model::Mac>("mac").unwrap().to_string(), "52:54:00:00:00:01");
        assert_eq!((asker.word("uuid"), asker.word("serial")), (None, None));
        assert_eq!(asker.session().unwrap().to_string(), "0123456789abcdef");
    }
}
