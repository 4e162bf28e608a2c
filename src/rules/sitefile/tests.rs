//! Site files and what they come to, as tables: a mistake is `path: text`, a change is `noun name: field before → after`.
//!
//! Most cases change one place of one example and look at what that leads to.

use serde_json::json;

use super::*;
use crate::model::{Lifecycle, Timestamp};

fn example() -> Value {
    json!({
        "globals": {"timezone": "UTC"},
        "networks": [{"name": "lab", "subnet": "10.77.0.0/24", "dhcp": "full", "server": "10.77.0.1", "gateway": "10.77.0.1",
            "pools": [{"first": "10.77.0.100", "last": "10.77.0.200"}], "options": {"12": "x"}}],
        "profiles": [{"name": "debian-12", "kernel": "debian-12/1/linux", "documents": {"preseed.cfg": "preseed/debian.cfg"},
            "params": {"root_password": {"secret": "hush"}}, "loop": {"halt_after": 3}, "expected_boots": 1,
            "deadlines": {"dhcp": {"soft_secs": 60, "hard_secs": 300}}}],
        "hosts": [{"name": "n1", "macs": ["52:54:00:00:00:01"], "network": "lab", "profile": "debian-12", "address": "10.77.0.11"}],
    })
}

/// A site as an applied file leaves it.
#[derive(Default)]
struct World {
    globals: Params,
    networks: BTreeMap<Name, Arc<Network>>,
    profiles: BTreeMap<Name, Arc<Profile>>,
    rules: BTreeMap<Name, Arc<Rule>>,
    hosts: Vec<Arc<Host>>,
}

impl World {
    fn current(&self) -> Current<'_> {
        Current { globals: &self.globals, networks: &self.networks, profiles: &self.profiles, rules: &self.rules, hosts: &self.hosts }
    }

    fn plan(&self, document: Value) -> Result<Plan, Vec<Invalid>> {
        plan(&read(document)?, &self.current())
    }

    fn apply(mut self, document: Value) -> Self {
        for edit in self.plan(document).unwrap().edits {
            match edit {
                Edit::Globals(globals) => self.globals = globals,
                Edit::Network(network) => drop(self.networks.insert(network.name.clone(), network)),
                Edit::NoNetwork(name) => drop(self.networks.remove(&name)),
                Edit::Profile(profile) => drop(self.profiles.insert(profile.name.clone(), profile)),
                Edit::NoProfile(name) => drop(self.profiles.remove(&name)),
                Edit::Rule(rule) => drop(self.rules.insert(rule.name.clone(), rule)),
                Edit::NoRule(name) => drop(self.rules.remove(&name)),
                Edit::NewHost(name, wanted) => {
                    let id = HostId(uuid::Uuid::from_u128(self.hosts.len() as u128 + 1));
                    let mut host = Host::new(id, name, Vec::new(), Timestamp::UNIX_EPOCH);
                    wanted.apply_to(&mut host);
                    self.hosts.push(Arc::new(host));
                }
                Edit::Host(id, wanted) => {
                    let host = self.hosts.iter_mut().find(|host| host.id == id).unwrap();
                    wanted.apply_to(Arc::make_mut(host));
                }
                Edit::NoHost(id) => self.hosts.retain(|host| host.id != id),
            }
        }
        self
    }
}

/// Changes one place of the example, by JSON pointer; a missing last key is added.
fn with(pointer: &str, value: Value) -> Value {
    let mut document = example();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap() {
        Value::Array(items) if key == "-" => items.push(value),
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        Value::Object(map) => drop(map.insert(key.to_owned(), value)),
        other => panic!("{other} has no {key}"),
    }
    document
}

#[track_caller]
fn wrong(pointer: &str, value: Value, path: &str, part: &str) {
    let found = World::default().plan(with(pointer, value)).unwrap_err();
    assert!(found.iter().any(|one| one.path == path && one.text.contains(part)), "wanted {path}: …{part}…, got {found:#?}");
}

#[track_caller]
fn changes(world: &World, document: Value, want: &[&str]) {
    let plan = world.plan(document).unwrap();
    let line = |one: &Difference| {
        let fields: Vec<_> = one.fields.iter().map(|field| format!("{} {} → {}", field.path, field.before, field.after)).collect();
        format!("{:?} {:?} {}: {}", one.change, one.noun, one.name, fields.join("; "))
    };
    assert_eq!(plan.differences.iter().map(line).collect::<Vec<_>>(), want);
    assert_eq!(plan.edits.len(), plan.differences.len());
}

#[test]
fn applying_twice_changes_nothing() {
    let world = World::default().apply(example());
    assert_eq!((world.networks.len(), world.profiles.len(), world.hosts.len()), (1, 1, 1));
    changes(&world, example(), &[]);
}

#[test]
fn a_new_site_is_created_thing_by_thing_and_its_secrets_stay_hidden() {
    let plan = World::default().plan(example()).unwrap();
    let verbs: Vec<_> = plan.differences.iter().map(|one| (one.noun, one.change)).collect();
    let created = Change::Create;
    assert_eq!(verbs, [(Noun::Globals, Change::Change), (Noun::Network, created), (Noun::Profile, created), (Noun::Host, created)]);
    let shown = serde_json::to_string(&plan.differences).unwrap();
    assert!(!shown.contains("hush") && shown.contains("(secret)"), "{shown}");
}

#[test]
fn a_change_is_shown_field_by_field() {
    let world = World::default().apply(example());
    changes(&world, with("/networks/0/lease_secs", json!(600)), &["Change Network lab: lease_secs 3600 → 600"]);
    changes(&world, with("/globals/timezone", json!("CET")), &[r#"Change Globals globals: params.timezone "UTC" → "CET""#]);
    changes(&world, with("/hosts/0/address", json!("10.77.0.12")), &[r#"Change Host n1: address "10.77.0.11" → "10.77.0.12""#]);
    changes(
        &world,
        with("/profiles/0/params/root_password", json!({"secret": "new"})),
        &[r#"Change Profile debian-12: params.root_password "(secret)" → "(another secret)""#],
    );
}

#[test]
fn what_a_host_does_not_say_stays_and_null_clears() {
    let mut world = World::default().apply(example());
    Arc::make_mut(&mut world.hosts[0]).serial = Some("S1".to_owned());
    changes(&world, json!({"hosts": [{"name": "n1"}]}), &[]);
    changes(&world, json!({"hosts": [{"name": "n1", "serial": null}]}), &[r#"Change Host n1: serial "S1" → null"#]);
}

#[test]
fn nothing_is_deleted_unless_it_is_pruned() {
    let world = World::default().apply(example());
    changes(&world, json!({}), &[]);
    changes(&world, json!({"networks": null}), &[]);
    let all = ["Delete Host n1: ", "Delete Network lab: ", "Delete Profile debian-12: "];
    changes(&world, json!({"prune": true}), &all);
}

#[test]
fn pruning_never_takes_a_host_that_is_used() {
    let mut world = World::default().apply(example());
    Arc::make_mut(&mut world.hosts[0]).lifecycle = Lifecycle::Used;
    let found = world.plan(json!({"prune": true})).unwrap_err();
    assert_eq!((found[0].path.as_str(), found.len()), ("prune", 1));
    assert!(found[0].text.contains("host n1 is used"), "{}", found[0]);
}

#[test]
fn a_prune_and_a_removal_keep_the_same_hosts() {
    for lifecycle in [Lifecycle::New, Lifecycle::Unavailable, Lifecycle::Available, Lifecycle::Provisioning, Lifecycle::UsedRegistering] {
        let mut world = World::default().apply(example());
        Arc::make_mut(&mut world.hosts[0]).lifecycle = lifecycle.clone();
        let removed = crate::rules::removal::decide(&world.hosts[0], "n1");
        assert_eq!(world.plan(json!({"prune": true})).is_ok(), removed.is_ok(), "{lifecycle:?}");
    }
}

#[test]
fn pruning_never_takes_the_profile_of_an_open_build() {
    let mut world = World::default().apply(example());
    let mut build = crate::rules::session::history::open_build();
    build.profile = "debian-12".parse().unwrap();
    let host = Arc::make_mut(&mut world.hosts[0]);
    (host.lifecycle, host.build) = (Lifecycle::Provisioning, Some(build));
    let kept = json!({"prune": true, "networks": example()["networks"], "hosts": [{"name": "n1", "profile": null}]});
    let found = world.plan(kept).unwrap_err();
    assert_eq!((found[0].path.as_str(), found.len()), ("prune", 1));
    assert!(found[0].text.contains("debian-12 is being installed on host n1"), "{}", found[0]);
}

#[test]
fn a_network_does_not_shrink_away_from_a_host_outside_the_file() {
    let world = World::default().apply(example());
    let mut network = example()["networks"][0].clone();
    network["subnet"] = json!("10.77.0.64/26");
    for field in ["pools", "gateway"] {
        network.as_object_mut().unwrap().remove(field);
    }
    let found = world.plan(json!({"networks": [network]})).unwrap_err();
    assert_eq!(found[0].to_string(), "networks[0].subnet: 10.77.0.64/26 would no longer hold 10.77.0.11 of host n1");
}

/// One host laid over a world with n1 and n2: the first mistake, or the changes.
#[track_caller]
fn one(over: impl Fn(&World) -> Over, fields: Value, want: &str) {
    let mut document = example();
    document["hosts"].as_array_mut().unwrap().push(json!({"name": "n2", "macs": ["52:54:00:00:00:02"]}));
    let world = World::default().apply(document);
    let host = SiteHost { over: over(&world), ..serde_json::from_value(fields).unwrap() };
    let said = match plan(&Site { hosts: vec![host], ..Site::default() }, &world.current()) {
        Err(wrong) => wrong[0].to_string(),
        Ok(plan) => plan.differences.iter().map(|one| format!("{:?} {}", one.change, one.name)).collect::<Vec<_>>().join("; "),
    };
    assert!(said.contains(want), "wanted {want}, got {said}");
}

#[test]
fn one_host_is_renamed_only_by_its_record_and_made_only_if_it_is_new() {
    let first = |world: &World| Over::Record(world.hosts[0].id);
    let nobody = |_: &World| Over::Record(HostId(uuid::Uuid::nil()));
    let nothing = |_: &World| Over::Nothing;
    one(first, json!({"name": "n9"}), "Change n9");
    one(first, json!({"tags": ["x"]}), "Change n1");
    one(first, json!({"name": "n2"}), "hosts[0].name: n2 is the name of host n2");
    one(first, json!({"macs": ["52:54:00:00:00:02"]}), "belongs to host n2");
    one(nobody, json!({"name": "n9", "macs": ["52:54:00:00:00:09"]}), "hosts[0].name");
    one(nothing, json!({"name": "n9", "macs": ["52:54:00:00:00:09"]}), "Create n9");
    one(nothing, json!({"name": "n1", "macs": ["52:54:00:00:00:09"]}), "hosts[0].name: n1 is the name of host n1");
    one(nothing, json!({"macs": ["52:54:00:00:00:09"]}), "hosts[0].name: a new host needs a name");
}

#[test]
fn what_a_host_needs_must_stay() {
    let world = World::default().apply(example());
    let mut kept = example();
    kept.as_object_mut().unwrap().extend([("prune".to_owned(), json!(true)), ("networks".to_owned(), json!([]))]);
    let found = world.plan(kept).unwrap_err();
    assert_eq!(found[0].to_string(), "hosts[0].network: there is no network lab");
}

#[test]
fn a_mistake_is_named_by_its_path() {
    wrong("/hosts/0/macs/0", json!("52:54:00:00:00"), "hosts[0].macs[0]", "is not a MAC address");
    wrong("/hosts/0/colour", json!("red"), "hosts[0].colour", "unknown field");
    wrong("/networks/0/subnet", json!("10.77.0.0/33"), "networks[0].subnet", "");
    wrong("/networks/0/pools/0/last", json!("x"), "networks[0].pools[0].last", "");
    wrong("/profiles/0/kernel", json!("linux"), "profiles[0].kernel", "does not name an artifact");
    wrong("/hosts", json!({}), "hosts", "must be a list");
    wrong("/servers", json!([]), "servers", "unknown section");
    wrong("/", json!([]), "(document)", "without a name");
    assert_eq!(read(json!([])).unwrap_err()[0].path, "(document)");
}

#[test]
fn every_element_with_a_mistake_is_reported() {
    let document = json!({"hosts": [{"name": "a b"}, {"name": "n2", "macs": ["x"]}, {"macs": []}]});
    let paths: Vec<_> = read(document).unwrap_err().into_iter().map(|one| one.path).collect();
    assert_eq!(paths, ["hosts[0].name", "hosts[1].macs[0]", "hosts[2]"]);
}

#[test]
fn what_can_be_there_once_is_not_there_twice() {
    let twin = |changes: Value| {
        let mut host = json!({"name": "n2", "macs": ["52:54:00:00:00:02"], "network": "lab"});
        host.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        host
    };
    wrong("/hosts/-", twin(json!({"name": "n1"})), "hosts[1].name", "hosts[0]");
    wrong("/hosts/-", twin(json!({"macs": ["52-54-00-00-00-01"]})), "hosts[1].macs[0]", "belongs to hosts[0] (n1)");
    wrong("/hosts/-", twin(json!({"address": "10.77.0.11"})), "hosts[1].address", "reserved for hosts[0]");
    wrong("/hosts/0/macs", json!(["52:54:00:00:00:01", "52:54:00:00:00:01"]), "hosts[0].macs[1]", "twice");
    wrong("/networks/-", json!({"name": "lab", "subnet": "10.1.0.0/24"}), "networks[1].name", "networks[0]");
    wrong("/profiles/-", json!({"name": "debian-12"}), "profiles[1].name", "profiles[0]");
}

#[test]
fn a_mac_of_a_host_outside_the_file_is_taken_and_a_swap_inside_it_is_not() {
    let world = World::default().apply(example());
    let found = world.plan(json!({"hosts": [{"name": "n9", "macs": ["52:54:00:00:00:01"]}]})).unwrap_err();
    assert_eq!(found[0].to_string(), "hosts[0].macs[0]: 52:54:00:00:00:01 belongs to host n1, which is not in this file");
    let swap = json!({"hosts": [{"name": "n9", "macs": ["52:54:00:00:00:01"]}, {"name": "n1", "macs": ["52:54:00:00:00:02"]}]});
    assert!(world.plan(swap).is_ok());
}

#[test]
fn names_of_things_that_do_not_exist_are_found() {
    wrong("/hosts/0/network", json!("nowhere"), "hosts[0].network", "there is no network nowhere");
    wrong("/hosts/0/profile", json!("nothing"), "hosts[0].profile", "there is no profile nothing");
    wrong("/networks/0/profile", json!("nothing"), "networks[0].profile", "there is no profile nothing");
    wrong("/profiles/0/extends", json!("nothing"), "profiles[0].extends", "extends nothing, which does not exist");
    wrong("/profiles/0/extends", json!("debian-12"), "profiles[0].extends", "ring");
}

#[test]
fn addresses_must_fit_their_subnet() {
    wrong("/networks/0/subnet", json!("10.77.0.5/24"), "networks[0].subnet", "write 10.77.0.0/24");
    wrong("/networks/0/gateway", json!("10.78.0.1"), "networks[0].gateway", "10.77.0.0/24");
    wrong("/networks/0/pools/0", json!({"first": "10.77.0.200", "last": "10.77.0.100"}), "networks[0].pools[0]", "behind");
    wrong("/networks/0/pools/0", json!({"first": "10.77.0.200", "last": "10.77.1.10"}), "networks[0].pools[0]", "not within");
    wrong("/networks/0/pools/0", json!({"first": "10.77.0.200", "last": "10.77.0.255"}), "networks[0].pools[0]", "not within");
    wrong("/networks/0/pools/0", json!({"first": "10.77.0.1", "last": "10.77.0.9"}), "networks[0].pools[0]", "cannot be lent");
    wrong("/networks/0/pools/-", json!({"first": "10.77.0.150", "last": "10.77.0.250"}), "networks[0].pools[1]", "pools[0]");
    wrong("/networks/-", json!({"name": "wide", "subnet": "10.0.0.0/8"}), "networks[1].subnet", "overlaps 10.77.0.0/24 of network lab");
    wrong("/hosts/0/address", json!("10.78.0.11"), "hosts[0].address", "no host's address in network lab");
    wrong("/hosts/0/address", json!("10.77.0.1"), "hosts[0].address", "server's own");
    wrong("/hosts/-", json!({"name": "n3", "macs": ["52:54:00:00:00:03"], "address": "9.9.9.9"}), "hosts[1].address", "in no network");
}

#[test]
fn other_values_that_cannot_be_meant_are_found() {
    wrong("/hosts/0/macs", json!([]), "hosts[0].macs", "at least one");
    wrong("/networks/0/lease_secs", json!(5), "networks[0].lease_secs", "less than a minute");
    wrong("/networks/0/options", json!({"53": "0x05"}), "networks[0].options.53", "option 53");
    wrong("/networks/0/options", json!({"252": "0xzz"}), "networks[0].options.252", "0xzz");
    wrong("/profiles/0/expected_boots", json!(0), "profiles[0].expected_boots", "from 1");
    wrong("/profiles/0/deadlines/dhcp/soft_secs", json!(301), "profiles[0].deadlines.dhcp", "overdue after 301 s");
}

#[test]
fn rules_are_written_changed_and_pruned_like_every_noun() {
    let rule = |order: i32| json!({ "name": "dell", "order": order, "when": "facts.system.vendor == 'Dell Inc.'", "profile": "debian-12" });
    let with = |rules: Value| {
        let mut document = example();
        document["rules"] = rules;
        document
    };
    let world = World::default().apply(with(json!([rule(1)])));
    let told = |document: Value| -> Vec<String> {
        let plan = world.plan(document).unwrap();
        plan.differences.iter().map(|one| format!("{:?} {:?} {} {}", one.change, one.noun, one.name, one.fields.len())).collect()
    };
    assert_eq!(told(with(json!([rule(1)]))), [] as [&str; 0]);
    assert_eq!(told(with(json!([rule(2)]))), ["Change Rule dell 1"]);
    let mut without = example();
    assert_eq!(told(without.clone()), [] as [&str; 0]);
    without["prune"] = json!(true);
    assert_eq!(told(without), ["Delete Rule dell 0"]);
}

#[test]
fn a_rule_with_a_mistake_is_named_by_its_place() {
    let wrong = |rule: Value| {
        let mut document = example();
        document["rules"] = json!([rule]);
        World::default().plan(document).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    let begins = |rule: Value, want: &str| {
        let told = wrong(rule);
        assert!(told.starts_with(want), "{told}");
    };
    begins(json!({ "name": "a", "when": "facts.cpu.cores >", "tags": ["x"] }), "rules[0].when: rule a: ");
    begins(json!({ "name": "a", "when": "true", "profile": "gone" }), "rules[0].profile: there is no profile gone");
    begins(json!({ "name": "a", "when": "true" }), "rules[0]: it gives nothing");
    begins(json!({ "name": "try", "when": "true", "tags": ["x"] }), "rules[0].name: ");
    begins(json!({ "name": "a", "when": "true", "tag": "x" }), "rules[0].tag: unknown field");
    let mut document = example();
    document["rules"] = (0..257).map(|n| json!({ "name": format!("r{n}"), "when": "true", "tags": ["x"] })).collect();
    let told = World::default().plan(document).unwrap_err();
    assert!(told.len() == 1 && told[0].path == "rules" && told[0].text.contains("257"), "{told:?}");
}

#[test]
fn a_profile_that_a_rule_gives_is_not_pruned_from_under_it() {
    let mut with = example();
    with["rules"] = json!([{ "name": "dell", "when": "true", "profile": "debian-12" }]);
    let world = World::default().apply(with.clone());
    with["profiles"] = json!([]);
    with["hosts"] = json!([]);
    with["prune"] = json!(true);
    let told: Vec<String> = world.plan(with).unwrap_err().iter().map(|wrong| wrong.path.clone()).collect();
    assert!(told.contains(&"rules[0].profile".to_owned()), "{told:?}");
}

#[test]
fn a_network_s_naming_is_a_pattern() {
    let mut document = example();
    document["networks"][0]["naming"] = json!("srv-{rack}");
    let told = World::default().plan(document).unwrap_err();
    assert_eq!(told[0].to_string(), "networks[0].naming: {rack} is not known; there are {mac}, {serial}, {uuid} and {number}");
}
