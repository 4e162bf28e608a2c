//! What a run came to: times of each stage, failures by reason, and of the slowest hosts why they were.
//!
//! A table for people and the same as one JSON object.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::Serialize;

use super::{
    host::Identity,
    record::{Note, Record, Stage},
    weather::Tally,
};

/// How many of the slowest are explained.
const EXPLAINED: usize = 3;

/// Times of one stage, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Times {
    /// The stage.
    pub stage: &'static str,
    /// How many hosts were in it.
    pub hosts: usize,
    /// Half of them took no longer.
    pub p50_ms: f64,
    /// 19 of 20.
    pub p95_ms: f64,
    /// 99 of 100.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

/// One reason for not arriving.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// How many.
    pub hosts: usize,
    /// The first of them.
    pub example: String,
    /// What happened to it.
    pub text: String,
}

/// One of the slowest hosts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Slow {
    /// Its name.
    pub host: String,
    /// Its card.
    pub mac: String,
    /// From its power-on to its end.
    pub whole_ms: f64,
    /// Its stages, the longest first.
    pub stages: Vec<(&'static str, f64)>,
    /// What made it wait, the longest first.
    pub because: Vec<String>,
}

/// A whole run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Its scenario.
    pub scenario: String,
    /// Its seed.
    pub seed: u64,
    /// How many were simulated.
    pub hosts: usize,
    /// How many came where they were to come.
    pub arrived: usize,
    /// From the first power-on to the last end.
    pub seconds: f64,
    /// What the network did.
    pub network: Tally,
    /// Each stage, then the whole.
    pub stages: Vec<Times>,
    /// By reason.
    pub failures: BTreeMap<&'static str, Failed>,
    /// The slowest that arrived.
    pub slowest: Vec<Slow>,
}

impl Report {
    /// Counts what the hosts left behind.
    pub fn of(scenario: &str, seed: u64, took: Duration, ended: &[(Identity, Record)], network: Tally) -> Self {
        let mut failures: BTreeMap<&'static str, Failed> = BTreeMap::new();
        for (host, record) in ended {
            let Some(failure) = &record.failure else { continue };
            let first = || Failed { hosts: 0, example: host.name(), text: failure.text.clone() };
            failures.entry(failure.reason).or_insert_with(first).hosts += 1;
        }
        let mut stages: Vec<Times> =
            Stage::ALL.into_iter().filter_map(|stage| times(stage.word(), ended.iter().filter_map(|(_, one)| one.span(stage)))).collect();
        stages.extend(times("whole", ended.iter().map(|(_, record)| record.whole)));
        let mut arrived: Vec<&(Identity, Record)> = ended.iter().filter(|(_, record)| record.failure.is_none()).collect();
        arrived.sort_by_key(|(host, record)| (std::cmp::Reverse(record.whole), host.number));
        Self {
            scenario: scenario.to_owned(),
            seed,
            hosts: ended.len(),
            arrived: arrived.len(),
            seconds: took.as_secs_f64(),
            network,
            stages,
            failures,
            slowest: arrived.iter().take(EXPLAINED).map(|(host, record)| explained(host, record)).collect(),
        }
    }

    /// Whether every host came where it was to come.
    pub fn is_good(&self) -> bool {
        self.arrived == self.hosts
    }
}

fn millis(span: Duration) -> f64 {
    (span.as_secs_f64() * 10_000.0).round() / 10.0
}

fn times(stage: &'static str, spans: impl Iterator<Item = Duration>) -> Option<Times> {
    let mut spans: Vec<Duration> = spans.collect();
    spans.sort_unstable();
    let last = spans.len().checked_sub(1)?;
    let at = |per_cent: usize| millis(spans[(last * per_cent).div_ceil(100)]);
    Some(Times { stage, hosts: spans.len(), p50_ms: at(50), p95_ms: at(95), p99_ms: at(99), max_ms: at(100) })
}

fn explained(host: &Identity, record: &Record) -> Slow {
    let mut stages: Vec<(&'static str, f64)> = Stage::ALL.into_iter().filter_map(|stage| Some((stage.word(), millis(record.span(stage)?)))).collect();
    stages.sort_by(|one, other| other.1.total_cmp(&one.1));
    let mut notes: Vec<&Note> = record.notes.iter().collect();
    notes.sort_by_key(|note| std::cmp::Reverse(note.lasted));
    let because = notes.into_iter().map(|note| format!("{}: {}, {} times, {} ms", note.stage.word(), note.why, note.times, note.lasted.as_millis()));
    Slow { host: host.name(), mac: host.mac.to_string(), whole_ms: millis(record.whole), stages, because: because.collect() }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, hosts, arrived, seed, seconds, network, .. } = self;
        writeln!(f, "{arrived} of {hosts} hosts arrived in {seconds:.1} s; scenario {scenario}, seed {seed}")?;
        let Tally { packets, lost, duplicated, reordered, late, broken } = network;
        let fates = format!("{lost} lost, {duplicated} doubled, {reordered} overtaken, {late} late; {broken} connections broken");
        writeln!(f, "{packets} packets, of them {fates}\n")?;
        writeln!(f, "{:<16}{:>7}{:>10}{:>10}{:>10}{:>10}", "STAGE", "HOSTS", "P50 ms", "P95 ms", "P99 ms", "MAX ms")?;
        for Times { stage, hosts, p50_ms, p95_ms, p99_ms, max_ms } in &self.stages {
            writeln!(f, "{stage:<16}{hosts:>7}{p50_ms:>10.0}{p95_ms:>10.0}{p99_ms:>10.0}{max_ms:>10.0}")?;
        }
        for (reason, Failed { hosts, example, text }) in &self.failures {
            writeln!(f, "\nFAILED {reason}: {hosts} hosts, the first is {example}\n  {text}")?;
        }
        for slow in &self.slowest {
            let longest: Vec<String> = slow.stages.iter().take(3).map(|(stage, ms)| format!("{stage} {ms:.0} ms")).collect();
            writeln!(f, "\nslow: {} ({}) {:.0} ms: {}", slow.host, slow.mac, slow.whole_ms, longest.join(", "))?;
            slow.because.iter().try_for_each(|why| writeln!(f, "  {why}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::record::Failure;

    fn ended(number: u32, secs: u64, failure: Option<Failure>) -> (Identity, Record) {
        let mut record = Record::default();
        (record.whole, record.failure) = (Duration::from_secs(secs), failure);
        record.add(Stage::Loader, Duration::from_secs(secs));
        record.note(Stage::Loader, "no data", Duration::from_secs(1));
        record.note(Stage::Loader, "no data", Duration::from_secs(1));
        (Identity::new("02:00:00:00:00:00".parse().unwrap(), number).unwrap(), record)
    }

    #[test]
    fn a_run_is_told_in_numbers_reasons_and_explanations() {
        let mut hosts: Vec<_> = (0..99).map(|number| ended(number, u64::from(number) + 1, None)).collect();
        hosts.push(ended(99, 500, Some(Failure::new("held", "HELD; by an operator"))));
        let report = Report::of("build", 7, Duration::from_secs(9), &hosts, Tally::default());
        assert!(!report.is_good());
        let loader = report.stages[0];
        assert_eq!((loader.p50_ms, loader.p95_ms, loader.p99_ms, loader.max_ms), (51_000.0, 96_000.0, 100_000.0 - 1000.0 + 401_000.0, 500_000.0));
        let text = report.to_string();
        for part in [
            "99 of 100 hosts arrived in 9.0 s; scenario build, seed 7",
            "FAILED held: 1 hosts, the first is sim-00099",
            "slow: sim-00098",
            "loader: no data, 2 times, 2000 ms",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn who_all_arrived_is_good_and_nobody_has_no_times() {
        let report = Report::of("script", 1, Duration::ZERO, &[ended(0, 1, None)], Tally::default());
        assert!(report.is_good() && report.failures.is_empty());
        assert_eq!(times("x", std::iter::empty()), None);
    }
}
