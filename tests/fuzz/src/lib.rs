//! One function for each kind of bytes that come from outside: it hands them to the parser that gets them in the daemon, and panics when
//! what comes of it breaks a promise.
//!
//! ```text
//!   kept inputs, seeds ──▶ target ──▶ parser of the daemon ──▶ promises (read again what was written, bounded, idempotent …)
//!   libFuzzer ────────────▶   │ under a limit of memory
//! ```
//! The same functions serve three callers: the tests here, which feed them every seed and every kept input; `tests/checks/fuzz`, which has
//! libFuzzer mutate those for a bounded time; and `make fuzz`, which does so for hours. A promise of one spelling is checked against another
//! reader where there is one (dhcproto reads our answers, serde_json our quoting).

// The parsers, from the server's sources: no listener, no database, no command line has to be built around them.
#![cfg_attr(feature = "guided", allow(dead_code, reason = "what only the floors above use"))]

#[cfg(feature = "guided")]
extern crate self as bootwright;
#[cfg(feature = "guided")]
#[path = "../../../src/config.rs"]
pub mod config;
#[cfg(feature = "guided")]
#[path = "../../../src/model/mod.rs"]
pub mod model;
#[cfg(feature = "guided")]
#[path = "../../../src/rules/mod.rs"]
pub mod rules;
#[cfg(feature = "guided")]
#[path = "../../../src/wire/mod.rs"]
pub mod wire;

#[cfg(feature = "guided")]
#[path = "../../../src/store/fold.rs"]
mod folding;
#[cfg(feature = "guided")]
#[path = "../../../src/store/shelf/live.rs"]
pub mod live_image;
#[cfg(feature = "guided")]
#[path = "../../../src/serve/http/boot/pass.rs"]
mod passing;
#[cfg(feature = "guided")]
#[path = "../../../src/serve/http/range.rs"]
pub mod ranges;

/// What the store reads from its disk.
#[cfg(feature = "guided")]
pub mod store {
    pub use crate::folding::fold;

    /// The live image's manifest.
    pub mod shelf {
        pub use crate::live_image as live;
    }
}

/// What is ours in a request's head.
#[cfg(feature = "guided")]
pub mod serve {
    /// Of both listeners.
    pub mod http {
        pub use crate::ranges as range;

        /// Of the machines' listener.
        pub mod boot {
            pub use crate::passing::pass;
        }
    }
}

pub mod corpus;
mod feed;
mod memory;
mod seeds;
mod targets;

/// One target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, as `make fuzz T=` has it.
    pub name: &'static str,
    /// What it reads, for people.
    pub what: &'static str,
    /// The longest input that is worth trying, bytes.
    pub most_bytes: usize,
    /// What the parser may hold at once for one input, bytes.
    pub memory_bytes: usize,
    check: fn(&[u8]),
}

const fn target(name: &'static str, most_bytes: usize, mebibytes: usize, check: fn(&[u8]), what: &'static str) -> Target {
    Target { name, what, most_bytes, memory_bytes: mebibytes << 20, check }
}

/// All of them.
pub const TARGETS: [Target; 14] = [
    target("dhcp", 8192, 4, targets::dhcp::check, "DHCP packets in a row, the decision about each, and the answer's bytes"),
    target("tftp", 2048, 1, targets::tftp::check, "a TFTP packet, its file name and its options"),
    target("desk", 4096, 16, targets::desk::check, "TFTP packets of several clients in a row, with time between them"),
    target("agent", 65536, 64, targets::agent::check, "what the live image's agent says: hello, heartbeat, report, facts"),
    target("callback", 65536, 8, targets::callback::check, "what an installer says: forms, JSON, logs, events"),
    target("http", 1024, 1, targets::http::check, "ranges, passes and paths of requests"),
    target("words", 512, 1, targets::words::check, "addresses, names, numbers and options as people write them"),
    target("site", 16384, 64, targets::site::check, "site files, YAML and JSON, and what applying them would do"),
    target("config", 4096, 16, targets::config::check, "the daemon's settings, TOML"),
    target("template", 8192, 64, targets::template::check, "templates: parsed, checked, rendered"),
    target("quoting", 1024, 8, targets::quoting::check, "values put into documents by the filters that quote"),
    target("condition", 2048, 64, targets::condition::check, "the expressions of rules"),
    target("document", 16384, 64, targets::document::check, "rendered documents before the linters: iPXE, kickstart, preseed, autoinstall"),
    target("record", 16384, 64, targets::record::check, "rows of the database, its journal, and the live image's manifest"),
];

/// The target of that name.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

impl Target {
    /// Tries one input. Panics when a promise is broken; beyond its memory it gets none, which ends the program.
    pub fn run(&self, input: &[u8]) {
        memory::within(self.memory_bytes, || (self.check)(input));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every seed and every kept input; one that fails is printed as it is kept.
    #[test]
    fn every_kept_input_keeps_the_promises() {
        for target in TARGETS {
            let inputs = corpus::inputs(&target);
            assert!(inputs.len() > 1, "{} has no inputs", target.name);
            for input in inputs {
                let outcome = std::panic::catch_unwind(|| target.run(&input));
                assert!(outcome.is_ok(), "{}: {}", target.name, input.escape_ascii());
            }
        }
    }
}
