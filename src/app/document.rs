//! A document: the answer file of an open build, to whoever shows its token; whole or refused, never half.
//!
//! Two beats apart from the rest: what is *asked for* is judged before anything is rendered (`document`), what was *used* is recorded only
//! when the last byte has gone (`document_sent`), because a loop is a document used twice, not one asked for twice.

use std::{net::Ipv4Addr, sync::Arc};

use bytes::Bytes;

use super::{
    Fault, House, Refusal, Told,
    draft::Draft,
    house::{Saved, TRIES},
    pace::Key,
    scene::{Pass, Scene, Secrets},
    who::Bearer,
};
use crate::{
    model::{Actor, BuildId, Host, HostId, LoopPolicy, Served, SessionId, Stage, Token, What, token::sha256_hex},
    rules::{
        lifecycle::Event,
        loops,
        session::{self, Sign},
    },
    store::Body,
};

/// What an installer asks for.
#[derive(Debug, Clone)]
pub struct DocumentAsk {
    /// The token in the URL.
    pub token: Token,
    /// The session in the URL.
    pub session: Option<SessionId>,
    /// The document's name.
    pub name: String,
    /// Where it asks from.
    pub peer: Ipv4Addr,
    /// Our address that it asked.
    pub server: Ipv4Addr,
}

/// A document, ready to be sent; `document_sent` wants it back when it has gone whole.
#[derive(Debug, Clone)]
pub struct Document {
    /// Its bytes.
    pub bytes: Bytes,
    /// Its name.
    pub name: String,
    template: String,
    sha256: String,
    host: HostId,
    build: BuildId,
    session: Option<SessionId>,
}

impl House {
    /// The document for whoever shows the token of an open build.
    pub async fn document(&self, ask: &DocumentAsk) -> Told<Document> {
        // What an installer does with it has to be written down; a store that cannot would believe the disks untouched.
        if let Some(trouble) = self.trouble() {
            return Err(trouble.into());
        }
        for _ in 0..TRIES {
            let host = self.owner(&ask.token).await?;
            if !self.paces(Key::Document(ask.peer, host.id)) {
                return Err(Refusal::TooOften.into());
            }
            let scene = self.scene(host.clone(), Some(ask.server), Some(ask.peer))?;
            let mut draft = Draft::of(self, host, Actor::Host { mac: None, proven: true }, scene.now);
            let told = self.tell_document(ask, &scene, &mut draft).await;
            if let Saved::Done(_) = draft.save().await? {
                return told;
            }
        }
        Err(Fault::Contended(TRIES).into())
    }

    async fn tell_document(&self, ask: &DocumentAsk, scene: &Scene, draft: &mut Draft<'_>) -> Told<Document> {
        let build = draft.host.build.as_ref().map(|build| build.id).ok_or_else(|| Refusal::Closed("no build is open".into()))?;
        let policy = scene.effective().map(|profile| profile.loop_policy).unwrap_or_default();
        let session = session_of(&draft.host, ask.session).or_else(|| draft.observe(&Sign::Script { session: None, arch: None }, policy).session);
        if let Some(session) = session {
            let judged = loops::on_sign(&draft.host, session, false, Some(&ask.name), policy, scene.now);
            draft.judge(judged, session);
        }
        if let Err(refusal) = self.admits(&draft.host, scene, session) {
            self.note_refusal(draft, ask.session, &refusal, &ask.name);
            return Err(refusal.into());
        }
        let Some(template) = scene.effective().and_then(|profile| profile.documents.get(&ask.name)).cloned() else {
            return Err(Refusal::Unknown { noun: "document", name: ask.name.clone() }.into());
        };
        let bytes = match self.replay(&draft.host, &ask.name, session).await? {
            Some(bytes) => bytes,
            None => self.render_document(&template, &scene.with(Arc::new(draft.host.clone())), &ask.token, session).inspect_err(|refusal| {
                draft.note(What::Refused { why: refusal.code().into() }, format!("{} does not render: {refusal}", ask.name));
            })?,
        };
        let sha256 = sha256_hex(&bytes);
        Ok(Document { bytes, name: ask.name.clone(), template, sha256, host: draft.host.id, build, session })
    }

    /// Journals a refused fetch, once in a session: installers retry at once.
    pub(super) fn note_refusal(&self, draft: &mut Draft<'_>, session: Option<SessionId>, refusal: &Refusal, name: &str) {
        let before = draft.host.clone();
        if draft.observe(&Sign::Refused { session }, LoopPolicy::Warn).again {
            draft.host = before;
        } else {
            draft.note(What::Refused { why: refusal.code().into() }, format!("{name} was refused: {refusal}"));
        }
    }

    /// The bytes that this session had before, if it had any.
    async fn replay(&self, host: &Host, name: &str, session: Option<SessionId>) -> Told<Option<Bytes>> {
        let served = host
            .build
            .as_ref()
            .and_then(|build| build.served.iter().rfind(|one| one.document == name && one.session == session && session.is_some()));
        match served {
            Some(served) => Ok(self.store.body(&served.sha256).await?),
            None => Ok(None),
        }
    }

    fn render_document(&self, template: &str, scene: &Scene, token: &Token, session: Option<SessionId>) -> Result<Bytes, Refusal> {
        let context = scene.context(Pass { token: Some(token), session }, Secrets::Shown);
        let rendered = self.templates.catalog().render(template, &context);
        self.metrics.rendered(if rendered.is_ok() { "ok" } else { "fault" });
        rendered.map(Bytes::from).map_err(Refusal::Template)
    }

    /// The host whose newest build has this token. A token of an older build opens nothing.
    async fn owner(&self, token: &Token) -> Told<Arc<Host>> {
        match self.bearer_of(token).await? {
            Bearer::Newest(host) => Ok(host),
            Bearer::Older(_, build) => Err(Refusal::Closed(format!("build {} is over and another one took its place", build.id)).into()),
        }
    }

    /// Records that a document has gone whole: it is used now, and its bytes are kept.
    pub async fn document_sent(&self, document: &Document) -> Told<()> {
        let actor = Actor::Host { mac: None, proven: true };
        let find = |house: &Self| house.find(&document.host.to_string());
        self.draft(&actor, find, |draft| {
            if draft.host.open_build().is_none_or(|build| build.id != document.build) {
                return Ok(());
            }
            self.keep_document(document, draft);
            Ok(())
        })
        .await
    }

    fn keep_document(&self, document: &Document, draft: &mut Draft<'_>) {
        let now = self.now();
        let session = session_of(&draft.host, document.session);
        let same = |one: &Served| one.document == document.name && one.session == session && one.sha256 == document.sha256;
        let again = draft.host.build.as_ref().is_some_and(|build| build.served.iter().any(same));
        draft.observe(&Sign::DocumentUsed { session }, LoopPolicy::Warn);
        let what = What::Served { document: document.name.clone(), sha256: document.sha256.clone(), again };
        draft.note(what, format!("{} sent whole, {} bytes of template {}", document.name, document.bytes.len(), document.template));
        if let Some(session) = session {
            draft.host = loops::used(&draft.host, session, &document.name, now);
        }
        if let (false, Some(build)) = (again, draft.host.build.as_mut()) {
            build.served.push(Served {
                document: document.name.clone(),
                template: document.template.clone(),
                sha256: document.sha256.clone(),
                size_bytes: document.bytes.len() as u64,
                at: now,
                session,
            });
            draft.bodies.push(Body { sha256: document.sha256.clone(), bytes: document.bytes.clone() });
        }
        let stage = if document.name.starts_with("finish") { Stage::FinishSent } else { Stage::ProvisionTemplateSent };
        draft.advance(&Event::StageSeen { stage, evidence: format!("{} sent whole", document.name), build: document.build });
    }
}

/// The session that a request belongs to: the one it names, else the newest.
fn session_of(host: &Host, named: Option<SessionId>) -> Option<SessionId> {
    session::named(host, named).map(|session| session.id)
}
