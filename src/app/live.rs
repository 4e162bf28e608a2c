//! The live image in use: opened at the start, opened again when its files change, and the reason where there is none.
//!
//! The reason goes wherever somebody waits for the image: into the boot decision, into a refusal, into the log. Nothing of a broken
//! image is served, and the one before is not kept either: its files are no longer what they were. What an image is, says the shelf.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
    sync::Arc,
};

use arc_swap::ArcSwap;
use nix::fcntl::OFlag;
use serde_json::{Value, json};

use super::{Fault, House, Refusal, Told, artifact::FetchEnd, draft::Draft, house::Pen, pace::Key, scene::Scene};
use crate::{
    config::Config,
    model::{Actor, Host, Lifecycle, LiveMode, LoopPolicy, Mac, SessionId, What},
    rules::{
        agent::{self, Denied},
        boot,
        render::{Catalog, Context},
        session::Sign,
    },
    store::shelf::live::{INITRD, KERNEL, LiveFile, LiveImage, MANIFEST},
};

/// An image found whole, or why there is none.
pub type Found = Result<Arc<LiveImage>, Arc<str>>;

/// The live image in use.
pub struct Live {
    now: ArcSwap<Seen>,
}

/// What one look at the folder came to.
struct Seen {
    found: Found,
    stamp: Stamp,
}

/// What tells one state of the three files from another without reading them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp([Option<OfFile>; 3]);

/// Inode, size and the time of the last change, which no copy sets back.
type OfFile = (u64, u64, i64, i64);

fn stamp(file: &fs::Metadata) -> OfFile {
    (file.ino(), file.size(), file.ctime(), file.ctime_nsec())
}

impl Stamp {
    fn of(folder: &Path) -> Self {
        Self([MANIFEST, KERNEL, INITRD].map(|name| Some(stamp(&fs::metadata(folder.join(name)).ok()?))))
    }
}

impl Live {
    /// The first look. Reads the whole image; a missing or broken one is no reason not to start.
    pub fn open(config: &Config) -> Self {
        let seen = look(config);
        tell(&seen.found);
        Self { now: ArcSwap::from_pointee(seen) }
    }

    /// The image, or why there is none.
    pub fn image(&self) -> Found {
        self.now.load().found.clone()
    }

    /// Looks again, if the files are not what they were; what was found then. Touches files; not for an async task.
    pub fn reload(&self, config: &Config) -> Option<Found> {
        if Stamp::of(&config.live()) == self.now.load().stamp {
            return None;
        }
        let seen = look(config);
        let found = seen.found.clone();
        self.now.store(Arc::new(seen));
        tell(&found);
        Some(found)
    }
}

/// The stamp is taken first: files that change while they are read are read again.
fn look(config: &Config) -> Seen {
    let folder = config.live();
    let stamp = Stamp::of(&folder);
    let found = LiveImage::open(&folder).map(Arc::new).map_err(|fault| fault.to_string().into());
    Seen { found, stamp }
}

fn tell(found: &Found) {
    match found {
        Ok(image) => tracing::info!(version = image.version, agent = image.agent, folder = %image.folder.display(), "the live image is ready"),
        Err(why) => tracing::warn!(%why, "machines are neither registered nor wiped"),
    }
}

/// A file of the image, ready to be sent.
pub struct LiveOpened {
    /// The file, at its start.
    pub file: fs::File,
    /// Its size.
    pub size_bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
}

/// Who fetches a file of the image.
#[derive(Debug, Clone)]
pub struct LiveFetch {
    /// `live/VERSION/FILE`
    pub file: String,
    /// The boot session in the URL.
    pub session: SessionId,
    /// Its size.
    pub size_bytes: u64,
}

impl House {
    /// The live image, or why there is none.
    pub fn live_image(&self) -> Found {
        self.live.image()
    }

    /// Looks whether the live image changed. Touches files; not for an async task.
    pub fn reload_live_image(&self) -> Option<Found> {
        let found = self.live.reload(&self.config);
        self.metrics.set_live_image(self.live_image().is_ok());
        found
    }

    /// Journals that a changed image is none any more: whoever changed it looks there and not into the log.
    pub async fn live_image_lost(&self, why: &str) -> Result<(), Fault> {
        let text = format!("machines are neither registered nor wiped: {why}");
        self.record(vec![Pen::new(Actor::Server, self.now()).write(What::Warning { word: "no_live_image".into() }, text)]).await
    }

    /// Refuses a step into a state that only the live image ends: a host must never wait for an image that does not come.
    pub(super) fn live_image_or_refusal(&self, seen: &Host, next: &Host) -> Result<(), Refusal> {
        let needs = matches!(next.lifecycle, Lifecycle::Registering | Lifecycle::UsedRegistering | Lifecycle::Cleaning { .. });
        if needs && seen.lifecycle != next.lifecycle { self.live_image_for(next.lifecycle.word()) } else { Ok(()) }
    }

    /// Refuses a step into the state of that word where there is no live image to end it.
    pub(super) fn live_image_for(&self, state: &'static str) -> Result<(), Refusal> {
        self.live_image().map(drop).map_err(|why| Refusal::NoLiveImage { state, why: why.to_string() })
    }

    /// Opens `vmlinuz` or `initrd` of the present version.
    pub fn live_file(&self, version: &str, name: &str) -> Told<LiveOpened> {
        let unknown = || Refusal::Unknown { noun: "file of the live image", name: format!("{version}/{name}") };
        let seen = self.live.now.load();
        let image = seen.found.as_ref().map_err(|_| unknown())?;
        let (LiveFile { path, sha256, size_bytes }, known) = match name {
            _ if version != image.version => return Err(unknown().into()),
            KERNEL => (&image.kernel, seen.stamp.0[1]),
            INITRD => (&image.initrd, seen.stamp.0[2]),
            _ => return Err(unknown().into()),
        };
        let fault = |source| Fault::File { path: path.display().to_string(), source };
        // Whatever lies there now must be what was hashed; a pipe must not be waited for.
        let flags = OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = fs::OpenOptions::new().read(true).custom_flags(flags.bits()).open(path).map_err(fault)?;
        if Some(stamp(&file.metadata().map_err(fault)?)) != known {
            return Err(fault(std::io::Error::other("it is being replaced; ask again")).into());
        }
        Ok(LiveOpened { file, size_bytes: *size_bytes, sha256: sha256.clone() })
    }

    /// Records how a fetch of the live image ended: from then on the session's machine runs it, and another script is another power-on.
    pub async fn live_file_ended(&self, fetch: &LiveFetch, end: FetchEnd) -> Told<()> {
        let Some(host) = self.of_session(Some(fetch.session))? else { return Ok(()) };
        if !self.paces(Key::Live(host.id)) {
            return Ok(());
        }
        let find = |house: &Self| house.find(&host.id.to_string());
        self.draft(&Actor::Host { mac: None, proven: false }, find, |draft| {
            note_end(draft, fetch, end);
            Ok(())
        })
        .await
    }
}

impl House {
    /// What the live image's script says beyond the usual: its files, and on the kernel's command line who it is and what it may do.
    pub(super) fn live_words(
        &self,
        catalog: &Catalog,
        scene: &Scene,
        context: &Context,
        (mode, mac, session): (LiveMode, Option<Mac>, Option<SessionId>),
    ) -> Result<Value, String> {
        let image = self.live_image().map_err(|why| why.to_string())?;
        let open = scene.host.live.as_ref().filter(|run| run.is_open() && run.mode == mode && run.token_expires > scene.now);
        let run = open.ok_or("no run of the live image is open for it; cancel and begin again")?;
        let mut args = format!("bw.server={} bw.host={} bw.session=", scene.url, scene.host.name);
        args.push_str(&session.map_or_else(|| "SESSION".to_owned(), |session| session.to_string()));
        args.push_str(&format!(" bw.mode={} bw.token={}", agent::word(mode), self.keys.live_token(run.id).reveal()));
        if mode == LiveMode::Clean {
            let plan = agent::confirmed_plan(run).ok_or_else(|| Denied::Plan.to_string())?;
            args.push_str(&format!(" bw.plan={}", plan.hash()));
        }
        if let Some(mac) = mac {
            args.push_str(&format!(" bw.mac={mac}"));
        }
        let more = match scene.params().remove("live_args").map(|origin| origin.value) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(_)) => {
                catalog.render_args("parameter live_args", "{{ params.live_args }}", context).map_err(|fault| fault.to_string())?
            }
            Some(_) => return Err("parameter live_args must be a text, for example console=ttyS0,115200".to_owned()),
        };
        let query = session.map_or_else(String::new, |session| format!("?s={session}"));
        let url = |name: &str| format!("{}/live/{}/{name}{query}", scene.url, image.version);
        let disks = run.plan.as_ref().map_or(0, |plan| plan.disks.len());
        Ok(
            json!({ "mode": agent::word(mode), "disks": disks, "image": image.version, "kernel": url(KERNEL), "args": format!("{args} {}", more.trim()).trim_end(),
            "initrds": [{ "name": "initrd", "url": url(INITRD) }], "secs": boot::RETRY_SECS }),
        )
    }
}

fn note_end(draft: &mut Draft<'_>, fetch: &LiveFetch, end: FetchEnd) {
    let LiveFetch { file, session, size_bytes } = fetch;
    let transfer = |outcome: &str, sent_bytes| What::Transfer { file: file.clone(), outcome: outcome.into(), sent_bytes, size_bytes: *size_bytes };
    match end {
        FetchEnd::Broken { sent_bytes } => {
            draft.note(transfer("aborted", sent_bytes), format!("{file} broke off after {sent_bytes} of {size_bytes} bytes"))
        }
        FetchEnd::Whole => {
            let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
            let wanted = [KERNEL, INITRD].map(|name| format!("{folder}/{name}")).to_vec();
            draft.observe(&Sign::ArtifactDone { session: Some(*session), path: file.clone(), wanted }, LoopPolicy::Warn);
            draft.note(transfer("done", *size_bytes), format!("{file} arrived whole, {size_bytes} bytes"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::token::sha256_hex;

    fn write(folder: &Path, kernel: &str) {
        let entry = |text: &str| serde_json::json!({ "sha256": sha256_hex(text.as_bytes()), "size_bytes": text.len() });
        let manifest = serde_json::json!({ "format": 1, "version": format!("v{}", kernel.len()), "architecture": "x86_64", "protocol": 1,
            "agent": "0.1.0", "kernel": "6.1", "files": { KERNEL: entry(kernel), INITRD: entry("initrd") } });
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join(KERNEL), kernel).unwrap();
        fs::write(folder.join(INITRD), "initrd").unwrap();
        fs::write(folder.join(MANIFEST), manifest.to_string()).unwrap();
    }

    #[track_caller]
    fn check(live: &Live, config: &Config, changed: bool, want: Result<&str, &str>) {
        assert_eq!(live.reload(config).is_some(), changed);
        match (live.image(), want) {
            (Ok(image), Ok(version)) => assert_eq!(image.version, version),
            (Err(why), Err(part)) => assert!(why.contains(part), "{why}"),
            (found, want) => panic!("{found:?}, wanted {want:?}"),
        }
    }

    #[test]
    fn an_image_is_taken_when_it_comes_changes_or_breaks_and_only_then() {
        let state = tempfile::tempdir().unwrap();
        let folder = state.path().join("live");
        let mut config = Config { state_dir: state.path().to_owned(), ..Config::default() };
        config.paths.live = Some(folder.clone());
        let live = Live::open(&config);
        check(&live, &config, false, Err("live/manifest.json"));
        write(&folder, "one");
        check(&live, &config, true, Ok("v3"));
        check(&live, &config, false, Ok("v3"));
        write(&folder, "three");
        check(&live, &config, true, Ok("v5"));
        fs::write(folder.join(KERNEL), "half").unwrap();
        check(&live, &config, true, Err("vmlinuz has 4 bytes"));
        fs::write(folder.join(KERNEL), "three").unwrap();
        check(&live, &config, true, Ok("v5"));
    }
}
