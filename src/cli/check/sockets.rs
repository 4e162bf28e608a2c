//! What only trying tells: are the interfaces there, the ports free, the privileges given, and is the operators' listener safe?
//!
//! Every port is bound and let go at once. One that is taken by a running Bootwright with these settings is no mistake.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, UdpSocket},
    time::Duration,
};

use nix::ifaddrs::getifaddrs;
use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    app::check::Line,
    config::{Admin, Config, DhcpReply},
};

/// Capabilities by number (linux/capability.h).
const NET_BIND_SERVICE: u32 = 10;
const NET_RAW: u32 = 13;

/// Everything about sockets.
pub fn lines(config: &Config) -> Vec<Line> {
    let mut lines = interfaces(&config.dhcp.interfaces);
    lines.extend(privileges(config));
    lines.push(admin(&config.admin));
    let runs = is_running(&config.admin);
    if runs {
        lines.push(Line::ok("daemon", format_args!("already runs and answers on {}; its ports are taken by itself", config.admin.listen)));
    }
    let taken = |what: String, tried: io::Result<()>| port(what, tried, runs);
    lines.push(taken(format!("boot port {} (TCP)", config.boot.listen), TcpListener::bind(config.boot.listen).map(drop)));
    lines.push(taken(format!("admin port {} (TCP)", config.admin.listen), TcpListener::bind(config.admin.listen).map(drop)));
    lines.push(taken(format!("tftp port {} (UDP)", config.tftp.listen), UdpSocket::bind(config.tftp.listen).map(drop)));
    for name in &config.dhcp.interfaces {
        lines.extend([67, 4011].map(|number| taken(format!("dhcp port {number} on {name} (UDP)"), dhcp(name, number))));
    }
    lines
}

fn interfaces(names: &[String]) -> Vec<Line> {
    if names.is_empty() {
        return vec![Line::warn(
            "dhcp",
            "no interface is named in dhcp.interfaces: another DHCP server must point machines here (`bootwright network snippet`)",
        )];
    }
    let all: Vec<(String, Option<Ipv4Addr>)> = getifaddrs().map_or_else(
        |_| Vec::new(),
        |all| {
            all.map(|one| (one.interface_name.clone(), one.address.and_then(|at| at.as_sockaddr_in().map(nix::sys::socket::SockaddrIn::ip))))
                .collect()
        },
    );
    let look = |name: &String| {
        let what = format!("interface {name}");
        let mine: Vec<_> = all.iter().filter(|(other, _)| other == name).collect();
        let addresses: Vec<String> = mine.iter().filter_map(|(_, address)| address.map(|address| address.to_string())).collect();
        match (mine.is_empty(), addresses.is_empty()) {
            (true, _) => {
                let mut there: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
                there.sort_unstable();
                there.dedup();
                Line::fail(what, format_args!("is not there; there are {}", there.join(", ")))
            }
            (false, true) => Line::fail(what, "has no IPv4 address; give it one, machines must reach us there"),
            (false, false) => Line::ok(what, addresses.join(", ")),
        }
    };
    names.iter().map(look).collect()
}

fn privileges(config: &Config) -> Vec<Line> {
    let Some(mask) = effective_capabilities() else {
        return vec![Line::warn("privileges", "cannot be read from /proc/self/status")];
    };
    let low = config.boot.listen.port() < 1024 || config.tftp.listen.port() < 1024 || !config.dhcp.interfaces.is_empty();
    let raw = !config.dhcp.interfaces.is_empty();
    let fall_back = if config.dhcp.reply == DhcpReply::Raw { "; raw frames to clients without an address need it too" } else { "" };
    let wanted = [
        ("CAP_NET_BIND_SERVICE", NET_BIND_SERVICE, low, "ports below 1024"),
        ("CAP_NET_RAW", NET_RAW, raw, "DHCP sockets that are bound to an interface"),
    ];
    let look = |(name, bit, needed, why): (&str, u32, bool, &str)| match (mask >> bit & 1 == 1, needed) {
        (_, false) => None,
        (true, true) => Some(Line::ok("privileges", format_args!("{name} ({why})"))),
        (false, true) => {
            let more = if bit == NET_RAW { fall_back } else { "" };
            let text =
                format!("{name} is missing: {why}{more}; run the check and the daemon as root, or with AmbientCapabilities={name} in the unit");
            Some(Line::fail("privileges", text))
        }
    };
    wanted.into_iter().filter_map(look).collect()
}

fn effective_capabilities() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

fn admin(admin: &Admin) -> Line {
    let what = format!("admin listener {}", admin.listen);
    match (&admin.tls_cert, &admin.tls_key) {
        (Some(chain), Some(key)) => match crate::serve::http::tls::acceptor(chain, key) {
            Ok(_) => Line::ok(what, "TLS, certificate and key belong together"),
            Err(fault) => Line::fail(what, fault),
        },
        // The settings refuse any other address without TLS.
        _ => Line::ok(what, "reachable from this machine only"),
    }
}

fn dhcp(interface: &str, port: u16) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())
}

fn port(what: String, tried: io::Result<()>, runs: bool) -> Line {
    let Err(fault) = tried else { return Line::ok(what, "free") };
    match fault.kind() {
        io::ErrorKind::AddrInUse if runs => Line::ok(what, "taken by the running daemon"),
        io::ErrorKind::AddrInUse => Line::fail(what, "taken by another program; `ss -lnptu` says which"),
        io::ErrorKind::PermissionDenied => Line::fail(what, format_args!("{fault}; see privileges above")),
        io::ErrorKind::AddrNotAvailable => Line::fail(what, format_args!("{fault}: no interface has this address")),
        _ => Line::fail(what, fault),
    }
}

/// Whether our own daemon answers on the admin port.
fn is_running(admin: &Admin) -> bool {
    let reach = match admin.listen {
        SocketAddr::V4(at) if at.ip().is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, at.port())),
        at => at,
    };
    if admin.tls_cert.is_some() {
        // Whom the certificate names is not ours to know; a connection is sign enough.
        return std::net::TcpStream::connect_timeout(&reach, Duration::from_secs(2)).is_ok();
    }
    let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).timeout_global(Some(Duration::from_secs(2))).build().into();
    let answer = agent.get(format!("http://{reach}/healthz")).call().ok().and_then(|mut answer| answer.body_mut().read_to_string().ok());
    answer.is_some_and(|text| text.contains("\"status\":\"ok\""))
}
