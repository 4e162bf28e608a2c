//! What time alone changes: deadlines of states, builds and tasks, a silent agent, the end of a reservation or of a retention.
//! (Nobody is pinged: contact is lost when an agent that spoke falls silent, or when the monitor of a host says so.)
//!
//! Deadlines are points in time in the store, so a daemon that was down finds them passed and reports them now, in the order in
//! which they passed. What follows from each is `rules::lifecycle`; how long it takes was written when the state was entered.

use crate::model::{Administrative, Availability, Host, IssueKind, Lifecycle, Timestamp, lifecycle::Decommission};

use super::lifecycle::{Event, Times, running, times::after};

/// Everything that has passed by `now`, oldest first. A soft deadline that was reported (`overdue`) is not reported again; the
/// rest is due until the host changes, so decide each and look again. `awake`: since when the server has been listening.
pub fn due(host: &Host, times: &Times, awake: Timestamp, now: Timestamp) -> Vec<Event> {
    let mut all: Vec<_> = pending(host, times, awake).into_iter().filter(|(at, _)| *at <= now).collect();
    // Stable: of a soft and a hard deadline at the same moment the soft one comes first.
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, event)| event).collect()
}

/// When something will be due, if ever; in the past if it already is.
pub fn next_due(host: &Host, times: &Times, awake: Timestamp) -> Option<Timestamp> {
    pending(host, times, awake).into_iter().map(|(at, _)| at).min()
}

fn pending(host: &Host, times: &Times, awake: Timestamp) -> Vec<(Timestamp, Event)> {
    let mut all = Vec::new();
    for clock in running(host) {
        all.extend(clock.soft.map(|at| (at, Event::SoftDeadline(clock.clock))));
        all.extend(clock.hard.map(|at| (at, Event::HardDeadline(clock.clock))));
    }
    all.extend(contact(host, times, awake));
    all.extend(agent(host, times, awake));
    all.extend(operational(host));
    all.extend(stay(host, times));
    all
}

/// The last word of the agent of a run that is open. A server that was down heard nobody, and calls no silence what it slept through.
fn last_word(host: &Host, awake: Timestamp) -> Option<Timestamp> {
    let live = host.live.as_ref().filter(|live| live.is_open())?;
    live.heard_at.or(live.hello_at).map(|heard| heard.max(awake))
}

/// An agent that has spoken must go on speaking: it is lost after a while and given up after a longer one. Before its hello the state's
/// own deadline counts.
fn agent(host: &Host, times: &Times, awake: Timestamp) -> Option<(Timestamp, Event)> {
    let heard = last_word(host, awake)?;
    let lost = host.issues.iter().any(|issue| issue.kind == IssueKind::AgentLost);
    // Its true last word may be so old that the first look would give it up: after a sleep of ours it has the longer time.
    let wait = if lost || heard == awake { times.agent_dead_secs } else { times.agent_lost_secs };
    Some((after(heard, wait), Event::AgentSilent))
}

/// O2, O7: with the agent the host is lost, unless something else was heard of it since.
fn contact(host: &Host, times: &Times, awake: Timestamp) -> Option<(Timestamp, Event)> {
    let heard = last_word(host, awake)?;
    let silent = matches!(host.operational.availability, Availability::Offline | Availability::PoweredOff | Availability::NotInstalled);
    let since = host.operational.last_contact.is_some_and(|at| at > heard);
    (!silent && !since).then(|| (after(heard, times.agent_lost_secs), Event::ContactLost { quiet_secs: times.agent_lost_secs }))
}

/// The one timer of the operational state; which one it is follows from where the host is.
fn operational(host: &Host) -> Option<(Timestamp, Event)> {
    let at = host.operational.deadline?;
    let event = match (host.operational.administrative, host.operational.availability) {
        (_, Availability::Intest) => Event::TestTimeout,
        (_, Availability::Failed) => Event::RecoveryTimer,
        (Administrative::Unlocked, Availability::Offline | Availability::PoweredOff) => Event::BootTimeout,
        (_, Availability::NotInstalled | Availability::Online | Availability::Available | Availability::Degraded)
        | (Administrative::Locked, Availability::Offline | Availability::PoweredOff) => return None,
    };
    Some((at, event))
}

/// States that end by themselves.
fn stay(host: &Host, times: &Times) -> Option<(Timestamp, Event)> {
    match &host.lifecycle {
        Lifecycle::Reserved { until: Some(until), .. } => Some((*until, Event::ReservationExpired)),
        Lifecycle::Decommissioned { reason: Decommission::Deleted } => Some((after(host.since, times.retention_secs), Event::RetentionPassed)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{HostId, LiveId, LiveMode, LiveRun, TokenHash},
        rules::lifecycle::Clock,
    };

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + secs).unwrap()
    }

    fn host() -> Host {
        Host::new(HostId(uuid::Uuid::nil()), "n1".parse().unwrap(), vec!["52:54:00:00:00:01".parse().unwrap()], at(0))
    }

    fn registering() -> Host {
        Host { lifecycle: Lifecycle::Registering, soft_deadline: Some(at(600)), hard_deadline: Some(at(1800)), ..host() }
    }

    #[track_caller]
    fn check(host: &Host, secs: i64, want: &[Event]) {
        assert_eq!(due(host, &Times::default(), at(-1_000_000), at(secs)), want);
        if let Some(next) = next_due(host, &Times::default(), at(-1_000_000)) {
            assert_eq!(next <= at(secs), !want.is_empty(), "next is {next}");
        }
    }

    #[test]
    fn a_deadline_is_due_from_its_second_on() {
        check(&host(), 1_000_000, &[]);
        check(&registering(), 599, &[]);
        check(&registering(), 600, &[Event::SoftDeadline(Clock::State)]);
    }

    #[test]
    fn what_passed_while_the_daemon_was_down_is_due_now_in_order() {
        check(&registering(), 9999, &[Event::SoftDeadline(Clock::State), Event::HardDeadline(Clock::State)]);
    }

    #[test]
    fn an_overdue_host_is_not_called_overdue_again() {
        check(&Host { overdue: true, ..registering() }, 700, &[]);
        check(&Host { overdue: true, ..registering() }, 1800, &[Event::HardDeadline(Clock::State)]);
    }

    #[test]
    fn a_reservation_ends_by_itself_only_if_it_says_when() {
        let reserved = |until| Host { lifecycle: Lifecycle::Reserved { user: "ann".into(), until }, ..host() };
        check(&reserved(Some(at(60))), 59, &[]);
        check(&reserved(Some(at(60))), 60, &[Event::ReservationExpired]);
        check(&reserved(None), 1_000_000, &[]);
    }

    #[test]
    fn only_a_deleted_host_is_purged_and_only_after_its_retention() {
        let gone = |reason| Host { lifecycle: Lifecycle::Decommissioned { reason }, ..host() };
        check(&gone(Decommission::Deleted), 30 * 86400 - 1, &[]);
        check(&gone(Decommission::Deleted), 30 * 86400, &[Event::RetentionPassed]);
        check(&gone(Decommission::Retired), 90 * 86400, &[]);
    }

    #[test]
    fn an_agent_that_spoke_is_lost_after_two_minutes_and_given_up_after_five() {
        let begun = || LiveRun::new(LiveId(uuid::Uuid::nil()), LiveMode::Register, TokenHash(String::new()), at(9999));
        let live = |hello_at, heard_at, ended_at| LiveRun { hello_at, heard_at, ended_at, ..begun() };
        let with = |live| Host { live: Some(live), ..host() };
        check(&with(live(None, None, None)), 10_000, &[]);
        // A server that was down until second 500 waits for the agent's next word from there on.
        let slept = with(live(Some(at(10)), Some(at(100)), None));
        assert_eq!(due(&slept, &Times::default(), at(500), at(799)), []);
        assert_eq!(due(&slept, &Times::default(), at(500), at(800)), [Event::AgentSilent]);
        let silent = with(live(Some(at(10)), Some(at(100)), None));
        check(&silent, 219, &[]);
        check(&silent, 220, &[Event::AgentSilent]);
        let lost = |mut host: Host| {
            host.raise(IssueKind::AgentLost, String::new(), at(220));
            host
        };
        check(&lost(silent.clone()), 399, &[]);
        check(&lost(silent.clone()), 400, &[Event::AgentSilent]);
        let online = |last_contact| {
            let mut host = silent.clone();
            host.operational.availability = Availability::Online;
            host.operational.last_contact = Some(last_contact);
            host
        };
        check(&online(at(100)), 219, &[]);
        check(&online(at(100)), 220, &[Event::ContactLost { quiet_secs: 120 }, Event::AgentSilent]);
        check(&online(at(101)), 220, &[Event::AgentSilent]);
        check(&with(live(Some(at(10)), None, Some(at(20)))), 10_000, &[]);
    }

    #[test]
    fn the_operational_timer_means_what_the_host_is_waiting_for() {
        let with = |administrative, availability| {
            let mut host = host();
            host.operational.administrative = administrative;
            host.operational.availability = availability;
            host.operational.deadline = Some(at(720));
            host
        };
        check(&with(Administrative::Unlocked, Availability::Offline), 720, &[Event::BootTimeout]);
        check(&with(Administrative::Unlocked, Availability::Intest), 720, &[Event::TestTimeout]);
        check(&with(Administrative::Unlocked, Availability::Failed), 720, &[Event::RecoveryTimer]);
        check(&with(Administrative::Locked, Availability::Offline), 720, &[]);
    }
}
