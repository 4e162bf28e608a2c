//! Which addresses a network may lend, and where the search for an unused one begins.
//!
//! A pool is two ends of a range; several count as one row of places. Nothing here knows who has what: that is the book's, and it is
//! asked by a question.

use std::net::Ipv4Addr;

use super::Ask;
use crate::model::{Mac, Network};

/// An address that nobody ever had. The search begins at a place that the MAC determines, so that neighbours (racks are bought with
/// consecutive MACs) do not queue for the same one, and a lost database gives most hosts their old address.
pub(super) fn unused(ask: &Ask<'_>, is_held: &dyn Fn(Ipv4Addr) -> bool) -> Option<Ipv4Addr> {
    let size: u64 = ask.network.pools.iter().map(|pool| pool_size(pool.first, pool.last)).sum();
    let start = spread(ask.mac).checked_rem(size)?;
    let place = |offset| nth(ask.network, (start + offset) % size);
    (0..size).map(place).find(|address| !is_held(*address) && can_lend(ask, *address))
}

/// Whether the network may lend this address to this MAC at all: its own, or one of a pool that nobody else has a right to.
pub(super) fn can_lend(ask: &Ask<'_>, address: Ipv4Addr) -> bool {
    if ask.reserved == Some(address) {
        return ask.network.subnet.contains(&address);
    }
    let network = ask.network;
    let in_pool = network.pools.iter().any(|pool| (pool.first..=pool.last).contains(&address));
    let special = [Some(network.subnet.network()), Some(network.subnet.broadcast()), network.gateway, network.server];
    in_pool && network.subnet.contains(&address) && !special.contains(&Some(address)) && !(ask.is_taken)(address)
}

fn pool_size(first: Ipv4Addr, last: Ipv4Addr) -> u64 {
    (u64::from(u32::from(last)) + 1).saturating_sub(u64::from(u32::from(first)))
}

/// The address at a place counted through all pools; `index` is below their sum.
fn nth(network: &Network, mut index: u64) -> Ipv4Addr {
    for pool in &network.pools {
        let size = pool_size(pool.first, pool.last);
        if index < size {
            return Ipv4Addr::from(u32::from(pool.first).saturating_add(u32::try_from(index).unwrap_or(u32::MAX)));
        }
        index -= size;
    }
    Ipv4Addr::UNSPECIFIED
}

/// Spreads consecutive MACs over 64 bits (the finaliser of splitmix64).
fn spread(mac: Mac) -> u64 {
    let [a, b, c, d, e, f] = mac.octets();
    let mut bits = u64::from_be_bytes([0, 0, a, b, c, d, e, f]).wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
