//! Which disks there are: identity, capabilities, health, foreign signatures.
//!
//! Reads only. What is wrong with one disk or one tool is a [`Problem`] beside the disks, never a reason to show none of them.

use crate::{contract::Disk, machine::Machine};

/// What could not be found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whose: `disks` or `health`.
    pub collector: &'static str,
    /// What, in one sentence that names the disk or the tool.
    pub text: String,
}

/// All whole disks, by name.
pub fn collect(_machine: &dyn Machine) -> (Vec<Disk>, Vec<Problem>) {
    (Vec::new(), vec![Problem { collector: "disks", text: "this build of the agent cannot look at disks".to_owned() }])
}
