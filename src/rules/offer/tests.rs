//! Every answer and every silence of the decision, by packets spelled by hand.
//!
//! A `World` is what surrounds a packet; each test changes what matters to it. What there is to boot is tested in `boot`.

mod boot;

use super::*;
use crate::{
    model::{LeaseState, Mac},
    rules::{lease::OFFER_SECS, loaders},
    wire::dhcp::{ReplyKind, RequestKind, SERVER_PORT, code},
};

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

fn ip(last: u8) -> Ipv4Addr {
    [10, 77, 0, last].into()
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + secs).unwrap()
}

/// The world around a packet; tests change what matters to them.
struct World {
    network: Network,
    name: HostName,
    known: bool,
    address: Option<Ipv4Addr>,
    boot: DhcpBoot,
    port: u16,
    from: SocketAddrV4,
    book: Book,
    now: Timestamp,
}

fn world(mode: &str) -> World {
    let network = serde_json::from_value(serde_json::json!({
        "name": "lab", "subnet": "10.77.0.0/24", "dhcp": mode, "server": SERVER, "gateway": ip(254), "dns": [ip(2), ip(3)],
        "pools": [{"first": ip(100), "last": ip(110)}], "lease_secs": 3600,
    }));
    World {
        network: network.unwrap(),
        name: "n1.lab.test".parse().unwrap(),
        known: true,
        address: None,
        boot: DhcpBoot::Loader { name: "snponly.efi".into(), over: crate::model::Transport::Tftp },
        port: SERVER_PORT,
        from: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68),
        book: Book::default(),
        now: at(0),
    }
}

impl World {
    fn decide(&mut self, request: &Request) -> Verdict {
        let client = loaders::client(request);
        let facts = Facts {
            network: Some(&self.network),
            host: self.known.then_some(Known { name: &self.name, address: self.address }),
            client: &client,
            boot: &self.boot,
            server: SERVER,
            own: &[SERVER],
            url: "http://10.77.0.1",
            from: self.from,
            port: self.port,
            is_taken: &|address| address == ip(105),
        };
        decide(request, &facts, &mut self.book, self.now)
    }

    #[track_caller]
    fn answer(&mut self, request: &Request) -> Answer {
        match self.decide(request) {
            Verdict::Answer(answer) => *answer,
            silence @ Verdict::Silence { .. } => panic!("{silence:?}"),
        }
    }

    #[track_caller]
    fn silence(&mut self, request: &Request, word: &str) {
        match self.decide(request) {
            Verdict::Silence { why, .. } => assert_eq!(why.word(), word, "{why}"),
            Verdict::Answer(answer) => panic!("{}", answer.text),
        }
    }
}

/// A packet of a plain operating system.
fn packet(kind: RequestKind) -> Request {
    Request {
        kind,
        xid: 1,
        secs: 0,
        broadcast: false,
        ciaddr: Ipv4Addr::UNSPECIFIED,
        giaddr: Ipv4Addr::UNSPECIFIED,
        mac: mac(1),
        requested: None,
        server_id: None,
        wanted: vec![],
        max_bytes: 1472,
        class: None,
        client_id: None,
        user_classes: vec![],
        relay: None,
        archs: vec![],
        machine: None,
        client_name: None,
        ipxe: None,
        vendor: None,
    }
}

fn mac(last: u8) -> Mac {
    Mac::from_octets([0x52, 0x54, 0, 0, 0, last]).unwrap()
}

fn firmware(kind: RequestKind, arch: u16, class: &str) -> Request {
    Request { archs: vec![arch], class: Some(class.into()), machine: Some(vec![0; 17]), ..packet(kind) }
}

fn request(wanted: Option<Ipv4Addr>, server: Option<Ipv4Addr>) -> Request {
    Request { requested: wanted, server_id: server, ..packet(RequestKind::Request) }
}

#[test]
fn a_discover_is_offered_an_address_and_its_request_is_acknowledged_with_a_lease() {
    let mut world = world("full");
    let offer = world.answer(&packet(RequestKind::Discover));
    let address = offer.reply.yiaddr;
    assert_eq!((offer.reply.kind, offer.probe, offer.lease), (ReplyKind::Offer, Some(address), None));
    let ack = world.answer(&request(Some(address), Some(SERVER)));
    let (lease, _) = ack.lease.unwrap();
    assert_eq!((ack.reply.kind, lease.address, lease.expires), (ReplyKind::Ack, address, at(3600)));
    assert_eq!(ack.reply.options[&code::LEASE], 3600_u32.to_be_bytes());
    assert_eq!(ack.reply.options[&code::DNS], [10, 77, 0, 2, 10, 77, 0, 3]);
    assert!(world.answer(&packet(RequestKind::Discover)).probe.is_none(), "an address leased to the same MAC is not probed");
}

#[test]
fn a_host_gets_the_address_that_its_record_reserves() {
    let mut world = world("full");
    world.address = Some(ip(7));
    assert_eq!(world.answer(&packet(RequestKind::Discover)).reply.yiaddr, ip(7));
    world.network.conflict_check = false;
    assert_eq!(world.answer(&packet(RequestKind::Discover)).probe, None);
}

#[test]
fn a_nak_is_for_who_selected_us_or_is_on_the_wrong_network() {
    let mut world = world("full");
    for (wanted, server) in [(ip(105), Some(SERVER)), (ip(9), Some(SERVER)), ([192, 168, 1, 5].into(), None)] {
        let nak = world.answer(&request(Some(wanted), server));
        assert_eq!((nak.reply.kind, nak.to, nak.reply.yiaddr), (ReplyKind::Nak, Destination::Broadcast, Ipv4Addr::UNSPECIFIED), "{wanted}");
        assert!(!nak.reply.options.contains_key(&code::LEASE));
    }
    let wrong = Request { ciaddr: [192, 168, 1, 5].into(), ..request(None, None) };
    assert_eq!(world.answer(&wrong).reply.kind, ReplyKind::Nak);
    world.silence(&request(Some(ip(101)), None), "not_ours");
    world.silence(&Request { ciaddr: ip(101), ..request(None, None) }, "not_ours");
    world.silence(&request(None, None), "no_address_named");
    world.silence(&request(None, Some(SERVER)), "no_address_named");
}

#[test]
fn an_address_lent_to_another_is_refused_and_one_of_its_own_verified_and_renewed() {
    let mut world = world("full");
    world.book.bind(&world.network.name, mac(2), ip(101), at(100), None);
    assert_eq!(world.answer(&request(Some(ip(101)), Some(SERVER))).reply.kind, ReplyKind::Nak);
    world.silence(&request(Some(ip(101)), None), "not_ours");
    world.book.bind(&world.network.name, mac(1), ip(102), at(100), None);
    assert_eq!(world.answer(&request(Some(ip(102)), None)).reply.kind, ReplyKind::Ack);
    assert_eq!(world.answer(&request(Some(ip(103)), None)).reply.kind, ReplyKind::Nak, "we know it by another address");
    let renewal = world.answer(&Request { ciaddr: ip(102), ..request(None, None) });
    assert_eq!((renewal.reply.ciaddr, renewal.to), (ip(102), Destination::Unicast(SocketAddrV4::new(ip(102), 68))));
}

#[test]
fn a_client_that_chose_another_server_is_a_warning_and_frees_its_offer() {
    let mut world = world("full");
    world.answer(&packet(RequestKind::Discover));
    let verdict = world.decide(&request(Some(ip(101)), Some(ip(66))));
    let Verdict::Silence { why: Silence::OtherServer(server), warning: Some(warning), .. } = verdict else { panic!("{verdict:?}") };
    assert_eq!((server, warning), (ip(66), Warning::OtherServer(ip(66))));
    assert!(warning.text(&world.network).contains("10.77.0.66"));
    let relayed = Request { giaddr: ip(1), ..request(Some(ip(101)), Some(ip(66))) };
    assert!(matches!(world.decide(&relayed), Verdict::Silence { warning: None, .. }));
}

#[test]
fn release_and_decline_change_the_lease_and_are_not_answered() {
    let mut world = world("full");
    world.book.bind(&world.network.name, mac(1), ip(102), at(100), None);
    let release = Request { ciaddr: ip(102), ..packet(RequestKind::Release) };
    let Verdict::Silence { why: Silence::Released, lease: Some(lease), .. } = world.decide(&release) else { panic!() };
    assert_eq!(lease.0.state, LeaseState::Released);
    world.silence(&release, "released_foreign");
    let address = world.answer(&packet(RequestKind::Discover)).reply.yiaddr;
    let decline = Request { requested: Some(address), ..packet(RequestKind::Decline) };
    let Verdict::Silence { why: Silence::Declined, lease: Some(lease), .. } = world.decide(&decline) else { panic!() };
    assert_eq!(lease.0.state, LeaseState::Declined);
    world.silence(&decline, "declined_foreign");
    assert_ne!(world.answer(&packet(RequestKind::Discover)).reply.yiaddr, address);
}

#[test]
fn an_inform_gets_options_and_no_address_or_lease() {
    let mut world = world("full");
    let ack = world.answer(&Request { ciaddr: ip(50), ..packet(RequestKind::Inform) });
    assert_eq!((ack.reply.yiaddr, ack.to), (Ipv4Addr::UNSPECIFIED, Destination::Unicast(SocketAddrV4::new(ip(50), 68))));
    assert!(ack.reply.options.contains_key(&code::ROUTER) && !ack.reply.options.contains_key(&code::LEASE));
    world.silence(&packet(RequestKind::Inform), "no_address_named");
}

#[test]
fn what_cannot_be_answered_says_why() {
    let mut off = world("off");
    off.silence(&packet(RequestKind::Discover), "mode_off");
    let mut strict = world("full");
    strict.network.known_only = true;
    strict.known = false;
    strict.silence(&packet(RequestKind::Discover), "unknown_host");
    strict.silence(&request(Some(ip(101)), Some(SERVER)), "unknown_host");
    let mut full = world("full");
    for last in 0..10 {
        full.answer(&Request { mac: mac(last + 10), ..packet(RequestKind::Discover) });
    }
    full.silence(&packet(RequestKind::Discover), "pool_full");
    full.now = at(OFFER_SECS);
    full.answer(&packet(RequestKind::Discover));
    full.network.pools.clear();
    full.silence(&Request { mac: mac(99), ..packet(RequestKind::Discover) }, "no_pool");
    full.address = Some(ip(7));
    full.book.bind(&full.network.name, mac(3), ip(7), at(900), None);
    full.silence(&Request { mac: mac(99), ..packet(RequestKind::Discover) }, "reserved_in_use");
    let nowhere = Facts {
        network: None,
        host: None,
        client: &Client::System(String::new()),
        boot: &DhcpBoot::None { why: String::new() },
        server: SERVER,
        own: &[],
        url: "",
        from: SocketAddrV4::new(ip(9), 68),
        port: 67,
        is_taken: &|_| false,
    };
    let verdict = decide(&packet(RequestKind::Discover), &nowhere, &mut Book::default(), at(0));
    assert_eq!(verdict, Silence::NoNetwork.into());
}

#[test]
fn an_answer_goes_where_rfc_2131_says() {
    let mut world = world("full");
    let to = |world: &mut World, request: &Request| world.answer(request).to;
    let discover = packet(RequestKind::Discover);
    let address = world.answer(&discover).reply.yiaddr;
    assert_eq!(to(&mut world, &discover), Destination::Frame { mac: mac(1), address });
    assert_eq!(to(&mut world, &Request { broadcast: true, ..discover.clone() }), Destination::Broadcast);
    assert_eq!(to(&mut world, &Request { giaddr: ip(254), ..discover.clone() }), Destination::Relay(ip(254)));
    let nak = world.answer(&Request { giaddr: ip(254), ..request(Some(ip(9)), Some(SERVER)) });
    assert!(nak.reply.broadcast && nak.to == Destination::Relay(ip(254)));
}

#[test]
fn a_relays_option_is_echoed_and_its_server_id_shown() {
    let mut world = world("full");
    let relay = crate::wire::dhcp::Relay { raw: vec![11, 4, 10, 77, 0, 254], link: None, server_id: Some(ip(254)) };
    let discover = Request { giaddr: ip(254), relay: Some(relay.clone()), ..packet(RequestKind::Discover) };
    let offer = world.answer(&discover);
    assert_eq!((offer.reply.server_id, offer.reply.relay.as_ref(), offer.probe), (ip(254), Some(&relay.raw), None));
    let chosen = Request { kind: RequestKind::Request, server_id: Some(ip(254)), requested: Some(offer.reply.yiaddr), ..discover };
    assert_eq!(world.answer(&chosen).reply.kind, ReplyKind::Ack);
}

#[test]
fn a_network_is_found_by_relay_link_selection_address_or_interface() {
    let networks: Vec<Network> = [("lab", "10.77.0.0/24"), ("far", "10.88.0.0/16")]
        .map(|(name, subnet)| serde_json::from_value(serde_json::json!({"name": name, "subnet": subnet})).unwrap())
        .into();
    let find = |request: &Request, was_broadcast| {
        let link = Link { addresses: &[[192, 168, 0, 1].into(), SERVER], was_broadcast };
        network_of(request, link, networks.iter()).map(|network| network.name.to_string())
    };
    let plain = packet(RequestKind::Discover);
    assert_eq!(find(&plain, true).as_deref(), Some("lab"));
    let relayed = Request { giaddr: [10, 88, 3, 1].into(), ..plain.clone() };
    assert_eq!(find(&relayed, false).as_deref(), Some("far"));
    let linked = crate::wire::dhcp::Relay { raw: vec![], link: Some(ip(0)), server_id: None };
    assert_eq!(find(&Request { relay: Some(linked), ..relayed }, false).as_deref(), Some("lab"));
    assert_eq!(find(&Request { giaddr: [172, 16, 0, 1].into(), ..plain.clone() }, false), None);
    let renewing = Request { ciaddr: [10, 88, 0, 9].into(), ..plain };
    assert_eq!(find(&renewing, false).as_deref(), Some("far"), "unicast through a router");
    assert_eq!(find(&renewing, true).as_deref(), Some("lab"), "a broadcast is on this link, whatever it says");
}
