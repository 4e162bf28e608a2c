//! A template of a site's folder: parsed, looked through by the linter, rendered for the sample host, and for one with a secret.
//!
//! ```text
//!   name  text
//! ```
//! Promised: every fault has a place inside the text and never the value of a variable; a document is bounded, and the same twice.

use bootwright::{
    model::{Source, Sources, TemplateFault, TemplateOrigin},
    rules::{
        lint,
        render::{Catalog, OUTPUT_LIMIT_BYTES, tags},
    },
};

use crate::feed::Feed;

/// A template's name decides what its document is checked for.
pub const NAMES: [&str; 6] = ["t", "ipxe/install.ipxe", "kickstart/site.ks", "preseed/site.cfg", "autoinstall/user-data", "snippets/site.sh"];
/// No word of a template, and none of the engine's.
const SECRET: &str = "Xq7vRz2k";

/// One input.
pub fn check(input: &[u8]) {
    let mut feed = Feed::new(input);
    let name = NAMES[usize::from(feed.byte()) % NAMES.len()];
    let Some(text) = feed.text() else { return };
    let other = Source { text: "{% macro m(x) %}{{ x }}{% endmacro %}{{ params.words | default('') }}".to_owned(), origin: TemplateOrigin::Shipped };
    let own = Source { text: text.to_owned(), origin: TemplateOrigin::Site("site".to_owned()) };
    let sources = Sources::from([(name.to_owned(), own), ("snippets/other".to_owned(), other)]);
    let _ = (tags::links(text), tags::unclosed_comment(text));
    let catalog = match Catalog::new(sources) {
        Ok(catalog) => catalog,
        Err(faults) => return faults.iter().for_each(|fault| located(fault, name, text)),
    };
    for finding in lint::template(&catalog, name) {
        // Those of a rendered document have its lines.
        assert!(!finding.fault.message.is_empty());
    }
    assert!(catalog.hash(name).is_some() && catalog.closure(name).contains(name));
    rendered(&catalog, name, text);
}

fn rendered(catalog: &Catalog, name: &str, text: &str) {
    let mut context = lint::sample();
    context["params"] =
        serde_json::json!({"secret": SECRET, "words": ["a", "b"], "number": 7, "big": u64::MAX, "map": {"a": {"b": SECRET}}, "none": null});
    let first = catalog.render(name, &context);
    match &first {
        Ok(document) => assert!(document.len() <= OUTPUT_LIMIT_BYTES, "{} bytes", document.len()),
        // What the template says by `fail` is its author's.
        Err(fault) if fault.rule == "fail" => {}
        Err(fault) => {
            located(fault, name, text);
            assert!(!fault.to_string().contains(SECRET), "{fault}");
        }
    }
    assert_eq!(catalog.render(name, &context), first, "another time it comes to something else");
}

fn located(fault: &TemplateFault, name: &str, text: &str) {
    assert!(!fault.message.is_empty() && !fault.rule.is_empty());
    if fault.template != name {
        return;
    }
    let lines = u32::try_from(text.split('\n').count()).expect("a number");
    assert!(fault.line <= lines, "line {} of {lines}: {fault}", fault.line);
    let line = text.split('\n').nth(fault.line.saturating_sub(1) as usize).unwrap_or_default();
    assert!(fault.column as usize <= line.chars().count() + 1, "column {} of {line:?}: {fault}", fault.column);
}
