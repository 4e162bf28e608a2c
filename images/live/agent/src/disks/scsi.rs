//! What a SCSI disk says of SANITIZE, by `sg_opcodes`.
//!
//! One question per service action, because the answer to one says nothing about the others. "It has no such list" is an answer (no), a
//! tool that fails otherwise is not. Progress of a running sanitize is the wiper's question.

/// The service actions of SANITIZE (0x48): overwrite, block erase, cryptographic erase.
pub const OVERWRITE: u8 = 1;
/// Block erase.
pub const BLOCK: u8 = 2;
/// Cryptographic erase.
pub const CRYPTO: u8 = 3;

/// How `sg_opcodes` ends when the disk has no list of commands (9), refuses the question (5), or does not know the opcode's actions (10).
pub const NO_LIST: [i32; 3] = [5, 9, 10];

/// Whether `sg_opcodes --opcode=…` says that the command is supported; `NOT supported` holds the text of its opposite.
pub fn supported(text: &str) -> bool {
    text.lines().map(str::trim).any(|line| {
        let rest = line.strip_prefix("Command ").map(|rest| rest.strip_prefix("is ").unwrap_or(rest));
        rest.is_some_and(|rest| rest.starts_with("supported [") || rest.starts_with("supported ("))
    })
}
