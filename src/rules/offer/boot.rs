//! What there is to boot, in DHCP's words: header fields and options 43, 60, 66, 67, 97 and 175.
//!
//! ```text
//!              header siaddr, sname, file │ 60         │ 43              │ 66, 67 │ 175
//! PXE, full    server, name, loader       │ PXEClient  │ 6=8, 10         │ yes    │
//! PXE, proxy   on 4011 for UEFI, else at once                            (quirks)
//! HTTP         server, –, URL             │ HTTPClient │ –               │ 67     │
//! iPXE         server, name, script URL   │ as asked   │ proxy: 6=8      │ yes    │ 176=1
//! ```
//! A client that is given nothing to boot, an installer, or an operating system has none of these, whatever an operator wrote.

use std::{collections::BTreeMap, net::Ipv4Addr};

use super::Facts;
use crate::{
    model::{Firmware, Transport},
    rules::{
        boot::DhcpBoot,
        loaders::Client,
        quirks::{self, Quirk},
    },
    wire::dhcp::{Reply, ReplyKind, Request, code, vendor},
};

/// PXE 2.1 table 2-1: 43.6, discovery control. 8: no discovery, use the file that was given.
const USE_THE_FILE: (u8, &[u8]) = (6, &[8]);
/// 43.10, menu prompt: at once. EDK2 wants one where 43 is present.
const PROMPT: (u8, &[u8]) = (10, b"\0PXE");
/// 43.71, boot item: echoed to whoever names one.
const BOOT_ITEM: u8 = 71;
/// iPXE's 175.176: do not wait two seconds for a proxy.
const NO_PROXY_WAIT: (u8, &[u8]) = (176, &[1]);

/// An answer without anything but what every answer has.
pub(super) fn bare(request: &Request, kind: ReplyKind, server_id: Ipv4Addr) -> Reply {
    let mut options = BTreeMap::new();
    // RFC 6842: echoed also in a NAK.
    if let Some(client_id) = &request.client_id {
        options.insert(code::CLIENT_ID, client_id.clone());
    }
    Reply {
        kind,
        xid: request.xid,
        secs: request.secs,
        broadcast: request.broadcast,
        ciaddr: Ipv4Addr::UNSPECIFIED,
        yiaddr: Ipv4Addr::UNSPECIFIED,
        siaddr: Ipv4Addr::UNSPECIFIED,
        giaddr: request.giaddr,
        mac: request.mac,
        server_id,
        sname: String::new(),
        file: String::new(),
        options,
        relay: request.relay.as_ref().map(|relay| relay.raw.clone()),
        max_bytes: request.max_bytes,
    }
}

/// The boot options of an answer that carries an address, or their removal.
pub(super) fn write_full(reply: &mut Reply, request: &Request, facts: &Facts<'_>) {
    let (Client::Netboot(firmware), false) = (facts.client, matches!(facts.boot, DhcpBoot::None { .. })) else {
        return take_out(reply, facts.client);
    };
    let quirks = quirks::of(request.mac, *firmware);
    if firmware.ipxe {
        reply.options.insert(code::IPXE, vendor(&[NO_PROXY_WAIT], None));
    }
    if !quirks.contains(&Quirk::NoVendorOption) {
        reply.options.insert(code::VENDOR, vendor_option(request, &quirks));
    }
    write_file(reply, request, facts, *firmware, &quirks);
}

/// The proxy's offer on port 67.
pub(super) fn write_proxy_offer(reply: &mut Reply, request: &Request, facts: &Facts<'_>) {
    let Client::Netboot(firmware) = facts.client else { return };
    let quirks = quirks::of(request.mac, *firmware);
    if quirks.contains(&Quirk::AskOn4011) {
        reply.siaddr = facts.server;
        return write_identity(reply, request, *firmware);
    }
    if firmware.ipxe || !quirks.contains(&Quirk::NoVendorOption) {
        reply.options.insert(code::VENDOR, vendor_option(request, &quirks));
    }
    write_file(reply, request, facts, *firmware, &quirks);
}

/// The answer on port 4011.
pub(super) fn write_4011(reply: &mut Reply, request: &Request, facts: &Facts<'_>) {
    let Client::Netboot(firmware) = facts.client else { return };
    let quirks = quirks::of(request.mac, *firmware);
    // EDK2 takes the file from an answer without 43, as it came here because the offer had none.
    if !quirks.contains(&Quirk::AskOn4011) {
        reply.options.insert(code::VENDOR, vendor_option(request, &quirks));
    }
    write_file(reply, request, facts, *firmware, &quirks);
}

/// Milliseconds that the answer waits.
pub(super) fn delay_ms(request: &Request, client: &Client) -> u16 {
    let Client::Netboot(firmware) = client else { return 0 };
    let delays = quirks::of(request.mac, *firmware).into_iter().filter_map(|quirk| if let Quirk::DelayMs(ms) = quirk { Some(ms) } else { None });
    delays.max().unwrap_or(0)
}

/// What is said of booting in the journal.
pub(super) fn words(facts: &Facts<'_>) -> String {
    match (facts.client, facts.boot) {
        (Client::Netboot(_), DhcpBoot::None { why }) => format!(", nothing to boot: {why}"),
        (Client::Netboot(_), DhcpBoot::Loader { name, over: Transport::Tftp }) => format!(", loader {name} by TFTP"),
        (Client::Netboot(_), DhcpBoot::Loader { name, over: Transport::Http }) => format!(", loader {name} by HTTP"),
        (Client::Netboot(_), DhcpBoot::Script { url }) => format!(", script {url}"),
        (Client::Installer(class), _) => format!(", to an installer ({class})"),
        (Client::System(class), _) if class.is_empty() => ", to an operating system".to_owned(),
        (Client::System(class), _) => format!(", to {class}"),
    }
}

fn write_file(reply: &mut Reply, request: &Request, facts: &Facts<'_>, firmware: Firmware, quirks: &[Quirk]) {
    let file = match facts.boot {
        DhcpBoot::None { .. } => return,
        DhcpBoot::Loader { name, over: Transport::Tftp } => name.clone(),
        DhcpBoot::Loader { name, over: Transport::Http } => format!("{}/loader/{name}", facts.url),
        DhcpBoot::Script { url } => url.clone(),
    };
    write_identity(reply, request, firmware);
    reply.siaddr = facts.server;
    if firmware.transport == Transport::Tftp {
        reply.sname = facts.server.to_string();
        let plain = quirks.contains(&Quirk::PlainServerName);
        reply.options.insert(code::TFTP_SERVER, terminated(&reply.sname, !plain));
    }
    reply.options.insert(code::BOOT_FILE, terminated(&file, true));
    reply.file = file;
}

/// 60 and 97, which PXE and HTTP clients want to see again.
fn write_identity(reply: &mut Reply, request: &Request, firmware: Firmware) {
    let class: &[u8] = match firmware.transport {
        Transport::Http => b"HTTPClient",
        Transport::Tftp => b"PXEClient",
    };
    // iPXE reads its file without; a class would send it to look for a boot server.
    if !firmware.ipxe || reply.yiaddr.is_unspecified() {
        reply.options.insert(code::CLASS, class.to_vec());
    }
    if let Some(machine) = &request.machine {
        reply.options.insert(code::MACHINE, machine.clone());
    }
}

fn vendor_option(request: &Request, quirks: &[Quirk]) -> Vec<u8> {
    if quirks.contains(&Quirk::RaspberryMenu) {
        return vendor(&[USE_THE_FILE, (9, b"\0\0\x11Raspberry Pi Boot"), (10, b"\0PXE")], Some(code::END));
    }
    let item = request.vendor.as_deref().and_then(boot_item);
    match item {
        Some(item) => vendor(&[USE_THE_FILE, PROMPT, (BOOT_ITEM, item)], Some(code::END)),
        None => vendor(&[USE_THE_FILE, PROMPT], Some(code::END)),
    }
}

fn boot_item(mut sub: &[u8]) -> Option<&[u8]> {
    while let [code, len, rest @ ..] = sub {
        let (value, tail) = rest.split_at_checked(usize::from(*len))?;
        if *code == BOOT_ITEM {
            return Some(value);
        }
        sub = tail;
    }
    None
}

fn terminated(text: &str, nul: bool) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    if nul {
        bytes.push(0);
    }
    bytes
}

/// A firmware with nothing to boot must fall through at once, and debian-installer takes any file name with `://` for a preseed: not even
/// an operator's own 66 and 67 reach them. An operating system may have the operator's.
fn take_out(reply: &mut Reply, client: &Client) {
    let codes: &[u8] = match client {
        Client::Netboot(_) => &[code::VENDOR, code::CLASS, code::TFTP_SERVER, code::BOOT_FILE, code::IPXE],
        Client::Installer(_) => &[code::TFTP_SERVER, code::BOOT_FILE],
        Client::System(_) => &[],
    };
    for code in codes {
        reply.options.remove(code);
    }
}
