//! The command line: a client of the REST API, one file per noun. Only `serve`, `check`, `image`, `restore` and the offline commands of
//! templates and backups work without a daemon.
//! The command line: a client of the REST API, one file per noun. Only `serve`, `check`, `image` and the offline template commands
//! work without a daemon; `simulate` asks one as machines do.
//!
//! Every command parses, asks one route and prints; it decides nothing. Tables are for people, `--json` gives the API's answer as it came.
//! Exit codes: 0 done, 1 refused or failed, 2 called wrongly, 3 the daemon cannot be reached.

mod apply;
mod artifact;
mod backup;
mod build;
mod check;
mod client;
pub mod console;
mod entry;
mod explain;
mod fault;
mod host;
mod image;
mod journal;
mod lease;
mod network;
mod problem;
mod profile;
mod restore;
mod rule;
mod serve;
mod simulate;
mod stream;
mod table;
mod template;
mod timeline;
mod token;
mod verify;
mod watch;

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

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
    Simulate(simulate::Simulate),
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
    /// Rules: profile, parameters and tags by what registration finds
    #[command(subcommand)]
    Rule(rule::RuleCommand),
    /// Leases: who has which address
    #[command(subcommand)]
    Lease(lease::LeaseCommand),
    /// Templates: scripts and answer files
    #[command(subcommand)]
    Template(template::TemplateCommand),
    /// Artifacts: kernels, initrds, trees
    #[command(subcommand)]
    Artifact(artifact::ArtifactCommand),
    /// The live image: what registers and wipes machines
    #[command(subcommand)]
    Image(image::ImageCommand),
    /// Tokens: who may use the API
    #[command(subcommand)]
    Token(token::TokenCommand),
    Backup(backup::Backup),
    Restore(restore::Restore),
    Verify(verify::Verify),
}

impl Line {
    /// Parses a command line; each verb's help has the flags of that verb.
    fn read(line: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut command = Self::command().mut_subcommand("host", |host| host.mut_subcommands(host::of_its_own));
        let mut found = command.try_get_matches_from_mut(line)?;
        Self::from_arg_matches_mut(&mut found).map_err(|wrong| wrong.format(&mut command))
    }
}

/// Runs one command; the exit code.
pub fn run(line: impl IntoIterator<Item = OsString>, console: &mut Console<'_>) -> u8 {
    match Line::read(line) {
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
        Command::Simulate(command) => command.run(&remote, console),
        Command::Apply(command) => command.run(&remote, console),
        Command::Host(command) => command.run(&Client::new(&remote)?, console),
        Command::Build(command) => command.run(&Client::new(&remote)?, console),
        Command::Explain(command) => command.run(&Client::new(&remote)?, console),
        Command::Journal(command) => command.run(&Client::new(&remote)?, console),
        Command::Profile(command) => command.run(&Client::new(&remote)?, console),
        Command::Network(command) => command.run(&Client::new(&remote)?, console),
        Command::Rule(command) => command.run(&Client::new(&remote)?, console),
        Command::Lease(command) => command.run(&Client::new(&remote)?, console),
        Command::Template(command) => command.run(&remote, console),
        Command::Artifact(command) => command.run(&Client::new(&remote)?, console),
        Command::Image(command) => command.run(console),
        Command::Token(command) => command.run(&Client::new(&remote)?, console),
        Command::Backup(command) => command.run(&remote, console),
        Command::Restore(command) => command.run(console),
        Command::Verify(command) => command.run(&remote, console),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every example that a command's help shows.
    fn examples(command: &clap::Command, found: &mut Vec<String>) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let example = help.lines().find_map(|line| line.strip_prefix("Example: "));
        assert!(example.is_some(), "`{}` has no example in its help", command.get_name());
        found.extend(example.map(|line| line.split("   (").next().unwrap_or(line).to_owned()));
        command.get_subcommands().for_each(|sub| leaf(sub, found));
    }

    fn leaf(command: &clap::Command, found: &mut Vec<String>) {
        if command.has_subcommands() { command.get_subcommands().for_each(|sub| leaf(sub, found)) } else { examples(command, found) }
    }

    /// Splits as a shell would, as far as our examples need it.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut quoted) = (vec![String::new()], false);
        for letter in line.split(['>', '|', '&']).next().unwrap_or(line).trim().chars() {
            match letter {
                '\'' => quoted = !quoted,
                ' ' if !quoted => words.push(String::new()),
                _ => words.last_mut().unwrap().push(letter),
            }
        }
        words
    }

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Line::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example_and_every_example_parses() {
        let mut found = Vec::new();
        let command = Line::command();
        examples(&command, &mut found);
        assert!(found.len() > 50, "{}", found.len());
        for example in found {
            if let Err(wrong) = Line::try_parse_from(words(&example)) {
                panic!("{example}\n{wrong}");
            }
        }
    }

    #[test]
    fn what_the_lab_and_its_checks_call_parses() {
        for line in [
            "bootwright apply -f site.yaml --dry-run",
            "bootwright host adopt n1 --confirm n1",
            "bootwright build enable n1 --confirm n1 --profile p --kind reinstall --force",
            "bootwright build wait n1 --for local_boot --timeout 30",
            "bootwright build wait n1 --for ended --timeout 270",
            "bootwright host watch n1 --until built --timeout 240",
            "bootwright journal --host n1 --limit 200",
            "bootwright template preview n1 preseed.cfg --reveal",
            "bootwright template lint",
            "bootwright lease list",
            "bootwright serve -c b.toml --log debug",
            "bootwright host list --json --server http://127.0.0.1:1",
        ] {
            Line::try_parse_from(words(line)).unwrap();
        }
    }
}
