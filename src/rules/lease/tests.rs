//! The lease book, rule by rule.
//!
//! Time is a number of seconds; one property test lets clients do what they like and looks for an address lent twice.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn network(first: u8, last: u8) -> Network {
    serde_json::from_value(serde_json::json!({
        "name": "lab", "subnet": "10.77.0.0/24", "dhcp": "full", "server": "10.77.0.1", "gateway": "10.77.0.254",
        "pools": [{"first": ip(first), "last": ip(last)}],
    }))
    .unwrap()
}

fn ip(last: u8) -> Ipv4Addr {
    [10, 77, 0, last].into()
}

fn mac(number: u16) -> Mac {
    let [high, low] = number.to_be_bytes();
    Mac::from_octets([0x52, 0x54, 0, 0, high, low]).unwrap()
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + secs).unwrap()
}

fn nobody(_: Ipv4Addr) -> bool {
    false
}

fn ask(network: &Network, number: u16, secs: i64) -> Ask<'_> {
    Ask { network, mac: mac(number), is_recorded: false, reserved: None, wanted: None, is_taken: &nobody, now: at(secs) }
}

#[test]
fn a_hundred_machines_that_start_at_once_get_a_hundred_addresses() {
    let (network, mut book) = (network(100, 199), Book::default());
    let got: HashSet<Ipv4Addr> = (0..100).map(|n| book.offer(&ask(&network, n, 0)).unwrap().address).collect();
    assert_eq!(got.len(), 100);
    assert_eq!(book.offer(&ask(&network, 100, 0)), Err(NoAddress::PoolFull));
    assert!(book.offer(&ask(&network, 100, OFFER_SECS)).is_ok(), "offers that nobody took run out");
}

#[test]
fn the_same_mac_keeps_its_address_through_offer_lease_release_and_expiry() {
    let (network, mut book) = (network(100, 199), Book::default());
    let first = book.offer(&ask(&network, 1, 0)).unwrap();
    assert!(first.is_fresh);
    assert_eq!(book.offer(&ask(&network, 1, 1)).unwrap(), Offered { is_fresh: false, ..first });
    book.bind(&network.name, mac(1), first.address, at(60), None);
    assert_eq!(book.offer(&ask(&network, 1, 30)).unwrap(), Offered { is_fresh: false, ..first });
    book.release(&network.name, mac(1), first.address, at(40)).unwrap();
    assert_eq!(book.offer(&ask(&network, 1, 50)).unwrap(), first);
    assert_eq!(book.offer(&ask(&network, 1, 9_000)).unwrap(), first);
}

#[test]
fn a_reservation_is_never_lent_to_another() {
    let (network, mut book) = (network(100, 101), Book::default());
    let taken = |address| address == ip(100);
    let other = Ask { is_taken: &taken, wanted: Some(ip(100)), ..ask(&network, 1, 0) };
    assert_eq!(book.offer(&other).unwrap().address, ip(101));
    assert_eq!(book.claim(&other, ip(100)), Claim::Barred);
    let owner = Ask { reserved: Some(ip(100)), ..ask(&network, 2, 0) };
    assert_eq!(book.offer(&owner).unwrap().address, ip(100));
    let outside_the_pool = Ask { reserved: Some(ip(7)), ..ask(&network, 3, 0) };
    assert_eq!(book.offer(&outside_the_pool).unwrap().address, ip(7));
}

#[test]
fn a_second_card_of_a_host_gets_a_pool_address_while_the_first_has_the_reserved_one() {
    let (network, mut book) = (network(100, 199), Book::default());
    let first = Ask { reserved: Some(ip(7)), ..ask(&network, 1, 0) };
    assert_eq!(book.offer(&first).unwrap().address, ip(7));
    let second = Ask { reserved: Some(ip(7)), ..ask(&network, 2, 0) };
    assert_ne!(book.offer(&second).unwrap().address, ip(7));
    let bare = Network { pools: vec![], ..network.clone() };
    assert_eq!(book.offer(&Ask { network: &bare, ..second }), Err(NoAddress::ReservedInUse));
    assert_eq!(book.offer(&ask(&bare, 9, 0)), Err(NoAddress::NoPool));
}

#[test]
fn in_a_pool_full_of_strangers_offers_a_host_on_record_comes_first_and_another_stranger_after_a_while() {
    let (network, mut book) = (network(100, 102), Book::default());
    let offers: Vec<_> = (0..3).map(|n| book.offer(&ask(&network, n, i64::from(n))).unwrap().address).collect();
    book.bind(&network.name, mac(1), offers[1], at(9_000), None);
    assert_eq!(book.offer(&ask(&network, 9, 3)), Err(NoAddress::PoolFull));
    let recorded = Ask { is_recorded: true, ..ask(&network, 10, 3) };
    assert_eq!(book.offer(&recorded), Ok(Offered { address: offers[0], is_fresh: true }));
    assert_eq!(book.claim(&ask(&network, 0, 4), offers[0]), Claim::Foreign, "who had the offer begins again");
    assert_eq!(book.offer(&ask(&network, 9, 2 + DECIDE_SECS - 1)), Err(NoAddress::PoolFull));
    assert_eq!(book.offer(&ask(&network, 9, 2 + DECIDE_SECS)).unwrap().address, offers[2]);
    assert_eq!(book.offer(&Ask { is_recorded: true, ..ask(&network, 11, 20) }).unwrap().address, offers[2]);
    assert_eq!(
        book.offer(&Ask { is_recorded: true, ..ask(&network, 12, 20) }),
        Err(NoAddress::PoolFull),
        "and never a lease, or a recorded host's offer"
    );
}

#[test]
fn an_address_that_comes_back_to_a_full_pool_is_found_at_once() {
    let (network, mut book) = (network(100, 101), Book::default());
    let offers: Vec<_> = (0..2).map(|n| book.offer(&ask(&network, n, 0)).unwrap().address).collect();
    assert_eq!(book.offer(&ask(&network, 9, 0)), Err(NoAddress::PoolFull));
    book.withdraw(&network.name, mac(1));
    assert_eq!(book.offer(&ask(&network, 9, 0)).unwrap().address, offers[1]);
}

#[test]
fn a_release_and_a_decline_that_could_not_be_saved_never_were() {
    let (network, mut book) = (network(100, 199), Book::default());
    book.bind(&network.name, mac(1), ip(100), at(50), Some("n1".into()));
    let before = book.leases(at(1));
    let (lease, undo) = book.release(&network.name, mac(1), ip(100), at(1)).unwrap();
    assert_eq!(lease.state, LeaseState::Released);
    book.undo(undo);
    assert_eq!(book.leases(at(1)), before);
    for _ in 0..=MOST_DECLINES {
        let (_, undo) = book.decline(&network.name, mac(1), ip(100), at(1)).unwrap();
        book.undo(undo);
    }
    assert_eq!((book.leases(at(1)), book.claim(&ask(&network, 1, 2), ip(100))), (before, Claim::Own));
    assert_eq!(book.offer(&ask(&network, 1, 2)).unwrap().address, ip(100), "and none of the declines is counted");
}

#[test]
fn what_somebody_else_has_by_now_is_not_undone() {
    let (network, mut book) = (network(100, 100), Book::default());
    book.bind(&network.name, mac(1), ip(100), at(50), None);
    let (_, undo) = book.release(&network.name, mac(1), ip(100), at(1)).unwrap();
    let (lease, _) = book.bind(&network.name, mac(2), ip(100), at(60), None);
    book.undo(undo);
    assert_eq!(book.leases(at(2)), [lease]);
}

#[test]
fn one_client_cannot_decline_a_whole_pool() {
    let (network, mut book) = (network(100, 119), Book::default());
    let mut declined = 0;
    while let Ok(offered) = book.offer(&ask(&network, 1, 0)) {
        book.decline(&network.name, mac(1), offered.address, at(1)).unwrap();
        declined += 1;
    }
    assert_eq!(declined, MOST_DECLINES);
    assert_eq!(book.offer(&ask(&network, 1, 0)), Err(NoAddress::Declines));
    // Nor by asking for one without an offer.
    let free = book.offer(&ask(&network, 2, 0)).unwrap().address;
    book.withdraw(&network.name, mac(2));
    assert_eq!(book.claim(&ask(&network, 1, 2), free), Claim::Barred);
    assert_eq!(book.claim(&ask(&network, 2, 2), free), Claim::Free);
    assert!(book.offer(&ask(&network, 1, 1 + QUARANTINE_SECS)).is_ok(), "and after a while it may try again");
}

#[test]
fn a_declined_address_is_left_alone_for_a_while_and_its_client_gets_another() {
    let (network, mut book) = (network(100, 101), Book::default());
    let first = book.offer(&ask(&network, 1, 0)).unwrap().address;
    assert_eq!(book.decline(&network.name, mac(2), first, at(1)), None, "not hers to decline");
    assert_eq!(book.decline(&network.name, mac(1), first, at(1)).unwrap().0.state, LeaseState::Declined);
    let second = book.offer(&ask(&network, 1, 2)).unwrap().address;
    assert_ne!(second, first);
    book.bind(&network.name, mac(1), second, at(9_000), None);
    assert_eq!(book.offer(&ask(&network, 2, 2)), Err(NoAddress::PoolFull));
    assert_eq!(book.claim(&ask(&network, 2, 2), first), Claim::Barred);
    assert_eq!(book.offer(&ask(&network, 2, 2 + QUARANTINE_SECS)).unwrap().address, first);
}

#[test]
fn a_conflict_is_a_quarantine_and_the_next_offer_another_address() {
    let (network, mut book) = (network(100, 109), Book::default());
    let first = book.offer(&ask(&network, 1, 0)).unwrap().address;
    book.conflict(&network.name, mac(1), first, at(0));
    assert_ne!(book.offer(&ask(&network, 1, 0)).unwrap().address, first);
}

#[test]
fn the_longest_unused_address_is_lent_again_when_nothing_unused_is_left() {
    let (network, mut book) = (network(100, 101), Book::default());
    book.bind(&network.name, mac(1), ip(100), at(20), None);
    book.bind(&network.name, mac(2), ip(101), at(10), None);
    assert_eq!(book.offer(&ask(&network, 3, 5)), Err(NoAddress::PoolFull));
    assert_eq!(book.offer(&ask(&network, 3, 30)).unwrap().address, ip(101));
    assert_eq!(book.offer(&ask(&network, 2, 30)).unwrap().address, ip(100));
}

#[test]
fn the_servers_the_gateways_and_the_subnets_own_addresses_are_never_lent() {
    let (network, mut book) = (network(0, 255), Book::default());
    let got: HashSet<Ipv4Addr> = (0..252).map(|n| book.offer(&ask(&network, n, 0)).unwrap().address).collect();
    assert_eq!(got.len(), 252);
    assert!([0, 1, 254, 255].iter().all(|last| !got.contains(&ip(*last))));
    assert_eq!(book.offer(&ask(&network, 300, 0)), Err(NoAddress::PoolFull));
}

#[test]
fn a_claim_is_judged() {
    let (network, mut book) = (network(100, 199), Book::default());
    let claim = |book: &Book, number, address| book.claim(&ask(&network, number, 100), address);
    assert_eq!(claim(&book, 1, ip(150)), Claim::Free);
    book.bind(&network.name, mac(1), ip(150), at(200), None);
    book.bind(&network.name, mac(2), ip(151), at(50), None);
    assert_eq!(claim(&book, 1, ip(150)), Claim::Own);
    assert_eq!(claim(&book, 2, ip(150)), Claim::Foreign);
    assert_eq!(claim(&book, 2, ip(151)), Claim::Lapsed);
    assert_eq!(claim(&book, 3, ip(151)), Claim::Free);
    assert_eq!(claim(&book, 1, ip(152)), Claim::Other(ip(150)));
    assert_eq!(claim(&book, 3, ip(5)), Claim::Barred);
    assert_eq!(claim(&book, 3, [192, 168, 0, 9].into()), Claim::WrongNetwork);
    let moved = Ask { reserved: Some(ip(7)), ..ask(&network, 9, 100) };
    assert_eq!(book.claim(&moved, ip(160)), Claim::Other(ip(7)));
}

#[test]
fn a_bind_that_could_not_be_saved_leaves_no_trace() {
    let (network, mut book) = (network(100, 199), Book::default());
    let first = book.offer(&ask(&network, 1, 0)).unwrap().address;
    let (_, undo) = book.bind(&network.name, mac(1), first, at(3600), None);
    book.undo(undo);
    assert!(book.leases(at(0)).is_empty());
    assert_eq!(book.claim(&ask(&network, 1, 1), first), Claim::Own, "the offer stands");
    let (_, undo) = book.bind(&network.name, mac(2), ip(199), at(3600), None);
    book.undo(undo);
    assert_eq!(book.claim(&ask(&network, 2, 1), ip(199)), Claim::Free);
}

#[test]
fn a_client_that_chose_another_server_frees_its_offer() {
    let (network, mut book) = (network(100, 100), Book::default());
    book.offer(&ask(&network, 1, 0)).unwrap();
    book.withdraw(&network.name, mac(1));
    assert!(book.offer(&ask(&network, 2, 0)).is_ok());
}

#[test]
fn a_saved_book_reads_back_and_tells_what_expired() {
    let (network, mut book) = (network(100, 199), Book::default());
    let (lease, _) = book.bind(&network.name, mac(1), ip(100), at(50), Some("n1".into()));
    let mut again = Book::load([lease.clone()]);
    assert_eq!(again.leases(at(0)), std::slice::from_ref(&lease));
    assert_eq!(again.expire(at(0), at(40)), []);
    assert_eq!(again.expire(at(40), at(60)), [lease]);
    assert_eq!(again.expire(at(60), at(80)), []);
    assert_eq!(again.offer(&ask(&network, 1, 100)).unwrap().address, ip(100));
}

proptest! {
    /// Whatever happens, no address is in force for two MACs, and none outside the pool is lent.
    #[test]
    fn no_address_is_lent_twice(steps in proptest::collection::vec((0u16..12, 0u8..5, 0i64..40), 1..200)) {
        let (network, mut book) = (network(100, 107), Book::default());
        let mut clock = 0;
        let mut lent: HashMap<Ipv4Addr, (Mac, Timestamp)> = HashMap::new();
        for (number, step, wait) in steps {
            clock += wait;
            let Ok(offered) = book.offer(&ask(&network, number, clock)) else { continue };
            prop_assert!((ip(100)..=ip(107)).contains(&offered.address));
            if let Some((owner, until)) = lent.get(&offered.address) {
                prop_assert!(*owner == mac(number) || *until <= at(clock));
            }
            match step {
                0 | 1 => {
                    book.bind(&network.name, mac(number), offered.address, at(clock + 100), None);
                    lent.insert(offered.address, (mac(number), at(clock + 100)));
                }
                2 => { book.release(&network.name, mac(number), offered.address, at(clock)).map(|_| lent.remove(&offered.address)); }
                3 => { book.decline(&network.name, mac(number), offered.address, at(clock)).map(|_| lent.remove(&offered.address)); }
                _ => { book.expire(at(clock - wait), at(clock)); }
            }
        }
    }
}
