//! The shelves: templates, artifacts and loaders, as files that operators look at and bring in.
//!
//! An upload is streamed to the disk and hashed on its way; it becomes visible whole and never changes afterwards. Templates are files
//! of the site's folder: they are read, checked and reloaded here, not written.

use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::{
    Admin,
    access::{Asked, Caller},
    page::{Page, Paging},
    problem::Problem,
};
use crate::{
    app::templates::TemplatesFault,
    model::{Arch, ArtifactRef, Finding, Role, TemplateOrigin},
    rules::{lint, loaders},
    store::shelf::{
        artifacts::{ArtifactFault, Imported, Version},
        loaders::Loaders,
    },
};

/// One template.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct TemplateView {
    /// Its name.
    pub name: String,
    /// Where it came from.
    #[serde(flatten)]
    pub origin: TemplateOrigin,
    /// SHA-256 over it and all that it includes.
    pub sha256: String,
    /// Its text, where one template was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Every template in use.
#[utoipa::path(get, path = "/api/v1/templates", tag = "shelves", params(Paging), responses((status = 200, body = Page<TemplateView>), (status = "default", body = Problem)))]
pub(super) async fn templates(State(admin): State<Admin>, _: Caller, Asked(paging): Asked<Paging>) -> Result<Json<Page<TemplateView>>, Problem> {
    let catalog = admin.house.templates.catalog();
    let names: Vec<String> = catalog.sources().keys().cloned().collect();
    let view = |name: String| TemplateView {
        origin: catalog.origin(&name).cloned().unwrap_or(TemplateOrigin::Shipped),
        sha256: catalog.hash(&name).unwrap_or_default(),
        text: None,
        name,
    };
    paging.page(names, Clone::clone, view).map(Json)
}

/// One template with its text.
#[utoipa::path(get, path = "/api/v1/templates/{name}", tag = "shelves", params(("name" = String, Path, description = "with its slashes: `kickstart/rhel.ks`")),
    responses((status = 200, body = TemplateView), (status = "default", body = Problem)))]
pub(super) async fn template(State(admin): State<Admin>, _: Caller, Path(name): Path<String>) -> Result<Json<TemplateView>, Problem> {
    let catalog = admin.house.templates.catalog();
    let source = catalog.source(&name).ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "not_found", format!("there is no template {name:?}"), "list what there is: GET /api/v1/templates")
    })?;
    let view = TemplateView { origin: source.origin.clone(), sha256: catalog.hash(&name).unwrap_or_default(), text: Some(source.text.clone()), name };
    Ok(Json(view))
}

/// What the linter says.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Linted {
    /// Findings by template and line.
    pub findings: Vec<Finding>,
}

/// Checks every template in use.
#[utoipa::path(post, path = "/api/v1/templates/lint", tag = "shelves", responses((status = 200, body = Linted), (status = "default", body = Problem)))]
pub(super) async fn lint(State(admin): State<Admin>, _: Caller) -> Result<Json<Linted>, Problem> {
    let catalog = admin.house.templates.catalog();
    blocking(move || Linted { findings: lint::catalog_findings(&catalog) }).await.map(Json)
}

/// What a reload changed.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Reloaded {
    /// New templates.
    pub added: Vec<String>,
    /// Templates with another text.
    pub altered: Vec<String>,
    /// Templates that are gone.
    pub removed: Vec<String>,
}

/// Reads the templates again; a set with a fault is not taken and the present one stays in use.
#[utoipa::path(post, path = "/api/v1/templates/reload", tag = "shelves",
    responses((status = 200, body = Reloaded), (status = 422, body = Problem, description = "`templates` says where"), (status = "default", body = Problem)))]
pub(super) async fn reload(State(admin): State<Admin>, caller: Caller) -> Result<Json<Reloaded>, Problem> {
    caller.needs(Role::Admin)?;
    let house = admin.house.clone();
    match blocking(move || house.templates.reload()).await? {
        Ok(changed) => Ok(Json(Reloaded { added: changed.added, altered: changed.altered, removed: changed.removed })),
        Err(TemplatesFault::Bad(faults)) => {
            let hint = "correct the templates that `templates` names; the set in use was not touched";
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "template", "the templates were not taken", hint).with("templates", faults))
        }
        Err(TemplatesFault::Shelf(fault)) => {
            let hint = "look at the templates folder and the disk, then repeat";
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "file_fault", fault.to_string(), hint))
        }
    }
}

/// One file of an artifact.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct FileView {
    /// The path below the version.
    pub path: String,
    /// Its size.
    pub size_bytes: u64,
    /// Its SHA-256, where it is known already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// One version of one artifact.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ArtifactView {
    /// The artifact.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its files.
    pub files: Vec<FileView>,
}

impl From<Version> for ArtifactView {
    fn from(version: Version) -> Self {
        let files = version.files.into_iter().map(|file| FileView { path: file.path, size_bytes: file.size_bytes, sha256: file.sha256 }).collect();
        Self { name: version.name.to_string(), version: version.version.to_string(), files }
    }
}

/// Every version of every artifact with its files.
#[utoipa::path(get, path = "/api/v1/artifacts", tag = "shelves", params(Paging), responses((status = 200, body = Page<ArtifactView>), (status = "default", body = Problem)))]
pub(super) async fn artifacts(State(admin): State<Admin>, _: Caller, Asked(paging): Asked<Paging>) -> Result<Json<Page<ArtifactView>>, Problem> {
    let house = admin.house.clone();
    let versions = blocking(move || house.artifacts.list()).await??;
    paging.page(versions, |version| format!("{}/{}", version.name, version.version), ArtifactView::from).map(Json)
}

fn reference(parts: (String, String, String)) -> Result<ArtifactRef, Problem> {
    format!("{}/{}/{}", parts.0, parts.1, parts.2)
        .parse()
        .map_err(|wrong: crate::model::artifact::NotAnArtifact| Problem::invalid("path", wrong.to_string()))
}

/// One file, with its SHA-256 (computed if it is not known yet).
#[utoipa::path(get, path = "/api/v1/artifacts/{name}/{version}/{path}", tag = "shelves", params(("name" = String, Path), ("version" = String, Path), ("path" = String, Path)),
    responses((status = 200, body = FileView), (status = "default", body = Problem)))]
pub(super) async fn artifact(State(admin): State<Admin>, _: Caller, Path(parts): Path<(String, String, String)>) -> Result<Json<FileView>, Problem> {
    let (artifact, house) = (reference(parts)?, admin.house.clone());
    let path = artifact.path.clone();
    let (size_bytes, sha256) =
        blocking(move || Ok::<_, ArtifactFault>((house.artifacts.file(&artifact)?.size_bytes, house.artifacts.sha256(&artifact)?))).await??;
    Ok(Json(FileView { path, size_bytes, sha256: Some(sha256) }))
}

/// Brings a file in. The body is the file, of any size.
#[utoipa::path(put, path = "/api/v1/artifacts/{name}/{version}/{path}", tag = "shelves", params(("name" = String, Path), ("version" = String, Path), ("path" = String, Path)),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = FileView), (status = 200, body = FileView, description = "the same content was there"),
        (status = 409, body = Problem, description = "another content was there"), (status = "default", body = Problem)))]
pub(super) async fn put_artifact(
    State(admin): State<Admin>,
    caller: Caller,
    Path(parts): Path<(String, String, String)>,
    body: Body,
) -> Result<Response, Problem> {
    caller.needs(Role::Operator)?;
    let artifact = reference(parts)?;
    let path = artifact.path.clone();
    let imported = import(&admin, artifact, body).await?;
    let status = if imported.new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(FileView { path, size_bytes: imported.size_bytes, sha256: Some(imported.sha256) })).into_response())
}

/// Hands the body's pieces to a thread that may wait for the disk; at most four are under way.
async fn import(admin: &Admin, artifact: ArtifactRef, mut body: Body) -> Result<Imported, Problem> {
    let (send, mut pieces) = mpsc::channel::<Option<Bytes>>(4);
    let house = admin.house.clone();
    let writer = tokio::task::spawn_blocking(move || -> Result<Option<Imported>, ArtifactFault> {
        let mut arrival = house.artifacts.begin(artifact)?;
        loop {
            match pieces.blocking_recv() {
                Some(Some(piece)) => arrival.write(&piece)?,
                Some(None) => return arrival.finish().map(Some),
                // The sender went away before the end: what has arrived is thrown away.
                None => return Ok(None),
            }
        }
    });
    let mut broken = None;
    while let Some(frame) = body.frame().await {
        match frame.map(http_body::Frame::into_data) {
            // A writer that is gone has its fault to tell: the rest of the body is read no further.
            Ok(Ok(piece)) => {
                if send.send(Some(piece)).await.is_err() {
                    break;
                }
            }
            // Trailers say nothing about a file.
            Ok(Err(_)) => {}
            Err(fault) => {
                broken = Some(fault.to_string());
                break;
            }
        }
    }
    if broken.is_none() {
        let _writer_may_be_gone = send.send(None).await;
    }
    drop(send);
    let told = writer.await.map_err(|fault| bug(&fault.to_string()))??;
    told.ok_or_else(|| {
        let detail = format!("the upload broke off: {}", broken.unwrap_or_default());
        Problem::new(StatusCode::BAD_REQUEST, "upload_broken", detail, "nothing was kept; send the file again")
    })
}

/// One loader, or what to do to have it.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LoaderView {
    /// Its name.
    pub name: String,
    /// Its size.
    pub size_bytes: usize,
    /// Its SHA-256.
    pub sha256: String,
    /// The file.
    pub file: String,
}

/// Which loader an architecture gets.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ArchView {
    /// The architecture.
    pub arch: Arch,
    /// Its loader, if it can be served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loader: Option<String>,
    /// What to install, if not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Loaders and the architectures they serve.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct LoadersView {
    /// What was found.
    pub loaders: Vec<LoaderView>,
    /// By architecture.
    pub architectures: Vec<ArchView>,
    /// What could not be read.
    pub faults: Vec<String>,
}

/// The loaders that were found, and which architectures can be served.
#[utoipa::path(get, path = "/api/v1/loaders", tag = "shelves", responses((status = 200, body = LoadersView), (status = "default", body = Problem)))]
pub(super) async fn loaders(State(admin): State<Admin>, _: Caller) -> Result<Json<LoadersView>, Problem> {
    let shelf = &admin.house.loaders;
    let view = |(name, loader): (&str, &crate::store::shelf::loaders::Loader)| LoaderView {
        name: name.to_owned(),
        size_bytes: loader.bytes.len(),
        sha256: loader.sha256.clone(),
        file: loader.path.display().to_string(),
    };
    let arch = |arch| {
        let loader = loaders::choose(arch, None, &|name| shelf.has(name)).ok().map(str::to_owned);
        let hint = loaders::names(arch).first().filter(|_| loader.is_none()).map(|name| Loaders::hint(name).to_owned());
        ArchView { arch, loader, hint }
    };
    let architectures = [Arch::Bios, Arch::X64, Arch::Arm64, Arch::Ia32, Arch::Arm32, Arch::Riscv, Arch::Loongarch].map(arch).to_vec();
    Ok(Json(LoadersView { loaders: shelf.iter().map(view).collect(), architectures, faults: shelf.faults().to_vec() }))
}

/// Work that waits for the disk or computes for long, on a thread that may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|fault| bug(&fault.to_string()))
}

fn bug(text: &str) -> Problem {
    tracing::error!(text, "a request met a bug");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "bug", "the server met a bug of its own", "its log says more; please report it")
}
