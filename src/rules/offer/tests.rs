//! Every answer and every silence of the decision, by packets spelled by hand.

use proptest::prelude::*;

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
    assert_eq!(lease.state, LeaseState::Released);
    world.silence(&release, "released_foreign");
    let address = world.answer(&packet(RequestKind::Discover)).reply.yiaddr;
    let decline = Request { requested: Some(address), ..packet(RequestKind::Decline) };
    let Verdict::Silence { why: Silence::Declined, lease: Some(lease), .. } = world.decide(&decline) else { panic!() };
    assert_eq!(lease.state, LeaseState::Declined);
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

#[test]
fn the_loader_stands_in_the_header_and_in_the_options() {
    let mut world = world("full");
    let bios = world.answer(&firmware(RequestKind::Discover, 0, "PXEClient:Arch:00000:UNDI:002001")).reply;
    assert_eq!((bios.siaddr, &*bios.sname, &*bios.file), (SERVER, "10.77.0.1", "snponly.efi"));
    assert_eq!(bios.options[&code::BOOT_FILE], b"snponly.efi\0");
    assert_eq!(bios.options[&code::TFTP_SERVER], b"10.77.0.1\0");
    assert_eq!(bios.options[&code::VENDOR], b"\x06\x01\x08\x0a\x04\0PXE\xff");
    assert_eq!(bios.options[&code::CLASS], b"PXEClient");
    assert_eq!(bios.options[&code::MACHINE], [0; 17]);
    world.boot = DhcpBoot::Loader { name: "snponly.efi".into(), over: crate::model::Transport::Http };
    let http = world.answer(&firmware(RequestKind::Discover, 16, "HTTPClient:Arch:00016:UNDI:003000")).reply;
    assert_eq!((&*http.file, &*http.options[&code::CLASS]), ("http://10.77.0.1/loader/snponly.efi", &b"HTTPClient"[..]));
    assert!(!http.options.contains_key(&code::VENDOR) && !http.options.contains_key(&code::TFTP_SERVER));
}

#[test]
fn an_ipxe_gets_its_script_and_waits_for_no_proxy() {
    let mut world = world("full");
    world.boot = DhcpBoot::Script { url: "http://10.77.0.1/boot.ipxe?s=1".into() };
    let ipxe = Request { user_classes: vec![b"iPXE".into()], ..firmware(RequestKind::Discover, 7, "PXEClient:Arch:00007:UNDI:003010") };
    let offer = world.answer(&ipxe).reply;
    assert_eq!((&*offer.file, &*offer.options[&code::IPXE]), ("http://10.77.0.1/boot.ipxe?s=1", &[176, 1, 1][..]));
    assert!(!offer.options.contains_key(&code::CLASS));
}

#[test]
fn who_must_not_netboot_gets_no_boot_option_at_all() {
    let mut world = world("full");
    world.network.options = [(67, "pxelinux.0".to_owned()), (66, "10.9.9.9".to_owned()), (43, "0x0601".to_owned()), (209, "0x01".to_owned())].into();
    let boot_options = |reply: &Reply| [43, 60, 66, 67, 175].into_iter().filter(|code| reply.options.contains_key(code)).collect::<Vec<u8>>();
    world.boot = DhcpBoot::None { why: "it is in use".into() };
    let local = world.answer(&firmware(RequestKind::Discover, 7, "PXEClient:Arch:00007:UNDI:003000"));
    assert_eq!((boot_options(&local.reply), local.reply.siaddr, &*local.reply.file), (vec![], Ipv4Addr::UNSPECIFIED, ""));
    assert!(local.text.contains("it is in use") && local.reply.options.contains_key(&209));
    world.boot = DhcpBoot::Script { url: "http://10.77.0.1/boot.ipxe".into() };
    for class in ["d-i", "anaconda-Linux 5.14 x86_64"] {
        let installer = world.answer(&firmware(RequestKind::Discover, 7, class)).reply;
        assert_eq!((boot_options(&installer), &*installer.file), (vec![43], ""), "{class}");
    }
    let system = world.answer(&packet(RequestKind::Discover)).reply;
    assert_eq!(boot_options(&system), [43, 66, 67], "an operating system may have what the operator wrote");
}

#[test]
fn a_proxy_answers_who_wants_to_boot_and_gives_no_address() {
    let mut world = world("proxy");
    world.silence(&packet(RequestKind::Discover), "not_netboot");
    let uefi = firmware(RequestKind::Discover, 7, "PXEClient:Arch:00007:UNDI:003000");
    let offer = world.answer(&uefi);
    assert_eq!((offer.to, &*offer.reply.file, offer.reply.yiaddr), (Destination::Broadcast, "", Ipv4Addr::UNSPECIFIED));
    assert!(!offer.reply.options.contains_key(&code::VENDOR) && !offer.reply.options.contains_key(&code::LEASE));
    let bios = world.answer(&firmware(RequestKind::Discover, 0, "PXEClient:Arch:00000:UNDI:002001"));
    assert!(bios.reply.file == "snponly.efi" && bios.reply.options.contains_key(&code::VENDOR));
    world.silence(&firmware(RequestKind::Request, 7, "PXEClient:Arch:00007:UNDI:003000"), "addresses_elsewhere");
    (world.port, world.from) = (PROXY_PORT, SocketAddrV4::new(ip(90), PROXY_PORT));
    let ack = world.answer(&Request { ciaddr: ip(90), ..firmware(RequestKind::Request, 7, "PXEClient:Arch:00007:UNDI:003000") });
    assert_eq!((ack.reply.kind, &*ack.reply.file, ack.to), (ReplyKind::Ack, "snponly.efi", Destination::Unicast(world.from)));
    world.silence(&packet(RequestKind::Request), "not_netboot");
    world.silence(&firmware(RequestKind::Release, 7, "PXEClient"), "not_for_boot_server");
    world.boot = DhcpBoot::None { why: "no build".into() };
    world.silence(&firmware(RequestKind::Request, 7, "PXEClient"), "no_boot");
    world.port = SERVER_PORT;
    world.silence(&uefi, "no_boot");
}

#[test]
fn a_raspberry_pi_gets_its_menu_a_plain_name_and_a_moment() {
    let mut world = world("full");
    let pi = Request { mac: "dc:a6:32:00:00:01".parse().unwrap(), ..firmware(RequestKind::Discover, 0, "PXEClient:Arch:00000:UNDI:002001") };
    let offer = world.answer(&pi);
    assert_eq!((offer.delay_ms, &*offer.reply.options[&code::TFTP_SERVER]), (50, &b"10.77.0.1"[..]));
    assert!(offer.reply.options[&code::VENDOR].windows(17).any(|text| text == b"Raspberry Pi Boot"));
}

#[test]
fn who_asks_is_read_from_class_user_class_and_features() {
    let flags = |features: &[u8]| Some(crate::wire::dhcp::Ipxe { features: features.to_vec() });
    let base = firmware(RequestKind::Discover, 0, "PXEClient:Arch:00000:UNDI:002001");
    let read = |request: Request| match loaders::client(&request) {
        Client::Netboot(firmware) => (firmware.ipxe, firmware.ipxe_http),
        other => panic!("{other:?}"),
    };
    assert_eq!(read(base.clone()), (false, false));
    assert_eq!(read(Request { user_classes: vec![b"iPXE".into()], ..base.clone() }), (true, false));
    assert_eq!(read(Request { user_classes: vec![b"iPXE".into()], ipxe: flags(&[19]), ..base.clone() }), (true, true));
    assert_eq!(read(Request { ipxe: flags(&[19]), ..base.clone() }), (true, true));
    assert_eq!(read(Request { user_classes: vec![b"LegacyPXE".into()], ipxe: flags(&[19]), ..base.clone() }), (false, false));
    assert_eq!(read(Request { user_classes: vec![b"bootwright".into()], ..base.clone() }), (true, true));
    let bare = Request { class: None, ..base };
    assert!(matches!(loaders::client(&bare), Client::Netboot(_)), "option 60 may be missing in a REQUEST");
    let without_93 = Request { class: Some(b"PXEClient:Arch:00011:UNDI:003000".to_vec()), ..packet(RequestKind::Discover) };
    assert!(matches!(loaders::client(&without_93), Client::Netboot(firmware) if firmware.arch == crate::model::Arch::Arm64));
    assert_eq!(loaders::client(&packet(RequestKind::Discover)), Client::System(String::new()));
}

proptest! {
    /// Whatever a client says, the answer reads back, is no shorter than 300 bytes, keeps the client's limit and names us.
    #[test]
    fn every_answer_reads_back(
        kind in prop_oneof![Just(RequestKind::Discover), Just(RequestKind::Request), Just(RequestKind::Inform)],
        arch in 0u16..45, proxy: bool, on_4011: bool, max_bytes in 576u16.., relay in proptest::collection::vec(any::<u8>(), 0..64),
        machine in proptest::collection::vec(any::<u8>(), 0..40), wanted in proptest::option::of(any::<u8>()), url in "[a-z]{0,400}",
    ) {
        let mut world = world(if proxy { "proxy" } else { "full" });
        world.boot = DhcpBoot::Script { url: format!("http://{url}") };
        world.port = if on_4011 { PROXY_PORT } else { SERVER_PORT };
        let asked = Request {
            max_bytes,
            machine: Some(machine),
            requested: wanted.map(ip),
            relay: Some(crate::wire::dhcp::Relay { raw: relay.clone(), link: None, server_id: None }),
            ..firmware(kind, arch, "PXEClient")
        };
        if let Verdict::Answer(answer) = world.decide(&asked) {
            let bytes = answer.reply.encode().bytes;
            prop_assert!((300..=usize::from(max_bytes)).contains(&bytes.len()));
            let message = dhcproto::v4::borrowed::Message::new(&bytes).unwrap();
            let options: Vec<(u8, Vec<u8>)> = message.opts().map(|option| (option.code().into(), option.data().to_vec())).collect();
            prop_assert_eq!(&options[1], &(54, SERVER.octets().to_vec()));
            prop_assert_eq!(options.last().unwrap(), &(82, relay));
        }
    }
}
