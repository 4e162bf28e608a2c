//! The start: folders, key, database, shelves and leases are opened in this order, and whatever is wrong is said with its place.
//!
//! The first start makes one admin token and writes it where only the service's user reads it.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::PathBuf,
    sync::{Arc, Mutex},
};

use super::{
    Failure, Fault, House, backup,
    health::Health,
    live::Live,
    metrics::Metrics,
    templates::{Templates, TemplatesFault},
};
use crate::{
    config::Config,
    model::{Actor, Role},
    rules::{lease::Book, lifecycle::Times},
    store::{
        Store, StoreFault,
        shelf::{
            artifacts::{ArtifactFault, Artifacts},
            loaders::Loaders,
            templates::TemplateShelf,
        },
        sqlite::Sqlite,
    },
    world::{KeyFault, Keys, SteadyWorld, World, write_secret},
};

/// Why the daemon does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// The state folder cannot be made.
    #[error("the folder {path}: {source}; create it and give it to the daemon's user, or set state_dir")]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The server's key.
    #[error(transparent)]
    Key(#[from] KeyFault),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// The artifacts.
    #[error(transparent)]
    Artifacts(#[from] ArtifactFault),
    /// The templates.
    #[error(transparent)]
    Templates(#[from] TemplatesFault),
    /// What a backup left behind.
    #[error("{0}; remove it by hand")]
    Leftover(Fault),
    /// The first admin token.
    #[error("the first admin token: {0}")]
    Token(#[source] Failure),
    /// Its file.
    #[error("the first admin token's file {path}: {source}")]
    TokenFile {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Opens everything that the stories need.
pub async fn open(config: Config) -> Result<House, StartFault> {
    open_in(config, Arc::new(SteadyWorld::default())).await
}

/// The same in a world of one's own.
pub async fn open_in(config: Config, world: Arc<dyn World>) -> Result<House, StartFault> {
    private_folder(&config.state_dir).map_err(|source| StartFault::Folder { path: config.state_dir.clone(), source })?;
    let keys = Keys::open(&config.key_file(), &*world)?;
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(config.database())?);
    backup::clear(&config.state_dir).map_err(StartFault::Leftover)?;
    let leases = store.leases().await?;
    let house = House {
        keys,
        leases: Mutex::new(Book::load(leases)),
        templates: Templates::open(TemplateShelf::new(config.templates()))?,
        artifacts: Artifacts::open(&config.artifacts())?,
        loaders: Loaders::find(&config.paths.loaders),
        live: Live::open(&config),
        metrics: Metrics::new(),
        awake: world.now(),
        times: Times::default(),
        pace: Mutex::default(),
        health: Health::default(),
        reading: Arc::default(),
        store,
        world,
        config,
    };
    house.metrics.set_live_image(house.live_image().is_ok());
    first_token(&house).await?;
    Ok(house)
}

fn private_folder(path: &std::path::Path) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

/// An admin token, if there is no token at all.
async fn first_token(house: &House) -> Result<(), StartFault> {
    let settings = house.store.settings()?;
    if !settings.tokens.is_empty() {
        return Ok(());
    }
    #[expect(clippy::expect_used, reason = "a constant that parses")]
    let name = "first-admin".parse().expect("a name");
    let token = house.create_token(&Actor::Server, name, Role::Admin).await.map_err(StartFault::Token)?;
    let path = house.config.admin_token_file();
    write_secret(&path, format!("{}\n", token.reveal()).as_bytes()).map_err(|source| StartFault::TokenFile { path: path.clone(), source })?;
    tracing::info!(path = %path.display(), "the first admin token was written; only this user can read it");
    Ok(())
}
