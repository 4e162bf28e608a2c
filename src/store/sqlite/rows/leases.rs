//! Leases and served bodies as rows.
//!
//! A lease has columns of its own instead of JSON, because it is what is written most in a storm of boots. Leases are read
//! once at start and judged in `rules::lease`; bodies are found by their hash and never change.

use std::{net::Ipv4Addr, path::Path};

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    model::{Lease, LeaseState},
    store::{
        Body, StoreFault,
        sqlite::trouble::{fault, unreadable},
    },
};

const fn state_word(state: LeaseState) -> &'static str {
    match state {
        LeaseState::Bound => "bound",
        LeaseState::Released => "released",
        LeaseState::Declined => "declined",
    }
}

/// Writes a lease in place of the one of its network and address.
pub(in crate::store::sqlite) fn save(conn: &Connection, lease: &Lease) -> rusqlite::Result<()> {
    let mut upsert =
        conn.prepare_cached("INSERT OR REPLACE INTO leases (network, address, mac, state, expires, client_name) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    upsert.execute(params![
        lease.network.as_ref(),
        u32::from(lease.address),
        lease.mac.to_string(),
        state_word(lease.state),
        lease.expires.to_string(),
        lease.client_name
    ])?;
    Ok(())
}

/// Every lease.
pub(in crate::store::sqlite) fn load(conn: &Connection, path: &Path) -> Result<Vec<Lease>, StoreFault> {
    type Row = (String, u32, String, String, String, Option<String>);
    let read = || -> rusqlite::Result<Vec<Row>> {
        let mut query = conn.prepare_cached("SELECT network, address, mac, state, expires, client_name FROM leases")?;
        query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?)))?.collect()
    };
    let parse = |(network, address, mac, state, expires, client_name): Row| {
        let address = Ipv4Addr::from(address);
        let bad = |error: &dyn std::fmt::Display| unreadable(path, &format!("the lease of {address} in {network}"), error);
        Ok(Lease {
            network: network.parse().map_err(|error| bad(&error))?,
            address,
            mac: mac.parse().map_err(|error| bad(&error))?,
            state: [LeaseState::Bound, LeaseState::Released, LeaseState::Declined]
                .into_iter()
                .find(|&known| state_word(known) == state)
                .ok_or_else(|| bad(&format!("unknown state {state}")))?,
            expires: expires.parse().map_err(|error| bad(&error))?,
            client_name,
        })
    };
    read().map_err(|error| fault(path, &error))?.into_iter().map(parse).collect()
}

/// Writes a body unless it is there.
pub(in crate::store::sqlite) fn save_body(conn: &Connection, body: &Body) -> rusqlite::Result<()> {
    let mut insert = conn.prepare_cached("INSERT INTO bodies (sha256, bytes) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    insert.execute(params![body.sha256, body.bytes.as_ref()]).map(drop)
}

/// The bytes of a hash.
pub(in crate::store::sqlite) fn body(conn: &Connection, path: &Path, sha256: &str) -> Result<Option<Bytes>, StoreFault> {
    let read = || conn.prepare_cached("SELECT bytes FROM bodies WHERE sha256 = ?1")?.query_row([sha256], |row| row.get::<_, Vec<u8>>(0)).optional();
    Ok(read().map_err(|error| fault(path, &error))?.map(Bytes::from))
}
