//! T37: what a host of a restored backup may be believed to be.
//!
//! Its build may have ended, its wipe may be done and its next user at work on it: none of that is in the backup. So nothing that was
//! open is open again, and nothing is offered, until an operator who has looked says so. Nothing else about the host changes.

use super::step::{Row, Step, same};
use super::{Stay, build};
use crate::model::lifecycle::ErrorFrom;
use crate::model::{BuildEnd, Cause, DiskState, IssueKind, Lifecycle, Stage, Timestamp};

/// An open build is cancelled; one that has installed already only waits to be seen on its disk.
pub(super) fn building(s: &Step<'_>, made: Timestamp) -> Row {
    let Some(open) = s.host.open_build().filter(|build| build.stage < Stage::Built) else {
        return same(Stay::Noted("its build is done: there is nothing to install"));
    };
    let text = format!(
        "build {} was open in the backup of {made} and may have ended since: cancelled; see what is on its disks, then retry it (T24) or release it (T23)",
        open.id
    );
    let error = Lifecycle::Error { from: ErrorFrom::Provisioning { kind: open.kind }, cause: Cause::Cancelled(text.clone()) };
    build::ended(s.by("T37"), BuildEnd::Cancelled).disks(DiskState::Unknown).enter(error, text).go()
}

/// A wipe that was ordered is given up, as if it had failed: never a second wipe of a host that somebody got meanwhile.
pub(super) fn cleaning(s: &Step<'_>, made: Timestamp) -> Row {
    let text = format!("its wipe was open in the backup of {made} and may be long over: nothing is wiped now; if it still is to be, retry it (T20)");
    let error = Lifecycle::Error { from: ErrorFrom::Cleaning, cause: Cause::Wipe(text.clone()) };
    s.by("T37").disks(DiskState::Unknown).enter(error, text.clone()).raise(IssueKind::WipeUnverified, text).go()
}

/// What is on offer is installed without being asked twice, so it is offered anew only by an operator.
pub(super) fn offered(s: &Step<'_>, made: Timestamp) -> Row {
    let text = format!(
        "it was {} in the backup of {made} and may be in use since: not on offer until somebody has looked (T5), or adopts it (T35)",
        s.host.lifecycle.word()
    );
    s.by("T37").enter(Lifecycle::Unavailable, text).go()
}
