//! An address lent by DHCP (RFC 2131): who has which address in which network until when.
//!
//! The identity of a lease is the network and the MAC: client identifiers change between firmware, iPXE, initramfs and OS.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::{Mac, Name, Timestamp};

/// What a lease is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeaseState {
    /// Acknowledged and in force until `expires`.
    Bound,
    /// Given back by DHCPRELEASE; remembered so that the same host gets it again.
    Released,
    /// Somebody else answered on it (DHCPDECLINE or the conflict check); not offered until `expires`.
    Declined,
}

/// One address of one network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Lease {
    /// The network it belongs to.
    #[schema(value_type = String)]
    pub network: Name,
    /// The address.
    #[schema(value_type = String)]
    pub address: Ipv4Addr,
    /// Whose it is; for a declined address, who declined it.
    #[schema(value_type = String)]
    pub mac: Mac,
    /// What it is now.
    pub state: LeaseState,
    /// When that ends.
    #[schema(value_type = String)]
    pub expires: Timestamp,
    /// The host name that the client sent (option 12), for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
}
