//! How a story ends when it does not end well: refused, or failed.
//!
//! A *refusal* means that the world is fine and the answer is no; a *fault* that we could not look or could not keep it. The two never
//! share a path: an edge maps each once, in one exhaustive `match`.

use crate::{
    model::{BuildId, Host, Role, TemplateFault},
    rules::{agent::Denied, lifecycle::Why, preflight::Finding, removal::Keep, sitefile::Invalid, wipe::NoPlan},
    store::StoreFault,
};

/// The end of a story that did not end well.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The answer is no.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// We could not look, or could not keep it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<StoreFault> for Failure {
    // `?` on a read of the store, without naming the step between.
    fn from(fault: StoreFault) -> Self {
        Self::Fault(Fault::Store(fault))
    }
}

/// How every story answers.
pub type Told<T> = Result<T, Failure>;

/// Why the answer is no; one sentence each.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Nothing of that name.
    #[error("there is no {noun} {name:?}")]
    Unknown {
        /// `host`, `build`, `profile` …
        noun: &'static str,
        /// What was asked for.
        name: String,
    },
    /// The lifecycle's table says no.
    #[error("{0}")]
    Lifecycle(Why),
    /// Somebody else changed it meanwhile.
    #[error("the host is at version {have}, not {want}; read it again and repeat")]
    Version {
        /// What it is at.
        have: u64,
        /// What `If-Match` said.
        want: u64,
    },
    /// A build is open.
    #[error("build {build} is open; cancel it or wait for its end")]
    BuildOpen {
        /// Which.
        build: BuildId,
    },
    /// The role does not suffice.
    #[error("this needs the role {needs:?}")]
    Role {
        /// Which would.
        needs: Role,
    },
    /// What was sent is not right.
    #[error("{field}: {text}")]
    Invalid {
        /// Where.
        field: String,
        /// What to do.
        text: String,
    },
    /// The preflight found what must be mended first.
    #[error("the preflight found what must be mended first: {}", .0.iter().map(|finding| finding.text.as_str()).collect::<Vec<_>>().join(" "))]
    Preflight(Vec<Finding>),
    /// The site document has mistakes.
    #[error("the site document has mistakes: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Site(Vec<Invalid>),
    /// A template does not render for this host.
    #[error("{0}")]
    Template(TemplateFault),
    /// A document, kernel or script that only an open build may have.
    #[error("{0}")]
    Closed(String),
    /// It would need the live image.
    #[error("this would begin {state}, which needs the live image; this server has none: {why}")]
    NoLiveImage {
        /// The state that would begin.
        state: &'static str,
        /// Why there is none, and what to do.
        why: String,
    },
    /// The live image's agent is not listened to.
    #[error("{0}")]
    Agent(Denied),
    /// There is no plan to wipe this host by.
    #[error("no plan to wipe by: {0}")]
    NoPlan(NoPlan),
    /// A wipe without the hash of its plan.
    #[error("a wipe is carried out only for a plan that was looked at, and none was named; it would be: {summary}; plan {hash}")]
    PlanUnconfirmed {
        /// Of the plan as it is now.
        hash: String,
        /// The plan in one sentence.
        summary: String,
    },
    /// The plan that was looked at is not the plan any more.
    #[error(
        "the plan is not the one that was looked at: the host's disks, the policy or the disks named with include differ; it is now: {summary}; plan {hash}"
    )]
    PlanChanged {
        /// Of the plan as it is now.
        hash: String,
        /// The plan in one sentence.
        summary: String,
    },
    /// It is asked for too often.
    #[error("this is asked for more often than any machine needs; what is too much is not answered")]
    TooOften,
    /// The record may not go.
    #[error("{0}")]
    Keep(Keep),
    /// It is in use.
    #[error("{noun} {name} is used by {by}")]
    InUse {
        /// What.
        noun: &'static str,
        /// Its name.
        name: String,
        /// By whom.
        by: String,
    },
}

/// `If-Match` holds, if it was given.
pub fn is_version(host: &Host, want: Option<u64>) -> Result<(), Refusal> {
    match want {
        Some(want) if want != host.version => Err(Refusal::Version { have: host.version, want }),
        _ => Ok(()),
    }
}

/// A refusal of what was sent.
pub fn invalid(field: &str, text: &str) -> Failure {
    Refusal::Invalid { field: field.into(), text: text.into() }.into()
}

impl Refusal {
    /// The stable word of the API's `code`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "not_found",
            Self::Lifecycle(why) => why.code(),
            Self::Version { .. } => "version_mismatch",
            Self::BuildOpen { .. } => "build_open",
            Self::Role { .. } => "role_too_low",
            Self::Invalid { .. } => "invalid",
            Self::Preflight(_) => "preflight",
            Self::Site(_) => "invalid_site",
            Self::Template(_) => "template",
            Self::Closed(_) => "closed",
            Self::NoLiveImage { .. } => "no_live_image",
            Self::Agent(denied) => denied.code(),
            Self::NoPlan(_) => "no_plan",
            Self::PlanUnconfirmed { .. } => "plan_unconfirmed",
            Self::PlanChanged { .. } => "plan_changed",
            Self::TooOften => "too_often",
            Self::Keep(keep) => keep.code(),
            Self::InUse { .. } => "in_use",
        }
    }
}

/// Why we could not look or could not keep it.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// A file.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others changed the same host again and again.
    #[error("the host was changed by others {0} times in a row; ask again")]
    Contended(usize),
}
