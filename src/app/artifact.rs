//! Kernels, initrds and trees: who may fetch them, and what their arrival proves.
//!
//! Kernel and initrds of a host's profile are given to that host only while its build is open; everything else on the shelf is public
//! on the boot network. The last byte of the last of them moves the build to `kernel_initrd_sent`.

use std::{net::Ipv4Addr, sync::Arc};

use super::{
    Failure, Fault, House, Refusal, Told,
    draft::Draft,
    house::{Pen, Saved},
    who::Fetcher,
};
use crate::{
    model::{Actor, ArtifactRef, Host, LoopPolicy, Plan, Reached, SessionId, Stage, What},
    rules::{
        inherit::Effective,
        lifecycle::Event,
        session::{self, Sign},
    },
    store::shelf::artifacts::{ArtifactFault, Opened},
};

/// A fetch whose course is worth recording.
#[derive(Debug, Clone)]
pub struct Fetch {
    artifact: ArtifactRef,
    fetcher: Fetcher,
    size_bytes: u64,
}

/// How a fetch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchEnd {
    /// Its last byte went out.
    Whole,
    /// The client went away after so many bytes.
    Broken {
        /// Bytes that went out.
        sent_bytes: u64,
    },
}

impl House {
    /// Opens a file of the shelf for whoever may have it. `Fetch` is there if a known host asks.
    pub async fn artifact(&self, artifact: &ArtifactRef, session: Option<SessionId>, peer: Ipv4Addr) -> Told<(Opened, Option<Fetch>)> {
        let host = self.fetcher(session, peer, None)?;
        if let Some(host) = &host {
            self.may_fetch(host, artifact, session, peer).await?;
        }
        let opened = self.artifacts.file(artifact).map_err(|fault| refuse(artifact, fault))?;
        let fetch = host.map(|host| Fetch { artifact: artifact.clone(), fetcher: Fetcher::of(&host, session, peer), size_bytes: opened.size_bytes });
        Ok((opened, fetch))
    }

    async fn may_fetch(&self, host: &Arc<Host>, artifact: &ArtifactRef, session: Option<SessionId>, peer: Ipv4Addr) -> Told<()> {
        let scene = self.scene(host.clone(), None, Some(peer))?;
        let boots = |profile: &Effective| profile.kernel.iter().chain(&profile.initrds).any(|file| file == artifact);
        if !scene.effective().is_some_and(boots) {
            return Ok(());
        }
        let Err(refusal) = held(host, session).map_or_else(|| self.admits(host, &scene, session), Err) else { return Ok(()) };
        let mut draft = Draft::of(self, host.clone(), Actor::Host { mac: None, proven: false }, scene.now);
        self.note_refusal(&mut draft, session, &refusal, &artifact.to_string());
        // Stale: somebody else wrote meanwhile, and the next refusal will be noted instead.
        let _: Saved = draft.save().await?;
        Err(refusal.into())
    }

    /// Shows how far a long fetch is, for whoever watches. Evidence only: it changes nothing and waits for nobody.
    pub async fn fetch_progress(&self, fetch: &Fetch, sent_bytes: u64) -> Told<()> {
        let Some(host) = self.told_of(&fetch.fetcher)? else { return Ok(()) };
        let what = transfer(fetch, "progress", sent_bytes);
        let percent = sent_bytes.saturating_mul(100).checked_div(fetch.size_bytes).unwrap_or(100);
        let pen = Pen::new(Actor::Host { mac: None, proven: false }, self.now()).of(&host);
        let fact = pen.write(what, format!("{} {percent} %", fetch.artifact));
        Ok(self.record(vec![fact]).await?)
    }

    /// Records how a fetch ended; the last of kernel and initrds moves the build.
    pub async fn fetch_ended(&self, fetch: &Fetch, end: FetchEnd) -> Told<()> {
        let Some(host) = self.told_of(&fetch.fetcher)? else { return Ok(()) };
        let find = |house: &Self| house.find(&host.id.to_string());
        self.draft(&Actor::Host { mac: None, proven: false }, find, |draft| match end {
            FetchEnd::Broken { sent_bytes } => {
                let text = format!("{} broke off after {sent_bytes} of {} bytes", fetch.artifact, fetch.size_bytes);
                draft.note(transfer(fetch, "aborted", sent_bytes), text);
                Ok(())
            }
            FetchEnd::Whole => self.arrived(fetch, draft),
        })
        .await
    }

    fn arrived(&self, fetch: &Fetch, draft: &mut Draft<'_>) -> Told<()> {
        let scene = self.scene(draft.seen.clone(), None, None)?;
        let wanted = scene.effective().map(Effective::boot_files).unwrap_or_default();
        let advanced = fetch.fetcher.session(&draft.host).and_then(|session| {
            let sign = Sign::ArtifactDone { session: Some(session), path: fetch.artifact.to_string(), wanted };
            draft.observe(&sign, LoopPolicy::Warn).advanced
        });
        draft.note(transfer(fetch, "done", fetch.size_bytes), format!("{} arrived whole, {} bytes", fetch.artifact, fetch.size_bytes));
        if let (Some(Reached::Kernel), Some(build)) = (advanced, fetch.fetcher.build(&draft.host).map(|build| build.id)) {
            let evidence = "the last bytes of kernel and initrds were sent".to_owned();
            draft.advance(&Event::StageSeen { stage: Stage::KernelInitrdSent, evidence, build });
        }
        Ok(())
    }
}

/// Why this power-on gets no kernel though a build is open: its machine was told to hold. A fetch shows too little to find out again what spoke
/// against it, such as a board that is not the recorded one.
fn held(host: &Host, session: Option<SessionId>) -> Option<Refusal> {
    let told = session::named(host, session)?.plan.as_deref()?;
    let text =
        "the script of this boot session was a hold screen; what it says is to be settled first, then let the machine ask for its script again";
    (told == Plan::HOLD).then(|| Refusal::Closed(text.to_owned()))
}

fn transfer(fetch: &Fetch, outcome: &str, sent_bytes: u64) -> What {
    What::Transfer { file: fetch.artifact.to_string(), outcome: outcome.into(), sent_bytes, size_bytes: fetch.size_bytes }
}

/// A missing file is a refusal; a disk that does not answer is a fault.
fn refuse(artifact: &ArtifactRef, fault: ArtifactFault) -> Failure {
    match fault {
        ArtifactFault::Io { path, source } => Fault::File { path: path.display().to_string(), source }.into(),
        ArtifactFault::NotThere(_) | ArtifactFault::Outside(_) | ArtifactFault::NotAFile(_) | ArtifactFault::Different { .. } => {
            Refusal::Unknown { noun: "artifact", name: artifact.to_string() }.into()
        }
    }
}
