//! Why a packet gets no answer: a closed list. Each is counted, and shown with the host it concerns.
//!
//! The word is stable (metrics, API); the sentence says what to do where something can be done.

use std::net::Ipv4Addr;

use crate::rules::lease::NoAddress;

/// The reason of a silence.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Silence {
    /// The interface, relay or address belongs to no network here.
    #[error("the packet comes from no network that is configured here; add one whose subnet holds the interface's or the relay's address")]
    NoNetwork,
    /// `dhcp: off`.
    #[error("DHCP is off on this network; the site's own server answers")]
    ModeOff,
    /// `known_only`, and nobody recorded this MAC.
    #[error("the network gives addresses to recorded hosts only, and nobody recorded this one")]
    UnknownHost,
    /// Nothing to lend.
    #[error("{0}")]
    NoAddress(NoAddress),
    /// A client that does not want to boot, in proxy mode.
    #[error("it does not ask to boot from the network; its address comes from the site's own server")]
    NotNetboot,
    /// The host must not netboot.
    #[error("nothing is offered to boot: {0}")]
    NoBoot(String),
    /// It chose another server.
    #[error("it chose another DHCP server, {0}")]
    OtherServer(Ipv4Addr),
    /// It verifies or renews an address of which nothing is known here.
    #[error("it says that it has {0}, of which nothing is known here; a server that knows may answer")]
    NotOurs(Ipv4Addr),
    /// RELEASE is never answered.
    #[error("it gave its address back")]
    Released,
    /// RELEASE of something that it did not have.
    #[error("it gave back an address that was not lent to it")]
    ReleasedForeign,
    /// DECLINE is never answered.
    #[error("it found somebody else on the address; the address rests for ten minutes")]
    Declined,
    /// DECLINE of something that it did not have.
    #[error("it declined an address that was not offered to it")]
    DeclinedForeign,
    /// A REQUEST or INFORM without any address.
    #[error("it names no address")]
    NoAddressNamed,
    /// Proxy mode: addresses are somebody else's matter.
    #[error("addresses are the site's own server's matter on this network")]
    AddressesElsewhere,
    /// A message that port 4011 has no answer for.
    #[error("port 4011 answers requests for a boot file only")]
    NotForBootServer,
    /// Several addresses in a row were in use.
    #[error("every address that was tried is in use by somebody who has no lease; is another DHCP server at work?")]
    Conflicts,
    /// The lease could not be saved.
    #[error("it could not be looked up or saved, so nothing is promised: {0}")]
    Store(String),
    /// Too many packets at once.
    #[error("too many packets are being worked on; the client asks again")]
    Busy,
    /// Too many packets of one client.
    #[error("it sends more packets than any client needs; what is too much is not answered")]
    Flood,
    /// Too many clients of one link that nobody ever saw.
    #[error("more machines than any hall has come from behind {0}, none of them seen before; recorded ones and those that have a lease are answered")]
    Newcomers(Ipv4Addr),
    /// The kernel had no room for it, so it was never read.
    #[error("packets came faster than they could be read; the client asks again")]
    Overrun,
    /// Its story panicked.
    #[error("answering it ran into a bug of the server; the message before this one says where, please report it")]
    Bug,
    /// The answer could not be sent.
    #[error("the answer could not be sent: {0}")]
    Unsent(String),
}

impl Silence {
    /// The stable word for metrics, log and journal.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::NoNetwork => "no_network",
            Self::ModeOff => "mode_off",
            Self::UnknownHost => "unknown_host",
            Self::NoAddress(NoAddress::PoolFull) => "pool_full",
            Self::NoAddress(NoAddress::NoPool) => "no_pool",
            Self::NoAddress(NoAddress::ReservedInUse) => "reserved_in_use",
            Self::NoAddress(NoAddress::Declines) => "declines",
            Self::NotNetboot => "not_netboot",
            Self::NoBoot(_) => "no_boot",
            Self::OtherServer(_) => "other_server",
            Self::NotOurs(_) => "not_ours",
            Self::Released => "released",
            Self::ReleasedForeign => "released_foreign",
            Self::Declined => "declined",
            Self::DeclinedForeign => "declined_foreign",
            Self::NoAddressNamed => "no_address_named",
            Self::AddressesElsewhere => "addresses_elsewhere",
            Self::NotForBootServer => "not_for_boot_server",
            Self::Conflicts => "conflicts",
            Self::Store(_) => "store",
            Self::Busy => "busy",
            Self::Flood => "flood",
            Self::Newcomers(_) => "newcomers",
            Self::Overrun => "overrun",
            Self::Bug => "bug",
            Self::Unsent(_) => "unsent",
        }
    }

    /// Whether an operator should see it in the journal; the others are ordinary and only counted.
    pub const fn is_remarkable(&self) -> bool {
        !matches!(
            self,
            Self::ModeOff
                | Self::NotNetboot
                | Self::AddressesElsewhere
                | Self::NotOurs(_)
                | Self::Released
                | Self::Busy
                | Self::Overrun
                | Self::NotForBootServer
        )
    }
}
