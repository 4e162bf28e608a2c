//! The desk, request by request: admission, repetition, strangers, limits, stopping.
//!
//! Whole journeys over a bad network are in `tests/journey.rs` beside this file.

mod journey;
mod stopping;

use super::*;
use crate::{
    rules::transfer::{Event, Output},
    wire::tftp::Options,
};

const NONE: Options = Options { blksize: None, timeout: None, tsize: None, windowsize: None };
const LOCAL: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

fn ms(millis: u64) -> Moment {
    Moment::from_millis(millis)
}

fn peer(host: u8, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 77, 0, host), port)
}

fn read(name: &str, options: Options) -> Packet<'static> {
    Packet::Read(Request { name: name.as_bytes().to_vec(), mode: Mode::Octet, options })
}

fn ack(block: u16) -> Packet<'static> {
    Packet::Ack { block }
}

/// Sends all, as if at the beginning, and says what it was, as text: `port oack`, `port data first-last`, `port error code text`.
fn leave(desk: &mut Desk) -> Vec<String> {
    let mut left = Vec::new();
    loop {
        let next = desk.round(1, 1, ms(0)).next().map(|outgoing| spell(&outgoing));
        let Some((text, upto)) = next else { return left };
        left.push(text);
        desk.left(upto, ms(0));
    }
}

fn first_of(parcel: &Parcel<'_>) -> u64 {
    match parcel {
        Parcel::Of(_, Output::Blocks { first, .. }) => *first,
        other => panic!("{other:?}"),
    }
}

fn spell(outgoing: &Outgoing<'_>) -> (String, u64) {
    assert_eq!(outgoing.local, LOCAL);
    let port = outgoing.peer.port();
    match outgoing.parcel {
        Parcel::Packet(bytes) => match Packet::parse(bytes) {
            Ok(Packet::Error { code, text }) => (format!("{port} error {code} {text}"), 0),
            other => panic!("{other:?}"),
        },
        Parcel::Of(_, Output::OptionAck) => (format!("{port} oack"), 0),
        Parcel::Of(_, Output::Blocks { first, last }) => (format!("{port} data {first}-{last}"), last),
    }
}

/// What the story heard, as text.
fn notices(desk: &mut Desk) -> Vec<String> {
    std::iter::from_fn(|| desk.take_notice())
        .map(|notice| match notice {
            Notice::Happened { peer, name, event: Event::TimedOut { given_up, .. } } => format!("{} {name} {}", peer.port(), given_up.code()),
            Notice::Happened { peer, name, event } => format!("{} {name} {}", peer.port(), event.word()),
            Notice::Refused { peer, name, refusal } => format!("{} {name} refused {}", peer.port(), refusal.word),
        })
        .collect()
}

/// A read request whose file is found at once.
#[track_caller]
fn serve(desk: &mut Desk, peer: SocketAddrV4, options: Options, size: usize, at: u64) {
    let wanted = desk.on_packet(peer, LOCAL, read("a", options), ms(at)).unwrap().expect("a file is looked for");
    desk.on_opened(&wanted, Ok(vec![7; size].into()), ms(at));
}

#[track_caller]
fn check_refused(desk: &mut Desk, packet: Packet<'_>, left: &str, notice: &str) {
    assert_eq!(desk.on_packet(peer(9, 9), LOCAL, packet, ms(0)), Ok(None));
    assert_eq!(leave(desk), [left]);
    assert_eq!(notices(desk), [notice]);
}

#[test]
fn a_request_is_answered_when_its_file_is_found() {
    let mut desk = Desk::new(Limits::default());
    serve(&mut desk, peer(2, 1000), NONE, 700, 0);
    assert_eq!(leave(&mut desk), ["1000 data 1-1"]);
    desk.on_packet(peer(2, 1000), LOCAL, ack(1), ms(1)).unwrap();
    assert_eq!(leave(&mut desk), ["1000 data 2-2"]);
    desk.on_packet(peer(2, 1000), LOCAL, ack(2), ms(2)).unwrap();
    assert_eq!(notices(&mut desk), ["1000 a requested", "1000 a done"]);
    assert_eq!(desk.busy(), 0);
    assert_eq!(desk.on_packet(peer(2, 1000), LOCAL, ack(2), ms(3)), Err(Silence::AfterTheEnd));
}

#[test]
fn what_is_refused_is_told_with_a_reason() {
    let mut desk = Desk::new(Limits::default());
    let write = Packet::Write(Request { name: b"up.bin".to_vec(), mode: Mode::Octet, options: NONE });
    check_refused(&mut desk, write, "9 error 2 this server only gives files and takes none", "9 up.bin refused write_refused");
    let text = r#"9 error 2 the file name "../x" leaves the folder that is served"#;
    check_refused(&mut desk, read("../x", NONE), text, "9 ../x refused name_leaves_root");
    check_refused(&mut desk, read("", NONE), "9 error 1 the request names no file", "9  refused name_empty");
    let mail = Packet::Read(Request { name: b"a".to_vec(), mode: Mode::Mail, options: NONE });
    check_refused(&mut desk, mail, "9 error 4 the mode mail is obsolete (RFC 1350); ask in mode octet", "9 a refused mode_mail");
    assert_eq!(desk.busy(), 0);
}

#[test]
fn a_file_that_is_not_there_is_told_and_forgotten() {
    let mut desk = Desk::new(Limits::default());
    for _ in 0..2 {
        let wanted = desk.on_packet(peer(2, 5), LOCAL, read("b", NONE), ms(0)).unwrap().unwrap();
        desk.on_opened(&wanted, Err(Refusal::new(ErrorCode::NotFound, "no_such_file", "there is no b")), ms(1));
        assert_eq!(leave(&mut desk), ["5 error 1 there is no b"]);
        assert_eq!(notices(&mut desk), ["5 b refused no_such_file"]);
        assert_eq!(desk.busy(), 0);
    }
}

#[test]
fn a_repeated_request_starts_nothing_a_second_time() {
    let mut desk = Desk::new(Limits::default());
    let client = peer(2, 5);
    let wanted = desk.on_packet(client, LOCAL, read("a", NONE), ms(0)).unwrap().unwrap();
    assert_eq!(desk.on_packet(client, LOCAL, read("a", NONE), ms(1)), Err(Silence::RepeatedRequest));
    desk.on_opened(&wanted, Ok(vec![7; 5000].into()), ms(2));
    assert_eq!(leave(&mut desk), ["5 data 1-1"]);
    assert_eq!(desk.on_packet(client, LOCAL, read("a", NONE), ms(3)), Err(Silence::RepeatedRequest));
    desk.on_packet(client, LOCAL, ack(1), ms(4)).unwrap();
    assert_eq!(desk.on_packet(client, LOCAL, read("a", NONE), ms(900)), Err(Silence::RepeatedRequest), "a copy that was late");
    assert_eq!(leave(&mut desk), ["5 data 2-2"]);
    assert_eq!(desk.busy(), 1);
}

#[test]
fn a_new_request_from_the_same_port_begins_anew() {
    let mut desk = Desk::new(Limits::default());
    let client = peer(2, 2070);
    let probe = Options { tsize: Some(0), ..NONE };
    serve(&mut desk, client, probe, 5000, 0);
    assert_eq!(leave(&mut desk), ["2070 oack"]);
    serve(&mut desk, client, NONE, 5000, 1);
    assert_eq!(leave(&mut desk), ["2070 data 1-1"]);
    desk.on_packet(client, LOCAL, ack(1), ms(2)).unwrap();
    leave(&mut desk);
    serve(&mut desk, client, NONE, 5000, 1500);
    assert_eq!(leave(&mut desk), ["2070 data 1-1"], "the machine was reset and asks the same again");
    assert_eq!(notices(&mut desk), ["2070 a requested", "2070 a restarted", "2070 a requested", "2070 a restarted", "2070 a requested"]);
    assert_eq!(desk.busy(), 1);
}

#[test]
fn a_file_found_too_late_is_nobodys() {
    let mut desk = Desk::new(Limits::default());
    let old = desk.on_packet(peer(2, 5), LOCAL, read("old", NONE), ms(0)).unwrap().unwrap();
    let new = desk.on_packet(peer(2, 5), LOCAL, read("new", NONE), ms(1)).unwrap().unwrap();
    desk.on_opened(&old, Ok(vec![1; 10].into()), ms(2));
    assert_eq!(leave(&mut desk), [""; 0]);
    desk.on_opened(&new, Ok(vec![2; 10].into()), ms(3));
    assert_eq!(leave(&mut desk), ["5 data 1-1"]);
    let gone = desk.on_packet(peer(2, 6), LOCAL, read("gone", NONE), ms(4)).unwrap().unwrap();
    desk.on_packet(peer(2, 6), LOCAL, Packet::Error { code: 0, text: String::new() }, ms(5)).unwrap();
    desk.on_opened(&gone, Ok(vec![2; 10].into()), ms(6));
    assert_eq!((leave(&mut desk).len(), desk.busy()), (0, 1));
}

#[test]
fn a_stranger_gets_unknown_tid_and_disturbs_nobody() {
    let mut desk = Desk::new(Limits::default());
    serve(&mut desk, peer(2, 5), NONE, 5000, 0);
    leave(&mut desk);
    desk.on_packet(peer(2, 6), LOCAL, ack(1), ms(1)).unwrap();
    assert_eq!(leave(&mut desk), ["6 error 5 there is no such transfer"]);
    assert_eq!(desk.on_packet(peer(2, 6), LOCAL, Packet::Error { code: 0, text: String::new() }, ms(1)), Err(Silence::StrayError));
    desk.on_packet(peer(2, 5), LOCAL, ack(1), ms(2)).unwrap();
    assert_eq!(leave(&mut desk), ["5 data 2-2"]);
}

#[test]
fn impossible_sources_are_left_alone() {
    let mut desk = Desk::new(Limits::default());
    for source in ["10.0.0.1:0", "0.0.0.0:9", "255.255.255.255:9", "224.0.0.1:9"] {
        assert_eq!(desk.on_packet(source.parse().unwrap(), LOCAL, read("a", NONE), ms(0)), Err(Silence::BadSource), "{source}");
    }
}

#[test]
fn limits_are_told_and_room_is_made_by_the_end_of_a_transfer() {
    let mut desk = Desk::new(Limits { per_peer: 2, in_total: 3, ..Limits::default() });
    for port in [1, 2] {
        serve(&mut desk, peer(2, port), NONE, 100, 0);
    }
    leave(&mut desk);
    desk.on_packet(peer(2, 3), LOCAL, read("a", NONE), ms(1)).unwrap();
    assert_eq!(leave(&mut desk), ["3 error 0 your address has 2 transfers at once, which is the limit; try again"]);
    serve(&mut desk, peer(3, 1), NONE, 100, 0);
    leave(&mut desk);
    desk.on_packet(peer(4, 1), LOCAL, read("a", NONE), ms(1)).unwrap();
    assert_eq!(leave(&mut desk), ["1 error 0 the server has 3 transfers at once, which is its limit; try again"]);
    desk.on_packet(peer(2, 1), LOCAL, ack(1), ms(2)).unwrap();
    serve(&mut desk, peer(4, 1), NONE, 100, 0);
    assert_eq!(leave(&mut desk), ["1 data 1-1"]);
}

#[test]
fn an_ended_transfer_is_forgotten_in_time() {
    let mut desk = Desk::new(Limits::default());
    serve(&mut desk, peer(2, 1), NONE, 100, 0);
    leave(&mut desk);
    desk.on_packet(peer(2, 1), LOCAL, ack(1), ms(5)).unwrap();
    while let Some(deadline) = desk.deadline() {
        assert!(deadline <= ms(3005));
        desk.on_tick(deadline);
    }
    assert!(desk.slots.is_empty() && desk.deadlines.is_empty() && !desk.has_turns());
}

#[test]
fn a_transfer_that_ends_before_its_turn_is_forgotten_too() {
    for waits_in_round in [false, true] {
        let mut desk = Desk::new(Limits::default());
        serve(&mut desk, peer(2, 1), NONE, 100, 0);
        let _ = waits_in_round.then(|| desk.round(1, 1, ms(0)).count());
        desk.on_packet(peer(2, 1), LOCAL, Packet::Error { code: 0, text: String::new() }, ms(1)).unwrap();
        assert_eq!(leave(&mut desk), [""; 0]);
        desk.on_tick(ms(3001));
        assert!(desk.slots.is_empty() && desk.deadline().is_none() && !desk.has_turns());
    }
}

#[test]
fn netascii_is_translated_within_bounds() {
    let mut desk = Desk::new(Limits { translated: 1, translated_bytes: 100, ..Limits::default() });
    let text = |port| (peer(2, port), Packet::Read(Request { name: b"a".to_vec(), mode: Mode::Netascii, options: NONE }));
    let mut outcomes = Vec::new();
    for (port, size) in [(1, 101), (2, 100), (3, 100)] {
        let (client, packet) = text(port);
        let wanted = desk.on_packet(client, LOCAL, packet, ms(0)).unwrap().unwrap();
        desk.on_opened(&wanted, Ok(vec![b'\n'; size].into()), ms(0));
        if let Some(Parcel::Of(transfer, _)) = desk.round(1, 1, ms(0)).next().map(|outgoing| outgoing.parcel) {
            assert_eq!(transfer.block(1).1, b"\r\n".repeat(100));
        }
        outcomes.extend(leave(&mut desk));
    }
    assert_eq!(
        outcomes,
        [
            "1 error 0 the file is too large for mode netascii; ask in mode octet (binary)",
            "2 data 1-1",
            "3 error 0 too many transfers in mode netascii; ask in mode octet (binary)"
        ]
    );
    desk.on_packet(peer(2, 2), LOCAL, ack(1), ms(1)).unwrap();
    let (client, packet) = text(4);
    let wanted = desk.on_packet(client, LOCAL, packet, ms(2)).unwrap().unwrap();
    desk.on_opened(&wanted, Ok("a".into()), ms(2));
    assert_eq!(leave(&mut desk), ["4 data 1-1"], "the first copy is gone");
}

#[test]
fn a_flood_of_strangers_fills_no_memory() {
    let mut desk = Desk::new(Limits::default());
    let heard = |desk: &mut Desk, host, port| desk.on_packet(peer(host, port), LOCAL, ack(1), ms(0));
    for host in 2..6 {
        assert!((1..=256).all(|port| heard(&mut desk, host, port).is_ok()));
        assert_eq!(heard(&mut desk, host, 257), Err(Silence::ErrorsSpent));
    }
    assert_eq!(heard(&mut desk, 6, 1), Err(Silence::Crowded));
}

#[test]
fn a_flood_of_requests_from_one_address_is_soon_not_even_looked_at() {
    let mut desk = Desk::new(Limits { per_peer: 1, errors_a_second: 3, ..Limits::default() });
    serve(&mut desk, peer(2, 1), NONE, 100, 0);
    let mut ask = |host, port, at| desk.on_packet(peer(host, port), LOCAL, read("../x", NONE), ms(at));
    assert!((2..5).all(|port| ask(2, port, 1) == Ok(None)), "three are told why");
    assert!((5..1000).all(|port| ask(2, port, 2) == Err(Silence::ErrorsSpent)));
    assert_eq!(ask(3, 1, 2), Ok(None), "another address is answered");
    assert_eq!(ask(2, 1000, 1000), Ok(None), "and this one too, a second later");
    assert_eq!((leave(&mut desk).len(), notices(&mut desk).len(), desk.busy()), (6, 6, 1));
}

#[test]
fn desks_of_one_server_share_its_limits() {
    let limits = Limits { per_peer: 1, ..Limits::default() };
    let rolls = Rolls::default();
    let [mut one, mut other] = [(); 2].map(|()| Desk::sharing(limits.clone(), rolls.clone()));
    serve(&mut one, peer(2, 1), NONE, 100, 0);
    other.on_packet(peer(2, 2), LOCAL, read("a", NONE), ms(1)).unwrap();
    assert_eq!(leave(&mut other), ["2 error 0 your address has 1 transfers at once, which is the limit; try again"]);
    leave(&mut one);
    one.on_packet(peer(2, 1), LOCAL, ack(1), ms(2)).unwrap();
    serve(&mut other, peer(2, 2), NONE, 100, 3);
    assert_eq!((one.busy(), other.busy()), (0, 1));
}

#[test]
fn waiting_transfers_take_turns() {
    let mut desk = Desk::new(Limits::default());
    for port in [1, 2] {
        serve(&mut desk, peer(2, port), Options { windowsize: Some(4), ..NONE }, 512 * 10, 0);
    }
    leave(&mut desk);
    for port in [1, 2] {
        desk.on_packet(peer(2, port), LOCAL, ack(0), ms(1)).unwrap();
    }
    let mut order = Vec::new();
    loop {
        let next = desk.round(8, 8, ms(1)).next().map(|outgoing| (outgoing.peer.port(), first_of(&outgoing.parcel)));
        let Some((port, first)) = next else { break };
        order.push((port, first));
        desk.left(first + 1, ms(1));
    }
    assert_eq!(order, [(1, 1), (2, 1), (1, 3), (2, 3)]);
}

/// More clients than the network takes at once: the first end first, and the last is heard of in time.
#[test]
fn in_a_storm_transfers_end_in_the_order_of_their_arrival() {
    let mut desk = Desk::new(Limits { per_peer: 100, ..Limits::default() });
    let clients: Vec<SocketAddrV4> = (0..1000).map(|number| peer((number / 100) as u8 + 2, number % 100 + 1)).collect();
    let mut ended = Vec::new();
    let mut longest = ms(0);
    let mut asked: HashMap<SocketAddrV4, Moment> = HashMap::new();
    for (at, client) in clients.iter().enumerate() {
        serve(&mut desk, *client, NONE, 512 * 40, at as u64 / 10);
        asked.insert(*client, ms(at as u64 / 10));
    }
    // Sixty-four packets a millisecond; each is acknowledged at once.
    for at in 100.. {
        let left: Vec<_> = desk.round(64, 64, ms(at)).map(|outgoing| (outgoing.peer, spell(&outgoing).1)).collect();
        left.iter().for_each(|(_, block)| desk.left(*block, ms(at)));
        for (client, block) in left {
            longest = longest.max(ms(at) - asked[&client]);
            asked.insert(client, ms(at));
            desk.on_packet(client, LOCAL, ack(block as u16), ms(at)).unwrap();
        }
        let done = |notice| if let Notice::Happened { peer, event: Event::Done { .. }, .. } = notice { Some(peer) } else { None };
        ended.extend(std::iter::from_fn(|| desk.take_notice()).filter_map(done));
        if desk.busy() == 0 {
            break;
        }
    }
    let place: HashMap<_, _> = ended.iter().enumerate().map(|(place, client)| (*client, place)).collect();
    assert_eq!(place.len(), 1000);
    let furthest = clients.iter().enumerate().map(|(at, client)| place[client].abs_diff(at)).max();
    assert!(furthest < Some(2 * Turns::RANK), "{furthest:?} places from its own");
    assert!(longest <= Turns::WAIT + ms(20), "somebody waited {longest:?} for a turn");
}

/// A client that loses much of a window is granted half of it the next time.
#[test]
fn windows_shrink_for_a_client_that_shows_gaps() {
    let mut desk = Desk::new(Limits::default());
    let client = peer(2, 5);
    let asked = Options { windowsize: Some(8), ..NONE };
    serve(&mut desk, client, asked, 512 * 20, 0);
    leave(&mut desk);
    let mut arrived = 0;
    desk.on_packet(client, LOCAL, ack(0), ms(1)).unwrap();
    while desk.busy() > 0 {
        leave(&mut desk);
        // Only four packets fit into its ring.
        arrived += 4;
        desk.on_packet(client, LOCAL, ack(arrived.min(21)), ms(u64::from(arrived))).unwrap();
    }
    serve(&mut desk, peer(2, 6), asked, 512 * 20, 100);
    let granted = desk.round(1, 1, ms(100)).next().map(|outgoing| match outgoing.parcel {
        Parcel::Of(transfer, Output::OptionAck) => transfer.terms().granted.windowsize,
        other => panic!("{other:?}"),
    });
    assert_eq!(granted, Some(Some(4)));
}
