//! Both ends in one process: the desk, a client as RFC 1350 and 7440 describe one, and a network that loses, doubles and reorders.
//!
//! The clock is virtual and chance comes from a seed that proptest prints. Whatever the network does, the file arrives intact, or
//! each end that gave up has a named reason; and a copy never breeds copies.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// How bad the network and how talkative the client is.
#[derive(Debug, Clone)]
struct Weather {
    seed: u64,
    loss_percent: u64,
    double_percent: u64,
    jitter_ms: u64,
    /// Answers every packet that it did not expect; else only the first of a gap.
    talkative: bool,
}

const CALM: Weather = Weather { seed: 1, loss_percent: 0, double_percent: 0, jitter_ms: 0, talkative: true };

/// xorshift64: enough chance for a network.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound.max(1)
    }
}

enum Way {
    ToServer(Vec<u8>),
    ToClient(Vec<u8>),
}

/// The reading end.
struct Client {
    options: Options,
    last_sent: Vec<u8>,
    blksize: usize,
    windowsize: u64,
    began: bool,
    got: u64,
    in_window: u64,
    gap_told: bool,
    file: Vec<u8>,
    done: bool,
    due: Moment,
    wait: Moment,
    tries: u32,
    error: Option<String>,
}

impl Client {
    fn new(options: Options) -> Self {
        let last_sent = read("a", options).to_bytes();
        Self {
            options,
            last_sent,
            blksize: 512,
            windowsize: 1,
            began: false,
            got: 0,
            in_window: 0,
            gap_told: false,
            file: Vec::new(),
            done: false,
            due: ms(1000),
            wait: ms(1000),
            tries: 0,
            error: None,
        }
    }

    fn is_over(&self) -> bool {
        self.error.is_some() || self.tries > 12
    }

    fn say(&mut self, packet: Vec<u8>, now: Moment) -> Option<Vec<u8>> {
        self.last_sent.clone_from(&packet);
        self.due = now + self.wait;
        Some(packet)
    }

    fn ack(&mut self, now: Moment) -> Option<Vec<u8>> {
        self.in_window = 0;
        let block = self.got as u16;
        self.say(ack(block).to_bytes(), now)
    }

    fn on_time_out(&mut self, now: Moment) -> Option<Vec<u8>> {
        self.tries += 1;
        self.wait = (self.wait * 2).min(ms(4000));
        self.in_window = 0;
        let again = self.last_sent.clone();
        self.say(again, now)
    }

    fn on_packet(&mut self, bytes: &[u8], talkative: bool, now: Moment) -> Option<Vec<u8>> {
        match Packet::parse(bytes).expect("the server writes packets") {
            Packet::OptionAck(_) if self.began => (self.got == 0 && talkative).then(|| self.ack(now)).flatten(),
            Packet::OptionAck(granted) => {
                for (given, asked) in [(granted.blksize, self.options.blksize), (granted.windowsize, self.options.windowsize)] {
                    assert!(given.is_none() || given <= asked, "never more than was asked");
                }
                self.began = true;
                self.blksize = granted.blksize.unwrap_or(512) as usize;
                self.windowsize = granted.windowsize.unwrap_or(1);
                self.ack(now)
            }
            Packet::Data { block, bytes } => self.on_data(block, bytes, talkative, now),
            Packet::Error { text, .. } => {
                self.error = Some(text);
                None
            }
            other => panic!("a server does not send {other:?}"),
        }
    }

    fn on_data(&mut self, block: u16, bytes: &[u8], talkative: bool, now: Moment) -> Option<Vec<u8>> {
        if block != (self.got + 1) as u16 || self.done {
            let told = std::mem::replace(&mut self.gap_told, true);
            return (talkative || !told).then(|| self.ack(now)).flatten();
        }
        (self.began, self.gap_told, self.tries, self.wait) = (true, false, 0, ms(1000));
        self.got += 1;
        self.in_window += 1;
        self.file.extend_from_slice(bytes);
        self.done = bytes.len() < self.blksize;
        if self.done || self.in_window >= self.windowsize { self.ack(now) } else { None }
    }
}

/// A parcel as packets, and its last block.
fn packets(parcel: &Parcel<'_>) -> (Vec<Vec<u8>>, u64) {
    match parcel {
        Parcel::Packet(bytes) => (vec![bytes.to_vec()], 0),
        Parcel::Of(transfer, Output::OptionAck) => (vec![Packet::OptionAck(transfer.terms().granted).to_bytes()], 0),
        Parcel::Of(transfer, Output::Blocks { first, last }) => {
            let packet = |number| {
                let (block, bytes) = transfer.block(number);
                Packet::Data { block, bytes }.to_bytes()
            };
            ((*first..=*last).map(packet).collect(), *last)
        }
    }
}

/// What came of it.
struct Outcome {
    intact: bool,
    client_done: bool,
    events: Vec<String>,
    packets: usize,
    took: Moment,
}

struct Lab {
    desk: Desk,
    client: Client,
    wire: BTreeMap<(Moment, u64), Way>,
    dice: Dice,
    weather: Weather,
    now: Moment,
    sequence: u64,
    data_packets: usize,
}

impl Lab {
    fn carry(&mut self, bytes: &[u8], to_server: bool) {
        let copies = if self.dice.below(100) < self.weather.double_percent { 2 } else { 1 };
        for _ in 0..copies {
            if self.dice.below(100) < self.weather.loss_percent {
                continue;
            }
            self.sequence += 1;
            let at = self.now + ms(1 + self.dice.below(self.weather.jitter_ms + 1));
            let way = if to_server { Way::ToServer(bytes.to_vec()) } else { Way::ToClient(bytes.to_vec()) };
            self.wire.insert((at, self.sequence), way);
        }
    }

    fn send_all(&mut self) {
        loop {
            let next = self.desk.round(1, 1, self.now).next().map(|outgoing| packets(&outgoing.parcel));
            let Some((packets, upto)) = next else { return };
            self.desk.left(upto, self.now);
            self.data_packets += packets.len();
            for packet in packets {
                self.carry(&packet, false);
            }
        }
    }

    fn deliver(&mut self, way: Way, file: &Bytes) {
        let client = peer(2, 2070);
        match way {
            Way::ToServer(bytes) => {
                let packet = Packet::parse(&bytes).expect("the client writes packets");
                if let Ok(Some(wanted)) = self.desk.on_packet(client, LOCAL, packet, self.now) {
                    self.desk.on_opened(&wanted, Ok(file.clone()), self.now);
                }
            }
            Way::ToClient(bytes) => {
                if let Some(answer) = self.client.on_packet(&bytes, self.weather.talkative, self.now) {
                    self.carry(&answer, true);
                }
            }
        }
    }

    /// The next moment at which anything happens; `None`: both ends are at rest.
    fn next(&self) -> Option<Moment> {
        let arrival = self.wire.keys().next().map(|(at, _)| *at);
        let client = (!self.client.done && !self.client.is_over()).then_some(self.client.due);
        [arrival, self.desk.deadline(), client].into_iter().flatten().min()
    }
}

fn journey(options: Options, size: usize, weather: &Weather) -> Outcome {
    let file: Bytes = (0..size).map(|at| (at * 7 % 253) as u8).collect::<Vec<_>>().into();
    let mut lab = Lab {
        desk: Desk::new(Limits::default()),
        client: Client::new(options),
        wire: BTreeMap::new(),
        dice: Dice(weather.seed | 1),
        weather: weather.clone(),
        now: ms(0),
        sequence: 0,
        data_packets: 0,
    };
    let mut events = Vec::new();
    let mut took = None;
    let first = lab.client.last_sent.clone();
    lab.carry(&first, true);
    while let Some(now) = lab.next() {
        assert!(now < ms(3_600_000), "it ends");
        lab.now = now.max(lab.now);
        while lab.wire.keys().next().is_some_and(|(at, _)| *at <= lab.now) {
            let (_, way) = lab.wire.pop_first().expect("there is one");
            lab.deliver(way, &file);
        }
        lab.desk.on_tick(lab.now);
        let late = !lab.client.done && !lab.client.is_over() && lab.client.due <= lab.now;
        if let Some(again) = late.then(|| lab.client.on_time_out(lab.now)).flatten() {
            lab.carry(&again, true);
        }
        lab.send_all();
        if lab.client.done {
            took.get_or_insert(lab.now);
        }
        events.extend(notices(&mut lab.desk));
    }
    assert_eq!(lab.desk.busy(), 0, "nothing is left behind");
    Outcome { intact: lab.client.file == file, client_done: lab.client.done, events, packets: lab.data_packets, took: took.unwrap_or(lab.now) }
}

fn options() -> impl Strategy<Value = Options> {
    let windowsize = prop_oneof![Just(None), (1..70_u64).prop_map(Some)];
    let blksize = prop_oneof![Just(None), (8..1500_u64).prop_map(Some)];
    let tsize = prop_oneof![Just(None), Just(Some(0))];
    (blksize, windowsize, tsize).prop_map(|(blksize, windowsize, tsize)| Options { blksize, windowsize, tsize, timeout: None })
}

fn weather() -> impl Strategy<Value = Weather> {
    (any::<u64>(), 0..20_u64, 0..20_u64, 0..30_u64, any::<bool>()).prop_map(|(seed, loss_percent, double_percent, jitter_ms, talkative)| Weather {
        seed,
        loss_percent,
        double_percent,
        jitter_ms,
        talkative,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_file_arrives_intact_or_the_end_has_a_name(options in options(), size in 0..20_000_usize, weather in weather()) {
        let outcome = journey(options, size, &weather);
        let last = outcome.events.last().cloned().unwrap_or_default();
        let ended = ["done", "silent", "no_last_ack", "too_long"].iter().any(|end| last.ends_with(end));
        prop_assert!(ended || outcome.events.is_empty(), "{:?}", outcome.events);
        prop_assert!(outcome.intact || !outcome.client_done, "the client has another file");
        prop_assert!(!last.ends_with("done") || outcome.client_done, "done without the last block");
    }

    #[test]
    fn copies_breed_no_copies(options in options(), seed: u64, double_percent in 0..50_u64, talkative: bool) {
        let weather = Weather { seed, double_percent, talkative, ..CALM };
        let outcome = journey(options, 20_000, &weather);
        prop_assert!(outcome.client_done && outcome.intact);
        let blksize = options.blksize.unwrap_or(512).min(1468) as usize;
        let least = 20_000 / blksize + 2;
        let windowed = options.windowsize.is_some_and(|size| size > 1);
        let most = if windowed { 3 * least + 200 } else { least };
        prop_assert!(outcome.packets <= most, "{} packets where {least} are enough", outcome.packets);
    }
}

#[track_caller]
fn check_arrival(windowsize: Option<u64>, weather: &Weather, at_most: Moment) {
    let mut slowest = ms(0);
    for seed in 1..40 {
        let options = Options { blksize: Some(1468), windowsize, ..NONE };
        let outcome = journey(options, 1 << 20, &Weather { seed: seed * 7919, ..weather.clone() });
        assert!(outcome.client_done && outcome.intact, "seed {seed}");
        slowest = slowest.max(outcome.took);
    }
    assert!(slowest <= at_most, "{slowest:?}");
}

#[test]
fn a_calm_network_costs_one_round_trip_for_each_window() {
    check_arrival(None, &CALM, ms(2 * 720));
    check_arrival(Some(16), &CALM, ms(2 * 50));
}

#[test]
fn a_per_cent_of_loss_costs_no_seconds() {
    let lossy = Weather { loss_percent: 1, ..CALM };
    check_arrival(None, &lossy, ms(4000));
    check_arrival(Some(16), &lossy, ms(2000));
}
