//! The names that a template may use, as templates/README.md documents them, and a sample of them.
//!
//! One table for the linter and a test of the documentation. Parameters are the site's own: any name is good below `params`.

use serde_json::{Value, json};

/// Names of every template: root, and what is below it (nothing: a plain value or free names).
pub const CONTEXT: &[(&str, &[&str])] = &[
    ("host", &["name", "label", "domain", "fqdn", "mac", "macs", "uuid", "serial", "address"]),
    ("network", &["name", "subnet", "netmask", "prefix", "gateway", "dns", "domain", "ntp"]),
    ("profile", &["name"]),
    ("build", &["id", "kind", "attempt"]),
    ("params", &[]),
    ("server", &["url", "address", "version"]),
    ("session", &[]),
    ("documents", &[]),
    ("callback", &[]),
    ("artifacts", &[]),
];

/// Names that only iPXE templates get.
pub const IPXE_CONTEXT: &[&str] =
    &["plan", "reason", "state", "stage", "time", "page", "kernel", "args", "initrds", "progress", "secs", "retry", "how", "mode", "disks", "image"];

/// A host that has everything but parameters. Its addresses are of RFC 5737's documentation network.
pub fn sample() -> Value {
    json!({
        "host": {"name": "n1.example.net", "label": "n1", "domain": "example.net", "fqdn": "n1.example.net", "mac": "52:54:00:00:00:01",
                 "macs": ["52:54:00:00:00:01"], "uuid": "6902b9f2-f123-cdcd-428f-23a3ef2e4c63", "serial": "SN1", "address": "192.0.2.11"},
        "network": {"name": "sample", "subnet": "192.0.2.0/24", "netmask": "255.255.255.0", "prefix": 24, "gateway": "192.0.2.1",
                    "dns": ["192.0.2.1"], "domain": "example.net", "ntp": ["192.0.2.1"]},
        "profile": {"name": "sample"},
        "build": {"id": "00000000-0000-7000-8000-000000000000", "kind": "install", "attempt": 1},
        "params": {},
        "server": {"url": "http://192.0.2.1", "address": "192.0.2.1", "version": "0"},
        "session": "0000000000000001",
        "documents": "http://192.0.2.1/t/TOKEN.0000000000000001",
        "callback": "http://192.0.2.1/cb/TOKEN.0000000000000001",
        "artifacts": "http://192.0.2.1/artifact",
        "plan": "install", "reason": "a sample", "state": "building", "stage": "dhcp", "time": "2026-01-01T00:00:00Z", "page": "http://192.0.2.1/",
        "kernel": "http://192.0.2.1/artifact/sample/1/linux", "args": "quiet",
        "initrds": [{"name": "initrd.gz", "url": "http://192.0.2.1/artifact/sample/1/initrd.gz"}],
        "progress": "http://192.0.2.1/cb/TOKEN.0000000000000001/progress/kernel",
        "secs": 30, "retry": "http://192.0.2.1/boot.ipxe", "how": "exit", "mode": "register", "disks": 0, "image": "sample",
    })
}
