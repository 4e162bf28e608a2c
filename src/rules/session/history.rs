//! Histories for tests: what a machine does, one line a step, `SECONDS WORD [ARGUMENT]`.
//!
//! Plays the stories' part (observe, judge, record) and the lifecycle's (tally, stage), so that tables can be read aloud.

use crate::{
    model::{
        Arch, Build, BuildId, BuildKind, Host, HostId, Lifecycle, LoopPolicy, Method, Reached, SessionId, Stage, Timestamp, TokenHash,
        build::{LoopTally, StageEntry},
    },
    rules::{
        loops::{self, Judged, SCRIPT, Verdict},
        session::{self, Observed, Sign},
    },
};

pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + secs).unwrap()
}

pub(crate) fn bare_host() -> Host {
    Host::new(HostId(uuid::Uuid::from_u128(1)), "n1".parse().unwrap(), vec!["52:54:00:00:00:01".parse().unwrap()], at(0))
}

/// A build of profile `d12`, enabled at 0 s.
pub(crate) fn open_build() -> Build {
    Build {
        id: BuildId(uuid::Uuid::from_u128(7)),
        kind: BuildKind::Install,
        method: Method::Pxe,
        profile: "d12".parse().unwrap(),
        asked_by: "ann".to_owned(),
        idempotency_key: None,
        token_hash: TokenHash(String::new()),
        token_expires: at(6 * 3600),
        expected_boots: 1,
        stage: Stage::BuildEnabled,
        stage_entered: at(0),
        soft_deadline: None,
        hard_deadline: None,
        overdue: false,
        deadlines: Default::default(),
        strict: false,
        stages: vec![StageEntry { stage: Stage::BuildEnabled, at: at(0), evidence: "operator ann".to_owned() }],
        loops: LoopTally::default(),
        used: Default::default(),
        served: Vec::new(),
        log: String::new(),
        previous: Lifecycle::Available,
        opened_at: at(0),
        end: None,
        ended_at: None,
    }
}

pub(crate) struct History {
    pub host: Host,
    pub policy: LoopPolicy,
    pub now: Timestamp,
}

impl History {
    /// A host without a build.
    pub fn idle() -> Self {
        Self { host: bare_host(), policy: LoopPolicy::default(), now: at(0) }
    }

    /// A host with a build.
    pub fn building() -> Self {
        let mut history = Self::idle();
        history.host.lifecycle = Lifecycle::Provisioning;
        history.host.build = Some(open_build());
        history
    }

    pub fn with(mut self, change: impl FnOnce(&mut Build)) -> Self {
        change(self.host.build.as_mut().unwrap());
        self
    }

    pub fn policy(self, policy: LoopPolicy) -> Self {
        Self { policy, ..self }
    }

    /// Plays `; `-separated steps and returns what the last one came to.
    pub fn play(&mut self, steps: &str) -> String {
        steps.split(';').map(|step| self.step(step.trim())).last().unwrap()
    }

    fn step(&mut self, line: &str) -> String {
        let mut words = line.splitn(3, ' ');
        self.now = at(words.next().unwrap().parse().unwrap_or_else(|_| panic!("{line:?} begins with seconds")));
        let (word, argument) = (words.next().unwrap(), words.next().unwrap_or(""));
        if word == "rearm" {
            self.host = loops::rearm(&self.host);
            return "rearmed".to_owned();
        }
        let nonce = SessionId(self.host.sessions.last().map_or(1, |session| session.id.0 + 1));
        let observed = session::observe(&self.host, &sign(word, argument, &self.host), nonce, self.now);
        self.host = observed.host.clone();
        self.advance(&observed);
        let mut said = vec![if observed.opened { format!("opens {}", observed.session.unwrap().0) } else { at_session(&observed) }];
        if let Some(id) = observed.session {
            said.extend(self.judge(word, argument, id, observed.opened));
        }
        said.retain(|one| !one.is_empty());
        said.join(", ")
    }

    fn judge(&mut self, word: &str, argument: &str, id: SessionId, opened: bool) -> Vec<String> {
        let mut said = Vec::new();
        let document = match word {
            "script" | "plain-script" => Some(SCRIPT),
            "document" => Some(argument),
            _ => None,
        };
        let judged = loops::on_sign(&self.host, id, opened, document, self.policy, self.now);
        said.push(self.take(judged, id));
        let Some(document) = document else { return said };
        let blocked = self.host.build.as_ref().is_none_or(|build| build.loops.halted) || said.iter().any(|one| one == "probably built");
        if !blocked {
            self.host = loops::used(&self.host, id, document, self.now);
        }
        said
    }

    /// The lifecycle's part: `LoopSeen`.
    fn take(&mut self, judged: Judged, session: SessionId) -> String {
        self.host = judged.host;
        match judged.verdict {
            Verdict::Fresh => String::new(),
            Verdict::Retry => "retry".to_owned(),
            Verdict::Excused(_) => "excused".to_owned(),
            Verdict::ProbablyBuilt(_) => "probably built".to_owned(),
            Verdict::Loop(found) => {
                let build = self.host.build.as_mut().unwrap();
                build.loops = LoopTally { count: found.attempt, last_stage: found.stage, halted: found.halted, session: Some(session) };
                format!("{} loop {}{}", found.class.word(), found.attempt, if found.halted { " halted" } else { "" })
            }
        }
    }

    fn advance(&mut self, observed: &Observed) {
        let Some(build) = self.host.build.as_mut() else { return };
        let stage = match observed.advanced {
            Some(Reached::Dhcp) => Stage::Dhcp,
            Some(Reached::Loader) => Stage::BootloaderSent,
            Some(Reached::Script) => Stage::IpxeScriptSent,
            Some(Reached::Kernel) => Stage::KernelInitrdSent,
            Some(Reached::Document) => Stage::ProvisionTemplateSent,
            Some(Reached::Disk) | None => return,
        };
        if stage > build.stage {
            build.stage = stage;
            build.stages.push(StageEntry { stage, at: self.now, evidence: "seen".to_owned() });
        }
    }
}

fn at_session(observed: &Observed) -> String {
    match (observed.session, observed.advanced, observed.again) {
        (None, ..) => "nowhere".to_owned(),
        (Some(id), Some(reached), _) => format!("{} {reached:?}", id.0),
        (Some(id), None, true) => format!("{} again", id.0),
        (Some(id), None, false) => id.0.to_string(),
    }
}

fn sign(word: &str, argument: &str, host: &Host) -> Sign {
    let newest = host.session().map(|session| session.id);
    let session = argument.strip_prefix('#').map_or(newest, |id| Some(SessionId(id.parse().unwrap())));
    match word {
        "firmware" => Sign::FirmwareDhcp { arch: Arch::X64, transport: crate::model::Transport::Tftp },
        "firmware-http" => Sign::FirmwareDhcp { arch: Arch::X64, transport: crate::model::Transport::Http },
        "ipxe" => Sign::IpxeDhcp { arch: Arch::Bios },
        "os" => Sign::OtherDhcp { class: argument.to_owned(), renewal: false },
        "renew" => Sign::OtherDhcp { class: argument.to_owned(), renewal: true },
        // TFTP carries no nonce.
        "loader" => Sign::LoaderDone { session: None },
        "script" => Sign::Script { session, arch: None },
        "plain-script" => Sign::Script { session: None, arch: Some(Arch::X64) },
        "file" => Sign::ArtifactDone { session, path: argument.to_owned(), wanted: vec!["linux".to_owned(), "initrd".to_owned()] },
        "mark" => Sign::Mark { session },
        "document" => Sign::DocumentUsed { session: newest },
        "refused" => Sign::Refused { session },
        "disk" => Sign::SentToDisk { session },
        "silenced" => Sign::Silenced,
        other => panic!("no step is called {other:?}"),
    }
}
