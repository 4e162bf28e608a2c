//! Which host is asking: MACs, board UUID and serial number against the recorded hosts.
//!
//! A MAC decides; the UUID confirms or, alone, stands in for it; a serial number only where nothing better was shown. What
//! contradicts itself is no host but a conflict, which a boot decision turns into a hold (`boot::Facts::doubt`): a card moved to
//! another board must not take an installation with it. The candidates come from the caller.

use crate::model::{Host, HostId, IssueKind, Mac, SmbiosUuid};

/// What a machine says of itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Claim<'a> {
    /// Its cards; in DHCP just the one that speaks.
    pub macs: &'a [Mac],
    /// Its board (option 97, `uuid=`).
    pub uuid: Option<SmbiosUuid>,
    /// Its serial number (`serial=`).
    pub serial: Option<&'a str>,
}

/// By what a host was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// A card.
    Mac,
    /// The board, by a card that nobody recorded.
    Uuid,
    /// The serial number alone.
    Serial,
}

/// Why identities contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// A recorded card on another board than the recorded one.
    #[error("The card is recorded for {name} with board {recorded}, but it asks from board {seen}.")]
    UuidMismatch {
        /// The host that the card belongs to.
        host: HostId,
        /// Its name.
        name: String,
        /// Its recorded board.
        recorded: SmbiosUuid,
        /// The board that asks.
        seen: SmbiosUuid,
    },
    /// The cards, or card and board, belong to different hosts.
    #[error("What it shows belongs to several hosts: {}.", .names.join(", "))]
    SeveralHosts {
        /// Them, in the order of the candidates.
        hosts: Vec<HostId>,
        /// Their names, the first of them.
        names: Vec<String>,
    },
}

impl Conflict {
    /// The issue to raise.
    pub const fn issue(&self) -> IssueKind {
        match self {
            Self::UuidMismatch { .. } => IssueKind::UuidMismatch,
            Self::SeveralHosts { .. } => IssueKind::DuplicateMac,
        }
    }

    /// The hosts to raise it on.
    pub fn hosts(&self) -> &[HostId] {
        match self {
            Self::UuidMismatch { host, .. } => std::slice::from_ref(host),
            Self::SeveralHosts { hosts, .. } => hosts,
        }
    }
}

/// Who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// This one.
    Host {
        /// Its identity.
        id: HostId,
        /// By what.
        by: By,
    },
    /// Nobody recorded.
    Unknown,
    /// Contradictory.
    Conflict(Conflict),
}

/// Which of the candidates asks. They must include every host with one of the claimed MACs, the UUID or the serial number;
/// others do no harm.
pub fn which(claim: &Claim<'_>, candidates: &[&Host]) -> Verdict {
    let by_mac = matching(candidates, |host| claim.macs.iter().any(|mac| host.macs.contains(mac)));
    let by_uuid = matching(candidates, |host| matches!((claim.uuid, host.uuid), (Some(seen), Some(known)) if same_board(seen, known)));
    match (&by_mac[..], &by_uuid[..]) {
        ([], []) => by_serial(claim, candidates),
        ([], [one]) => found(one, By::Uuid),
        ([one], []) => match (claim.uuid, one.uuid) {
            (Some(seen), Some(recorded)) => mismatch(one, recorded, seen),
            _ => found(one, By::Mac),
        },
        ([card], [board]) if card.id == board.id => found(card, By::Mac),
        (cards, boards) => several(cards, boards),
    }
}

fn matching<'a>(candidates: &[&'a Host], fits: impl Fn(&Host) -> bool) -> Vec<&'a Host> {
    candidates.iter().copied().filter(|host| fits(host)).collect()
}

fn found(host: &Host, by: By) -> Verdict {
    Verdict::Host { id: host.id, by }
}

fn mismatch(host: &Host, recorded: SmbiosUuid, seen: SmbiosUuid) -> Verdict {
    Verdict::Conflict(Conflict::UuidMismatch { host: host.id, name: host.name.to_string(), recorded, seen })
}

/// Names that a sentence tells.
const MOST_NAMES: usize = 8;

fn several(cards: &[&Host], boards: &[&Host]) -> Verdict {
    let mut all: Vec<&Host> = Vec::new();
    for host in cards.iter().chain(boards) {
        if !all.iter().any(|seen| seen.id == host.id) {
            all.push(host);
        }
    }
    let mut names: Vec<String> = all.iter().take(MOST_NAMES).map(|host| host.name.to_string()).collect();
    if all.len() > names.len() {
        names.push(format!("and {} more", all.len() - names.len()));
    }
    Verdict::Conflict(Conflict::SeveralHosts { hosts: all.iter().map(|host| host.id).collect(), names })
}

/// A serial number identifies only a machine that shows no card or board of another, and only if one host has it.
fn by_serial(claim: &Claim<'_>, candidates: &[&Host]) -> Verdict {
    let Some(serial) = claim.serial.map(str::trim).filter(|serial| claim.macs.is_empty() && claim.uuid.is_none() && is_serial(serial)) else {
        return Verdict::Unknown;
    };
    match &matching(candidates, |host| host.serial.as_deref().is_some_and(|known| known.trim() == serial))[..] {
        [] => Verdict::Unknown,
        [one] => found(one, By::Serial),
        all => several(all, &[]),
    }
}

/// Whether it is a serial number, and not what vendors write who forgot to write one.
pub fn is_serial(text: &str) -> bool {
    const FILLERS: [&str; 8] =
        ["default string", "to be filled by o.e.m.", "system serial number", "not specified", "none", "n/a", "unknown", "0123456789"];
    let low = text.to_ascii_lowercase();
    low.len() >= 3 && !FILLERS.contains(&low.as_str()) && !low.chars().all(|c| matches!(c, '0' | '.' | '-' | 'x'))
}

/// The same board, also where one program read the first three fields in the other byte order (SMBIOS 2.6 changed it, and
/// firmware older than that sends option 97 big-endian). Boards that were never given a UUID of their own are nobody's.
pub fn same_board(a: SmbiosUuid, b: SmbiosUuid) -> bool {
    let (one, other) = (a.to_string(), b.to_string());
    is_own_board(a) && (one == other || swapped(&one) == other)
}

/// Whether a UUID was given to this one board.
pub fn is_own_board(uuid: SmbiosUuid) -> bool {
    // The sample value of a BIOS vendor's kit, in both byte orders; thousands of boards carry it.
    const SAMPLES: [&str; 2] = ["03000200-0400-0500-0006-000700080009", "00020003-0004-0005-0006-000700080009"];
    !SAMPLES.contains(&uuid.to_string().as_str())
}

fn swapped(uuid: &str) -> String {
    let turn = |field: &str| (0..field.len()).step_by(2).rev().map(|at| &field[at..at + 2]).collect::<String>();
    uuid.split('-').enumerate().map(|(i, field)| if i < 3 { turn(field) } else { field.to_owned() }).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    const A: &str = "52:54:00:00:00:01";
    const B: &str = "52:54:00:00:00:02";
    const NEW: &str = "52:54:00:00:00:99";
    const BOARD_A: &str = "6902b9f2-f123-cdcd-428f-23a3ef2e4c63";
    const BOARD_B: &str = "4c4c4544-0051-3510-8058-b4c04f4d3332";
    const SWAPPED_A: &str = "f2b90269-23f1-cdcd-428f-23a3ef2e4c63";

    fn host(number: u128, mac: &str, uuid: Option<&str>, serial: Option<&str>) -> Host {
        let name = format!("n{number}").parse().unwrap();
        let mut host = Host::new(HostId(uuid::Uuid::from_u128(number)), name, vec![mac.parse().unwrap()], Timestamp::UNIX_EPOCH);
        host.uuid = uuid.map(|text| text.parse().unwrap());
        host.serial = serial.map(str::to_owned);
        host
    }

    /// n1 has card A, board A and serial S1; n2 has card B and no board.
    #[track_caller]
    fn check(macs: &[&str], uuid: Option<&str>, serial: Option<&str>, want: &str) {
        let hosts = [host(1, A, Some(BOARD_A), Some("S1-4711")), host(2, B, None, Some("Default string"))];
        let macs: Vec<Mac> = macs.iter().map(|mac| mac.parse().unwrap()).collect();
        let claim = Claim { macs: &macs, uuid: uuid.map(|text| text.parse().unwrap()), serial };
        let got = match which(&claim, &hosts.iter().collect::<Vec<_>>()) {
            Verdict::Host { id, by } => format!("n{} by {by:?}", id.0.as_u128()),
            Verdict::Unknown => "unknown".to_owned(),
            Verdict::Conflict(why) => format!("{:?} on {}", why.issue(), why.hosts().len()),
        };
        assert_eq!(got, want);
    }

    #[test]
    fn a_card_names_its_host() {
        check(&[A], None, None, "n1 by Mac");
        check(&[A], Some(BOARD_A), None, "n1 by Mac");
        check(&[B], Some(BOARD_B), None, "n2 by Mac");
        check(&[NEW, A], None, None, "n1 by Mac");
    }

    #[test]
    fn a_new_card_on_a_recorded_board_is_that_host() {
        check(&[NEW], Some(BOARD_A), None, "n1 by Uuid");
    }

    #[test]
    fn a_board_read_in_the_other_byte_order_is_the_same_board() {
        check(&[A], Some(SWAPPED_A), None, "n1 by Mac");
    }

    #[test]
    fn nobody_is_nobody() {
        check(&[NEW], Some(BOARD_B), None, "unknown");
        check(&[], None, None, "unknown");
    }

    #[test]
    fn a_card_on_another_board_is_a_conflict() {
        check(&[A], Some(BOARD_B), None, "UuidMismatch on 1");
    }

    #[test]
    fn cards_of_two_hosts_are_a_conflict_on_both() {
        check(&[A, B], None, None, "DuplicateMac on 2");
        check(&[B], Some(BOARD_A), None, "DuplicateMac on 2");
    }

    #[test]
    fn a_serial_number_counts_only_alone_and_if_it_is_one() {
        check(&[], None, Some("S1-4711"), "n1 by Serial");
        check(&[NEW], None, Some("S1-4711"), "unknown");
        check(&[], None, Some("Default string"), "unknown");
        check(&[], None, Some("0000"), "unknown");
    }

    #[test]
    fn a_board_with_the_vendor_s_sample_uuid_identifies_nobody() {
        let sample = "03000200-0400-0500-0006-000700080009";
        let host = host(1, A, Some(sample), None);
        let claim = Claim { macs: &[NEW.parse().unwrap()], uuid: Some(sample.parse().unwrap()), serial: None };
        assert_eq!(which(&claim, &[&host]), Verdict::Unknown);
    }
}
