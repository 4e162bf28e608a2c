//! What an ATA disk says: its IDENTIFY page out of `/sys`, and the security and SANITIZE lines of `hdparm -I`.
//!
//! The security lines are read word by word, never by "contains": `not<TAB>supported: enhanced erase` holds the text of its opposite, and a
//! program that looked for that text once erased nothing and said that it had. What is not said counts as not there.

/// Who the disk says it is, at full length.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identify {
    /// Words 27–46.
    pub model: String,
    /// Words 10–19.
    pub serial: String,
    /// Words 23–26.
    pub firmware: String,
}

/// The IDENTIFY data inside the vital product data page 0x89 (SAT), or nothing.
pub fn identify(page: &[u8]) -> Option<Identify> {
    const AT: usize = 60;
    if page.get(1) != Some(&0x89) || page.len() < AT + 512 {
        return None;
    }
    let words = |from: usize, to: usize| {
        // ATA strings have the bytes of each word the wrong way round.
        let swapped: Vec<u8> = page[AT + 2 * from..AT + 2 * (to + 1)].chunks_exact(2).flat_map(|pair| [pair[1], pair[0]]).collect();
        super::identity::tidy(&swapped)
    };
    Some(Identify { serial: words(10, 19), firmware: words(23, 26), model: words(27, 46) })
}

/// What `hdparm -I` says about erasing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Security {
    /// It has the security feature set.
    pub supported: bool,
    /// Somebody has set a password.
    pub enabled: bool,
    /// It lets nobody read or write without the password.
    pub locked: bool,
    /// It takes no security command before its next power-on.
    pub frozen: bool,
    /// It has the enhanced erase.
    pub enhanced: bool,
    /// Minutes of the erase.
    pub minutes: Option<u32>,
    /// Minutes of the enhanced erase.
    pub enhanced_minutes: Option<u32>,
    /// SANITIZE, crypto scramble.
    pub scramble: bool,
    /// SANITIZE, block erase.
    pub block_erase: bool,
}

/// Reads `hdparm -I`.
pub fn security(text: &str) -> Security {
    let mut said = Security::default();
    let mut inside = false;
    let mut sanitize = false;
    for line in text.lines() {
        if !line.starts_with(char::is_whitespace) {
            inside = line.trim_end() == "Security:";
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["*", "SANITIZE", "feature", "set"] => sanitize = true,
            ["*", "CRYPTO_SCRAMBLE_EXT", "command"] => said.scramble = true,
            ["*", "BLOCK_ERASE_EXT", "command"] => said.block_erase = true,
            ["supported"] if inside => said.supported = true,
            ["enabled"] if inside => said.enabled = true,
            ["locked"] if inside => said.locked = true,
            ["frozen"] if inside => said.frozen = true,
            ["supported:", "enhanced", "erase"] if inside => said.enhanced = true,
            words if inside && words.contains(&"ERASE") => (said.minutes, said.enhanced_minutes) = minutes(line),
            _ => {}
        }
    }
    said.scramble &= sanitize;
    said.block_erase &= sanitize;
    said
}

/// `4min for SECURITY ERASE UNIT. 8min for ENHANCED SECURITY ERASE UNIT.`; `more than 508min` counts as 508.
fn minutes(line: &str) -> (Option<u32>, Option<u32>) {
    let mut found = (None, None);
    for sentence in line.split('.') {
        let Some((time, what)) = sentence.split_once("min for ") else { continue };
        let time = time.split_whitespace().last().and_then(|time| time.parse().ok());
        match what.trim() {
            "SECURITY ERASE UNIT" => found.0 = time,
            "ENHANCED SECURITY ERASE UNIT" => found.1 = time,
            _ => {}
        }
    }
    found
}
