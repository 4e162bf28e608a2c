//! Chains that resolve, chains that do not, and where values come from.
//!
//! Profiles are written as the JSON that a site file has.

use serde_json::json;

use super::*;

fn all(profiles: Value) -> BTreeMap<Name, Arc<Profile>> {
    let list: Vec<Profile> = serde_json::from_value(profiles).unwrap();
    list.into_iter().map(|profile| (profile.name.clone(), Arc::new(profile))).collect()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

#[track_caller]
fn refused(profiles: Value, code: &str, text: &str) {
    let why = profile(&name("a"), &all(profiles)).unwrap_err();
    assert_eq!((why.code(), why.to_string().as_str()), (code, text));
}

#[test]
fn what_a_profile_leaves_out_is_its_parent_s() {
    let found = profile(
        &name("web"),
        &all(json!([
            {"name": "base", "kernel": "d/1/linux", "initrds": ["d/1/i"], "args": "quiet", "documents": {"a": "base/a", "b": "base/b"},
             "deadlines": {"dhcp": {"soft_secs": 1, "hard_secs": 2}, "installing": {"soft_secs": 3, "hard_secs": 4}}, "loop": "halt", "needs": ["d/1/iso"]},
            {"name": "debian", "extends": "base", "documents": {"b": "debian/b"}, "expected_boots": 2, "token_secs": 60},
            {"name": "web", "extends": "debian", "initrds": ["d/1/j"], "disk_boot": "sanboot", "deadlines": {"dhcp": {"soft_secs": 5, "hard_secs": 6}}},
        ])),
    )
    .unwrap();
    assert_eq!(found.chain, [name("base"), name("debian"), name("web")]);
    assert_eq!(found.boot_files(), ["d/1/linux", "d/1/j"]);
    assert_eq!(found.args.as_deref(), Some("quiet"));
    assert_eq!(found.documents.values().collect::<Vec<_>>(), ["base/a", "debian/b"]);
    assert_eq!(found.deadlines.values().map(|one| one.soft_secs).collect::<Vec<_>>(), [5, 3]);
    assert_eq!((found.expected_boots, found.token_secs, found.loop_policy), (2, 60, LoopPolicy::Halt));
    assert_eq!((found.disk_boot, found.needs.len()), (Some(DiskBoot::Sanboot), 1));
}

#[test]
fn a_bare_profile_has_the_defaults() {
    let found = profile(&name("a"), &all(json!([{"name": "a"}]))).unwrap();
    assert_eq!((found.expected_boots, found.token_secs, found.loop_policy), (1, 21600, LoopPolicy::HaltAfter(3)));
    assert_eq!((found.kernel, found.disk_boot), (None, None));
}

#[test]
fn a_chain_that_does_not_resolve_says_where() {
    refused(json!([]), "profile_unknown", "there is no profile a");
    refused(json!([{"name": "a", "extends": "b"}]), "profile_parent_unknown", "profile a extends b, which does not exist");
    refused(json!([{"name": "a", "extends": "a"}]), "profile_ring", "profiles extend each other in a ring: a → a");
    let ring = json!([{"name": "a", "extends": "b"}, {"name": "b", "extends": "c"}, {"name": "c", "extends": "b"}]);
    refused(ring, "profile_ring", "profiles extend each other in a ring: b → c → b");
}

#[test]
fn a_chain_has_a_bound() {
    let chain = |length: usize| {
        let mut list: Vec<Value> = (1..length).map(|i| json!({"name": format!("p{i}"), "extends": format!("p{}", i + 1)})).collect();
        list.push(json!({"name": format!("p{length}")}));
        list.push(json!({"name": "a", "extends": "p1"}));
        Value::from(list)
    };
    assert!(profile(&name("a"), &all(chain(DEPTH))).is_ok());
    refused(chain(DEPTH + 1), "profile_too_deep", "profile a has more than 16 ancestors");
}

fn params_of(json: Value) -> Params {
    serde_json::from_value(json).unwrap()
}

fn example() -> BTreeMap<String, Origin> {
    over_example(|global, network, profile, host| {
        let origins = params(global, Some(network), Some(profile), Some(host));
        let own = host.params.unpack();
        let seen = values(global, Some(network), Some(profile), &own);
        let told = origins.iter().map(|(name, origin)| (name.as_str(), (&origin.value, origin.secret))).collect();
        assert_eq!(seen, told, "templates see what is explained");
        origins
    })
}

fn over_example<R>(look: impl FnOnce(&Params, &Network, &Effective, &Host) -> R) -> R {
    let network: Network = serde_json::from_value(json!({"name": "lab", "subnet": "10.0.0.0/24", "params": {"tz": "CET", "ntp": "n"}})).unwrap();
    let chain =
        all(json!([{"name": "base", "params": {"tz": "B", "root": {"secret": "r1"}}}, {"name": "a", "extends": "base", "params": {"tz": "A"}}]));
    let profile = profile(&name("a"), &chain).unwrap();
    let mut host = crate::rules::session::history::bare_host();
    host.params = (&params_of(json!({"root": "r2", "own": {"x": 1}}))).into();
    look(&params_of(json!({"tz": "UTC", "ntp": "g"})), &network, &profile, &host)
}

#[track_caller]
fn origin(key: &str, want: &str) {
    let all = redacted(&example());
    let one = &all[key];
    let shadows: Vec<_> = one.shadows.iter().map(|shadow| format!("{} {}", shadow.from, shadow.value)).collect();
    assert_eq!(format!("{} {} [{}]", one.from, one.value, shadows.join(", ")), want);
}

#[test]
fn every_value_says_where_it_came_from_and_what_it_replaced() {
    origin("tz", r#"profile a "A" [profile base "B", network lab "CET", global "UTC"]"#);
    origin("ntp", r#"network lab "n" [global "g"]"#);
    origin("own", r#"host n1 {"x":1} []"#);
}

#[test]
fn what_was_secret_once_stays_hidden_though_a_nearer_level_forgot_to_say_so() {
    origin("root", r#"host n1 "(secret)" [profile base "(secret)"]"#);
    assert_eq!(example()["root"].value, "r2");
}
