//! Why bytes on port 67 or 4011 are not a request that this server reads. Each has a stable word and one sentence.
//!
//! A refusal is counted and dropped; nothing of the packet is believed, so it is never blamed on a host.

/// The reason a packet is not a DHCPv4 request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Malformed {
    /// Shorter than the header and the magic cookie.
    #[error("the packet has {0} bytes; a DHCP message has at least 240")]
    Short(usize),
    /// Longer than the receive buffer.
    #[error("the packet has {0} bytes; this server reads at most 2048")]
    Long(usize),
    /// `op` is not BOOTREQUEST.
    #[error("op is {0}; only a request (1) is for a server")]
    NotARequest(u8),
    /// `htype` is not Ethernet.
    #[error("the hardware type is {0}; only Ethernet (1) is served")]
    NotEthernet(u8),
    /// `hlen` is not 6.
    #[error("the hardware address has {0} bytes; an Ethernet address has 6")]
    HardwareLength(u8),
    /// A zero, broadcast or multicast `chaddr`.
    #[error("the hardware address is a zero, broadcast or multicast address")]
    HardwareAddress,
    /// No magic cookie: plain BOOTP or something else.
    #[error("the magic cookie is missing (plain BOOTP is not served)")]
    NoMagic,
    /// An option reaches beyond the end of the packet.
    #[error("an option reaches beyond the end of the packet")]
    Truncated,
    /// Option 53 is missing.
    #[error("option 53 is missing: it does not say what it asks for")]
    NoKind,
    /// Option 53 is none of a client's messages.
    #[error("message type {0} is none that a client sends")]
    Kind(u8),
    /// An option has a length that its definition forbids.
    #[error("option {0} has a wrong length")]
    OptionLength(u8),
    /// Too many relays.
    #[error("the packet went through {0} relays; at most 16 are believed")]
    Hops(u8),
}

impl Malformed {
    /// The stable word for metrics and the log.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Short(_) => "short",
            Self::Long(_) => "long",
            Self::NotARequest(_) => "not_a_request",
            Self::NotEthernet(_) => "not_ethernet",
            Self::HardwareLength(_) => "hardware_length",
            Self::HardwareAddress => "hardware_address",
            Self::NoMagic => "no_magic",
            Self::Truncated => "truncated",
            Self::NoKind => "no_message_type",
            Self::Kind(_) => "message_type",
            Self::OptionLength(_) => "option_length",
            Self::Hops(_) => "hops",
        }
    }
}
