//! Which kind of document a template makes, and the check that YAML and JSON share: that they are YAML and JSON.
//!
//! By folder and ending first, then by the first line; a name that says nothing gets no checks.

use serde_json::Value;

use super::finding;
use crate::model::{Finding, Severity};

/// A kind of document with checks of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// A script for iPXE.
    Ipxe,
    /// Anaconda's.
    Kickstart,
    /// debian-installer's.
    Preseed,
    /// cloud-init's, perhaps with `autoinstall:`.
    CloudConfig,
    /// Any other YAML.
    Yaml,
    /// JSON, Ignition included.
    Json,
}

impl Family {
    /// From the template's name alone.
    pub fn by_name(name: &str) -> Option<Self> {
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        let ending = file.rsplit_once('.').map_or("", |(_, ending)| ending);
        match (folder, ending, file) {
            (_, "ipxe", _) => Some(Self::Ipxe),
            (_, "ks", _) => Some(Self::Kickstart),
            (_, "json" | "ign", _) => Some(Self::Json),
            (_, _, "user-data" | "vendor-data") => Some(Self::CloudConfig),
            (_, _, "meta-data" | "network-config") => Some(Self::Yaml),
            (folder, "yaml" | "yml", _) if folder.contains("autoinstall") => Some(Self::CloudConfig),
            (_, "yaml" | "yml", _) => Some(Self::Yaml),
            (_, "preseed", _) => Some(Self::Preseed),
            (folder, "cfg" | "", _) if folder.contains("preseed") => Some(Self::Preseed),
            (folder, "cfg" | "", _) if folder.contains("kickstart") => Some(Self::Kickstart),
            _ => None,
        }
    }

    /// From the name, else from what the text begins with.
    pub fn of(name: &str, text: &str) -> Option<Self> {
        Self::by_name(name).or_else(|| match text {
            text if text.starts_with("#!ipxe") => Some(Self::Ipxe),
            text if text.starts_with("#cloud-config") => Some(Self::CloudConfig),
            text if text.lines().any(|line| line.starts_with("d-i ")) => Some(Self::Preseed),
            _ => None,
        })
    }
}

/// Parses YAML; the finding tells where it is none.
pub fn yaml(name: &str, text: &str) -> Result<Value, Finding> {
    serde_saphyr::from_str(text).map_err(|error| {
        // To YAML a carriage return and some others end a line, too; people count as their editors do.
        let line = error.location().map_or(0, |location| usize::try_from(location.line()).unwrap_or(0)).min(text.split('\n').count());
        // The full message would show the lines around, and with them values.
        finding(Severity::Error, name, line, "yaml", "this is not YAML that can be read", "Indentation and quotes: put values through `| yaml`.")
    })
}

/// Whether it is JSON.
pub fn json(name: &str, text: &str) -> Option<Finding> {
    let error = serde_json::from_str::<serde::de::IgnoredAny>(text).err()?;
    let message = format!("this is not JSON: {}", if error.is_eof() { "it ends too early" } else { "a value, comma or bracket is wrong here" });
    Some(finding(Severity::Error, name, error.line(), "json", message, "Put values through `| json`; a last comma is not allowed."))
}
