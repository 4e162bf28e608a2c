//! Secrets that open nothing: who shows one is counted each time, and told of as often as a person could read it.
//!
//! A forged token costs a look at an index and no write. What was shown is never kept: it may be a real one, mistyped.

use std::net::Ipv4Addr;

use super::{House, Told, house::Pen, pace::Key};
use crate::model::{Actor, What};

impl House {
    /// Counts that somebody at `peer` showed a token that opens nothing; whether that is to be told.
    pub fn forged(&self, peer: Ipv4Addr) -> bool {
        self.metrics.connection_refused("boot", "unknown_token");
        self.paces(Key::Refusal(peer))
    }

    /// Tells of it.
    pub async fn tell_of_forged(&self, peer: Ipv4Addr) -> Told<()> {
        let mac = self.book().holder(peer);
        let mut pen = Pen::new(Actor::Host { mac, proven: false }, self.now());
        if let Some(mac) = mac {
            pen = pen.mac(mac);
        }
        let fact = pen.write(What::Refused { why: "unknown_token".into() }, format!("{peer} showed a token that opens nothing"));
        Ok(self.record(vec![fact]).await?)
    }
}
