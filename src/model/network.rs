//! A network: one subnet with its DHCP mode, pools, options and defaults for the hosts on it.
//!
//! Written by operators, kept in the store, read by every DHCP decision. Whether pools fit the subnet and networks do not overlap is
//! checked when it is written (`rules::sitefile`), not here.

use std::{collections::BTreeMap, net::Ipv4Addr};

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::{Name, Params};

/// What our DHCP does there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DhcpMode {
    /// Addresses and boot options.
    Full,
    /// Boot options beside somebody else's DHCP server, on ports 67 and 4011.
    Proxy,
    /// Nothing; the site's own server points here.
    #[default]
    Off,
}

/// What happens to a MAC that nobody recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AutoEnroll {
    /// Nothing: it boots from its disk.
    #[default]
    Off,
    /// A record is made in state `new`; an operator decides.
    Ask,
    /// A record is made and registration starts.
    On,
}

/// First and last address of a pool, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// The first.
    #[schema(value_type = String)]
    pub first: Ipv4Addr,
    /// The last.
    #[schema(value_type = String)]
    pub last: Ipv4Addr,
}

/// One subnet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Its name.
    pub name: Name,
    /// Its addresses.
    #[schema(value_type = String)]
    pub subnet: Ipv4Net,
    /// What our DHCP does there.
    #[serde(default)]
    pub dhcp: DhcpMode,
    /// Our address as the hosts there reach it; else the one that the packet came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub server: Option<Ipv4Addr>,
    /// Addresses to lend.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<Pool>,
    /// Whether only recorded hosts get an address.
    #[serde(default)]
    pub known_only: bool,
    /// Option 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub gateway: Option<Ipv4Addr>,
    /// Option 6.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub dns: Vec<Ipv4Addr>,
    /// Option 15.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Option 42.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub ntp: Vec<Ipv4Addr>,
    /// Option 26.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u16>,
    /// Option 51, seconds.
    #[serde(default = "hour")]
    pub lease_secs: u32,
    /// Any other option by number: text, or bytes as `0x…`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, String>)]
    pub options: BTreeMap<u8, String>,
    /// Whether a new address is probed by ICMP echo before it is offered.
    #[serde(default = "yes")]
    pub conflict_check: bool,
    /// What happens to unknown MACs.
    #[serde(default)]
    pub auto_enroll: AutoEnroll,
    /// How records of unknown machines are named: text with `{mac}`, `{serial}`, `{uuid}` or `{number}`; `host-{mac}` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub naming: Option<String>,
    /// Whether a registered host whose disks are clean or waived is offered without asking (T3a).
    #[serde(default)]
    pub auto_available: bool,
    /// The profile of hosts that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Name>,
    /// Parameters of every host there.
    #[serde(default, skip_serializing_if = "Params::is_empty")]
    #[schema(value_type = BTreeMap<String, super::Param>)]
    pub params: Params,
}

const fn hour() -> u32 {
    3600
}

const fn yes() -> bool {
    true
}
