//! What there is to boot, as each kind of client hears it, and who each client is.
//!
//! The clients' bytes as they really are stand in the captures (`tests/golden/pcaps`); here each option has its reason.

use proptest::prelude::*;

use super::*;

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
