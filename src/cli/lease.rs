//! `bootwright lease`: which address is lent to whom until when.
//!
//! Only looked at: leases are bound and released by DHCP, never from here.

use super::{
    Client, Console, Done,
    table::{Table, or_dash, time, word},
};
use crate::model::{Lease, Name};

/// The commands on leases.
#[derive(Debug, clap::Subcommand)]
pub enum LeaseCommand {
    /// List the leases in force
    #[command(after_help = "Example: bootwright lease list --network lab")]
    List {
        /// Only of this network
        #[arg(long, value_name = "NAME")]
        network: Option<Name>,
    },
}

impl LeaseCommand {
    /// Asks and prints.
    pub fn run(self, client: &Client, console: &mut Console<'_>) -> Done {
        let Self::List { network } = self;
        let query: Vec<(&str, &str)> = network.as_ref().map(|name| ("network", name.as_ref())).into_iter().collect();
        let reply = client.list("/api/v1/leases", &query)?;
        if console.json(&reply)? {
            return Ok(());
        }
        let mut table = Table::new(["NETWORK", "ADDRESS", "MAC", "STATE", "EXPIRES", "CLIENT NAME"], console.is_terminal);
        for lease in reply.items::<Lease>()? {
            let (state, name) = (word(lease.state), or_dash(lease.client_name.as_ref()));
            table.row([lease.network.to_string(), lease.address.to_string(), lease.mac.to_string(), state, time(lease.expires), name]);
        }
        console.table(&table, "no leases")
    }
}
