//! What is read out of packets, and that nothing makes the reader panic.
//!
//! Packets are spelled by hand, one option each; real ones stand in `tests/golden/pcaps`.

use proptest::prelude::*;

use super::*;

/// A minimal DISCOVER with these options behind 53.
pub(crate) fn discover(options: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; 236];
    bytes[..4].copy_from_slice(&[1, 1, 6, 0]);
    bytes[28..34].copy_from_slice(&[0x52, 0x54, 0, 0, 0, 1]);
    bytes.extend(MAGIC);
    bytes.extend([53, 1, 1]);
    for (code, value) in options {
        bytes.extend([*code, value.len() as u8]);
        bytes.extend(*value);
    }
    bytes.push(255);
    bytes
}

#[track_caller]
fn read(options: &[(u8, &[u8])]) -> Request {
    Request::parse(&discover(options)).unwrap()
}

#[track_caller]
fn refuse(change: impl FnOnce(&mut Vec<u8>), want: Malformed) {
    let mut bytes = discover(&[]);
    change(&mut bytes);
    assert_eq!(Request::parse(&bytes), Err(want));
}

#[test]
fn what_is_not_a_request_is_refused_by_name() {
    refuse(|b| b.truncate(239), Malformed::Short(239));
    refuse(|b| b.resize(2049, 0), Malformed::Long(2049));
    refuse(|b| b[0] = 2, Malformed::NotARequest(2));
    refuse(|b| b[1] = 6, Malformed::NotEthernet(6));
    refuse(|b| b[2] = 255, Malformed::HardwareLength(255));
    refuse(|b| b[2] = 0, Malformed::HardwareLength(0));
    refuse(|b| b[3] = 17, Malformed::Hops(17));
    refuse(|b| b[28] = 1, Malformed::HardwareAddress);
    refuse(|b| b[28..34].fill(0), Malformed::HardwareAddress);
    refuse(|b| b[236] = 0, Malformed::NoMagic);
    refuse(|b| b.truncate(242), Malformed::Truncated);
    refuse(|b| b.truncate(240), Malformed::NoKind);
    refuse(|b| b[242] = 2, Malformed::Kind(2));
    refuse(|b| b[242] = 9, Malformed::Kind(9));
    refuse(|b| b.splice(243.., [50, 3, 1, 2, 3, 255]).for_each(drop), Malformed::OptionLength(50));
    refuse(|b| b.splice(243.., [93, 1, 0, 255]).for_each(drop), Malformed::OptionLength(93));
    refuse(|b| b.splice(243.., [57, 1, 0, 255]).for_each(drop), Malformed::OptionLength(57));
}

#[test]
fn option_93_is_a_list() {
    assert_eq!(read(&[(93, &[0, 7, 0, 16])]).archs, [7, 16]);
}

#[test]
fn the_user_class_reads_raw_and_framed() {
    assert!(read(&[(77, b"iPXE")]).has_user_class("iPXE"));
    assert!(read(&[(77, b"\x04iPXE")]).has_user_class("iPXE"));
    let two = read(&[(77, b"\x03abc\x04iPXE")]);
    assert!(two.has_user_class("abc") && two.has_user_class("iPXE"));
    assert!(!read(&[(77, b"\x00iPXE")]).has_user_class("iPXE"));
}

#[test]
fn ipxes_features_are_read_from_option_175() {
    let http = read(&[(175, &[0xb1, 5, 1, 0x80, 0x86, 0x10, 0x0e, 0xeb, 3, 1, 0, 0, 0x13, 1, 1])]);
    assert!(http.ipxe.unwrap().has_http());
    assert!(!read(&[(175, &[0x13, 1, 0])]).ipxe.unwrap().has_http());
    assert!(!read(&[(175, &[0x13, 9, 1])]).ipxe.unwrap().has_http(), "a broken list ends quietly");
}

#[test]
fn the_relays_option_is_kept_raw_and_understood() {
    let raw = [1, 2, 9, 9, 5, 4, 10, 78, 0, 0, 11, 4, 10, 78, 0, 254];
    let relay = read(&[(82, &raw)]).relay.unwrap();
    assert_eq!((relay.raw, relay.link, relay.server_id), (raw.to_vec(), Some([10, 78, 0, 0].into()), Some([10, 78, 0, 254].into())));
}

#[test]
fn a_name_that_is_no_utf8_hides_no_option_behind_it() {
    let request = read(&[(12, &[0xff, b'a', 7]), (60, b"PXEClient:Arch:00000:UNDI:002001"), (93, &[0, 0])]);
    assert_eq!(request.client_name.as_deref(), Some("\u{fffd}a"));
    assert_eq!(request.archs, [0]);
    assert!(request.class_starts("PXEClient"));
}

#[test]
fn pads_between_options_and_a_missing_end_are_tolerated() {
    let mut bytes = discover(&[]);
    bytes.splice(243.., [0, 0, 93, 2, 0, 11, 0]);
    assert_eq!(Request::parse(&bytes).unwrap().archs, [11]);
}

#[test]
fn an_option_in_two_adjacent_pieces_is_joined() {
    let request = read(&[(60, b"PXE"), (60, b"Client")]);
    assert_eq!(request.class_text(), "PXEClient");
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2200)) {
        let _ = Request::parse(&bytes);
    }

    #[test]
    fn no_options_make_the_reader_panic(options in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..64)), 0..24), cut in 0usize..2000) {
        let pairs: Vec<(u8, &[u8])> = options.iter().map(|(code, value)| (*code, value.as_slice())).collect();
        let mut bytes = discover(&pairs);
        if let Ok(request) = Request::parse(&bytes) {
            let _ = (request.uuid(), request.class_text());
        }
        bytes.truncate(cut);
        let _ = Request::parse(&bytes);
    }
}
