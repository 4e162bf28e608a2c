//! DHCP packets in a row on one network: read, decided, answered, and the answers read again by dhcproto.
//!
//! ```text
//!   mode  boot   (seconds  port and host  length packet)*
//! ```
//! Promised: an answer fits the client's limit and an Ethernet frame, and says on the wire what it was meant to say; no address is lent to
//! two machines at a time; whoever gets an address gets one of the network's.

use std::{collections::HashMap, net::Ipv4Addr, net::SocketAddrV4, sync::LazyLock};

use bootwright::{
    model::{HostName, LeaseState, Mac, Network, Timestamp, Transport},
    rules::{
        boot::DhcpBoot,
        lease::Book,
        loaders,
        offer::{Facts, Known, Verdict, decide},
    },
    wire::dhcp::{PROXY_PORT, Reply, ReplyKind, Request, RequestKind, SERVER_PORT, code},
};
use dhcproto::v4::borrowed::Message;

use crate::feed::Feed;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const RESERVED: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 50);
/// Packets of one input; more of them teach nothing new.
const MOST_PACKETS: usize = 64;

static NETWORKS: LazyLock<Vec<Network>> = LazyLock::new(|| ["full", "proxy", "off"].into_iter().map(network).collect());

fn network(mode: &str) -> Network {
    let json = serde_json::json!({
        "name": "lab", "subnet": "10.77.0.0/24", "dhcp": mode, "server": SERVER, "gateway": SERVER, "dns": ["10.77.0.2", "10.77.0.3"],
        "domain": "lab.test", "ntp": [SERVER], "mtu": 1500, "options": {"209": "pxelinux.cfg/default", "121": "0x180a4d000a4d0001"},
        "pools": [{"first": "10.77.0.100", "last": "10.77.0.104"}],
    });
    serde_json::from_value(json).expect("a network")
}

/// Who has what, as the acknowledgements say.
type Lent = HashMap<Ipv4Addr, (Mac, Timestamp)>;

/// One input.
pub fn check(input: &[u8]) {
    let mut feed = Feed::new(input);
    let network = &NETWORKS[usize::from(feed.byte() % 3)];
    let boot = what_there_is_to_boot(feed.byte());
    let (mut book, mut lent, mut second) = (Book::default(), Lent::new(), 1_800_000_000);
    for _ in 0..MOST_PACKETS {
        if feed.is_empty() {
            return;
        }
        second += i64::from(feed.byte());
        let how = feed.byte();
        let Ok(request) = Request::parse(feed.chunk()) else { continue };
        let _ = (request.uuid(), request.class_text(), request.ipxe.as_ref().map(|ipxe| ipxe.has_http()));
        let now = Timestamp::from_second(second).expect("a time");
        one(&request, how, network, &boot, &mut book, &mut lent, now);
    }
}

fn what_there_is_to_boot(which: u8) -> DhcpBoot {
    match which % 4 {
        0 => DhcpBoot::None { why: "the host stays on its disk".to_owned() },
        1 => DhcpBoot::Loader { name: "snponly.efi".to_owned(), over: Transport::Tftp },
        2 => DhcpBoot::Loader { name: "x".repeat(usize::from(which)), over: Transport::Http },
        _ => DhcpBoot::Script { url: format!("http://10.77.0.1/boot.ipxe?mac=M&s={}", "0".repeat(usize::from(which))) },
    }
}

fn one(request: &Request, how: u8, network: &Network, boot: &DhcpBoot, book: &mut Book, lent: &mut Lent, now: Timestamp) {
    let client = loaders::client(request);
    let name: HostName = "n1.lab.test".parse().expect("a name");
    let reserved = (how & 2 != 0).then_some(RESERVED);
    let facts = Facts {
        network: (how & 32 == 0).then_some(network),
        host: (how & 4 == 0).then_some(Known { name: &name, address: reserved }),
        client: &client,
        boot,
        server: SERVER,
        own: &[SERVER],
        url: "http://10.77.0.1",
        from: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68),
        port: if how & 1 == 0 { SERVER_PORT } else { PROXY_PORT },
        is_taken: &|address| address == SERVER || address == RESERVED,
    };
    match decide(request, &facts, book, now) {
        Verdict::Answer(answer) => {
            spelled(&answer.reply, request);
            if let Some((lease, _)) = &answer.lease {
                assert_eq!((answer.reply.kind, answer.reply.yiaddr), (ReplyKind::Ack, lease.address));
                assert!(network.subnet.contains(&lease.address), "{} is not of the network", lease.address);
                let before = lent.insert(lease.address, (lease.mac, lease.expires));
                assert!(before.is_none_or(|(mac, until)| mac == lease.mac || until <= now), "{} is lent twice", lease.address);
            }
        }
        Verdict::Silence { why, lease, .. } => {
            assert!(!why.word().is_empty() && !why.to_string().is_empty());
            if let Some(lease) = lease {
                assert!(matches!(request.kind, RequestKind::Release | RequestKind::Decline) && lease.0.state != LeaseState::Bound);
                lent.remove(&lease.0.address);
            }
        }
    }
}

/// The answer's bytes, as another reader reads them.
fn spelled(reply: &Reply, request: &Request) {
    let encoded = reply.encode();
    let limit = usize::from(request.max_bytes.max(576)).min(1500) - 28;
    assert!((300..=limit).contains(&encoded.bytes.len()), "{} bytes for a client that takes {limit}", encoded.bytes.len());
    let message = Message::new(&encoded.bytes).expect("a message");
    assert_eq!((message.xid(), message.yiaddr(), message.giaddr()), (request.xid, reply.yiaddr, request.giaddr));
    assert_eq!(message.chaddr(), request.mac.octets());
    let mut options: HashMap<u8, Vec<u8>> = HashMap::new();
    for option in message.opts() {
        options.entry(u8::from(option.code())).or_default().extend(option.data());
    }
    for (code, value) in &reply.options {
        let on_the_wire = options.get(code);
        assert!(encoded.left_out.contains(code) == on_the_wire.is_none() && on_the_wire.is_none_or(|wire| wire == value), "option {code}");
    }
    let echoed = reply.relay.as_ref().is_none_or(|raw| encoded.left_out.contains(&code::RELAY) || options.get(&code::RELAY) == Some(raw));
    assert!(echoed, "the relay's option is echoed whole or not at all");
}
