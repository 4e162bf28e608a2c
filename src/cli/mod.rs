//! The command line: a client of the REST API, one file per noun. Only `serve`, `check` and the offline template commands work without
//! a daemon.
//!
//! Every command parses, asks one route and prints; it decides nothing. Tables are for people, `--json` gives the API's answer as it came.
//! Exit codes: 0 done, 1 refused or failed, 2 called wrongly, 3 the daemon cannot be reached.

mod apply;
mod artifact;
mod build;
mod check;
mod client;
pub mod console;
mod entry;
mod explain;
mod fault;
mod host;
mod journal;
mod lease;
mod network;
mod problem;
mod profile;
mod serve;
mod stream;
mod table;
mod template;
mod timeline;
mod token;
mod watch;

use std::ffi::OsString;

use clap::{Parser, Subcommand};

use client::{Client, Remote};
use console::Console;
use fault::{Done, Fault};

/// Network-boot provisioning for bare metal: DHCP, TFTP and HTTP in one daemon.
#[derive(Debug, Parser)]
#[command(
    name = "bootwright",
    version,
    max_term_width = 110,
    disable_help_subcommand = true,
    after_help = "\
Exit codes: 0 done, 1 refused or failed, 2 called wrongly, 3 the daemon cannot be reached.\n\
Example: bootwright apply -f site.yaml && bootwright build enable n1 && bootwright host watch n1 --until local_boot"
)]
struct Line {
    #[command(flatten)]
    remote: Remote,
    /// Print the API's JSON instead of tables
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Check(check::Check),
    Apply(apply::Apply),
    /// Hosts: the inventory, and everything an operator may do to one
    #[command(subcommand)]
    Host(host::Host),
    /// Builds: installations of a host
    #[command(subcommand)]
    Build(build::BuildCommand),
    Explain(explain::Explain),
    Journal(journal::Journal),
    /// Profiles: what can be installed
    #[command(subcommand)]
    Profile(profile::ProfileCommand),
    /// Networks: subnets and their DHCP
    #[command(subcommand)]
    Network(network::NetworkCommand),
    /// Leases: who has which address
    #[command(subcommand)]
    Lease(lease::LeaseCommand),
    /// Templates: scripts and answer files
    #[command(subcommand)]
    Template(template::TemplateCommand),
    /// Artifacts: kernels, initrds, trees
    #[command(subcommand)]
    Artifact(artifact::ArtifactCommand),
    /// Tokens: who may use the API
    #[command(subcommand)]
    Token(token::TokenCommand),
}

/// Runs one command; the exit code.
pub fn run(line: impl IntoIterator<Item = OsString>, console: &mut Console<'_>) -> u8 {
    match Line::try_parse_from(line) {
        Ok(line) => {
            console.is_json = line.json;
            match dispatch(line, console) {
                Ok(()) => 0,
                Err(fault) => {
                    console.complain(&fault);
                    fault.code()
                }
            }
        }
        Err(asked) if !asked.use_stderr() => console.text(&asked.render().to_string()).map_or_else(|fault| fault.code(), |()| 0),
        Err(wrong) => {
            console.remark(wrong.render().to_string().trim_end());
            2
        }
    }
}

fn dispatch(line: Line, console: &mut Console<'_>) -> Done {
    let remote = line.remote;
    match line.command {
        Command::Serve(command) => command.run(),
        Command::Check(command) => command.run(console),
        Command::Apply(command) => command.run(&remote, console),
        Command::Host(command) => command.run(&Client::new(&remote)?, console),
        Command::Build(command) => command.run(&Client::new(&remote)?, console),
        Command::Explain(command) => command.run(&Client::new(&remote)?, console),
        Command::Journal(command) => command.run(&Client::new(&remote)?, console),
        Command::Profile(command) => command.run(&Client::new(&remote)?, console),
        Command::Network(command) => command.run(&Client::new(&remote)?, console),
        Command::Lease(command) => command.run(&Client::new(&remote)?, console),
        Command::Template(command) => command.run(&remote, console),
        Command::Artifact(command) => command.run(&Client::new(&remote)?, console),
        Command::Token(command) => command.run(&Client::new(&remote)?, console),
    }
}
