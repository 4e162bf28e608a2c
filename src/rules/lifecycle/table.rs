//! The table of `lifecycle.md` section 2 as one match of event and state: every cell is named, none is left to a default.
//!
//! Read a line as "this event, in these states, by this row". A cell that calls `no` is empty, and says what would make it possible;
//! a cell that is `same` changes nothing. Take a state out of a line and the compiler names the cell that is missing. What a row
//! does is in the file of its topic.

use super::step::{Row, Step, no, same};
use super::{Clock, Event as E, Stay, Why};
use super::{build, cleaning, deadline, operational, power, progress, registration, restored, service, tenancy};
use crate::model::Lifecycle as L;

/// The cell of this event and this state.
#[expect(clippy::too_many_lines, reason = "this match is the table; cut in pieces it could not be read as one, nor checked as one")]
#[rustfmt::skip]
pub(super) fn row(step: &Step<'_>) -> Row {
    let s = step;
    match (s.event, &s.host.lifecycle) {
        // ── registration: T2–T4c, T14–T16, T32 ──
        (E::RegisterStart(live), L::New | L::Decommissioned { .. }) => registration::start(s, live),
        (E::RegisterStart(_), L::Registering) => same(Stay::Already("the host is registering")),
        (E::RegisterStart(_), L::Unavailable | L::Available | L::Maintenance { .. }) => no(s, "T2", "to register it again, end a maintenance with touched parts (T25, T26)"),
        (E::RegisterStart(_), L::Reserved { .. }) => no(s, "T2", "unreserve it first (T8)"),
        (E::RegisterStart(_), L::Provisioning | L::Cleaning { .. }) => no(s, "T2", "wait for the work under way, or cancel it (T12, T19b)"),
        (E::RegisterStart(_), L::Used | L::UsedRegistering) => no(s, "T2", "a used host registers without its disks being touched: reregister (T14)"),
        (E::RegisterStart(_), L::Error { .. }) => no(s, "T2", "start a maintenance (T21) and end it (T26)"),
        (E::RegisterStart(_), L::Defective { .. }) => no(s, "T2", "say repaired (T29), that registers it if need be"),

        (E::Reregister(live), L::Used) => registration::reregister(s, live),
        (E::Reregister(_), L::UsedRegistering) => same(Stay::Already("the host is registering again")),
        (E::Reregister(_), L::New | L::Decommissioned { .. }) => no(s, "T14", "it is not in use: register.start (T2)"),
        (E::Reregister(_), L::Registering | L::Unavailable | L::Available | L::Reserved { .. } | L::Provisioning | L::Cleaning { .. } | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. }) =>
            no(s, "T14", "only a used host is registered again this way; others end a maintenance with touched parts (T26)"),

        (E::RegisterReport { .. }, L::Registering | L::UsedRegistering) => registration::report(s),
        (E::RegisterFailed { .. }, L::Registering | L::UsedRegistering) => registration::failed(s),
        (E::RegisterPartial { .. }, L::Registering | L::UsedRegistering) => registration::partial(s),
        (E::RegisterCancel, L::Registering | L::UsedRegistering) => registration::cancel(s),
        (E::RegisterReport { .. } | E::RegisterPartial { .. } | E::RegisterFailed { .. } | E::RegisterCancel,
            L::New | L::Unavailable | L::Available | L::Reserved { .. } | L::Provisioning | L::Used | L::Cleaning { .. } | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. } | L::Decommissioned { .. }) =>
            no(s, "T3", "it counts only while the host registers: register.start (T2) or reregister (T14)"),

        (E::AgentHello { token_ok, session, crew }, L::Registering | L::UsedRegistering | L::Cleaning { .. }) => registration::hello(s, *token_ok, *session, crew),
        (E::AgentHeartbeat { token_ok, progress }, L::Registering | L::UsedRegistering | L::Cleaning { .. }) => registration::heartbeat(s, *token_ok, progress),
        (E::AgentHello { .. } | E::AgentHeartbeat { .. },
            L::New | L::Unavailable | L::Available | L::Reserved { .. } | L::Provisioning | L::Used | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. } | L::Decommissioned { .. }) =>
            no(s, "agent", "the live image has no business there; register (T2, T14) or clean (T17, T17b) first"),
        (E::AgentSilent, L::Registering | L::UsedRegistering | L::Cleaning { .. }) => registration::silent(s),
        (E::AgentSilent,
            L::New | L::Unavailable | L::Available | L::Reserved { .. } | L::Provisioning | L::Used | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. } | L::Decommissioned { .. }) =>
            same(Stay::NotDue("no live image is running")),

        // ── offering: T5–T8, T35 ──
        (E::MarkAvailable, L::Unavailable) => tenancy::available(s),
        (E::MarkAvailable, L::Available) => same(Stay::Already("the host is available")),
        (E::MarkAvailable, L::New | L::Registering) => no(s, "T5", "its hardware is unknown: register it first (T2, T3)"),
        (E::MarkAvailable, L::Reserved { .. }) => no(s, "T5", "unreserve it (T8)"),
        (E::MarkAvailable, L::Used | L::UsedRegistering) => no(s, "T5", "release it (T17); its disks are wiped then"),
        (E::MarkAvailable, L::Provisioning | L::Cleaning { .. }) => no(s, "T5", "wait for the work under way, or cancel it (T12, T19b)"),
        (E::MarkAvailable, L::Maintenance { .. }) => no(s, "T5", "end the maintenance (T26)"),
        (E::MarkAvailable, L::Error { .. }) => no(s, "T5", "resolve the error (T22), or release the host (T23)"),
        (E::MarkAvailable, L::Defective { .. }) => no(s, "T5", "say repaired (T29)"),
        (E::MarkAvailable, L::Decommissioned { .. }) => no(s, "T5", "register.start (T32)"),

        (E::MarkUnavailable, L::Available) => tenancy::unavailable(s),
        (E::MarkUnavailable, L::Unavailable) => same(Stay::Already("the host is unavailable")),
        (E::MarkUnavailable, L::Reserved { .. }) => no(s, "T6", "unreserve it first (T8)"),
        (E::MarkUnavailable, L::New | L::Registering | L::Provisioning | L::Used | L::UsedRegistering | L::Cleaning { .. } | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. } | L::Decommissioned { .. }) =>
            no(s, "T6", "only an available host is on offer"),

        (E::Reserve { user, until }, L::Available) => tenancy::reserve(s, user, *until),
        (E::Reserve { user, .. }, L::Reserved { user: holder, .. }) if user == holder => same(Stay::Already("it is reserved for that user")),
        (E::Reserve { .. }, L::Reserved { .. }) => no(s, "T7", "unreserve it first (T8)"),
        (E::Reserve { .. }, L::Defective { .. }) => Err(Why::Defective { event: s.event.word() }),
        (E::Reserve { .. }, L::New | L::Registering | L::Unavailable | L::Provisioning | L::Used | L::UsedRegistering | L::Cleaning { .. } | L::Maintenance { .. } | L::Error { .. } | L::Decommissioned { .. }) =>
            no(s, "T7", "only an available host can be reserved; mark it available (T5) once it is free and clean"),

        (E::Unreserve, L::Reserved { .. }) => tenancy::unreserve(s),
        (E::Unreserve, L::Available) => same(Stay::Already("the host is not reserved")),
        (E::Unreserve, L::New | L::Registering | L::Unavailable | L::Provisioning | L::Used | L::UsedRegistering | L::Cleaning { .. } | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. } | L::Decommissioned { .. }) =>
            no(s, "T8", "it is not reserved; a used host is released (T17)"),
        (E::ReservationExpired, L::Reserved { until, .. }) => tenancy::expired(s, *until),
        (E::ReservationExpired, L::New | L::Registering | L::Unavailable | L::Available | L::Provisioning | L::Used | L::UsedRegistering | L::Cleaning { .. } | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. } | L::Decommissioned { .. }) =>
            same(Stay::NotDue("the host is not reserved")),

        (E::Adopt { confirm }, L::New | L::Unavailable | L::Available | L::Reserved { .. }) => tenancy::adopt(s, confirm.as_deref()),
        (E::Adopt { .. }, L::Used) => same(Stay::Already("the host is used")),
        (E::Adopt { .. }, L::Defective { .. }) => Err(Why::Defective { event: s.event.word() }),
        (E::Adopt { .. }, L::Registering | L::UsedRegistering | L::Provisioning | L::Cleaning { .. }) => no(s, "T35", "wait for the work under way, or cancel it (T4c, T12, T19b)"),
        (E::Adopt { .. }, L::Maintenance { .. }) => no(s, "T35", "end the maintenance first (T26)"),
        (E::Adopt { .. }, L::Error { .. } | L::Decommissioned { .. }) => no(s, "T35", "resolve the error first (T22, T27c), or start a maintenance (T21)"),

        (E::WaiveDisks { why, confirm }, L::New | L::Unavailable | L::Reserved { .. } | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. }) => tenancy::waive(s, why, confirm.as_deref()),
        (E::WaiveDisks { .. }, L::Available) => same(Stay::Already("an available host's disks are clean or waived")),
        (E::WaiveDisks { .. }, L::Registering | L::Provisioning | L::Used | L::UsedRegistering | L::Cleaning { .. } | L::Decommissioned { .. }) =>
            no(s, "waive", "disks are waived while nobody uses, builds or wipes the host"),

        // ── builds: T9–T13, T24 ──
        (E::EnableBuild { build, .. }, L::Available | L::Reserved { .. }) => build::install(s, build),
        (E::EnableBuild { build, confirm }, L::Used) => build::again(s, build, confirm.as_deref()),
        (E::EnableBuild { .. }, L::Provisioning) => build::second(s, "T9"),
        (E::EnableBuild { .. } | E::RetryBuild(_), L::Defective { .. }) => Err(Why::Defective { event: s.event.word() }),
        (E::EnableBuild { .. }, L::New | L::Registering) => no(s, "T9", "register it and mark it available (T2, T3, T5), or adopt it as used (T35)"),
        (E::EnableBuild { .. }, L::Unavailable) => no(s, "T9", "mark it available first (T5)"),
        (E::EnableBuild { .. }, L::UsedRegistering | L::Cleaning { .. }) => no(s, "T9", "wait for the work under way, or cancel it (T4c, T19b)"),
        (E::EnableBuild { .. }, L::Maintenance { .. }) => no(s, "T9", "end the maintenance first (T26)"),
        (E::EnableBuild { .. }, L::Error { .. } | L::Decommissioned { .. }) => no(s, "T9", "retry its build (T24), or bring it back by resolve (T22, T27c) or release (T23)"),
        (E::RetryBuild(build), L::Error { from, .. }) => build::retry(s, build, *from),
        (E::RetryBuild(_), L::Provisioning) => build::second(s, "T24"),
        (E::RetryBuild(_), L::New | L::Registering | L::Unavailable | L::Available | L::Reserved { .. } | L::Used | L::UsedRegistering | L::Cleaning { .. } | L::Maintenance { .. } | L::Decommissioned { .. }) =>
            no(s, "T24", "only a failed build is tried again; enable one (T9, T13)"),
        (E::CancelBuild { build }, L::Provisioning) => build::cancel(s, *build),
        (E::RearmBuild { build }, L::Provisioning | L::Used) => build::rearm(s, *build),
        (E::RearmBuild { .. }, L::Error { .. }) => no(s, "rearm", "that build has ended; retry it (T24), that begins without loops"),
        (E::CancelBuild { .. }, L::Used | L::Error { .. })
        | (E::CancelBuild { .. } | E::RearmBuild { .. },
            L::New | L::Registering | L::Unavailable | L::Available | L::Reserved { .. } | L::UsedRegistering | L::Cleaning { .. } | L::Maintenance { .. } | L::Defective { .. } | L::Decommissioned { .. }) =>
            Err(Why::NoOpenBuild { row: "T12", event: s.event.word() }),

        // ── what is seen of a build: stages, T10, T11, loops ──
        (E::StageSeen { stage, evidence, build }, L::Provisioning) => progress::stage(s, *stage, evidence, *build),
        (E::StageSeen { stage, evidence, build }, L::Used) => progress::after_built(s, *stage, evidence, *build),
        (E::Built { build, token_ok, text }, L::Provisioning) => progress::built(s, *build, *token_ok, text),
        (E::BuildFailed { build, token_ok, text }, L::Provisioning) => progress::failed(s, *build, *token_ok, text),
        (E::BootAnnounced { build, token_ok }, L::Provisioning) => progress::announced(s, *build, *token_ok),
        (E::ProgressNoted { build, token_ok, word, text },
            L::New | L::Registering | L::Unavailable | L::Available | L::Reserved { .. } | L::Provisioning | L::Used | L::UsedRegistering | L::Cleaning { .. } | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. } | L::Decommissioned { .. }) =>
            progress::noted(s, *build, *token_ok, word, text),
        (E::Built { build, token_ok, .. } | E::BuildFailed { build, token_ok, .. },
            L::New | L::Registering | L::Unavailable | L::Available | L::Reserved { .. } | L::Used | L::UsedRegistering | L::Cleaning { .. } | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. } | L::Decommissioned { .. }) =>
            progress::late(s, *build, *token_ok),
        (E::StageSeen { build, .. },
            L::New | L::Registering | L::Unavailable | L::Available | L::Reserved { .. } | L::UsedRegistering | L::Cleaning { .. } | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. } | L::Decommissioned { .. })
        | (E::BootAnnounced { build, .. },
            L::New | L::Registering | L::Unavailable | L::Available | L::Reserved { .. } | L::Used | L::UsedRegistering | L::Cleaning { .. } | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. } | L::Decommissioned { .. }) =>
            same(progress::over(s, *build)),
        (E::LoopSeen { .. }, L::Provisioning) => progress::looped(s),
        (E::LoopSeen { .. }, L::Used) => progress::looped_in_service(s),
        (E::LoopSeen { .. },
            L::New | L::Registering | L::Unavailable | L::Available | L::Reserved { .. } | L::UsedRegistering | L::Cleaning { .. } | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. } | L::Decommissioned { .. }) =>
            same(Stay::Noted("no build can go in circles here")),

        // ── cleaning: T17–T20, T23 ──
        (E::Release { then, confirm, live }, L::Used | L::Reserved { .. }) => cleaning::start(s, "T17", *then, confirm.as_deref(), live),
        (E::Release { then, confirm, live }, L::Error { from, .. }) => cleaning::release_error(s, *from, *then, confirm.as_deref(), live),
        (E::Release { .. }, L::New | L::Registering) => no(s, "T17", "nobody uses it; register it (T2, T3), then clean it (T17b)"),
        (E::Release { .. }, L::Unavailable | L::Available) => no(s, "T17", "nobody uses it: clean.start (T17b)"),
        (E::Release { .. }, L::Provisioning | L::UsedRegistering) => no(s, "T17", "cancel the work under way first (T12, T4c)"),
        (E::Release { .. }, L::Cleaning { .. }) => no(s, "T17", "a wipe is under way; wait for its report"),
        (E::Release { .. }, L::Maintenance { .. }) => no(s, "T17", "end the maintenance first (T26)"),
        (E::Release { .. }, L::Defective { .. } | L::Decommissioned { .. }) => no(s, "T17", "say repaired (T29), then clean it (T17b), or decommission it (T31)"),

        (E::CleanStart { then, confirm, live }, L::Unavailable | L::Available | L::Reserved { .. }) => cleaning::start_unused(s, *then, confirm.as_deref(), live),
        (E::CleanStart { .. }, L::New | L::Registering) => no(s, "T17b", "its disks are unknown: register it first (T2, T3)"),
        (E::CleanStart { .. }, L::Used | L::UsedRegistering | L::Provisioning) => no(s, "T17b", "somebody uses it: cancel what runs (T4c, T12), then release it (T17)"),
        (E::CleanStart { .. }, L::Cleaning { .. }) => no(s, "T17b", "a wipe is under way; wait for its report"),
        (E::CleanStart { .. }, L::Maintenance { .. }) => no(s, "T17b", "end the maintenance first (T26)"),
        (E::CleanStart { .. }, L::Error { .. }) => no(s, "T17b", "after a failed wipe clean.retry (T20), after another error release (T23)"),
        (E::CleanStart { .. }, L::Defective { .. } | L::Decommissioned { .. }) => no(s, "T17b", "say repaired (T29) first"),

        (E::CleanRetry(live), L::Error { from, .. }) => cleaning::retry(s, *from, live),
        (E::CleanRetry(_), L::New | L::Registering | L::Unavailable | L::Available | L::Reserved { .. } | L::Provisioning | L::Used | L::UsedRegistering | L::Cleaning { .. } | L::Maintenance { .. } | L::Defective { .. } | L::Decommissioned { .. }) =>
            no(s, "T20", "only a failed wipe is tried again; begin one by clean.start (T17b) or release (T17)"),
        (E::CleanReport { outcome, results, token_ok, plan_ok }, L::Cleaning { then, .. }) => cleaning::report(s, *then, outcome, results, cleaning::Proof { token_ok: *token_ok, plan_ok: *plan_ok }),
        (E::CleanCancel, L::Cleaning { from, .. }) => cleaning::cancel(s, from),
        (E::CleanReport { .. } | E::CleanCancel,
            L::New | L::Registering | L::Unavailable | L::Available | L::Reserved { .. } | L::Provisioning | L::Used | L::UsedRegistering | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. } | L::Decommissioned { .. }) =>
            no(s, "T18", "no wipe is under way; begin one by clean.start (T17b), release (T17) or clean.retry (T20)"),

        // ── service: T21, T22, T25–T34 ──
        (E::MaintenanceStart { .. }, L::Available | L::Unavailable) => service::maintain(s),
        (E::MaintenanceStart { confirm }, L::Used) => service::maintain_used(s, confirm.as_deref()),
        (E::MaintenanceStart { .. }, L::Error { from, .. }) => service::maintain_error(s, *from),
        (E::MaintenanceStart { .. }, L::Maintenance { .. }) => same(Stay::Already("the host is in maintenance")),
        (E::MaintenanceStart { .. }, L::Reserved { .. }) => no(s, "T25", "unreserve it first (T8)"),
        (E::MaintenanceStart { .. }, L::New | L::Registering | L::Provisioning | L::UsedRegistering | L::Cleaning { .. } | L::Defective { .. } | L::Decommissioned { .. }) =>
            no(s, "T25", "only an available, unavailable, used or failed host is taken into maintenance; wait for the work under way or cancel it, or say repaired (T29)"),
        (E::MaintenanceEnd { touched, live }, L::Maintenance { return_to }) => service::end_maintenance(s, *return_to, *touched, live),
        (E::MaintenanceEnd { .. }, L::New | L::Registering | L::Unavailable | L::Available | L::Reserved { .. } | L::Provisioning | L::Used | L::UsedRegistering | L::Cleaning { .. } | L::Error { .. } | L::Defective { .. } | L::Decommissioned { .. }) =>
            no(s, "T26", "it is not in maintenance; start one (T21, T25)"),

        (E::Fault { text }, L::Available | L::Reserved { .. } | L::Registering | L::Cleaning { .. } | L::Maintenance { .. }) => service::fault(s, text),
        (E::Fault { text }, L::Used) => service::fault_in_service(s, text),
        (E::Fault { .. }, L::Error { .. }) => same(Stay::Already("the host is in error")),
        (E::Fault { .. }, L::New | L::Unavailable) => no(s, "T27", "nobody relies on it yet; mark it defective (T28)"),
        (E::Fault { .. }, L::Provisioning) => no(s, "T27", "its build ends by failed (T11), by its deadline, or by cancel (T12)"),
        (E::Fault { .. }, L::UsedRegistering) => no(s, "T27", "its registration ends by failing (T16) or by cancel (T4c), and the host stays used"),
        (E::Fault { .. }, L::Defective { .. } | L::Decommissioned { .. }) => no(s, "T27", "it is known to be bad; say repaired (T29) first"),

        (E::Resolve, L::Error { from, .. }) => service::resolve(s, *from),
        (E::Resolve, L::New | L::Registering | L::Unavailable | L::Available | L::Reserved { .. } | L::Provisioning | L::Used | L::UsedRegistering | L::Cleaning { .. } | L::Maintenance { .. } | L::Defective { .. } | L::Decommissioned { .. }) =>
            no(s, "T22", "there is no error to resolve"),

        (E::MarkDefective { .. }, L::New | L::Registering | L::Unavailable | L::Available | L::Reserved { .. } | L::Cleaning { .. } | L::Maintenance { .. } | L::Error { .. }) => service::defective(s),
        (E::MarkDefective { .. }, L::Defective { .. }) => same(Stay::Already("the host is defective")),
        (E::MarkDefective { .. }, L::Used | L::UsedRegistering | L::Provisioning) => no(s, "T28", "release it (T17) or cancel what runs (T4c, T12) first"),
        (E::MarkDefective { .. }, L::Decommissioned { .. }) => no(s, "T28", "it is out of service"),
        (E::Repaired(live), L::Defective { .. }) => service::repaired(s, live),
        (E::Repaired(_), L::New | L::Registering | L::Unavailable | L::Available | L::Reserved { .. } | L::Provisioning | L::Used | L::UsedRegistering | L::Cleaning { .. } | L::Maintenance { .. } | L::Error { .. } | L::Decommissioned { .. }) =>
            no(s, "T29", "only a defective host is repaired; an error is resolved (T22, T27c)"),

        (E::Decommission { .. }, L::New | L::Registering | L::Unavailable | L::Available | L::Reserved { .. } | L::Cleaning { .. } | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. }) => service::decommission(s),
        (E::Decommission { .. }, L::Decommissioned { .. }) => same(Stay::Already("the host is decommissioned")),
        (E::RemoveFromRack { .. }, L::New | L::Registering | L::Unavailable | L::Available | L::Reserved { .. } | L::Cleaning { .. } | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. }) => service::remove(s),
        (E::RemoveFromRack { .. }, L::Decommissioned { reason }) => service::remove_decommissioned(s, *reason),
        (E::Decommission { .. } | E::RemoveFromRack { .. }, L::Used | L::UsedRegistering | L::Provisioning) =>
            no(s, "T31", "somebody uses it: cancel what runs (T4c, T12), then release it with then = decommissioned (T17)"),
        (E::RetentionPassed, L::Decommissioned { reason }) => service::purge(s, *reason),
        (E::RetentionPassed, L::New | L::Registering | L::Unavailable | L::Available | L::Reserved { .. } | L::Provisioning | L::Used | L::UsedRegistering | L::Cleaning { .. } | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. }) =>
            same(Stay::NotDue("the host is not deleted")),

        // ── a restored backup: T37 ──
        (E::Restored { made }, L::Provisioning) => restored::building(s, *made),
        (E::Restored { made }, L::Cleaning { .. }) => restored::cleaning(s, *made),
        (E::Restored { made }, L::Available | L::Reserved { .. }) => restored::offered(s, *made),
        (E::Restored { .. }, L::New | L::Registering | L::Unavailable | L::Used | L::UsedRegistering | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. } | L::Decommissioned { .. }) =>
            same(Stay::Noted("nothing is installed or wiped from this state without an operator who decides anew")),

        // ── time: T36 and the hard deadlines ──
        (E::SoftDeadline(Clock::State), L::Registering | L::UsedRegistering | L::Cleaning { .. } | L::Maintenance { .. }) => deadline::soft_state(s),
        (E::SoftDeadline(Clock::Build), L::Provisioning | L::Used) => deadline::soft_build(s),
        (E::HardDeadline(Clock::State), L::Registering | L::UsedRegistering) => registration::timed_out(s),
        (E::HardDeadline(Clock::State), L::Cleaning { .. }) => cleaning::timed_out(s),
        (E::HardDeadline(Clock::Build), L::Provisioning) => progress::timed_out(s),
        (E::HardDeadline(Clock::Build), L::Used) => progress::never_came_back(s),
        (E::SoftDeadline(Clock::State), L::New | L::Unavailable | L::Available | L::Reserved { .. } | L::Provisioning | L::Used | L::Error { .. } | L::Defective { .. } | L::Decommissioned { .. })
        | (E::HardDeadline(Clock::State), L::New | L::Unavailable | L::Available | L::Reserved { .. } | L::Provisioning | L::Used | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. } | L::Decommissioned { .. }) =>
            same(Stay::NotDue("this state has no such deadline")),
        (E::SoftDeadline(Clock::Build) | E::HardDeadline(Clock::Build),
            L::New | L::Registering | L::Unavailable | L::Available | L::Reserved { .. } | L::UsedRegistering | L::Cleaning { .. } | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. } | L::Decommissioned { .. }) =>
            same(Stay::NotDue("no build is running")),
        (E::SoftDeadline(Clock::Task),
            L::New | L::Registering | L::Unavailable | L::Available | L::Reserved { .. } | L::Provisioning | L::Used | L::UsedRegistering | L::Cleaning { .. } | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. } | L::Decommissioned { .. }) =>
            deadline::soft_task(s),
        (E::HardDeadline(Clock::Task),
            L::New | L::Registering | L::Unavailable | L::Available | L::Reserved { .. } | L::Provisioning | L::Used | L::UsedRegistering | L::Cleaning { .. } | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. } | L::Decommissioned { .. }) =>
            power::timed_out(s),

        // ── operational state: O1–O10, beside the lifecycle; only unlocking asks for it ──
        (E::AdminUnlock, L::Used) => operational::unlock(s),
        (E::AdminUnlock, L::New | L::Registering | L::Unavailable | L::Available | L::Reserved { .. } | L::Provisioning | L::UsedRegistering | L::Cleaning { .. } | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. } | L::Decommissioned { .. }) =>
            no(s, "O9", "only a used host goes into service; install it (T9) or adopt it (T35) first"),
        (E::Contact { .. } | E::ContactLost { .. } | E::BootTimeout | E::Health(_) | E::TestTimeout | E::RecoveryTimer | E::AdminLock { .. } | E::PowerRead { .. },
            L::New | L::Registering | L::Unavailable | L::Available | L::Reserved { .. } | L::Provisioning | L::Used | L::UsedRegistering | L::Cleaning { .. } | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. } | L::Decommissioned { .. }) =>
            operational::row(s),

        // ── power, tasks, holds: P1–P5, P9, P10 (P6–P8 are builds) ──
        (E::Start, L::Used) => power::start(s),
        (E::Stop, L::Used) => power::stop(s),
        (E::Start | E::Stop, L::New | L::Registering | L::Unavailable | L::Available | L::Reserved { .. } | L::Provisioning | L::UsedRegistering | L::Cleaning { .. } | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. } | L::Decommissioned { .. }) =>
            no(s, "P1", "only a used host is started and stopped; install it (T9) or adopt it (T35) first"),
        (E::Restart, L::New | L::Unavailable | L::Reserved { .. } | L::Used | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. } | L::Decommissioned { .. }) => power::restart(s),
        (E::Restart, L::Registering | L::Provisioning | L::UsedRegistering | L::Cleaning { .. }) => no(s, "P3", "that would break the work under way; wait for it or cancel it (T4c, T12, T19b), or force_restart (P4)"),
        (E::ForceRestart, L::New | L::Registering | L::Unavailable | L::Reserved { .. } | L::Provisioning | L::Used | L::UsedRegistering | L::Cleaning { .. } | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. } | L::Decommissioned { .. }) => power::force_restart(s),
        (E::Restart | E::ForceRestart, L::Available) => no(s, "P3", "an available host has no task (invariant 2); mark it unavailable (T6) or reserve it (T7) first"),
        (E::TaskDone { kind },
            L::New | L::Registering | L::Unavailable | L::Available | L::Reserved { .. } | L::Provisioning | L::Used | L::UsedRegistering | L::Cleaning { .. } | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. } | L::Decommissioned { .. }) =>
            power::done(s, *kind),
        (E::Delete { confirm, live }, L::New | L::Unavailable | L::Available | L::Reserved { .. } | L::Used | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. }) => cleaning::delete(s, confirm.as_deref(), live),
        (E::Delete { .. }, L::Registering | L::Provisioning | L::UsedRegistering | L::Cleaning { .. }) => no(s, "P5", "wait for the work under way, or cancel it (T4c, T12, T19b)"),
        (E::Delete { .. }, L::Decommissioned { .. }) => no(s, "P5", "it is out of service already"),
        (E::Freeze { why }, L::New | L::Unavailable | L::Available | L::Reserved { .. } | L::Used | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. } | L::Decommissioned { .. }) => power::freeze(s, why),
        (E::Freeze { .. }, L::Registering | L::Provisioning | L::UsedRegistering | L::Cleaning { .. }) => no(s, "P9", "wait for the work under way, or cancel it (T4c, T12, T19b)"),
        (E::Unfreeze | E::Protect | E::Unprotect,
            L::New | L::Registering | L::Unavailable | L::Available | L::Reserved { .. } | L::Provisioning | L::Used | L::UsedRegistering | L::Cleaning { .. } | L::Maintenance { .. } | L::Error { .. } | L::Defective { .. } | L::Decommissioned { .. }) =>
            power::hold(s),
    }
}
