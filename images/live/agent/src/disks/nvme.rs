//! What an NVMe controller says: which erases it has (`nvme id-ctrl`), and how far its sanitize is (`nvme sanitize-log`).
//!
//! Bits as in the NVM Express base specification 1.4 and 2.0. The log's status is a number in some versions of the tool and `(257) text` in
//! others; both are read. What cannot be read is no status at all, never "completed".

use serde_json::Value;

/// Erases of a controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Controller {
    /// Sanitize, crypto erase (SANICAP bit 0).
    pub sanitize_crypto: bool,
    /// Sanitize, block erase (SANICAP bit 1).
    pub sanitize_block: bool,
    /// Format NVM (OACS bit 1).
    pub format: bool,
    /// Format NVM with crypto erase (FNA bit 2).
    pub format_crypto: bool,
    /// A format or its erase reaches all namespaces of the controller (FNA bits 0 and 1).
    pub format_reaches_all: bool,
}

/// Reads `nvme id-ctrl -o json`.
pub fn controller(text: &str) -> Option<Controller> {
    let said: Value = serde_json::from_str(text).ok()?;
    let bits = |key: &str| said.get(key).and_then(Value::as_u64);
    let (oacs, fna, sanicap) = (bits("oacs")?, bits("fna")?, bits("sanicap").unwrap_or(0));
    let format = oacs & 0b10 != 0;
    Some(Controller {
        sanitize_crypto: sanicap & 0b01 != 0,
        sanitize_block: sanicap & 0b10 != 0,
        format,
        format_crypto: format && fna & 0b100 != 0,
        format_reaches_all: fna & 0b11 != 0,
    })
}

/// Whether a format of one namespace erases the others too, by `nvme id-ctrl -o json`; `None`: it does not say.
pub fn format_reaches_all(text: &str) -> Option<bool> {
    controller(text).map(|controller| controller.format_reaches_all)
}

/// How a sanitize stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sanitize {
    /// 0 never, 1 completed, 2 in progress, 3 failed, 4 completed without deallocation.
    pub status: u64,
    /// How far, per cent.
    pub percent: u32,
    /// What the drive says, in the tool's words.
    pub text: String,
    /// Seconds that a crypto erase takes, if it says.
    pub crypto_secs: Option<u64>,
    /// Seconds that a block erase takes, if it says.
    pub block_secs: Option<u64>,
}

impl Sanitize {
    /// It goes on.
    pub fn runs(&self) -> bool {
        self.status == 2
    }

    /// The last one ended well.
    pub fn completed(&self) -> bool {
        matches!(self.status, 1 | 4)
    }
}

/// Reads `nvme sanitize-log -o json`.
pub fn sanitize_log(text: &str) -> Option<Sanitize> {
    let said: Value = serde_json::from_str(text).ok()?;
    // The log lies below the device's name.
    let log = said.as_object()?.values().find(|log| log.get("sstat").is_some()).unwrap_or(&said);
    let sstat = log.get("sstat")?;
    let status = sstat.get("status").unwrap_or(sstat);
    let number = match status {
        Value::String(text) => text.trim_start_matches('(').split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?,
        number => number.as_u64()?,
    };
    let words = status.as_str().map_or_else(|| format!("sanitize status {number}"), str::to_owned);
    let progress = log.get("sprog").and_then(Value::as_u64).unwrap_or(0).min(0xffff);
    let secs = |key: &str| log.get(key).and_then(Value::as_u64).filter(|secs| *secs != u64::from(u32::MAX));
    Some(Sanitize {
        status: number & 0b111,
        percent: u32::try_from(progress * 100 / 0xffff).unwrap_or(100),
        text: words,
        crypto_secs: secs("time_crypto_erase"),
        block_secs: secs("time_block_erase"),
    })
}
