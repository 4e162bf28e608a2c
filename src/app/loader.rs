//! Loaders: which host fetches one, whether it may, and what its arrival proves.
//!
//! A loader installs nothing, so it is given to whomever asks — also to machines that nobody recorded and to hosts that will be sent to their
//! disk — unless the plan of its host is no answer at all. The last acknowledgement (TFTP) or the last byte (HTTP) is the evidence of
//! stage `bootloader_sent`; a request, a size probe and a broken transfer are not. Machines that nobody recorded leave counters, no journal.

use std::net::Ipv4Addr;

use bytes::Bytes;

use super::{House, Refusal, Told, boot::arch, draft::Draft, house::Pen, who::Fetcher};
use crate::{
    model::{Actor, Firmware, LoopPolicy, Mac, Plan, Stage, Transport, What},
    rules::{lifecycle, session::Sign, transfer},
    store::shelf::loaders::Loaders,
};

/// A loader on its way to a recorded machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoaderAsk {
    /// Its name on the shelf.
    pub name: String,
    /// Who fetches it.
    pub peer: Ipv4Addr,
    /// Its size.
    pub size_bytes: u64,
    fetcher: Fetcher,
}

/// Endings of what firmware starts; the shelf may hold menus and configurations besides, and those prove no boot.
const STARTED: [&str; 5] = [".efi", ".kpxe", ".kkpxe", ".pxe", ".0"];

impl House {
    /// A loader's bytes for the machine at `peer`, which may have said in the path that it is `claimed`.
    pub fn loader(&self, name: &str, peer: Ipv4Addr, claimed: Option<Mac>) -> Told<Bytes> {
        if let Some(host) = self.fetcher(None, peer, claimed)? {
            let scene = self.scene(host.clone(), None, Some(peer))?;
            if let Plan::NoAnswer { why } = self.plan(&host, None, &scene, Firmware::plain(arch(&host, None), Transport::Tftp)) {
                return Err(Refusal::Closed(format!("host {} gets no loader: {why}", host.name)).into());
            }
        }
        let loader = self.loaders.get(name).ok_or_else(|| Refusal::Unknown { noun: "loader", name: name.to_owned() })?;
        Ok(loader.bytes.clone())
    }

    /// Who a loader goes to, for the record; none where nobody has recorded the machine by now.
    pub fn loader_ask(&self, name: &str, peer: Ipv4Addr, claimed: Option<Mac>, size_bytes: u64) -> Told<Option<LoaderAsk>> {
        let host = self.fetcher(None, peer, claimed)?;
        Ok(host.map(|host| LoaderAsk { name: name.to_owned(), peer, size_bytes, fetcher: Fetcher::of(&host, None, peer) }))
    }

    /// Records what happened to a loader's transfer by TFTP.
    pub async fn loader_heard(&self, ask: &LoaderAsk, event: &transfer::Event) -> Told<()> {
        use transfer::Event;
        let name = &ask.name;
        let (sent_bytes, text) = match event {
            Event::Requested { size_bytes } => (0, format!("{name} asked for by TFTP, {size_bytes} bytes")),
            Event::Progress { acked_bytes, size_bytes } => {
                (*acked_bytes, format!("{name} {} %", acked_bytes.saturating_mul(100).checked_div(*size_bytes).unwrap_or(100)))
            }
            Event::Probed { size_bytes } => (0, format!("the size of {name} asked for, {size_bytes} bytes; neither a failure nor a boot")),
            Event::Aborted { code, text, acked_bytes, size_bytes } => {
                (*acked_bytes, format!("{name} broken off by the machine after {acked_bytes} of {size_bytes} bytes: error {code} {text:?}"))
            }
            Event::TimedOut { acked_bytes, size_bytes, given_up } => {
                (*acked_bytes, format!("{name} given up after {acked_bytes} of {size_bytes} bytes: {given_up}"))
            }
            Event::Done { size_bytes, took, resent_packets } => {
                let text = format!("{name} arrived whole, {size_bytes} bytes in {} ms, {resent_packets} packets sent twice", took.as_millis());
                return self.loader_arrived(ask, text).await;
            }
        };
        self.note_loader(ask, self.transfer_of(ask, event.word(), sent_bytes), text).await
    }

    /// Records how a loader's transfer by HTTP ended: `done`, or `aborted` after so many bytes.
    pub async fn loader_ended(&self, ask: &LoaderAsk, outcome: &str, sent_bytes: u64) -> Told<()> {
        let LoaderAsk { name, size_bytes, .. } = ask;
        if outcome == "done" {
            return self.loader_arrived(ask, format!("{name} arrived whole, {size_bytes} bytes by HTTP")).await;
        }
        let text = format!("{name} {outcome} after {sent_bytes} of {size_bytes} bytes by HTTP");
        self.note_loader(ask, self.transfer_of(ask, outcome, sent_bytes), text).await
    }

    /// Records that a request for a file was refused.
    pub async fn loader_refused(&self, ask: &LoaderAsk, word: &str, text: &str) -> Told<()> {
        let text = format!("{} by TFTP refused: {text}", ask.name);
        self.note_loader(ask, What::Refused { why: word.to_owned() }, text).await
    }

    /// What to say of a loader that is not on the shelf.
    pub fn loader_hint(name: &str) -> String {
        if is_started(name) { format!("there is no loader {name}; {}", Loaders::hint(name)) } else { format!("there is no file {name}") }
    }

    async fn loader_arrived(&self, ask: &LoaderAsk, text: String) -> Told<()> {
        let Some(host) = self.told_of(&ask.fetcher)? else { return Ok(()) };
        let find = |house: &Self| house.find(&host.id.to_string());
        self.draft(&loading_actor(), find, |draft| {
            let is_loader = is_started(&ask.name) || draft.host.loader.as_ref().is_some_and(|chosen| chosen.as_ref() == ask.name);
            if let (true, session @ Some(_)) = (is_loader, ask.fetcher.session(&draft.host)) {
                draft.observe(&Sign::LoaderDone { session }, LoopPolicy::Warn);
            }
            draft.note(self.transfer_of(ask, "done", ask.size_bytes), text.clone());
            if is_loader {
                advance(draft, &ask.fetcher, &text);
            }
            Ok(())
        })
        .await
    }

    /// Evidence that changes no host.
    async fn note_loader(&self, ask: &LoaderAsk, what: What, text: String) -> Told<()> {
        let Some(host) = self.told_of(&ask.fetcher)? else { return Ok(()) };
        let fact = Pen::new(loading_actor(), self.now()).of(&host).write(what, text);
        Ok(self.record(vec![fact]).await?)
    }

    fn transfer_of(&self, ask: &LoaderAsk, outcome: &str, sent_bytes: u64) -> What {
        What::Transfer { file: ask.name.clone(), outcome: outcome.to_owned(), sent_bytes, size_bytes: ask.size_bytes }
    }
}

/// The build enters `bootloader_sent`, unless it is further already: firmware may fetch a second loader.
fn advance(draft: &mut Draft<'_>, fetcher: &Fetcher, evidence: &str) {
    let Some(build) = fetcher.build(&draft.host).filter(|build| build.stage < Stage::BootloaderSent).map(|build| build.id) else { return };
    draft.advance(&lifecycle::Event::StageSeen { stage: Stage::BootloaderSent, evidence: evidence.to_owned(), build });
}

fn is_started(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    STARTED.iter().any(|ending| name.ends_with(ending))
}

const fn loading_actor() -> Actor {
    Actor::Host { mac: None, proven: false }
}

#[cfg(test)]
mod tests;
