//! What Prometheus may know: counters by word, gauges by state. Every label is a word of a closed list or a route's pattern, so the
//! number of series is bounded and no MAC, name, address or path ever becomes one.
//!
//! Stories and edges call one method per thing that happened; [`Metrics::note`] reads most of them off the journal's facts. Nothing
//! here is read back by a decision.

use std::sync::{Mutex, PoisonError};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Metric, Registry},
};

use crate::{
    model::{Host, Lifecycle, Stage, What},
    store::Counts,
};

/// One word.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Word {
    word: &'static str,
}

/// A protocol and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    protocol: &'static str,
    outcome: &'static str,
}

/// A listener and why it turned somebody away.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refusal {
    listener: &'static str,
    reason: &'static str,
}

/// One route's answers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    listener: &'static str,
    route: String,
    status: u16,
}

/// Every metric of the daemon, shared by all stories and edges.
pub struct Metrics {
    registry: Registry,
    dhcp_requests: Family<Word, Counter>,
    dhcp_replies: Family<Word, Counter>,
    dhcp_silences: Family<Word, Counter>,
    transfers: Family<Outcome, Counter>,
    transfer_bytes: Family<Word, Counter>,
    http_requests: Family<Route, Counter>,
    connections_refused: Family<Refusal, Counter>,
    artifact_bytes: Counter,
    sessions: Family<Word, Counter>,
    loops: Family<Word, Counter>,
    stages: Family<Word, Counter>,
    builds_ended: Family<Word, Counter>,
    callbacks: Family<Word, Counter>,
    leases: Family<Word, Counter>,
    store_writes: Family<Word, Counter>,
    store_commits: Counter,
    journal_entries: Counter,
    store_seen: Mutex<Counts>,
    renders: Family<Word, Counter>,
    agent_denials: Family<Word, Counter>,
    deadlines: Family<Word, Counter>,
    refusals: Counter,
    warnings: Counter,
    hosts: Family<Word, Gauge>,
    builds_open: Gauge,
    live_image: Gauge,
    store_trouble: Family<Word, Gauge>,
    interfaces_missing: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// Registers a metric that begins at zero.
fn new<M: Metric + Default + Clone>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("bootwright");
        let r = &mut registry;
        Self {
            dhcp_requests: new(r, "dhcp_requests", "DHCP packets received, by message type"),
            dhcp_replies: new(r, "dhcp_replies", "DHCP packets answered, by message type of the answer"),
            dhcp_silences: new(r, "dhcp_silences", "DHCP packets left without an answer, by reason"),
            transfers: new(r, "transfers", "File transfers to machines that ended, by protocol and outcome"),
            transfer_bytes: new(r, "transfer_sent_bytes", "Bytes of files sent to machines, by protocol"),
            http_requests: new(r, "http_requests", "HTTP requests answered, by listener, route and status"),
            connections_refused: new(r, "connections_refused", "Connections turned away, by listener and reason"),
            artifact_bytes: new(r, "artifact_sent_bytes", "Bytes of artifacts sent to machines"),
            sessions: new(r, "boot_sessions", "Boot sessions opened, by what opened them"),
            loops: new(r, "boot_loops", "Boot loops noticed, by class"),
            stages: new(r, "build_stages", "Stages entered by builds, by stage"),
            builds_ended: new(r, "builds_ended", "Builds ended, by how"),
            callbacks: new(r, "callbacks", "Callbacks received, by whether they changed anything"),
            leases: new(r, "leases", "Leases bound, released, declined or expired"),
            store_writes: new(r, "store_writes", "Writes of the store, by outcome"),
            store_commits: new(r, "store_commits", "Transactions of the store, one fsync each"),
            journal_entries: new(r, "journal_entries", "Entries written to the journal"),
            store_seen: Mutex::default(),
            renders: new(r, "template_renders", "Templates rendered, by outcome"),
            agent_denials: new(r, "agent_denials", "Words of the live image's agent that were refused, by reason"),
            deadlines: new(r, "deadlines_passed", "Deadlines passed, soft or hard"),
            refusals: new(r, "refusals", "Requests of operators or machines refused by a rule"),
            warnings: new(r, "warnings", "Warnings that belong to no host"),
            hosts: new(r, "hosts", "Hosts, by lifecycle"),
            live_image: new(r, "live_image_ready", "Whether there is a live image that was found whole"),
            store_trouble: new(r, "store_trouble", "Whether the store is kept from its work, by what"),
            interfaces_missing: new(r, "dhcp_interfaces_missing", "Interfaces of the settings that are not there or cannot be served"),
            builds_open: new(r, "builds_open", "Builds that can still install"),
            registry,
        }
    }

    /// A DHCP packet came, of this message type.
    pub fn dhcp_request(&self, kind: &'static str) {
        self.dhcp_requests.get_or_create(&Word { word: kind }).inc();
    }

    /// A DHCP packet left, of this message type.
    pub fn dhcp_reply(&self, kind: &'static str) {
        self.dhcp_replies.get_or_create(&Word { word: kind }).inc();
    }

    /// A DHCP packet got no answer.
    pub fn dhcp_silence(&self, reason: &'static str) {
        self.dhcp_silences.get_or_create(&Word { word: reason }).inc();
    }

    /// So many packets never reached anybody, for this reason.
    pub fn dhcp_silences(&self, reason: &'static str, count: u64) {
        self.dhcp_silences.get_or_create(&Word { word: reason }).inc_by(count);
    }

    /// A transfer ended: `protocol` is `tftp` or `http`; outcome `done`, `aborted`, `timed_out`, `refused` …
    pub fn transfer_ended(&self, protocol: &'static str, outcome: &'static str, sent_bytes: u64) {
        self.transfers.get_or_create(&Outcome { protocol, outcome }).inc();
        self.transfer_bytes.get_or_create(&Word { word: protocol }).inc_by(sent_bytes);
    }

    /// So many bytes of an artifact were sent.
    pub fn artifact_sent(&self, bytes: u64) {
        self.artifact_bytes.inc_by(bytes);
    }

    /// An HTTP request was answered; `route` is the route's pattern, never the path.
    pub fn http_request(&self, listener: &'static str, route: &str, status: u16) {
        self.http_requests.get_or_create(&Route { listener, route: route.to_owned(), status }).inc();
    }

    /// A connection was turned away.
    pub fn connection_refused(&self, listener: &'static str, reason: &'static str) {
        self.connections_refused.get_or_create(&Refusal { listener, reason }).inc();
    }

    /// The live image's agent was told no, for this reason.
    pub fn agent_denied(&self, reason: &'static str) {
        self.agent_denials.get_or_create(&Word { word: reason }).inc();
    }

    /// A template was rendered: `ok` or the stable word of what went wrong.
    pub fn rendered(&self, outcome: &'static str) {
        self.renders.get_or_create(&Word { word: outcome }).inc();
    }

    /// Brings the store's counters up to what it says of itself; called before they are read.
    pub fn store_did(&self, now: Counts) {
        let mut seen = self.store_seen.lock().unwrap_or_else(PoisonError::into_inner);
        let more = |now: u64, before: u64| now.saturating_sub(before);
        self.store_writes.get_or_create(&Word { word: "ok" }).inc_by(more(now.writes, seen.writes));
        self.store_writes.get_or_create(&Word { word: "fault" }).inc_by(more(now.faults, seen.faults));
        self.store_commits.inc_by(more(now.commits, seen.commits));
        self.journal_entries.inc_by(more(now.entries, seen.entries));
        *seen = now;
    }

    /// Counts one fact of the journal. Transfers are counted by their edges, since operators' and unknown machines' leave no fact.
    pub fn note(&self, what: &What) {
        let add = |family: &Family<Word, Counter>, word| {
            family.get_or_create(&Word { word }).inc();
        };
        match what {
            What::Stage { stage } => {
                add(&self.stages, stage.word());
                if *stage == Stage::Built {
                    add(&self.builds_ended, "built");
                }
            }
            What::BootLoop { class, .. } => add(&self.loops, known(class, &["firmware", "loader", "template", "local_boot"])),
            What::SessionOpened => add(&self.sessions, "opened"),
            What::Callback { applied, .. } => add(&self.callbacks, if *applied { "applied" } else { "ignored" }),
            What::Lease { what, .. } => add(&self.leases, known(what, &["bound", "released", "declined", "expired"])),
            What::Deadline { which } => add(&self.deadlines, known(which, &["soft", "hard"])),
            What::Transition { row, .. } if row == "T11" => add(&self.builds_ended, "failed"),
            What::Transition { row, .. } if row == "T12" => add(&self.builds_ended, "cancelled"),
            What::Refused { .. } => {
                self.refusals.inc();
            }
            What::Warning { .. } => {
                self.warnings.inc();
            }
            _ => {}
        }
    }

    /// Sets the gauges from all hosts.
    pub fn set_hosts<'a>(&self, hosts: impl Iterator<Item = &'a Host>) {
        let mut counts = std::collections::HashMap::<&'static str, i64>::new();
        let mut open = 0;
        for host in hosts {
            *counts.entry(host.lifecycle.word()).or_default() += 1;
            open += i64::from(host.open_build().is_some());
        }
        for word in Lifecycle::WORDS {
            self.hosts.get_or_create(&Word { word }).set(counts.get(word).copied().unwrap_or(0));
        }
        self.builds_open.set(open);
    }

    /// Whether machines can be registered and wiped.
    pub fn set_live_image(&self, ready: bool) {
        self.live_image.set(i64::from(ready));
    }

    /// An interface of the settings went, or came.
    pub fn interface_missing(&self, missing: bool) {
        self.interfaces_missing.inc_by(if missing { 1 } else { -1 });
    }

    /// What keeps the store from its work, if anything; one series is 1, those of former troubles are 0.
    pub fn set_store_trouble(&self, word: Option<&'static str>) {
        const USUAL: [&str; 6] = ["store_full", "store_read_only", "store_busy", "store_gone", "store_corrupt", "store_down"];
        for known in USUAL {
            self.store_trouble.get_or_create(&Word { word: known }).set(i64::from(word == Some(known)));
        }
        let other = word.is_some_and(|word| !USUAL.contains(&word));
        self.store_trouble.get_or_create(&Word { word: "other" }).set(i64::from(other));
    }

    /// The text that Prometheus reads (OpenMetrics 1.0).
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail; an encoder's error would leave the text short, and Prometheus misses the `# EOF`.
        let _cannot_fail = encode(&mut text, &self.registry);
        text
    }
}

/// The word as a static one if it is in the list, else `other`.
fn known(word: &str, words: &[&'static str]) -> &'static str {
    words.iter().copied().find(|known| *known == word).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{HostId, HostName};

    #[track_caller]
    fn check(act: impl FnOnce(&Metrics), line: &str) {
        let metrics = Metrics::new();
        assert!(!metrics.encode().lines().any(|have| have == line), "{line} was there before");
        act(&metrics);
        let text = metrics.encode();
        assert!(text.lines().any(|have| have == line), "{line} is not in\n{text}");
    }

    #[test]
    fn each_counter_moves_when_its_thing_happens() {
        check(|m| m.dhcp_request("discover"), "bootwright_dhcp_requests_total{word=\"discover\"} 1");
        check(|m| m.dhcp_reply("offer"), "bootwright_dhcp_replies_total{word=\"offer\"} 1");
        check(|m| m.dhcp_silence("pool_full"), "bootwright_dhcp_silences_total{word=\"pool_full\"} 1");
        check(|m| m.transfer_ended("tftp", "done", 7), "bootwright_transfers_total{protocol=\"tftp\",outcome=\"done\"} 1");
        check(|m| m.transfer_ended("tftp", "done", 7), "bootwright_transfer_sent_bytes_total{word=\"tftp\"} 7");
        check(|m| m.artifact_sent(9), "bootwright_artifact_sent_bytes_total 9");
        check(
            |m| m.http_request("boot", "/loader/{name}", 200),
            "bootwright_http_requests_total{listener=\"boot\",route=\"/loader/{name}\",status=\"200\"} 1",
        );
        check(
            |m| m.connection_refused("boot", "connections_full"),
            "bootwright_connections_refused_total{listener=\"boot\",reason=\"connections_full\"} 1",
        );
        check(|m| m.rendered("ok"), "bootwright_template_renders_total{word=\"ok\"} 1");
        let did = Counts { writes: 5, commits: 2, entries: 9, faults: 1 };
        check(|m| m.store_did(did), "bootwright_store_writes_total{word=\"fault\"} 1");
        check(|m| m.store_did(did), "bootwright_store_writes_total{word=\"ok\"} 5");
        check(|m| (0..3).for_each(|_| m.store_did(did)), "bootwright_store_commits_total 2");
        check(|m| m.store_did(did), "bootwright_journal_entries_total 9");
    }

    #[test]
    fn facts_of_the_journal_are_counted_by_closed_words() {
        let t = |row: &str| What::Transition { row: row.into(), from: "provisioning".into(), to: "error".into() };
        check(|m| m.note(&What::SessionOpened), "bootwright_boot_sessions_total{word=\"opened\"} 1");
        check(|m| m.note(&What::Stage { stage: Stage::Dhcp }), "bootwright_build_stages_total{word=\"dhcp\"} 1");
        check(|m| m.note(&What::Stage { stage: Stage::Built }), "bootwright_builds_ended_total{word=\"built\"} 1");
        check(|m| m.note(&t("T11")), "bootwright_builds_ended_total{word=\"failed\"} 1");
        check(|m| m.note(&t("T12")), "bootwright_builds_ended_total{word=\"cancelled\"} 1");
        let looped = |class: &str| What::BootLoop { class: class.into(), attempt: 1, halted: false };
        check(|m| m.note(&looped("template")), "bootwright_boot_loops_total{word=\"template\"} 1");
        check(|m| m.note(&looped("52:54:00:00:00:01")), "bootwright_boot_loops_total{word=\"other\"} 1");
        check(|m| m.note(&What::Deadline { which: "hard".into() }), "bootwright_deadlines_passed_total{word=\"hard\"} 1");
        let lease = What::Lease { what: "bound".into(), address: "10.77.0.9".into() };
        check(|m| m.note(&lease), "bootwright_leases_total{word=\"bound\"} 1");
        check(|m| m.note(&What::Callback { report: "built".into(), applied: false }), "bootwright_callbacks_total{word=\"ignored\"} 1");
        check(|m| m.note(&What::Refused { why: "locked".into() }), "bootwright_refusals_total 1");
        check(|m| m.note(&What::Warning { word: "rogue".into() }), "bootwright_warnings_total 1");
    }

    #[test]
    fn hosts_are_counted_by_lifecycle_and_states_without_hosts_stay_at_zero() {
        let name: HostName = "n1".parse().unwrap();
        let mut host = Host::new(HostId(uuid::Uuid::from_u128(1)), name, vec![], crate::model::Timestamp::UNIX_EPOCH);
        host.lifecycle = Lifecycle::Used;
        check(|m| m.set_hosts([&host].into_iter()), "bootwright_hosts{word=\"used\"} 1");
        check(|m| m.set_hosts([&host].into_iter()), "bootwright_hosts{word=\"new\"} 0");
        check(|m| m.interface_missing(true), "bootwright_dhcp_interfaces_missing 1");
        check(|m| m.set_store_trouble(Some("store_full")), "bootwright_store_trouble{word=\"store_full\"} 1");
        check(
            |m| [Some("store_full"), None].into_iter().for_each(|word| m.set_store_trouble(word)),
            "bootwright_store_trouble{word=\"store_full\"} 0",
        );
        let metrics = Metrics::new();
        metrics.set_hosts([&host].into_iter());
        assert!(metrics.encode().ends_with("bootwright_builds_open 0\n# EOF\n"), "{}", metrics.encode());
    }
}
