//! `bootwright network`: subnets with their DHCP mode, and the snippet that points somebody else's DHCP server here.
//!
//! Networks are written by `bootwright apply`; the snippet is the daemon's, which knows its loaders.

use clap::ValueEnum;

use super::{
    Client, Console, Done,
    client::{segment, with_query},
    table::{Table, listed, or_dash, word},
};
use crate::{model::Network, rules::naming};

/// The commands on networks.
#[derive(Debug, clap::Subcommand)]
pub enum NetworkCommand {
    /// List networks
    #[command(after_help = "Example: bootwright network list")]
    List,
    /// Show a network
    #[command(after_help = "Example: bootwright network show lab")]
    Show {
        /// Its name
        name: String,
    },
    /// Remove a network that nothing uses
    #[command(after_help = "Example: bootwright network remove old-one")]
    Remove {
        /// Its name
        name: String,
    },
    /// Print what another DHCP server needs to point machines here
    #[command(after_help = "Example: bootwright network snippet lab --for kea")]
    Snippet {
        /// The network's name
        name: String,
        /// Which server
        #[arg(long = "for", value_enum, value_name = "SERVER")]
        dialect: Kind,
    },
}

/// Somebody else's DHCP server.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Kind {
    /// dnsmasq
    Dnsmasq,
    /// Kea
    Kea,
    /// ISC dhcpd
    Isc,
}

fn path(name: &str) -> String {
    format!("/api/v1/networks/{}", segment(name))
}

impl NetworkCommand {
    /// Asks and prints.
    pub fn run(self, client: &Client, console: &mut Console<'_>) -> Done {
        match self {
            Self::List => list(client, console),
            Self::Show { name } => {
                let reply = client.get(&path(&name))?;
                if console.json(&reply)? { Ok(()) } else { show(&reply.read()?, console) }
            }
            Self::Remove { name } => {
                let reply = client.delete(&path(&name))?;
                if console.json(&reply)? { Ok(()) } else { console.line(format_args!("network {name} removed")) }
            }
            Self::Snippet { name, dialect } => {
                let word = match dialect {
                    Kind::Dnsmasq => "dnsmasq",
                    Kind::Kea => "kea",
                    Kind::Isc => "isc",
                };
                console.text(&client.get(&with_query(&format!("{}/snippet", path(&name)), &[("for", word)]))?.text)
            }
        }
    }
}

fn list(client: &Client, console: &mut Console<'_>) -> Done {
    let reply = client.list("/api/v1/networks", &[])?;
    if console.json(&reply)? {
        return Ok(());
    }
    let mut table = Table::new(["NAME", "SUBNET", "DHCP", "POOLS", "GATEWAY", "SERVER", "DOMAIN"], console.is_terminal);
    for network in reply.items::<Network>()? {
        table.row([
            network.name.to_string(),
            network.subnet.to_string(),
            word(network.dhcp),
            listed(&pools(&network)),
            or_dash(network.gateway),
            or_dash(network.server),
            or_dash(network.domain.as_ref()),
        ]);
    }
    console.table(&table, "no networks; `bootwright apply -f site.yaml` makes them")
}

fn pools(network: &Network) -> Vec<String> {
    network.pools.iter().map(|pool| format!("{}-{}", pool.first, pool.last)).collect()
}

fn show(network: &Network, console: &mut Console<'_>) -> Done {
    console.line(format_args!("network {}  {}  dhcp {}", network.name, network.subnet, word(network.dhcp)))?;
    let mut lines = vec![
        ("server", or_dash(network.server)),
        ("pools", listed(&pools(network))),
        ("gateway", or_dash(network.gateway)),
        ("dns", listed(&network.dns)),
        ("ntp", listed(&network.ntp)),
        ("domain", or_dash(network.domain.as_ref())),
        ("lease", format!("{} s", network.lease_secs)),
        (
            "unknown",
            if network.known_only { "get no address".to_owned() } else { format!("get an address; enrolled: {}", word(network.auto_enroll)) },
        ),
        ("named", network.naming.clone().unwrap_or_else(|| naming::DEFAULT.to_owned())),
        (
            "registered",
            if network.auto_available { "offered at once, if the disks are clean or waived" } else { "an operator offers them" }.to_owned(),
        ),
        ("conflicts", if network.conflict_check { "new addresses are probed".to_owned() } else { "not probed".to_owned() }),
    ];
    lines.extend(network.mtu.map(|mtu| ("mtu", mtu.to_string())));
    lines.extend(network.profile.iter().map(|profile| ("profile", profile.to_string())));
    lines.extend(network.options.iter().map(|(code, text)| ("option", format!("{code} = {text}"))));
    lines.extend(network.params.iter().map(|(name, param)| ("param", format!("{name} = {param}"))));
    lines.into_iter().try_for_each(|(name, value)| console.line(format_args!("  {name:<10} {value}")))
}
