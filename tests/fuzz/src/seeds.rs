//! The first inputs of each target: captured packets, the agent's goldens, the shipped templates and what they render to, the example site;
//! and lines that show a format's corners.
//!
//! Read from where they lie, so that a new golden is a new seed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bootwright::model::{Host, HostId, Timestamp};
use serde_json::json;

use crate::{feed::chunk, targets::template::NAMES};

/// The seeds of a target.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    match target {
        "dhcp" => files("tests/golden/pcaps", "pcap").iter().map(|path| dhcp(path)).collect(),
        "tftp" => tftp(),
        "desk" => desk(),
        "agent" => agent(),
        "callback" => lines(CALLBACKS),
        "http" => lines(HTTP),
        "words" => lines(WORDS),
        "site" => vec![read("docs/site.example.yaml"), SITE.as_bytes().to_vec(), SITE_JSON.as_bytes().to_vec()],
        "config" => vec![CONFIG.as_bytes().to_vec(), b"[admin]\nlisten = '[::1]:443'\n".to_vec()],
        "template" => templates("templates"),
        "document" => templates("tests/golden/templates"),
        "quoting" => quoting(),
        "condition" => lines(CONDITIONS),
        "record" => records(),
        other => panic!("no seeds for {other}"),
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> Vec<u8> {
    fs::read(root().join(path)).unwrap_or_else(|fault| panic!("{path}: {fault}"))
}

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|fault| panic!("{}: {fault}", folder.display())).flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Ports and payloads of a pcap file's UDP packets (little-endian, Ethernet, IPv4).
fn packets(path: &Path) -> Vec<(u16, u16, Vec<u8>)> {
    let bytes = fs::read(path).unwrap_or_default();
    let mut rest = bytes.get(24..).unwrap_or_default();
    let mut all = Vec::new();
    while let Some((header, tail)) = rest.split_at_checked(16) {
        let len = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
        let Some((frame, tail)) = tail.split_at_checked(len) else { break };
        rest = tail;
        let Ok(sliced) = etherparse::SlicedPacket::from_ethernet(frame) else { continue };
        if let (Some(etherparse::NetSlice::Ipv4(_)), Some(etherparse::TransportSlice::Udp(udp))) = (sliced.net, sliced.transport) {
            all.push((udp.source_port(), udp.destination_port(), udp.payload().to_vec()));
        }
    }
    all
}

/// Every request of a capture, a second apart.
fn dhcp(path: &Path) -> Vec<u8> {
    let is_proxy = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("proxy"));
    let mut input = vec![u8::from(is_proxy), 1];
    for (_, port, payload) in packets(path).into_iter().filter(|(_, port, payload)| [67, 4011].contains(port) && payload.first() == Some(&1)) {
        input.extend([1, u8::from(port == 4011)]);
        input.extend(chunk(&payload));
    }
    input
}

fn tftp() -> Vec<Vec<u8>> {
    let captured = files("tests/golden/pcaps", "pcap").into_iter().flat_map(|path| packets(&path)).filter(|(_, port, _)| *port == 69);
    let mut inputs: Vec<Vec<u8>> = captured.map(|(_, _, payload)| payload).collect();
    inputs.sort();
    inputs.dedup();
    inputs.extend(
        [&b"\0\x03\0\x01data"[..], b"\0\x04\xff\xff", b"\0\x05\0\x08User aborted\0", b"\0\x06blksize\x001468\0timeout\x006\0"].map(<[u8]>::to_vec),
    );
    inputs.extend([&b"\0\x02up\0netascii\0"[..], b"01-52-54-00-ab-cd-ef/a\\b", b"../etc/passwd", b"a\r\nb\r\0\xff"].map(<[u8]>::to_vec));
    inputs
}

/// A journey with a probe, windows, a repeated ACK, a loss and a stop.
fn desk() -> Vec<Vec<u8>> {
    let read = |options: &str| [&[0, 1][..], &chunk(format!("\0\x01a\0octet\0{options}").as_bytes())].concat();
    let (found, send, ack) = ([4, 0x10, 0], [7], |block: u8| [1, 1, 0, block]);
    let head = [0, 64, 4, 4, 4, 1];
    let plain = [&head[..], &read(""), &found, &send, &ack(1), &send, &[2, 200], &send, &ack(2), &ack(1), &[3, 40], &send].concat();
    let windows =
        [&head[..], &read("blksize\x0064\0windowsize\x004\0tsize\x000\0"), &found, &send, &ack(0), &send, &ack(4), &ack(4), &send, &ack(6), &send]
            .concat();
    let probe = [&head[..], &read("tsize\x000\0"), &found, &send, &[0, 1], &chunk(b"\0\x05\0\x08probed\0"), &read(""), &[5], &send].concat();
    let stopped = [&head[..], &read("timeout\x001\0"), &found, &[6, 1], &read(""), &[8, 255], &send, &read("")].concat();
    let text = [&head[..], &[0, 2], &chunk(b"\0\x01a\0netascii\0"), &found, &send].concat();
    vec![plain, windows, probe, stopped, text]
}

fn agent() -> Vec<Vec<u8>> {
    let which = |path: &Path| {
        ["hello", "heartbeat", "report"].into_iter().position(|kind| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(kind)))
    };
    let golden = files("tests/golden/agent", "json");
    golden.iter().filter_map(|path| Some([&[which(path)? as u8][..], &fs::read(path).unwrap_or_default()].concat())).collect()
}

/// Each with the number of the name that decides what it is taken for.
fn templates(folder: &str) -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    for path in files(folder, "") {
        let Ok(text) = fs::read(&path) else { continue };
        let path = path.to_string_lossy();
        let which = NAMES.iter().position(|name| name.split_once('/').is_some_and(|(family, _)| path.contains(family))).unwrap_or(0);
        inputs.push([&[which as u8][..], &text].concat());
    }
    inputs.extend(lines(TEMPLATES));
    inputs
}

fn quoting() -> Vec<Vec<u8>> {
    let values = ["", "plain", "a'b \"c\" <&>$\\", "x\ny", "${net0/mac} || ; # –", "\u{85}\u{2028}\u{feff}é\t", "if", "%end", "- a: [b, {c: d}]"];
    (0..8).flat_map(|filter| values.map(|value| [&[filter][..], value.as_bytes()].concat())).collect()
}

fn records() -> Vec<Vec<u8>> {
    let facts: serde_json::Value = serde_json::from_slice(&read("tests/golden/agent/report-facts-1.json")).unwrap_or_default();
    let mac = "52:54:00:00:00:01".parse().into_iter().collect();
    let host = Host::new(HostId(uuid::Uuid::from_u128(7)), "n1".parse().expect("a name"), mac, Timestamp::UNIX_EPOCH);
    let mut host = serde_json::to_value(host).unwrap_or_default();
    host["facts"] = facts["facts"].clone();
    let at = "2026-01-02T03:04:05Z";
    let first = json!({"seq": 1, "at": at, "actor": {"who": "system"}, "what": {"kind": "created"}, "text": "made", "version": 1,
        "patch": [{"op": "replace", "path": "", "value": {"name": "n1", "tags": []}}]});
    let second = json!({"seq": 2, "at": at, "actor": {"who": "operator", "name": "a", "role": "admin"}, "what": {"kind": "edited", "fields": ["tags"]}, "text": "t", "version": 2,
        "patch": [{"op": "add", "path": "/tags/0", "value": "x"}, {"op": "test", "path": "/name", "value": "n1"}, {"op": "remove", "path": "/name"}]});
    let manifest = json!({"format": 1, "version": "6.1", "architecture": "x86_64", "protocol": 1, "agent": "0.1.0", "kernel": "6.1", "packages": {"a": "1"},
        "files": {"vmlinuz": {"sha256": "0".repeat(64), "size_bytes": 6}, "initrd": {"sha256": "0".repeat(64), "size_bytes": 9}}});
    let numbered = |which: u8, json: &serde_json::Value| [&[which][..], json.to_string().as_bytes()].concat();
    vec![
        numbered(0, &host),
        numbered(1, &json!([first, second])),
        numbered(
            2,
            &json!({"network": "lab", "address": "10.77.0.9", "mac": "52:54:00:00:00:01", "state": "bound", "expires": at, "client_name": "n1"}),
        ),
        numbered(
            4,
            &json!({"name": "lab", "subnet": "10.77.0.0/24", "dhcp": "full", "pools": [{"first": "10.77.0.9", "last": "10.77.0.99"}], "options": {"209": "x"}}),
        ),
        numbered(
            5,
            &json!({"name": "debian", "kernel": "debian/12/linux", "initrds": ["debian/12/initrd"], "args": "quiet", "documents": {"preseed": "preseed/debian.cfg"}}),
        ),
        numbered(6, &json!({"name": "r", "when": "true", "tags": ["a"], "params": {"p": {"secret": 1}}})),
        [b"\x08", host.to_string().as_bytes(), b"\n", json!({"name": "n2", "tags": [1, [2, {"/~": null}]]}).to_string().as_bytes()].concat(),
        numbered(9, &manifest),
    ]
}

/// One input per line; `\` and a letter or two digits as in Rust.
fn lines(text: &[&[u8]]) -> Vec<Vec<u8>> {
    text.iter().map(|line| line.to_vec()).collect()
}

const CALLBACKS: &[&[u8]] = &[
    b"\0started\n",
    b"\x01progress/installing\nhalf way\r\nthere\x1b[31m",
    b"\x02failed\ntext=it+broke%0aat+3%25",
    b"\x02log\na=1&b=%c3%a9&pub_key_rsa=x",
    b"\x03built\n{\"message\": \"done\", \"more\": [1, 2]}",
    b"\x04log\n[\"a\", {\"b\": null}]",
    b"\0events\n{\"name\": \"subiquity/Install/install/curtin_install/cmd-install/stage-late\", \"event_type\": \"finish\", \"result\": \"FAIL\", \"files\": [{\"path\": \"/var/log/x\", \"content\": \"aGVsbG8K\", \"encoding\": \"base64\"}]}",
    b"\0events\n{\"name\": \"cmd-install\", \"result\": \"FAIL\", \"description\": \"x\"}",
    b"\0/firstboot/\n",
    b"\0reboot\n",
    b"\0nothing/of/this\n",
];
const HTTP: &[&[u8]] = &[
    b"\0\0\x0abytes=2-5",
    b"\0\0\x0abytes=-3",
    b"\0\0\x0abytes= 9 - ",
    b"\0\xff\xffbytes=0-99999999999999999999",
    b"\0\0\0bytes=0-0,2-3",
    b"\x01\0\0abcdefghijklmnopqrstuvwxyz",
    b"\x01\0\0abcdefghijklmnop.00000000000000ff",
    b"\x02\0\0debian-12/20240211/boot/linux",
    b"\x02\0\0a/b/../c",
];
const WORDS: &[&[u8]] = &[
    b"\0\x0052:54:00:AB:cd:ef",
    b"\0\x0001-52-54-00-ab-cd-ef",
    b"\0\0 5254.00ab.cdef ",
    b"\x01\0Rack1-n2.example.net",
    b"\x02\0debian-12_a.b",
    b"\x03\x006902b9f2-f123-cdcd-428f-23a3ef2e4c63",
    b"\x04\x000123456789abcdef",
    b"\x05\0debian-12/1/linux",
    b"\x06\0urn:uuid:6902b9f2-f123-cdcd-428f-23a3ef2e4c63",
    b"\x07\xd10x0a:4D_00",
    b"\x07\x0ftext",
    b"\x08\0rack-{serial}-{number}.{mac}",
    b"\x08\0{uuid}",
    b"\x09\0{\"first\": \"10.0.0.1\", \"last\": \"10.0.0.9\"}",
];
const CONDITIONS: &[&[u8]] = &[
    b"facts.system.vendor == \"Dell Inc.\" and facts.disks|length >= 2",
    b"facts.disks | selectattr('rotational') | map(attribute='size_bytes') | sum > 10 ** 12",
    b"host.name.startswith('n') or 'web' in host.tags",
    b"facts.bmc and facts.bmc.firmware is defined",
    b"(facts.memory.total_bytes // 2 ** 30) in range(1, 65)",
    b"facts.nics[0].mac[:8] | upper ~ 'x' * 3 == '%s' | format('a')",
    b"facts.cpu.sockts > 1",
    b"[1,2,3][::-1] | batch(2) | list | tojson | replace('1', '22') | indent(4) | length",
    b"dict(a=1)['a'] if facts.tpm else namespace(x=2).x",
];
const TEMPLATES: &[&[u8]] = &[
    b"\0{% for a in params.words recursive %}{{ loop.index }}{{ a | sh }}{% else %}x{% endfor %}",
    b"\0{% from 'snippets/other' import m %}{{ m(params.number) }}{% include 'snippets/other' %}{% raw %}{{ }}{% endraw %}",
    b"\0{% set x = namespace(n=0) %}{% call(y) m() %}{{ y }}{% endcall %}{% filter upper %}a{% endfilter %}{% block b %}{% endblock %}",
    b"\0{{ 'x' * 1000 ~ ('%s' | format(1)) }}{{ 'a\nb' | indent(9999) }}{{ range(10) | slice(3) | list }}{{ params.map | items | tojson }}",
    b"\x01#!ipxe\n:again\necho {{ host.name | ipxe }} || goto again\nset x ${net0/mac}\ngoto again\n",
    b"\0{# ${#array[@]} #}{{- host['name'][1:-1] -}}{% if a is not defined %}{% endif %}{{ fail('no ' ~ params.number) }}",
];
const SITE: &str = "globals: {timezone: UTC, root: {secret: x}}\nnetworks:\n- &a {name: lab, subnet: 10.77.0.0/24, dhcp: full, pools: [{first: 10.77.0.9, last: 10.77.0.99}], options: {209: x}}\nprofiles:\n- name: debian\n  kernel: debian-12/1/linux\nrules:\n- {name: r, when: 'facts.disks|length > 1', profile: debian, tags: [t]}\nhosts:\n- name: n1.lab\n  macs: [52-54-00-00-00-01]\n  address: 10.77.0.9\n  network: lab\n  uuid: null\nprune: yes\n";
const SITE_JSON: &str = r#"{"networks": [{"name": "a", "subnet": "10.0.0.0/8"}], "hosts": [{"name": "n", "macs": ["525400000001"], "tags": ["x"], "params": {"a": [1.5, null]}}]}"#;
const CONFIG: &str = "state_dir = '/srv/state'\n[boot]\nlisten = '0.0.0.0:80'\nurl = 'http://boot.lab'\n[admin]\nlisten = '0.0.0.0:8067'\ntls_cert = 'c'\ntls_key = \"k\"\n[dhcp]\ninterfaces = ['br0', \"\"\"eth0\"\"\"]\nreply = 'broadcast'\n[tftp]\nmax_block = 1_468\nmax_window = 0x10\n[paths]\nloaders = []\n[limits]\nhttp_connections = 9\n";
