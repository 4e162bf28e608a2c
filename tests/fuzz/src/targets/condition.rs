//! The condition of a rule: parsed, checked as when a rule is kept, judged for a machine with facts and for one without.
//!
//! Promised: a mistake is a sentence of bounded length; a rule that passed the check gives what it says or is named as not to be judged;
//! and the second time it gives the same.

use std::sync::{Arc, LazyLock};

use bootwright::{
    model::{Facts, Host, HostId, Rule, Timestamp},
    rules::assign::{self, Rules},
    wire::agent::{Content, read},
};

use crate::feed::Feed;

static FACTS: LazyLock<Facts> = LazyLock::new(|| {
    let report = read::report(include_bytes!("../../../golden/agent/report-facts-1.json")).expect("a report");
    match report.content {
        Content::Facts { facts } => std::sync::Arc::unwrap_or_clone(facts),
        other => panic!("{other:?}"),
    }
});

/// One input.
pub fn check(input: &[u8]) {
    let Some(when) = Feed::new(input).text() else { return };
    let name = "fuzzed".parse().expect("a name");
    let rule = Rule { name, order: 0, when: when.to_owned(), profile: None, params: Default::default(), tags: vec!["given".to_owned()] };
    let mistakes = assign::check(&rule);
    assert!(mistakes.iter().all(|mistake| !mistake.text.is_empty() && mistake.text.len() < 8192), "{mistakes:?}");
    let rules = Rules::new([Arc::new(rule)]);
    for facts in [&FACTS, &Facts::default()] {
        let mut host = Host::new(HostId(uuid::Uuid::nil()), "n1".parse().expect("a name"), Vec::new(), Timestamp::UNIX_EPOCH);
        let mut other = host.clone();
        let trial = rules.assign(&mut host, facts);
        assert_eq!(host.tags.contains(&"given".to_owned()), !trial.holds.is_empty());
        assert!(trial.holds.is_empty() || trial.unjudged.is_empty());
        assert_eq!(rules.assign(&mut other, facts), trial, "another time it comes to something else");
    }
}
