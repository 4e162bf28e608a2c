//! `GET /boot.ipxe`: the script of the host's plan.
//!
//! Always a valid script, also for errors: iPXE drops whatever does not come with 200. The one exception is a plan that says so: 404
//! makes the loader give up and the firmware go on to its next entry.

use axum::{extract::State, http::StatusCode, response::Response};

use super::{
    Boot,
    answer::{head, script as spoken},
    asker::Asker,
};
use crate::app::script::ScriptAsk;

/// The route.
pub(super) async fn script(State(boot): State<Boot>, asker: Asker) -> Response {
    if asker.head_only {
        return head();
    }
    let ask = ScriptAsk {
        mac: asker.parsed("mac"),
        uuid: asker.parsed("uuid"),
        serial: asker.word("serial").map(|serial| serial.chars().take(128).collect()),
        arch: asker.arch(),
        session: asker.session(),
        peer: asker.peer,
        server: asker.server,
    };
    // Asked once: whoever has none says so by an empty word.
    if asker.ipxe
        && !asker.query.contains_key("serial")
        && let Some(question) = boot.house.serial_question(&ask)
    {
        return spoken(StatusCode::OK, question);
    }
    let script = boot.house.script(&ask).await;
    let status = if script.not_found { StatusCode::NOT_FOUND } else { StatusCode::OK };
    spoken(status, script.text)
}
