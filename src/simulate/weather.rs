//! The network's weather: which packet is lost, doubled, overtaken or late, and which connection breaks. Decided by a seed.
//!
//! Every host has weather of its own for each direction, drawn from the seed and its number: the third packet that host 17 sends has
//! the same fate in every run of that seed, whatever the others do.

use std::time::Duration;

use fastrand::Rng;

/// How likely each fate of a packet is, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Odds {
    /// It never arrives.
    pub loss: f64,
    /// It arrives twice.
    pub duplicate: f64,
    /// The next one overtakes it.
    pub reorder: f64,
    /// It arrives much later.
    pub late: f64,
    /// Of an HTTP connection: it breaks. TCP sends again what is lost, so this is no packet's fate.
    pub broken: f64,
}

impl Odds {
    /// Whether nothing ever happens.
    pub fn is_clear(&self) -> bool {
        *self == Self::default()
    }
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    Pass,
    /// It does not.
    Lost,
    /// It does twice.
    Twice,
    /// After the next one, or after this time if there is none.
    Overtaken(Duration),
    /// So much later.
    Late(Duration),
}

/// How much of it a run has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    /// Packets that got through the weather or not.
    pub packets: u64,
    /// Lost.
    pub lost: u64,
    /// Doubled.
    pub duplicated: u64,
    /// Overtaken.
    pub reordered: u64,
    /// Late.
    pub late: u64,
    /// Connections broken.
    pub broken: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.late += other.late;
        self.broken += other.broken;
    }
}

/// A stream of chance of its own for each purpose of each host.
pub fn chance(seed: u64, host: u32, purpose: u8) -> Rng {
    // The generator scrambles its seed, so neighbours need only differ.
    Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (u64::from(host) << 8) ^ u64::from(purpose))
}

/// The weather in one direction of one host.
#[derive(Debug)]
pub struct Weather<P> {
    odds: Odds,
    chance: Rng,
    overtaken: Option<(Duration, P)>,
    late: Vec<(Duration, P)>,
    /// What there has been.
    pub tally: Tally,
}

impl<P: Clone> Weather<P> {
    /// Weather by these odds.
    pub fn new(odds: Odds, chance: Rng) -> Self {
        Self { odds, chance, overtaken: None, late: Vec::new(), tally: Tally::default() }
    }

    /// Whether packets go through as they come.
    pub fn is_clear(&self) -> bool {
        self.odds.is_clear()
    }

    /// The fate of the next packet.
    fn fate(&mut self) -> Fate {
        // Always the same number of draws: the fate of one packet does not move those after it.
        let (throw, length) = (self.chance.f64(), self.chance.u64(0..1000));
        let odds = self.odds;
        self.tally.packets += 1;
        match throw {
            throw if throw < odds.loss => {
                self.tally.lost += 1;
                Fate::Lost
            }
            throw if throw < odds.loss + odds.duplicate => {
                self.tally.duplicated += 1;
                Fate::Twice
            }
            throw if throw < odds.loss + odds.duplicate + odds.reorder => {
                self.tally.reordered += 1;
                Fate::Overtaken(Duration::from_millis(20 + length / 20))
            }
            throw if throw < odds.loss + odds.duplicate + odds.reorder + odds.late => {
                self.tally.late += 1;
                Fate::Late(Duration::from_millis(300 + length))
            }
            _ => Fate::Pass,
        }
    }

    /// Sends a packet into it; `through` is what comes out now.
    pub fn take(&mut self, now: Duration, packet: P, through: &mut Vec<P>) {
        match self.fate() {
            Fate::Pass => through.push(packet),
            Fate::Lost => return,
            Fate::Twice => through.extend([packet.clone(), packet]),
            Fate::Overtaken(most) if self.overtaken.is_none() => {
                self.overtaken = Some((now + most, packet));
                return;
            }
            Fate::Overtaken(_) => through.push(packet),
            Fate::Late(by) => {
                self.late.push((now + by, packet));
                return;
            }
        }
        through.extend(self.overtaken.take().map(|(_, packet)| packet));
    }

    /// What comes out by itself now.
    pub fn due(&mut self, now: Duration, through: &mut Vec<P>) {
        through.extend(self.overtaken.take_if(|(at, _)| *at <= now).map(|(_, packet)| packet));
        through.extend(self.late.extract_if(.., |(at, _)| *at <= now).map(|(_, packet)| packet));
    }

    /// What is still under way to a port that is closed never arrives.
    pub fn forget(&mut self, gone: impl Fn(&P) -> bool) {
        self.overtaken.take_if(|(_, packet)| gone(packet));
        self.late.retain(|(_, packet)| !gone(packet));
    }

    /// When something next comes out by itself.
    pub fn wakes_at(&self) -> Option<Duration> {
        self.overtaken.iter().chain(&self.late).map(|(at, _)| *at).min()
    }
}

/// Where a connection breaks: the part of the exchange that went well before, 0 to 1.
pub fn break_of(chance: &mut Rng, odds: Odds) -> Option<f64> {
    let (throw, part) = (chance.f64(), chance.f64());
    (throw < odds.broken).then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(odds: Odds, seed: u64, host: u32, packets: u32) -> (Vec<u32>, Tally) {
        let mut weather = Weather::new(odds, chance(seed, host, 1));
        let mut through = Vec::new();
        for number in 0..packets {
            weather.take(Duration::from_millis(u64::from(number)), number, &mut through);
            weather.due(Duration::from_millis(u64::from(number)), &mut through);
        }
        while let Some(at) = weather.wakes_at() {
            weather.due(at, &mut through);
        }
        (through, weather.tally)
    }

    #[test]
    fn clear_weather_changes_nothing() {
        let (through, tally) = run(Odds::default(), 1, 1, 100);
        assert_eq!(through, (0..100).collect::<Vec<_>>());
        assert_eq!(tally, Tally { packets: 100, ..Tally::default() });
    }

    #[test]
    fn every_packet_has_one_fate_and_all_but_the_lost_arrive() {
        let odds = Odds { loss: 0.1, duplicate: 0.1, reorder: 0.1, late: 0.1, broken: 0.0 };
        let (mut through, tally) = run(odds, 7, 3, 10_000);
        for count in [tally.lost, tally.duplicated, tally.reordered, tally.late] {
            assert!((850..1150).contains(&count), "{tally:?}");
        }
        assert_eq!(through.len() as u64, 10_000 - tally.lost + tally.duplicated);
        assert!(!through.is_sorted());
        through.sort_unstable();
        through.dedup();
        assert_eq!(through.len() as u64, 10_000 - tally.lost);
    }

    #[test]
    fn what_is_under_way_to_a_closed_port_never_arrives() {
        let mut weather = Weather::new(Odds { late: 1.0, ..Odds::default() }, chance(1, 1, 1));
        (0..10).for_each(|number| weather.take(Duration::ZERO, number, &mut Vec::new()));
        weather.forget(|number| *number < 9);
        let mut through = Vec::new();
        weather.due(Duration::from_secs(9), &mut through);
        assert_eq!(through, [9]);
    }

    #[test]
    fn the_same_seed_and_host_have_the_same_weather_and_others_another() {
        let odds = Odds { loss: 0.3, duplicate: 0.1, reorder: 0.1, late: 0.1, broken: 0.0 };
        assert_eq!(run(odds, 5, 9, 500), run(odds, 5, 9, 500));
        assert_ne!(run(odds, 5, 9, 500).0, run(odds, 5, 10, 500).0);
        assert_ne!(run(odds, 5, 9, 500).0, run(odds, 6, 9, 500).0);
    }
}
