//! A stranger becomes a host: on a network that takes in unknown machines a record is made, and where the network says so registration begins.
//!
//! What asks is not proven: a record is all that comes of it, and there are only so many of those.

use std::sync::Arc;

use super::{House, Told, script::ScriptAsk};
use crate::model::{Host, Network};

impl House {
    /// The record made for a stranger that asks for its script on `network`; `None` where none is made.
    #[allow(dead_code, reason = "called by the story of the script")]
    pub(super) async fn enroll(&self, _ask: &ScriptAsk, _network: &Network) -> Told<Option<Arc<Host>>> {
        Ok(None)
    }
}
