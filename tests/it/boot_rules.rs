//! Random boots of random machines against the boot rules, from outside.
//!
//! Whatever order packets and requests come in, sessions only go forward, a session is judged at most once, and nothing but an open,
//! unexpired, unhalted build is ever answered with an installer.

use bootwright::{
    model::{
        Arch, Build, BuildEnd, BuildId, BuildKind, Firmware, Host, HostId, Lifecycle, LoopPolicy, Method, Plan, SessionId, Stage, Timestamp,
        TokenHash,
    },
    rules::{
        boot, inherit,
        loops::{self, SCRIPT},
        session::{self, Sign},
    },
};
use proptest::prelude::*;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + secs).unwrap()
}

fn host() -> Host {
    let mut host = Host::new(HostId(uuid::Uuid::nil()), "n1".parse().unwrap(), vec!["52:54:00:00:00:01".parse().unwrap()], at(0));
    host.lifecycle = Lifecycle::Provisioning;
    host.build = Some(Build {
        id: BuildId(uuid::Uuid::from_u128(7)),
        kind: BuildKind::Install,
        method: Method::Pxe,
        profile: "d12".parse().unwrap(),
        asked_by: "ann".to_owned(),
        idempotency_key: None,
        token_hash: TokenHash(String::new()),
        token_expires: at(6 * 3600),
        expected_boots: 1,
        stage: Stage::Dhcp,
        stage_entered: at(0),
        soft_deadline: None,
        hard_deadline: None,
        overdue: false,
        deadlines: Default::default(),
        strict: false,
        stages: Vec::new(),
        loops: Default::default(),
        used: Default::default(),
        served: Vec::new(),
        log: String::new(),
        previous: Lifecycle::Available,
        opened_at: at(0),
        end: None,
        ended_at: None,
    });
    host
}

/// A step: what is seen, so many seconds after the last.
fn step() -> impl Strategy<Value = (i64, u8, u64)> {
    (prop_oneof![0_i64..20, 0_i64..700, Just(-30)], 0_u8..12, 0_u64..40)
}

fn sign(word: u8, nonce: u64) -> Sign {
    let session = nonce.is_multiple_of(3).then_some(SessionId(nonce));
    match word {
        0 | 1 => Sign::FirmwareDhcp { arch: Arch::X64, transport: bootwright::model::Transport::Tftp },
        2 | 3 => Sign::IpxeDhcp { arch: Arch::X64 },
        4 => Sign::OtherDhcp { class: String::new(), renewal: false },
        5 => Sign::LoaderDone { session },
        6 | 7 => Sign::Script { session, arch: None },
        8 => Sign::Mark { session },
        9 => Sign::DocumentUsed { session },
        10 => Sign::SentToDisk { session },
        _ => Sign::Silenced,
    }
}

fn plan(host: &Host, now: Timestamp) -> Plan {
    let profile = serde_json::from_value(serde_json::json!({"name": "d12", "kernel": "d/1/linux"})).unwrap();
    let all = [("d12".parse().unwrap(), std::sync::Arc::new(profile))].into();
    let profile = inherit::profile(&"d12".parse().unwrap(), &all).unwrap();
    let firmware = Firmware { arch: Arch::X64, transport: bootwright::model::Transport::Tftp, ipxe_http: true, ipxe: true };
    boot::decide(&boot::Facts {
        host: Some(host),
        doubt: None,
        profile: Some(&profile),
        network: None,
        firmware,
        live_image: Err("there is none"),
        now,
    })
}

/// What the lifecycle does with `LoopSeen`.
fn tally(host: &mut Host, found: &loops::Loop, session: SessionId) {
    let build = host.build.as_mut().unwrap();
    assert_ne!(build.loops.session, Some(session), "a session was judged twice");
    build.loops.count += 1;
    assert_eq!(build.loops.count, found.attempt);
    build.loops.session = Some(session);
    build.loops.halted |= found.halted;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_seen_sessions_go_forward_and_doubts_never_install(steps in prop::collection::vec(step(), 1..60), ends in 0_usize..80) {
        let (mut host, mut secs) = (host(), 0);
        for (number, (pause, word, nonce)) in steps.into_iter().enumerate() {
            secs += pause;
            if number == ends {
                host.build.as_mut().unwrap().end = Some(BuildEnd::Cancelled);
            }
            let (before, sign, fresh) = (host.clone(), sign(word, nonce), SessionId(1000 + number as u64));
            let seen = session::observe(&host, &sign, fresh, at(secs));
            host = seen.host;
            prop_assert!(host.sessions.len() <= Host::SESSIONS);
            prop_assert_eq!(seen.opened, host.session().map(|one| one.id) == Some(fresh));
            for old in &before.sessions {
                let new = host.sessions.iter().find(|one| one.id == old.id);
                prop_assert!(new.is_none_or(|new| new.reached >= old.reached && new.last_seen >= old.last_seen));
            }
            let Some(id) = seen.session else { continue };
            let document = matches!(sign, Sign::Script { .. }).then_some(SCRIPT);
            let judged = loops::on_sign(&host, id, seen.opened, document, LoopPolicy::HaltAfter(3), at(secs));
            if let Some(found) = judged.found() {
                tally(&mut host, found, id);
            }
            let build = host.build.as_ref().unwrap();
            if plan(&host, at(secs)) == Plan::Install {
                prop_assert!(build.is_open() && !build.loops.halted && build.token_expires > at(secs));
                if let Sign::Script { .. } = sign {
                    host = loops::used(&host, id, SCRIPT, at(secs));
                }
            }
        }
    }
}
