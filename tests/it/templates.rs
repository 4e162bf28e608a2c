//! Every shipped template rendered for three machines, against golden files, and the linter over all of it.
//!
//! `plain` has nothing but what it needs, `full` sets every parameter, `hostile` puts quotes, dollars and comment marks where they hurt.
//! `UPDATE_GOLDEN=1` rewrites the files; a change of one is reviewed like code.

use std::{fs, path::PathBuf, process::Command};

use bootwright::{
    rules::{
        lint,
        render::{Catalog, FILTERS},
    },
    store::shelf::templates::shipped,
};
use serde_json::{Value, json};

const DOCUMENTS: [&str; 13] = [
    "autoinstall/meta-data",
    "autoinstall/network-config",
    "autoinstall/user-data",
    "autoinstall/vendor-data",
    "ipxe/fault.ipxe",
    "ipxe/hold.ipxe",
    "ipxe/install.ipxe",
    "ipxe/live.ipxe",
    "ipxe/local.ipxe",
    "ipxe/unknown.ipxe",
    "ipxe/wait.ipxe",
    "kickstart/rhel.ks",
    "preseed/debian.cfg",
];

fn catalog() -> Catalog {
    Catalog::new(shipped()).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/templates")
}

/// The context of the contract, around some parameters.
fn context(host: Value, params: Value, firmware: (&str, &str)) -> Value {
    let (how, time) = firmware;
    json!({
        "host": host,
        "network": {"name": "lab", "subnet": "10.77.0.0/24", "netmask": "255.255.255.0", "prefix": 24, "gateway": "10.77.0.1",
                    "dns": ["10.77.0.1"], "domain": "lab.test", "ntp": []},
        "profile": {"name": "rocky-9"},
        "build": {"id": "0190a1b2-c3d4-7e5f-8a6b-1c2d3e4f5a6b", "kind": "reinstall", "attempt": 1},
        "params": params,
        "server": {"url": "http://10.77.0.1", "address": "10.77.0.1", "version": "0.1.0"},
        "session": "00c0ffee00c0ffee",
        "documents": "http://10.77.0.1/t/TOKEN.00c0ffee00c0ffee",
        "callback": "http://10.77.0.1/cb/TOKEN.00c0ffee00c0ffee",
        "artifacts": "http://10.77.0.1/artifact",
        "plan": "install",
        "reason": "build 0190a1b2 is open",
        "state": "building",
        "stage": "ipxe_script_sent",
        "time": time,
        "page": "http://10.77.0.1:8067/hosts/n1",
        "kernel": "http://10.77.0.1/artifact/rocky/9.4/vmlinuz?s=00c0ffee00c0ffee",
        "args": "inst.ks=http://10.77.0.1/t/TOKEN.00c0ffee00c0ffee/ks ip=dhcp\n  BOOTIF=01-${netX/mac:hexhyp} console=ttyS0",
        "initrds": [{"name": "initrd.img", "url": "http://10.77.0.1/artifact/rocky/9.4/initrd.img?s=00c0ffee00c0ffee"}],
        "progress": "http://10.77.0.1/cb/TOKEN.00c0ffee00c0ffee/progress/kernel",
        "secs": 60,
        "retry": "http://10.77.0.1/boot.ipxe?mac=52:54:00:00:00:01&s=00c0ffee00c0ffee",
        "how": how,
        "mode": if firmware.0 == "exit" { "register" } else { "clean" },
        "disks": 2,
        "image": "6.1.0-40-amd64-ab12cd34",
    })
}

fn host(name: &str) -> Value {
    let (label, domain) = name.split_once('.').unwrap_or((name, ""));
    json!({"name": name, "label": label, "domain": domain, "fqdn": name, "mac": "52:54:00:00:00:01", "macs": ["52:54:00:00:00:01"],
           "uuid": null, "serial": null, "address": "10.77.0.11"})
}

fn fixtures() -> [(&'static str, Value); 3] {
    [
        ("plain", context(host("n1.lab.test"), json!({}), ("exit", "2026-03-01T12:00:00Z"))),
        ("full", context(host("n2.lab.test"), full(), ("exit-1", "2026-03-01T12:00:01Z"))),
        ("hostile", hostile()),
    ]
}

fn full() -> Value {
    json!({
        "mirror": "http://10.77.0.1/artifact/os/tree/", "repos": [{"name": "AppStream", "url": "http://10.77.0.1/artifact/os/AppStream/"}],
        "release": 9, "root_password_crypted": "$6$salt$hash./", "ssh_keys": ["ssh-ed25519 AAAA one@example", "ssh-ed25519 BBBB two@example"],
        "users": [{"name": "ops", "password_crypted": "$6$salt$other", "groups": ["users"], "ssh_keys": ["ssh-ed25519 CCCC ops"], "sudo": true}, {"name": "guest"}],
        "timezone": "Europe/Berlin", "ntp": ["10.77.0.1"], "locale": "de_DE.UTF-8", "keyboard": "de",
        "disk": "/dev/vda", "partitioning": "lvm", "kernel_options": "console=ttyS0 quiet", "packages": ["vim", "tmux"], "selinux": "permissive",
        "services": ["chronyd"], "apt_services": ["security"], "post_commands": ["echo hello > /etc/motd", "systemctl enable sshd || true"], "halt_on_lost_callback": true,
        "suite": "bookworm", "proxy": "http://10.77.0.1:3128", "recipe": "home", "efi_removable": true,
        "preseed_lines": ["d-i console-setup/ask_detect boolean false"],
        "user": "admin", "user_password_crypted": "$6$salt$hash", "source": "ubuntu-server-minimal", "updates": "all",
    })
}

fn hostile() -> Value {
    let params = json!({
        "root_password_crypted": "$6$a'b\"$`x`", "ssh_keys": ["ssh-ed25519 AAAA o'neil \"$(reboot)\" # {{ x }}"],
        "keyboard": "us: # no", "kernel_options": "a='b c' \"d\"", "packages": [], "post_commands": ["echo \"it's ${#x} %s\" | cat"],
        "users": [{"name": "x", "ssh_keys": ["k'ey"], "sudo": true}],
    });
    let mut context = context(host("n3"), params, ("sanboot", "2026-03-01T12:00:02Z"));
    context["reason"] = json!("kernel failed: ${net0/mac} || reboot ; # it's\nsecond line é");
    context["build"]["attempt"] = json!(3);
    context["initrds"] = json!([]);
    context["args"] = json!("");
    for absent in ["retry", "progress", "page", "stage", "secs"] {
        context.as_object_mut().unwrap().remove(absent);
    }
    context
}

#[test]
fn every_shipped_document_is_what_was_reviewed() {
    let (catalog, update) = (catalog(), std::env::var_os("UPDATE_GOLDEN").is_some());
    let mut different = Vec::new();
    for (fixture, context) in fixtures() {
        for name in DOCUMENTS {
            let text = catalog.render(name, &context).unwrap_or_else(|fault| panic!("{fixture}: {fault}"));
            let path = root().join(fixture).join(name);
            if update {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, &text).unwrap();
            } else if fs::read_to_string(&path).unwrap_or_default() != text {
                different.push(path.display().to_string());
            }
        }
    }
    assert!(different.is_empty(), "UPDATE_GOLDEN=1 rewrites, then review:\n{}", different.join("\n"));
}

#[test]
fn the_documents_are_all_templates_but_the_parts() {
    let catalog = catalog();
    let whole: Vec<&str> = catalog.names().filter(|name| !name.starts_with("snippets/") && *name != "preseed/late.sh").collect();
    assert_eq!(whole, DOCUMENTS);
}

#[test]
fn the_linter_finds_nothing_in_what_is_shipped() {
    let findings = lint::set(shipped());
    assert!(findings.is_empty(), "{findings:#?}");
    for (fixture, context) in fixtures() {
        for name in DOCUMENTS {
            let findings = lint::document(name, &catalog().render(name, &context).unwrap());
            assert!(findings.is_empty(), "{fixture}: {findings:#?}");
        }
    }
}

#[test]
fn the_readme_names_everything_that_a_template_knows() {
    let readme = fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("templates/README.md")).unwrap();
    let fields = lint::CONTEXT.iter().flat_map(|(root, fields)| fields.iter().chain([root]));
    let missing: Vec<_> = fields.chain(lint::IPXE_CONTEXT).chain(&FILTERS).filter(|name| !readme.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_sample_has_exactly_the_documented_names() {
    let sample = lint::sample();
    let keys = |value: &Value| value.as_object().map(|map| map.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    let mut roots: Vec<&str> = lint::CONTEXT.iter().map(|(root, _)| *root).chain(lint::IPXE_CONTEXT.iter().copied()).collect();
    roots.sort_unstable();
    assert_eq!(keys(&sample), roots);
    for (root, fields) in lint::CONTEXT {
        let mut fields = fields.to_vec();
        fields.sort_unstable();
        assert_eq!(keys(&sample[root]), fields, "{root}");
    }
}

/// The late script reaches the new system through one line of preseed, a continuation, and an `echo` per line.
#[test]
fn the_preseed_writes_the_late_script_unharmed() {
    let catalog = catalog();
    for (fixture, context) in fixtures() {
        let preseed = catalog.render("preseed/debian.cfg", &context).unwrap().replace("\\\n", "");
        let line = preseed.lines().find_map(|line| line.strip_prefix("d-i preseed/late_command string ")).unwrap();
        let (writer, rest) = line.split_once(" > /target/root/bw-late.sh;").unwrap();
        let written = Command::new("sh").args(["-c", writer]).output().unwrap();
        assert_eq!(String::from_utf8(written.stdout).unwrap(), catalog.render("preseed/late.sh", &context).unwrap(), "{fixture}");
        let parses = Command::new("sh").args(["-n", "-c", rest]).status().unwrap();
        assert!(parses.success(), "{fixture}");
    }
}

#[test]
fn rhel_8_gets_its_time_servers_in_its_own_words() {
    let mut context = fixtures()[1].1.clone();
    context["params"]["release"] = json!(8);
    let text = catalog().render("kickstart/rhel.ks", &context).unwrap();
    assert!(text.contains("timezone Europe/Berlin --utc --ntpservers=10.77.0.1\n") && !text.contains("timesource"), "{text}");
}
