//! Option numbers by name (IANA "BOOTP Vendor Extensions and DHCP Options").
//!
//! Only those that this server reads or writes; any other travels as a bare number.

/// Pad.
pub const PAD: u8 = 0;
/// Subnet mask.
pub const MASK: u8 = 1;
/// Routers.
pub const ROUTER: u8 = 3;
/// Name servers.
pub const DNS: u8 = 6;
/// Host name.
pub const HOST_NAME: u8 = 12;
/// Domain name.
pub const DOMAIN: u8 = 15;
/// Interface MTU.
pub const MTU: u8 = 26;
/// Broadcast address.
pub const BROADCAST: u8 = 28;
/// Time servers (NTP).
pub const NTP: u8 = 42;
/// Vendor-specific; for PXE a list of sub-options.
pub const VENDOR: u8 = 43;
/// Requested address.
pub const REQUESTED: u8 = 50;
/// Lease time, seconds.
pub const LEASE: u8 = 51;
/// Overload of `file` and `sname`; never sent.
pub const OVERLOAD: u8 = 52;
/// Message type.
pub const KIND: u8 = 53;
/// Server identifier.
pub const SERVER_ID: u8 = 54;
/// Parameter request list.
pub const WANTED: u8 = 55;
/// Message, a sentence for people.
pub const MESSAGE: u8 = 56;
/// Maximum message size.
pub const MAX_SIZE: u8 = 57;
/// Renewal time T1, seconds.
pub const RENEW: u8 = 58;
/// Rebinding time T2, seconds.
pub const REBIND: u8 = 59;
/// Vendor class.
pub const CLASS: u8 = 60;
/// Client identifier.
pub const CLIENT_ID: u8 = 61;
/// TFTP server name.
pub const TFTP_SERVER: u8 = 66;
/// Boot file name.
pub const BOOT_FILE: u8 = 67;
/// User class.
pub const USER_CLASS: u8 = 77;
/// Relay agent information (RFC 3046).
pub const RELAY: u8 = 82;
/// Client system architectures (RFC 4578 2.1).
pub const ARCH: u8 = 93;
/// Client network interface (RFC 4578 2.2).
pub const NIC: u8 = 94;
/// Client machine identifier (RFC 4578 2.3).
pub const MACHINE: u8 = 97;
/// iPXE's own encapsulated options.
pub const IPXE: u8 = 175;
/// End.
pub const END: u8 = 255;
