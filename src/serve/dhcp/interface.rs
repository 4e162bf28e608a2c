//! A network interface by name: its index, hardware address and IPv4 addresses, read again from time to time.
//!
//! Addresses come and go while the daemon runs; the index does not, unless the interface is made anew (then `serve::link` binds it anew).

use std::{
    io,
    net::Ipv4Addr,
    sync::{Arc, PoisonError, RwLock},
};

use nix::{ifaddrs::getifaddrs, net::if_::if_nametoindex};

/// One interface.
pub(super) struct Interface {
    name: String,
    index: u32,
    mac: Option<[u8; 6]>,
    addresses: RwLock<Arc<[Ipv4Addr]>>,
}

impl Interface {
    /// Looks it up.
    pub(super) fn open(name: &str) -> io::Result<Self> {
        let index = if_nametoindex(name)?;
        let (mac, addresses) = look(name)?;
        Ok(Self { name: name.to_owned(), index, mac, addresses: RwLock::new(addresses) })
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The kernel's number of it.
    pub(super) const fn index(&self) -> u32 {
        self.index
    }

    /// Its hardware address; loopback and tunnels have none.
    pub(super) const fn mac(&self) -> Option<[u8; 6]> {
        self.mac
    }

    /// Its IPv4 addresses, as last read.
    pub(super) fn addresses(&self) -> Arc<[Ipv4Addr]> {
        self.addresses.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the addresses again.
    pub(super) fn refresh(&self) {
        match look(&self.name) {
            Ok((_, addresses)) => *self.addresses.write().unwrap_or_else(PoisonError::into_inner) = addresses,
            Err(why) => tracing::warn!(interface = self.name, %why, "its addresses cannot be read"),
        }
    }
}

type Found = (Option<[u8; 6]>, Arc<[Ipv4Addr]>);

fn look(name: &str) -> io::Result<Found> {
    let (mut mac, mut addresses) = (None, Vec::new());
    for entry in getifaddrs()?.filter(|entry| entry.interface_name == name) {
        let Some(address) = entry.address else { continue };
        addresses.extend(address.as_sockaddr_in().map(nix::sys::socket::SockaddrIn::ip));
        mac = mac.or_else(|| address.as_link_addr().and_then(nix::sys::socket::LinkAddr::addr)).filter(|mac| *mac != [0; 6]);
    }
    Ok((mac, addresses.into()))
}
