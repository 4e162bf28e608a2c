//! `bootwright token`: who may use the API.
//!
//! Made, listed and revoked by admins. A secret is shown once, when it is made, alone on standard output: redirected, it is a token file.

use clap::ValueEnum;
use serde::Deserialize;
use serde_json::json;

use super::{
    Client, Console, Done,
    client::segment,
    table::{Table, time, word},
};
use crate::model::{Name, Role, Timestamp};

/// The commands on tokens.
#[derive(Debug, clap::Subcommand)]
pub enum TokenCommand {
    /// Make a token; its secret is shown this once
    #[command(after_help = "Example: bootwright token create ci --role operator > ci.token")]
    Create {
        /// Its name, which the journal calls its bearer
        name: Name,
        /// What it may do
        #[arg(long, value_enum, value_name = "ROLE")]
        role: May,
    },
    /// List tokens, without their secrets
    #[command(after_help = "Example: bootwright token list")]
    List,
    /// Revoke a token
    #[command(after_help = "Example: bootwright token revoke ci")]
    Revoke {
        /// Its name
        name: Name,
    },
}

/// What a token may do; each includes the ones before it.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum May {
    /// Reads everything but secrets
    Viewer,
    /// Changes hosts, networks and profiles, starts builds
    Operator,
    /// Handles tokens, sees secrets
    Admin,
}

#[derive(Deserialize)]
struct Listed {
    name: Name,
    role: Role,
    created: Timestamp,
}

#[derive(Deserialize)]
struct Made {
    token: String,
}

impl TokenCommand {
    /// Asks and prints.
    pub fn run(self, client: &Client, console: &mut Console<'_>) -> Done {
        match self {
            Self::Create { name, role } => {
                let role = match role {
                    May::Viewer => Role::Viewer,
                    May::Operator => Role::Operator,
                    May::Admin => Role::Admin,
                };
                let reply = client.post("/api/v1/tokens", &json!({ "name": name, "role": role }))?;
                if console.json(&reply)? {
                    return Ok(());
                }
                // The secret alone on standard output, so that a file of it is a token file.
                console.remark(format_args!("token {name} ({}) was made; this is the only time that it is shown", word(role)));
                console.line(reply.read::<Made>()?.token)
            }
            Self::List => {
                let reply = client.list("/api/v1/tokens", &[])?;
                if console.json(&reply)? {
                    return Ok(());
                }
                let mut table = Table::new(["NAME", "ROLE", "CREATED"], console.is_terminal);
                for token in reply.items::<Listed>()? {
                    table.row([token.name.to_string(), word(token.role), time(token.created)]);
                }
                console.table(&table, "no tokens")
            }
            Self::Revoke { name } => {
                let reply = client.delete(&format!("/api/v1/tokens/{}", segment(&name)))?;
                if console.json(&reply)? { Ok(()) } else { console.line(format_args!("token {name} revoked")) }
            }
        }
    }
}
