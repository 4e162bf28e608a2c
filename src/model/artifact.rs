//! Artifacts: kernels, initrds and trees that installers need, named `name/version/path`.
//!
//! A version is immutable once it is there; `latest` is not a version but a choice made when a profile is written.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::Name;

/// One file of one version of one artifact: `debian-12/20240211/linux`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArtifactRef {
    /// The artifact.
    pub name: Name,
    /// Its version.
    pub version: Name,
    /// The path below, with forward slashes, without `.` and `..`.
    pub path: String,
}

/// The text is not `name/version/path`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} does not name an artifact's file; write name/version/path, for example debian-12/20240211/linux")]
pub struct NotAnArtifact(pub String);

impl FromStr for ArtifactRef {
    type Err = NotAnArtifact;
    fn from_str(text: &str) -> Result<Self, NotAnArtifact> {
        let bad = || NotAnArtifact(text.chars().take(120).collect());
        let mut parts = text.splitn(3, '/');
        let (Some(name), Some(version), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(bad());
        };
        let part_ok = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', '\0']) && !part.chars().any(char::is_control);
        if path.len() > 1024 || !path.split('/').all(part_ok) {
            return Err(bad());
        }
        Ok(Self { name: name.parse().map_err(|_| bad())?, version: version.parse().map_err(|_| bad())?, path: path.to_owned() })
    }
}

impl fmt::Display for ArtifactRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.name, self.version, self.path)
    }
}

impl TryFrom<String> for ArtifactRef {
    type Error = NotAnArtifact;
    fn try_from(text: String) -> Result<Self, NotAnArtifact> {
        text.parse()
    }
}

impl From<ArtifactRef> for String {
    fn from(artifact: ArtifactRef) -> Self {
        artifact.to_string()
    }
}
