//! `host facts`: what registration found in a machine, in tables.
//!
//! Everything a machine wrote about itself is shown without its control characters. Nothing is judged here; `--json` has all of it.

use super::Shown;
use crate::{
    cli::{
        Console, Done, Fault,
        table::{Table, bytes, listed, or_dash, time, word},
    },
    model::{
        Facts,
        facts::{Disk, Nic, Part},
    },
};

/// The facts alone, as JSON.
pub fn json(shown: &Shown, console: &mut Console<'_>) -> Done {
    let facts = found(shown)?;
    console.line(serde_json::to_string(facts).unwrap_or_default())
}

/// Prints the facts of a host.
pub fn show(shown: &Shown, console: &mut Console<'_>) -> Done {
    let facts = found(shown)?;
    let run = shown.host.live.as_ref().and_then(|run| run.crew.as_ref());
    let crew = run.map_or_else(String::new, |crew| plain(&format!(", by agent {} of live image {}", crew.agent, crew.image)));
    console.line(format_args!("{}  registered {}{crew}", shown.host.name, or_dash(shown.host.facts_at.map(time))))?;
    machine(facts).into_iter().filter(|(_, text)| !text.is_empty()).try_for_each(|(name, text)| console.line(format_args!("  {name:<12} {text}")))?;
    modules(facts, console)?;
    cards(facts, console)?;
    disks(facts, console)?;
    controllers(facts, console)?;
    let failed = facts.collectors.iter().filter_map(|one| Some(format!("  ! collector {}: {}", one.name, one.error.as_deref()?)));
    failed.map(|line| plain(&line)).try_for_each(|line| console.line(line))
}

fn found(shown: &Shown) -> Result<&Facts, Fault> {
    let name = &shown.host.name;
    shown.host.facts.as_deref().ok_or_else(|| {
        let text = format!("{name} has no facts: it never registered\n  `bootwright host register {name}` collects them with the live image");
        Fault::no(format_args!("{text}"))
    })
}

/// What a machine wrote, without what a terminal would obey.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// Words with one blank between them, empty ones left out.
fn words(words: &[&str]) -> String {
    plain(&words.iter().map(|word| word.trim()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "))
}

fn labelled(label: &str, text: &str) -> String {
    if text.trim().is_empty() { String::new() } else { format!("{label} {}", text.trim()) }
}

fn part(part: &Part) -> String {
    words(&[&part.vendor, &part.product, &labelled("serial", &part.serial), &labelled("asset tag", &part.asset_tag)])
}

fn machine(facts: &Facts) -> Vec<(&'static str, String)> {
    let Facts { system, bios, cpu, memory, boot, .. } = facts;
    let uuid = system.uuid.map(|uuid| uuid.to_string()).unwrap_or_default();
    let firmware = match (boot.uefi, boot.secure_boot) {
        (false, _) => "BIOS",
        (true, None) => "UEFI",
        (true, Some(true)) => "UEFI, Secure Boot on",
        (true, Some(false)) => "UEFI, Secure Boot off",
    };
    let mut lines = vec![
        ("system", words(&[&system.vendor, &system.product, &system.version, &labelled("sku", &system.sku)])),
        ("serial", plain(&system.serial)),
        ("uuid", uuid),
        ("board", part(&facts.board)),
        ("case", part(&facts.chassis)),
        ("bios", words(&[&bios.vendor, &bios.version, &bios.date])),
        ("boots by", firmware.to_owned()),
        ("boot order", plain(&boot.order.join(", "))),
        ("tpm", facts.tpm.as_deref().map(plain).unwrap_or_default()),
        ("cpu", format!("{}: {} sockets, {} cores, {} threads", words(&[&cpu.model, &cpu.architecture]), cpu.sockets, cpu.cores, cpu.threads)),
        ("memory", bytes(memory.size_bytes)),
    ];
    lines.extend(facts.power_supplies.iter().map(|supply| ("power supply", part(supply))));
    lines.extend(facts.bmc.iter().map(|bmc| {
        let address = format!("{} at {}", or_dash(bmc.mac), or_dash(bmc.address));
        ("bmc", words(&[&address, &labelled("firmware", &bmc.firmware)]))
    }));
    lines
}

fn modules(facts: &Facts, console: &mut Console<'_>) -> Done {
    let mut table = Table::new(["MEMORY MODULE", "SIZE", "KIND", "MT/S", "MAKER", "PART", "SERIAL"], console.is_terminal);
    for one in &facts.memory.modules {
        let speed = or_dash(Some(one.speed_mts).filter(|speed| *speed > 0));
        table.row([plain(&one.slot), bytes(one.size_bytes), plain(&one.kind), speed, plain(&one.vendor), plain(&one.part), plain(&one.serial)]);
    }
    below(&table, console)
}

fn cards(facts: &Facts, console: &mut Console<'_>) -> Done {
    let mut table = Table::new(["NETWORK CARD", "MAC", "LINK", "DRIVER", "FIRMWARE", "BUS", "NEIGHBOUR", "PORT"], console.is_terminal);
    for nic in &facts.nics {
        let name = if nic.boot { format!("{} (booted)", nic.name) } else { nic.name.clone() };
        let (switch, port) = neighbour(nic);
        table.row([plain(&name), mac(nic), link(nic), plain(&nic.driver), plain(&nic.firmware), plain(&nic.bus), switch, port]);
    }
    below(&table, console)
}

fn mac(nic: &Nic) -> String {
    match nic.permanent_mac.filter(|made| *made != nic.mac) {
        Some(made) => format!("{made} (uses {})", nic.mac),
        None => nic.mac.to_string(),
    }
}

fn link(nic: &Nic) -> String {
    match (nic.link, nic.speed_mbps) {
        (false, _) => "down".to_owned(),
        (true, None) => "up".to_owned(),
        (true, Some(speed)) => format!("{speed} Mbit/s"),
    }
}

fn neighbour(nic: &Nic) -> (String, String) {
    let Some(lldp) = &nic.lldp else { return ("-".to_owned(), "-".to_owned()) };
    let switch = if lldp.system.is_empty() { &lldp.chassis } else { &lldp.system };
    (plain(switch), words(&[&lldp.port, &lldp.description]))
}

fn disks(facts: &Facts, console: &mut Console<'_>) -> Done {
    let mut table = Table::new(["DISK", "SIZE", "KIND", "MODEL", "SERIAL", "ID", "HEALTH", "ERASED BY", "HOLDS"], console.is_terminal);
    for disk in &facts.disks {
        let erase: Vec<String> = disk.erase.iter().map(word).collect();
        let (model, serial, id) = (words(&[&disk.model, &disk.firmware]), plain(&disk.serial), plain(&disk.id.0));
        table.row([
            plain(&disk.name),
            bytes(disk.size_bytes),
            kind(disk),
            model,
            serial,
            id,
            health(disk),
            listed(&erase),
            plain(&listed(&disk.signatures)),
        ]);
    }
    below(&table, console)
}

fn kind(disk: &Disk) -> String {
    let spins = if disk.rotational { "disk" } else { "flash" };
    let marks = [(disk.read_only, "read-only"), (disk.removable, "removable"), (disk.frozen, "frozen")];
    let marks: Vec<&str> = marks.into_iter().filter_map(|(is, word)| is.then_some(word)).collect();
    words(&[&disk.transport, spins, &marks.join(" ")])
}

fn health(disk: &Disk) -> String {
    let Some(health) = &disk.health else { return "-".to_owned() };
    let verdict = match health.passed {
        Some(true) => "good",
        Some(false) => "FAILING",
        None => "unknown",
    };
    let hours = health.power_on_hours.map(|hours| format!(", {hours} h"));
    let wear = health.wear_percent.map(|wear| format!(", {wear} % worn"));
    let heat = health.celsius.map(|celsius| format!(", {celsius} °C"));
    [Some(verdict.to_owned()), hours, wear, heat].into_iter().flatten().collect()
}

fn controllers(facts: &Facts, console: &mut Console<'_>) -> Done {
    let mut table = Table::new(["CONTROLLER", "KIND", "NAME", "DRIVER"], console.is_terminal);
    for one in &facts.controllers {
        table.row([plain(&one.address), plain(&one.class), words(&[&one.vendor, &one.product]), plain(&one.driver)]);
    }
    below(&table, console)
}

/// A table of the report; without rows it is left out.
fn below(table: &Table, console: &mut Console<'_>) -> Done {
    if table.is_empty() {
        return Ok(());
    }
    console.line("")?;
    console.table(table, "")
}
