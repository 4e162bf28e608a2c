//! The nouns of network booting: parsed once, then trusted.
//!
//! Every other floor speaks in these words. Nothing here decides, sends, stores or asks the time: a type checks itself
//! when it is built (`parse`, `FromStr`, serde) and is believed afterwards. Serialised forms are the API's and the
//! database's at once, so a field's name is a promise.

pub mod actor;
pub mod artifact;
pub mod build;
pub mod callback;
pub mod facts;
pub mod firmware;
pub mod host;
pub mod ids;
pub mod issue;
pub mod journal;
pub mod lease;
pub mod lifecycle;
pub mod live;
pub mod mac;
pub mod name;
pub mod network;
pub mod operational;
pub mod params;
pub mod plan;
pub mod profile;
pub mod rule;
pub mod schema;
pub mod session;
pub mod task;
pub mod template;
pub mod token;
pub mod wipe;

pub use actor::{Actor, Role};
pub use artifact::ArtifactRef;
pub use build::{Build, BuildEnd, BuildKind, LoopClass, Method, Served, Stage, Used};
pub use callback::{Callback, Report};
pub use facts::Facts;
pub use firmware::{Arch, Firmware, Transport};
pub use host::{Holds, Host};
pub use ids::{BuildId, HostId, LiveId, SessionId};
pub use issue::{Issue, IssueKind};
pub use journal::{Entry, Fact, What};
pub use lease::{Lease, LeaseState};
pub use lifecycle::{Cause, DiskState, Lifecycle, ReturnTo, Then};
pub use live::{Crew, LiveRun};
pub use mac::Mac;
pub use name::{HostName, Name, SmbiosUuid};
pub use network::{AutoEnroll, DhcpMode, Network};
pub use operational::{Administrative, Availability, Operational, Power, PowerState};
pub use params::{HIDDEN, PackedParams, Param, Params};
pub use plan::{DiskBoot, Hold, LiveMode, Plan};
pub use profile::{Deadlines, LoopPolicy, Profile};
pub use rule::Rule;
pub use session::{Opener, Reached, Session};
pub use task::{Task, TaskKind};
pub use template::{Finding, Severity, Source, Sources, TemplateFault, TemplateOrigin};
pub use token::{Token, TokenHash};
pub use wipe::{Category, Certificate, DiskId, DiskResult, EraseMethod, PlannedDisk, Progress, WipePlan, WipePolicy};

/// A point in time, UTC, to the nanosecond; RFC 3339 in JSON.
pub type Timestamp = jiff::Timestamp;
