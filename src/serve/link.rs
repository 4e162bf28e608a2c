//! Interfaces come and go under a daemon that stays: a link that is made anew, a VLAN that comes late, an address that is not there yet.
//!
//! ```text
//! interface there ─ bind ─▶ served ─ it is another one now (its index changed), or gone ─▶ end this part ─▶ look every second ─▶ bind again
//! ```
//! Down and up again needs nothing: sockets live through it, and addresses are read again every few seconds. A port that somebody else has
//! at the start is no reason to wait: it is said and the daemon ends, because two DHCP servers on one link are worse than none. Later it is waited for.

use std::{io, sync::Arc, time::Duration};

use nix::{errno::Errno, net::if_::if_nametoindex};
use tokio_util::sync::CancellationToken;

use super::{dhcp, tftp};
use crate::{
    app::{House, offer::Desk},
    model::What,
};

/// How often a link is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// DHCP on one interface.
pub struct Link {
    name: String,
    settings: dhcp::Settings,
    /// With the kernel's number of it when it was bound; or why it is waited for.
    bound: Result<(u32, dhcp::Server), String>,
}

impl Link {
    /// Binds it, or finds that it has to be waited for.
    pub fn open(name: &str, settings: &dhcp::Settings) -> Result<Self, dhcp::CannotListen> {
        let settings = dhcp::Settings { interfaces: vec![name.to_owned()], ..settings.clone() };
        let bound = match bind(name, &settings) {
            Ok(bound) => Ok(bound),
            Err(fault @ dhcp::CannotListen::Interface { .. }) => Err(reason(name, &fault)),
            Err(fault) => return Err(fault),
        };
        Ok(Self { name: name.to_owned(), settings, bound })
    }

    /// Serves it whenever it is there, until `stop`.
    pub async fn run(self, house: Arc<House>, desk: Arc<Desk>, stop: CancellationToken) {
        let Self { name, settings, mut bound } = self;
        let mut told = None;
        while !stop.is_cancelled() {
            match bound {
                Ok((index, server)) => {
                    if told.take().is_some() {
                        house.metrics.interface_missing(false);
                        tell(&house, "interface_back", format!("the interface {name} is there: DHCP is served on it")).await;
                    }
                    serve(&name, index, server, desk.clone(), &stop).await;
                }
                Err(why) if told.as_ref() != Some(&why) => {
                    if told.is_none() {
                        house.metrics.interface_missing(true);
                    }
                    tell(&house, "interface_missing", format!("the interface {name} (dhcp.interfaces) {why}")).await;
                    told = Some(why);
                }
                Err(_) => {}
            }
            if stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_none() {
                return;
            }
            bound = bind(&name, &settings).map_err(|fault| reason(&name, &fault));
        }
    }
}

/// Why it is not served, for people.
fn reason(name: &str, fault: &dhcp::CannotListen) -> String {
    match if_nametoindex(name) {
        Err(Errno::ENODEV) => concat!(
            "is not there: no DHCP on it until it comes; `ip link` lists what there is. ",
            "If the name is wrong, correct the settings and restart"
        )
        .to_owned(),
        _ => format!("is tried again every second: {fault}"),
    }
}

fn bind(name: &str, settings: &dhcp::Settings) -> Result<(u32, dhcp::Server), dhcp::CannotListen> {
    let index = index_of(name).map_err(|source| dhcp::CannotListen::Interface { interface: name.to_owned(), source })?;
    Ok((index, dhcp::Server::bind(settings)?))
}

fn index_of(name: &str) -> io::Result<u32> {
    Ok(if_nametoindex(name)?)
}

/// Serves until `stop`, or until the name belongs to another interface or to none.
async fn serve(name: &str, index: u32, server: dhcp::Server, desk: Arc<Desk>, stop: &CancellationToken) {
    let mine = stop.child_token();
    let run = server.run(desk, mine.clone());
    tokio::pin!(run);
    tokio::select! {
        () = &mut run => return,
        () = lost(name, index) => {}
    }
    mine.cancel();
    run.await;
}

async fn lost(name: &str, index: u32) {
    while index_of(name).is_ok_and(|now| now == index) {
        tokio::time::sleep(LOOK).await;
    }
}

async fn tell(house: &House, word: &str, text: String) {
    tracing::warn!("{text}");
    if let Err(failure) = house.warn(What::Warning { word: word.to_owned() }, text).await {
        tracing::warn!(%failure, "that was not journalled");
    }
}

/// TFTP at an address that no interface has yet: tried until it can be had.
pub async fn tftp_late(settings: tftp::Settings, house: Arc<House>, stop: CancellationToken) {
    loop {
        if stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_none() {
            return;
        }
        match tftp::Server::bind(settings.clone()) {
            Ok(server) => {
                tracing::info!(listen = %settings.listen, "the address is there: TFTP is served");
                return tftp::serve(server, house, stop).await;
            }
            Err(why) => tracing::debug!(%why, "still waiting for it"),
        }
    }
}
