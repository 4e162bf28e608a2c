//! `host add` and `host edit`: the inventory from the command line.
//!
//! A parameter's value is JSON where it reads as such, else text. An edit changes single parameters: the present ones are read first and
//! the write says which version it has seen.

use std::net::Ipv4Addr;

use serde_json::{Map, Value, json};

use super::{Shown, path};
use crate::{
    cli::{Client, Console, Done, Fault, client::Reply, table::listed},
    model::{HostName, Mac, Name, SmbiosUuid},
};

/// What may be said of a host.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Fields {
    /// Its network
    #[arg(long, value_name = "NAME")]
    network: Option<Name>,
    /// Its profile
    #[arg(long, value_name = "NAME")]
    profile: Option<Name>,
    /// The address that DHCP reserves for it
    #[arg(long, value_name = "IPV4")]
    address: Option<Ipv4Addr>,
    /// Its board's UUID
    #[arg(long)]
    uuid: Option<SmbiosUuid>,
    /// Its serial number
    #[arg(long)]
    serial: Option<String>,
    /// A loader by name, instead of the firmware table's
    #[arg(long, value_name = "NAME")]
    loader: Option<Name>,
    /// How it starts from its disk: exit, exit-1, sanboot, not-found, silence
    #[arg(long, value_name = "HOW")]
    disk_boot: Option<String>,
    /// A parameter; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    param: Vec<(String, Value)>,
    /// A parameter that is a secret; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    secret: Vec<(String, Value)>,
    /// A tag; may be repeated, and replaces the present ones
    #[arg(long, value_name = "WORD")]
    tag: Vec<String>,
}

/// A new host.
#[derive(Debug, Clone, clap::Args)]
pub struct Add {
    /// Its name
    name: HostName,
    /// A MAC address; may be repeated
    #[arg(long, required = true, value_name = "MAC")]
    mac: Vec<Mac>,
    #[command(flatten)]
    fields: Fields,
}

/// Changes to a host.
#[derive(Debug, Clone, clap::Args)]
pub struct Edit {
    /// Name, id or MAC address
    host: String,
    /// A new name
    #[arg(long)]
    name: Option<HostName>,
    /// A MAC address; may be repeated, and replaces the present ones
    #[arg(long, value_name = "MAC")]
    mac: Vec<Mac>,
    /// A parameter to forget; may be repeated
    #[arg(long, value_name = "KEY")]
    no_param: Vec<String>,
    #[command(flatten)]
    fields: Fields,
}

/// `KEY=VALUE`, the value as JSON where it reads as such.
pub fn pair(text: &str) -> Result<(String, Value), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => {
            Ok((key.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()))))
        }
        _ => Err("write KEY=VALUE, for example timezone=UTC".to_owned()),
    }
}

impl Fields {
    fn body(&self) -> Map<String, Value> {
        let Self { network, profile, address, uuid, serial, loader, disk_boot, .. } = self;
        let fields = [
            ("network", json!(network)),
            ("profile", json!(profile)),
            ("address", json!(address)),
            ("uuid", json!(uuid)),
            ("serial", json!(serial)),
            ("loader", json!(loader)),
            ("disk_boot", json!(disk_boot)),
            ("tags", if self.tag.is_empty() { Value::Null } else { json!(self.tag) }),
        ];
        fields.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn lay_over(&self, params: &mut Map<String, Value>) {
        params.extend(self.param.iter().cloned());
        params.extend(self.secret.iter().map(|(name, value)| (name.clone(), json!({ "secret": value }))));
    }
}

fn told(reply: &Reply, verb: &str, console: &mut Console<'_>) -> Done {
    if console.json(reply)? {
        return Ok(());
    }
    let Shown { host, .. } = reply.read()?;
    console.line(format_args!("{} {verb}: {}, {}", host.name, listed(&host.macs), host.lifecycle.word()))
}

impl Add {
    /// Records the host.
    pub fn run(&self, client: &Client, console: &mut Console<'_>) -> Done {
        let mut body = self.fields.body();
        let mut params = Map::new();
        self.fields.lay_over(&mut params);
        body.extend([("name".to_owned(), json!(self.name)), ("macs".to_owned(), json!(self.mac))]);
        if !params.is_empty() {
            body.insert("params".to_owned(), Value::Object(params));
        }
        told(&client.post("/api/v1/hosts", &Value::Object(body))?, "recorded", console)
    }
}

impl Edit {
    /// Changes the record.
    pub fn run(&self, client: &Client, console: &mut Console<'_>) -> Done {
        let mut body = self.fields.body();
        body.extend(self.name.iter().map(|name| ("name".to_owned(), json!(name))));
        if !self.mac.is_empty() {
            body.insert("macs".to_owned(), json!(self.mac));
        }
        let mut version = None;
        if !(self.fields.param.is_empty() && self.fields.secret.is_empty() && self.no_param.is_empty()) {
            let seen: Value = client.get(&path(&self.host))?.read()?;
            let mut params = seen.get("params").and_then(Value::as_object).cloned().unwrap_or_default();
            params.retain(|name, _| !self.no_param.contains(name));
            self.fields.lay_over(&mut params);
            body.insert("params".to_owned(), Value::Object(params));
            version = seen.get("version").map(|version| format!("\"{version}\""));
        }
        if body.is_empty() {
            return Err(Fault::Usage("nothing to edit: name at least one field, for example --profile NAME".to_owned()));
        }
        let headers: Vec<(&str, &str)> = version.as_deref().map(|version| ("if-match", version)).into_iter().collect();
        told(&client.ask("PATCH", &path(&self.host), Some(&Value::Object(body)), &headers)?, "edited", console)
    }
}
