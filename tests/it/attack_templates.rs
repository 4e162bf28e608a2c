//! Templates that loop, allocate or recurse: a bounded answer in bounded time, and the daemon goes on.
//!
//! Steps, recursion, repetition and output are bounded. Not bounded is the memory of a text that a template doubles again and again
//! (SECURITY.md); what is here ends.

use std::{collections::BTreeMap, time::Instant};

use bootwright::{
    model::{Source, TemplateOrigin},
    rules::render::Catalog,
};

const HOSTILE: [&str; 7] = [
    "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
    "{% for a in range(1000000000) %}x{% endfor %}",
    "{{ 'x' * 3000000000 }}",
    "{{ ('x' * 60000) * 60000 }}",
    "{{ [1, 2, 3] * 1000000000 }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{{ range(99999) | list | join('xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx') }}",
];

/// This process's peak of memory, KiB (proc(5)).
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_template_that_loops_or_allocates_is_ended() {
    for text in HOSTILE {
        let (start, before) = (Instant::now(), peak_kib());
        let sources = BTreeMap::from([("t".to_owned(), Source { text: text.to_owned(), origin: TemplateOrigin::Shipped })]);
        let told = match Catalog::new(sources) {
            Ok(catalog) => catalog.render("t", &serde_json::json!({})).map(|text| text.len()),
            Err(faults) => Err(faults.into_iter().next().unwrap()),
        };
        let (took, grown) = (start.elapsed(), peak_kib() - before);
        assert!(took.as_secs() < 20, "{text}: {took:?}");
        assert!(grown < 256 << 10, "{text}: {grown} KiB");
        assert!(told.as_ref().map_or(true, |len| *len < 1 << 20), "{text}");
    }
}
