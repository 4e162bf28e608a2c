//! `bootwright simulate`: whole machines without hardware, for load tests and for authors of templates. docs/simulate.md tells how.
//!
//! It talks to the daemon as machines do, not through the API; `--server` is therefore an address here. Exit 0 only if every host arrived.

use std::net::Ipv4Addr;

use super::{Console, Done, Fault, Remote};
use crate::{
    model::{Mac, Name},
    simulate::{self, Odds, Scenario, Span, Wish},
};

/// Simulate machines that boot and install; --server is the daemon's address on the machines' network
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: bootwright simulate --server 10.0.0.1 --relay 10.0.0.2 --hosts 500 --scenario build --loss 0.01")]
pub struct Simulate {
    /// This machine's own address: packets go out as a DHCP relay's, answers come to port 67 there
    #[arg(long, value_name = "ADDR", required_unless_present = "print_site")]
    relay: Option<Ipv4Addr>,
    /// How many machines
    #[arg(long, value_name = "N", default_value_t = 1)]
    hosts: u32,
    /// build, script or storm, or the path of a file
    #[arg(long, value_name = "NAME", default_value = "build")]
    scenario: String,
    /// Within which time they are switched on
    #[arg(long, value_name = "TIME", default_value = "0s")]
    ramp: Span,
    /// How likely a packet is lost
    #[arg(long, value_name = "PART", default_value = "0", value_parser = odds)]
    loss: f64,
    /// How likely a packet arrives twice
    #[arg(long, value_name = "PART", default_value = "0", value_parser = odds)]
    duplicate: f64,
    /// How likely the next packet overtakes it
    #[arg(long, value_name = "PART", default_value = "0", value_parser = odds)]
    reorder: f64,
    /// How likely a packet arrives about a second late
    #[arg(long, value_name = "PART", default_value = "0", value_parser = odds)]
    late: f64,
    /// How likely an HTTP connection breaks; else a fifth of --loss
    #[arg(long, value_name = "PART", value_parser = odds)]
    broken: Option<f64>,
    /// The same seed draws the same chances; else one is chosen and printed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The card of the first machine; the others count on
    #[arg(long, value_name = "MAC", default_value = "02:00:00:00:00:00")]
    macs: Mac,
    /// Every machine uses the address it was leased, as real ones do; needs `ip route add local SUBNET dev lo`
    #[arg(long)]
    own_addresses: bool,
    /// One more address that scripts and documents may lead to
    #[arg(long, value_name = "ADDR")]
    allow: Vec<Ipv4Addr>,
    /// The daemon's DHCP port, and the relay's
    #[arg(long, value_name = "PORT", default_value_t = 67)]
    dhcp_port: u16,
    /// The daemon's TFTP port
    #[arg(long, value_name = "PORT", default_value_t = 69)]
    tftp_port: u16,
    /// The port of URLs that name none
    #[arg(long, value_name = "PORT", default_value_t = 80)]
    http_port: u16,
    /// How long one machine may take
    #[arg(long, value_name = "TIME", default_value = "120s")]
    timeout: Span,
    /// Only print a site file with these machines, for `bootwright apply -f -`
    #[arg(long)]
    print_site: bool,
    /// The network of the printed site
    #[arg(long, value_name = "NAME", default_value = "lab")]
    network: Name,
    /// The profile of the printed site
    #[arg(long, value_name = "NAME", default_value = "os")]
    profile: Name,
}

fn odds(text: &str) -> Result<f64, String> {
    let part = text.parse().ok().filter(|part| (0.0..=1.0).contains(part));
    part.ok_or_else(|| format!("{text:?} is no part of one; 0.01 means one in a hundred"))
}

impl Simulate {
    /// Runs until every machine has come to its end.
    pub fn run(self, remote: &Remote, console: &mut Console<'_>) -> Done {
        if self.print_site {
            return console.text(&simulate::site(self.macs, self.hosts, self.network.as_ref(), self.profile.as_ref()));
        }
        let wish = self.wish(remote)?;
        console.remark(format_args!("simulating {} hosts, scenario {}, seed {}", wish.hosts, wish.scenario.0, wish.seed));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Fault::no)?;
        let report = runtime.block_on(simulate::run(&wish)).map_err(Fault::no)?;
        if console.is_json {
            console.line(serde_json::to_string(&report).map_err(Fault::no)?)?;
        } else {
            console.text(&report.to_string())?;
        }
        if report.is_good() {
            Ok(())
        } else {
            Err(Fault::no(format_args!("{} of {} hosts did not arrive", report.hosts - report.arrived, report.hosts)))
        }
    }

    fn wish(self, remote: &Remote) -> Result<Wish, Fault> {
        let server = remote.server.parse().map_err(|_| {
            Fault::Usage(format!("--server {:?}: for `simulate` this is the daemon's address on the machines' network, like 10.0.0.1", remote.server))
        })?;
        let scenario = Scenario::named(&self.scenario).map_err(Fault::no)?;
        let seed = match self.seed {
            Some(seed) => seed,
            // Short enough to be typed again.
            None => u64::from(getrandom::u32().map_err(Fault::no)?),
        };
        Ok(Wish {
            scenario: (self.scenario, scenario),
            server,
            relay: self.relay.unwrap_or(Ipv4Addr::UNSPECIFIED),
            allowed: self.allow,
            hosts: self.hosts,
            first: self.macs,
            ramp: self.ramp.0,
            timeout: self.timeout.0,
            odds: Odds {
                loss: self.loss,
                duplicate: self.duplicate,
                reorder: self.reorder,
                late: self.late,
                broken: self.broken.unwrap_or(self.loss / 5.0),
            },
            seed,
            own_addresses: self.own_addresses,
            ports: [self.dhcp_port, self.tftp_port, self.http_port],
        })
    }
}
