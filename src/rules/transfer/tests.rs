//! One transfer, step by step: every packet of the client against every situation that matters.
//!
//! The virtual clock is a number of milliseconds; whole journeys over a lossy network are in `desk/tests.rs`.

use super::*;
use crate::wire::tftp::data_header;

const NONE: Options = Options { blksize: None, timeout: None, tsize: None, windowsize: None };

fn ms(millis: u64) -> Moment {
    Moment::from_millis(millis)
}

fn bytes(count: usize) -> Bytes {
    (0..count).map(|at| (at % 251) as u8).collect::<Vec<_>>().into()
}

fn begin(asked: Options, size: usize) -> Transfer {
    let mut transfer = Transfer::start(&asked, bytes(size), &Limits::default(), ms(0));
    assert_eq!(transfer.take_event(), Some(Event::Requested { size_bytes: size as u64 }));
    transfer
}

/// Begins with a window and brings the transfer to its first DATA.
fn begin_window(windowsize: u64, size: usize) -> Transfer {
    let mut transfer = begin(Options { windowsize: Some(windowsize), ..NONE }, size);
    leave(&mut transfer);
    ack(&mut transfer, 0, 10).unwrap();
    transfer
}

/// Lets everything leave at once and says what it was: block numbers, 0 for the OACK.
fn leave(transfer: &mut Transfer) -> Vec<u64> {
    let mut left = Vec::new();
    while let Some(output) = transfer.output() {
        let (first, last) = match output {
            Output::OptionAck => (0, 0),
            Output::Blocks { first, last } => (first, last),
        };
        left.extend(first..=last);
        transfer.sent(last, transfer.window_at);
    }
    left
}

fn ack(transfer: &mut Transfer, block: u16, at: u64) -> Result<(), Silence> {
    transfer.on_packet(&Packet::Ack { block }, ms(at))
}

#[test]
fn without_options_data_follows_at_once_and_there_is_no_oack() {
    let mut transfer = begin(NONE, 700);
    assert_eq!(leave(&mut transfer), [1]);
    ack(&mut transfer, 1, 5).unwrap();
    assert_eq!(leave(&mut transfer), [2]);
    assert_eq!(transfer.block(2).1.len(), 188);
    ack(&mut transfer, 2, 9).unwrap();
    assert_eq!(transfer.take_event(), Some(Event::Done { size_bytes: 700, took: ms(9), resent_packets: 0 }));
    assert!(transfer.is_over() && transfer.output().is_none() && transfer.deadline().is_none());
}

#[test]
fn a_file_that_fills_its_last_block_ends_with_an_empty_one() {
    for (size, last) in [(0, 1), (511, 1), (512, 2), (1024, 3)] {
        let mut transfer = begin(NONE, size);
        for block in 1..=last {
            assert_eq!(leave(&mut transfer), [u64::from(block)], "{size}");
            assert_eq!(transfer.block(u64::from(block)).1.len() == 512, block < last, "{size}");
            ack(&mut transfer, block, 1).unwrap();
        }
        assert!(transfer.is_over(), "{size}");
    }
}

#[test]
fn block_numbers_wrap_behind_65535() {
    let blksize = 8;
    let mut transfer = begin(Options { blksize: Some(blksize), ..NONE }, 8 * 70_000);
    leave(&mut transfer);
    ack(&mut transfer, 0, 0).unwrap();
    for block in 1..=70_001_u64 {
        assert_eq!(leave(&mut transfer), [block]);
        let (number, content) = transfer.block(block);
        assert_eq!(data_header(number)[2..], (block as u16).to_be_bytes());
        assert_eq!(content.first().copied(), (block <= 70_000).then_some(((block - 1) * blksize % 251) as u8));
        ack(&mut transfer, number, 0).unwrap();
    }
    assert!(matches!(transfer.take_event(), Some(Event::Done { size_bytes: 560_000, .. })));
}

#[test]
fn a_repeated_ack_sends_nothing_at_window_one() {
    let mut transfer = begin(NONE, 5000);
    leave(&mut transfer);
    ack(&mut transfer, 1, 1).unwrap();
    assert_eq!(leave(&mut transfer), [2]);
    for at in 2..50 {
        assert_eq!(ack(&mut transfer, 1, at), Err(Silence::RepeatedAck));
        assert_eq!(leave(&mut transfer), [0; 0]);
    }
}

#[test]
fn a_time_out_sends_again_and_waits_twice_as_long() {
    let mut transfer = begin(NONE, 5000);
    leave(&mut transfer);
    let mut waits = Vec::new();
    let mut now = ms(0);
    for _ in 0..6 {
        let deadline = transfer.deadline().unwrap();
        transfer.on_tick(deadline - ms(1));
        assert_eq!(leave(&mut transfer), [0; 0]);
        transfer.on_tick(deadline);
        assert_eq!(leave(&mut transfer), [1]);
        waits.push((deadline - now).as_millis());
        now = deadline;
    }
    assert_eq!(waits, [250, 500, 1000, 2000, 4000, 4000]);
}

/// In a storm a packet may wait for its turn longer than any round trip: that is not the client's silence.
#[test]
fn what_has_not_left_yet_is_not_late() {
    let mut transfer = begin(NONE, 5000);
    leave(&mut transfer);
    ack(&mut transfer, 1, 2).unwrap();
    transfer.on_tick(ms(900));
    transfer.sent(2, ms(1000));
    assert_eq!(transfer.deadline(), Some(ms(1028)), "four round trips of 2 ms and 20 ms after it left");
    ack(&mut transfer, 2, 1002).unwrap();
    leave(&mut transfer);
    assert_eq!(transfer.deadline(), Some(ms(1030)), "the wait for the turn was no round trip");
    assert_eq!(transfer.packets(), (3, 0));
}

#[test]
fn the_oack_is_sent_again_too() {
    let mut transfer = begin(Options { tsize: Some(0), ..NONE }, 5000);
    assert_eq!(leave(&mut transfer), [0]);
    transfer.on_tick(ms(250));
    assert_eq!(leave(&mut transfer), [0]);
    ack(&mut transfer, 0, 301).unwrap();
    assert_eq!(leave(&mut transfer), [1]);
}

#[test]
fn a_silent_client_is_given_up_for_a_named_reason() {
    for (size, given_up) in [(5000, GivenUp::Silent), (100, GivenUp::NoLastAck)] {
        let mut transfer = begin(NONE, size);
        let mut packets = 0;
        let mut now = ms(0);
        while !transfer.is_over() {
            packets += leave(&mut transfer).len();
            now = transfer.deadline().unwrap();
            transfer.on_tick(now);
        }
        assert_eq!(transfer.take_event(), Some(Event::TimedOut { acked_bytes: 0, size_bytes: size as u64, given_up }));
        assert_eq!((now, packets), (ms(30_000), 11));
    }
}

#[test]
fn a_client_that_crawls_is_given_up_in_the_end() {
    let mut transfer = begin(NONE, 5_000_000);
    let mut block = 0_u16;
    for secs in (5..).step_by(5) {
        leave(&mut transfer);
        while transfer.deadline().is_some_and(|deadline| deadline <= ms(secs * 1000)) {
            transfer.on_tick(transfer.deadline().unwrap());
        }
        if transfer.is_over() {
            assert_eq!(secs, 1800);
            break;
        }
        leave(&mut transfer);
        block += 1;
        ack(&mut transfer, block, secs * 1000).unwrap();
        transfer.take_event();
    }
    assert!(matches!(transfer.take_event(), Some(Event::TimedOut { given_up: GivenUp::TooLong, .. })));
}

#[test]
fn the_size_probe_of_firmware_is_neither_failure_nor_boot() {
    let error = |code| Packet::Error { code, text: "User aborted the transfer".into() };
    let probe = Options { tsize: Some(0), blksize: Some(1468), windowsize: Some(4), ..NONE };
    for code in [0, 8] {
        let mut transfer = begin(probe, 5000);
        leave(&mut transfer);
        transfer.on_packet(&error(code), ms(1)).unwrap();
        assert_eq!(transfer.take_event(), Some(Event::Probed { size_bytes: 5000 }), "{code}");
        assert!(transfer.is_over());
    }
    for (asked, code) in [(probe, 3), (Options { tsize: None, ..probe }, 8), (NONE, 8)] {
        let mut transfer = begin(asked, 5000);
        leave(&mut transfer);
        transfer.on_packet(&error(code), ms(1)).unwrap();
        let text = "User aborted the transfer".into();
        assert_eq!(transfer.take_event(), Some(Event::Aborted { code, text, acked_bytes: 0, size_bytes: 5000 }));
    }
}

#[test]
fn an_error_ends_a_running_transfer_at_once() {
    let mut transfer = begin(NONE, 5000);
    leave(&mut transfer);
    ack(&mut transfer, 1, 1).unwrap();
    transfer.on_packet(&Packet::Error { code: 3, text: "full".into() }, ms(2)).unwrap();
    assert_eq!(transfer.take_event(), Some(Event::Aborted { code: 3, text: "full".into(), acked_bytes: 512, size_bytes: 5000 }));
    assert_eq!(transfer.on_packet(&Packet::Ack { block: 2 }, ms(3)), Err(Silence::AfterTheEnd));
    assert_eq!(transfer.output(), None);
}

#[test]
fn what_changes_nothing_has_a_name() {
    let mut transfer = begin(Options { tsize: Some(0), ..NONE }, 5000);
    assert_eq!(ack(&mut transfer, 1, 1), Err(Silence::AckAhead));
    leave(&mut transfer);
    ack(&mut transfer, 0, 2).unwrap();
    leave(&mut transfer);
    assert_eq!(ack(&mut transfer, 2, 3), Err(Silence::AckAhead));
    ack(&mut transfer, 1, 3).unwrap();
    assert_eq!(ack(&mut transfer, 2, 3), Err(Silence::AckAhead), "block 2 has not left yet");
    assert_eq!(ack(&mut transfer, 0, 4), Err(Silence::OldAck));
    assert_eq!(transfer.on_packet(&Packet::Data { block: 1, bytes: b"" }, ms(4)), Err(Silence::WrongPacket));
    assert_eq!(transfer.on_packet(&Packet::OptionAck(NONE), ms(4)), Err(Silence::WrongPacket));
}

#[test]
fn a_window_leaves_whole_and_the_next_one_at_its_ack() {
    let mut transfer = begin_window(4, 512 * 9);
    assert_eq!(leave(&mut transfer), [1, 2, 3, 4]);
    ack(&mut transfer, 4, 20).unwrap();
    assert_eq!(leave(&mut transfer), [5, 6, 7, 8]);
    ack(&mut transfer, 8, 30).unwrap();
    assert_eq!(leave(&mut transfer), [9, 10]);
    ack(&mut transfer, 10, 40).unwrap();
    assert_eq!(transfer.take_event(), Some(Event::Done { size_bytes: 4608, took: ms(40), resent_packets: 0 }));
}

#[test]
fn a_gap_in_a_window_is_filled_without_a_time_out() {
    let mut transfer = begin_window(4, 512 * 20);
    leave(&mut transfer);
    ack(&mut transfer, 2, 20).unwrap();
    assert_eq!(leave(&mut transfer), [3, 4, 5, 6]);
    for at in 21..40 {
        assert_eq!(ack(&mut transfer, 2, at), Err(Silence::RepeatedAck), "the echo of the same gap");
    }
    ack(&mut transfer, 6, 40).unwrap();
    assert_eq!(leave(&mut transfer), [7, 8, 9, 10]);
}

#[test]
fn a_lost_first_packet_of_a_window_is_sent_again_once() {
    let mut transfer = begin_window(4, 512 * 40);
    leave(&mut transfer);
    ack(&mut transfer, 4, 20).unwrap();
    assert_eq!(leave(&mut transfer), [5, 6, 7, 8]);
    assert_eq!(ack(&mut transfer, 4, 21), Err(Silence::RepeatedAck), "sooner than half a round trip: a copy");
    ack(&mut transfer, 4, 30).unwrap();
    assert_eq!(leave(&mut transfer), [5, 6, 7, 8]);
    assert_eq!(ack(&mut transfer, 4, 40), Err(Silence::RepeatedAck));
    ack(&mut transfer, 8, 41).unwrap();
    assert_eq!(leave(&mut transfer), [9, 10, 11, 12]);
    assert_eq!(ack(&mut transfer, 8, 60), Err(Silence::RepeatedAck), "the echo of our own repetition");
    ack(&mut transfer, 12, 61).unwrap();
    leave(&mut transfer);
    assert_eq!(ack(&mut transfer, 12, 90), Ok(()), "the next loss is a new one");
}

#[test]
fn progress_is_reported_now_and_then() {
    let mut transfer = begin(NONE, 512 * 100);
    let mut reports = Vec::new();
    for block in 1..=100_u16 {
        leave(&mut transfer);
        ack(&mut transfer, block, u64::from(block) * 200).unwrap();
        reports.extend(transfer.take_event());
    }
    let at = |blocks: u64| Event::Progress { acked_bytes: blocks * 512, size_bytes: 51_200 };
    assert_eq!(reports, [at(25), at(50), at(75), at(100)]);
}
