//! The captured packets of real clients, answered: each pcap has a text beside it with every request and our answer in order.
//!
//! Nothing is sent: packet, decision and encoder are pure, the facts are those of a host with an open build. `UPDATE_GOLDEN=1` writes the texts anew; their difference is reviewed like code.

use std::{
    fmt::Write as _,
    fs,
    net::{Ipv4Addr, SocketAddrV4},
    path::Path,
};

use bootwright::{
    model::{Firmware, Network, Plan, Timestamp},
    rules::{
        boot::{self, DhcpBoot},
        lease::Book,
        loaders::{self, Client},
        offer::{Facts, Known, Verdict, decide},
    },
    wire::dhcp::{HEADER_BYTES, PROXY_PORT, Request, SERVER_PORT},
};

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

struct Packet {
    from: SocketAddrV4,
    to: SocketAddrV4,
    payload: Vec<u8>,
}

/// The UDP packets of a pcap file (little-endian, Ethernet).
fn packets(path: &Path) -> Vec<Packet> {
    let bytes = fs::read(path).unwrap();
    assert_eq!(bytes[..4], [0xd4, 0xc3, 0xb2, 0xa1], "{}", path.display());
    let mut rest = &bytes[24..];
    let mut all = Vec::new();
    while rest.len() >= 16 {
        let len = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        let sliced = etherparse::SlicedPacket::from_ethernet(&rest[16..16 + len]).unwrap();
        if let (Some(etherparse::NetSlice::Ipv4(ip)), Some(etherparse::TransportSlice::Udp(udp))) = (sliced.net, sliced.transport) {
            let at = |address: [u8; 4], port| SocketAddrV4::new(address.into(), port);
            all.push(Packet {
                from: at(ip.header().source(), udp.source_port()),
                to: at(ip.header().destination(), udp.destination_port()),
                payload: udp.payload().to_vec(),
            });
        }
        rest = &rest[16 + len..];
    }
    all
}

fn network(mode: &str) -> Network {
    serde_json::from_value(serde_json::json!({
        "name": "lab", "subnet": "10.77.0.0/24", "dhcp": mode, "server": SERVER, "gateway": SERVER, "dns": [SERVER], "domain": "lab.test",
        "pools": [{"first": "10.77.0.100", "last": "10.77.0.200"}],
    }))
    .unwrap()
}

/// What a host with an open build is offered, where Debian's loaders are.
fn boot(client: &Client) -> DhcpBoot {
    let Client::Netboot(firmware) = client else { return DhcpBoot::None { why: "it did not ask".into() } };
    let present = ["undionly.kpxe", "snponly.efi", "ipxe.efi", "ipxe-arm64.efi"];
    let loader = loaders::choose(firmware.arch, None, &|name| present.contains(&name)).map_err(|_| "no loader");
    boot::for_dhcp(&Plan::Install, firmware, &boot::Ways { loader, script: "http://10.77.0.1/boot.ipxe?mac=M&s=S" })
}

/// To a server, and not from one (EDK2 asks and is answered on 4011 at both ends).
fn is_request(packet: &Packet) -> bool {
    [SERVER_PORT, PROXY_PORT].contains(&packet.to.port()) && packet.payload.first() == Some(&1)
}

fn transcript(path: &Path) -> String {
    let mode = if path.file_name().unwrap().to_str().unwrap().starts_with("proxy") { "proxy" } else { "full" };
    let network = network(mode);
    let packets: Vec<Packet> = packets(path).into_iter().filter(is_request).collect();
    let requests: Vec<(Request, &Packet)> = packets.iter().map(|packet| (Request::parse(&packet.payload).unwrap(), packet)).collect();
    // The host's own address is the one that the captured server gave it.
    let address = requests.iter().find_map(|(request, _)| request.requested);
    let name = "n1".parse().unwrap();
    let mut book = Book::default();
    let mut text = String::new();
    for (second, (request, packet)) in requests.iter().enumerate() {
        let client = loaders::client(request);
        let boot = boot(&client);
        let facts = Facts {
            network: Some(&network),
            host: Some(Known { name: &name, address }),
            client: &client,
            boot: &boot,
            server: SERVER,
            own: &[SERVER],
            url: "http://10.77.0.1",
            from: packet.from,
            port: packet.to.port(),
            is_taken: &|_| false,
        };
        let now = Timestamp::from_second(1_800_000_000 + second as i64).unwrap();
        let verdict = decide(request, &facts, &mut book, now);
        tell(&mut text, request, packet, &client, &verdict);
    }
    text
}

fn tell(text: &mut String, request: &Request, packet: &Packet, client: &Client, verdict: &Verdict) {
    let who = match client {
        Client::Netboot(Firmware { arch, transport, ipxe, ipxe_http }) => format!("{arch:?} {transport:?} ipxe={ipxe} http={ipxe_http}"),
        Client::Installer(class) | Client::System(class) => format!("system {class:?}"),
    };
    let _ = writeln!(
        text,
        "> {} to {} ({} bytes), ciaddr {}, wants {:?}, from server {:?}: {who}",
        request.kind.word(),
        packet.to,
        packet.payload.len(),
        request.ciaddr,
        request.requested,
        request.server_id
    );
    match verdict {
        Verdict::Silence { why, .. } => {
            let _ = writeln!(text, "  - {}: {why}", why.word());
        }
        Verdict::Answer(answer) => {
            let bytes = answer.reply.encode().bytes;
            assert!((300..=usize::from(request.max_bytes)).contains(&bytes.len()), "{} bytes", bytes.len());
            let _ = writeln!(text, "  < {} to {:?} ({} bytes)", answer.reply.kind.word(), answer.to, bytes.len());
            spell_out(text, &bytes);
        }
    }
}

/// The answer as a client reads it.
fn spell_out(text: &mut String, bytes: &[u8]) {
    assert!(bytes.len() > HEADER_BYTES);
    let message = dhcproto::v4::borrowed::Message::new(bytes).unwrap();
    let (sname, file) = (String::from_utf8_lossy(message.sname()), String::from_utf8_lossy(message.fname()));
    let broadcast = message.flags().broadcast();
    let _ = writeln!(
        text,
        "    yiaddr {} siaddr {} ciaddr {} bcast {broadcast} sname {sname:?} file {file:?}",
        message.yiaddr(),
        message.siaddr(),
        message.ciaddr()
    );
    for option in message.opts() {
        let (code, value) = (u8::from(option.code()), option.data());
        let shown = match code {
            1 | 3 | 6 | 28 | 54 => value.chunks(4).map(|octets| Ipv4Addr::from(<[u8; 4]>::try_from(octets).unwrap()).to_string()).collect(),
            12 | 15 | 60 | 66 | 67 => format!("{:?}", String::from_utf8_lossy(value)),
            51 | 58 | 59 => u32::from_be_bytes(value.try_into().unwrap()).to_string(),
            _ => value.iter().fold(String::from("0x"), |all, byte| all + &format!("{byte:02x}")),
        };
        let _ = writeln!(text, "    {code:>3} {shown}");
    }
}

#[test]
fn captured_clients_are_answered_as_the_goldens_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pcaps");
    let mut pcaps: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    pcaps.retain(|path| path.extension().is_some_and(|end| end == "pcap"));
    pcaps.sort();
    assert!(pcaps.len() >= 20, "the captures are in {}", folder.display());
    for pcap in pcaps {
        let (golden, text) = (pcap.with_extension("txt"), transcript(&pcap));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, &text).unwrap();
        }
        let want = fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(text, want, "{}", golden.display());
    }
}
