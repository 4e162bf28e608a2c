//! What the engine promises: located faults, no values in them, limits, filters that keep one value one value.
//!
//! A table per promise.

use serde_json::{Value as Json, json};

use super::*;

fn catalog(texts: &[(&str, &str)]) -> Catalog {
    Catalog::new(sources(texts)).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn sources(texts: &[(&str, &str)]) -> Sources {
    texts.iter().map(|&(name, text)| (name.to_owned(), Source { text: text.to_owned(), origin: TemplateOrigin::Shipped })).collect()
}

#[track_caller]
fn check(text: &str, context: Json, want: &str) {
    assert_eq!(catalog(&[("t", text)]).render("t", &context).as_deref(), Ok(want), "{text}");
}

#[track_caller]
fn check_fault(texts: &[(&str, &str)], context: Json, want: (&str, u32, u32, &str)) -> TemplateFault {
    let fault = match Catalog::new(sources(texts)) {
        Ok(catalog) => catalog.render("t", &context).unwrap_err(),
        Err(mut faults) => faults.remove(0),
    };
    assert_eq!((fault.template.as_str(), fault.line, fault.column, fault.rule.as_str()), want, "{fault}");
    fault
}

#[test]
fn tags_alone_on_a_line_leave_nothing_and_the_last_newline_stays() {
    check("{% if true %}\nyes\n{% endif %}\nend\n", json!({}), "yes\nend\n");
}

#[test]
fn each_filter_keeps_one_value_one_value() {
    let nasty = "a'b \"c\" <&>$\\";
    for (filter, want) in [
        ("sh", r#"'a'\''b "c" <&>$\'"#),
        ("ks", r#"'a'\''b "c" <&>$\'"#),
        ("json", r#""a'b \"c\" <&>$\\""#),
        ("yaml", r#""a'b \"c\" <&>$\\""#),
        ("xml", "a&apos;b &quot;c&quot; &lt;&amp;&gt;$\\"),
        ("url", "a%27b%20%22c%22%20%3C%26%3E%24%5C"),
        ("ipxe", nasty),
    ] {
        check(&format!("{{{{ v | {filter} }}}}"), json!({"v": nasty}), want);
    }
    check("{{ v | sh }} {{ v | ks }}", json!({"v": ""}), "'' ''");
    check("{{ v | ks }} {{ v | sh }}", json!({"v": "$6$salt$ha/sh."}), "$6$salt$ha/sh. '$6$salt$ha/sh.'");
    check("{{ v | sh }} {{ v | preseed }}", json!({"v": true}), "true true");
    check("{{ v | yaml }}", json!({"v": {"a": [1, "x\u{85}"]}}), "{\"a\":[1,\"x\\u0085\"]}");
}

#[test]
fn what_ipxe_would_act_upon_becomes_text() {
    check(
        "echo {{ v | ipxe }}",
        json!({"v": "${net0/mac}\nreboot || # no; ; é"}),
        "echo $ {net0/mac} reboot '|| '# no; '; ?".replace("'||", "'||'").replace("'; ", "';' ").as_str(),
    );
}

#[test]
fn a_value_that_a_file_cannot_carry_is_refused_without_being_shown() {
    for (filter, value, rule) in [
        ("ks", "x\nreboot", "one-line"),
        ("preseed", "x\nd-i a/b string c", "one-line"),
        ("preseed", "secret\\", "preseed-value"),
        ("sh", "a\0b", "sh-value"),
        ("xml", "a\u{1}b", "xml-value"),
    ] {
        let fault = check_fault(&[("t", &format!("\nx {{{{ v | {filter} }}}}"))], json!({"v": value}), ("t", 2, 10, rule));
        assert!(!fault.to_string().contains(value), "{fault}");
    }
    check_fault(&[("t", "{{ v | sh }}")], json!({"v": [1]}), ("t", 1, 8, "not-one-value"));
    check_fault(&[("t", "{{ v | sh }}")], json!({"v": null}), ("t", 1, 8, "undefined"));
    check_fault(&[("t", "{{ v | json }}")], json!({}), ("t", 1, 8, "undefined"));
}

#[test]
fn undefined_and_null_may_be_asked_about_but_not_printed() {
    check("{% if a %}x{% endif %}{% if b.c %}y{% endif %}{{ a | default('z') }}", json!({"b": {}}), "z");
    let fault = check_fault(&[("t", "one\n  {{ host.nmae }}\n")], json!({"host": {}}), ("t", 2, 6, "undefined"));
    assert_eq!(fault.message, "`host.nmae` has no value here");
    check_fault(&[("t", "{{ host.uuid }}")], json!({"host": {"uuid": null}}), ("t", 1, 4, "undefined"));
    for (text, at) in [("x {{ host.nmae | sh }}", 18), ("{{ (host.nmae | sh) ~ 1 }}", 17), ("{% if host.nmae | json %}{% endif %}", 19)] {
        let fault = check_fault(&[("t", text)], json!({"host": {}}), ("t", 1, at, "undefined"));
        assert!(fault.message.contains("host.nmae | "), "{fault}");
    }
}

#[test]
fn an_error_behind_includes_is_located_where_it_is() {
    let texts = [("t", "\n{% include \"a\" %}"), ("a", "{% include \"b\" %}"), ("b", "1\n2\n {{ params.nothing }}")];
    check_fault(&texts, json!({"params": {"secret": "hunter2"}}), ("b", 3, 5, "undefined"));
}

#[test]
fn faults_of_a_set_name_every_template_that_is_wrong() {
    let faults = Catalog::new(sources(&[("a", "{% if %}"), ("b", "ok"), ("c", "x\n {% include 'nowhere' %}")])).err().unwrap();
    let seen: Vec<_> = faults.iter().map(|fault| (fault.template.as_str(), fault.line, fault.rule.as_str())).collect();
    assert_eq!(seen, [("a", 1, "syntax"), ("c", 2, "missing-template")]);
}

#[test]
fn every_fault_says_something() {
    for text in [r#"{{ "\uZZZZ" }}"#, r#"{{ "\q" }}"#, "{{ 1 + }}", "{% nonsense %}", "{{ 99999999999999999999999999999999999999999 }}"] {
        let faults = Catalog::new(sources(&[("t", text)])).err().unwrap_or_default();
        assert!(faults.iter().all(|fault| fault.rule == "syntax" && !fault.message.is_empty()), "{text}: {faults:?}");
    }
    check_fault(&[("t", r#"{{ "\uZZZZ" }}"#)], json!({}), ("t", 1, 1, "syntax"));
}

#[test]
fn bash_length_is_explained() {
    let fault = check_fault(&[("t", "a=(1)\necho ${#a[@]}\nmore\n")], json!({}), ("t", 2, 7, "syntax"));
    assert!(fault.hint.contains("raw"), "{fault}");
}

#[test]
fn limits_hold() {
    check_fault(&[("t", "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}")], json!({}), ("t", 1, 0, "too-many-steps"));
    check_fault(&[("t", "{% include 't' %}")], json!({}), ("t", 1, 4, "too-deep"));
    check_fault(&[("t", "{% for a in range(2000) %}{{ v }}{% endfor %}")], json!({"v": "x".repeat(1000)}), ("t", 0, 0, "output-limit"));
    let long = "x".repeat(TEXT_LIMIT_BYTES + 1);
    check_fault(&[("t", &long)], json!({}), ("t", 0, 0, "text-limit"));
}

#[test]
fn what_would_make_a_little_into_very_much_is_refused_before_it_does() {
    let huge = 10_u64.pow(18);
    for text in [
        "v | indent(N)",
        "v | indent(width=N)",
        "'a\nb' | indent(N, true, true)",
        "params | slice(N) | list",
        "params | batch(N, 'x')",
        "params | tojson(indent=N)",
        "params | tojson(N)",
        "'%Ns' | format(v)",
        "'{:N}'.format(v)",
        "('x' * 100000) | replace('', 'y' * 1000)",
        "('x' * 100000).replace('x', 'y' * 1000)",
        "range(100000) | join('y' * 1000)",
        "('y' * 1000).join(range(100000))",
        "([('x' * 1000)] * 100000) | join",
        "'x' * 2000000",
    ] {
        let text = format!("{{{{ {} }}}}", text.replace('N', &huge.to_string()));
        let fault = catalog(&[("t", &text)]).render("t", &json!({"v": "a", "params": [1, 2]})).unwrap_err();
        assert_eq!(fault.rule, "value-limit", "{text}: {fault}");
    }
    check("{{ 'a\nb' | indent(width=2, first=false) }} {{ [1, 2] | join(', ') }} {{ 'aXb'.replace('X', '-') }}", json!({}), "a\n  b 1, 2 a-b");
    check("{{ [1, 2, 3] | slice(2) | list }} {{ '%05d' | format(7) }} {{ '{:>4}'.format('x') }}", json!({}), "[[1, 2], [3]] 00007    x");
    check("{{ [1, 2, 3] | batch(2, 0) | list | tojson }} {{ [1] | tojson(indent=1) }}", json!({}), "[[1, 2], [3, 0]] [\n 1\n]");
    let words = condition::Words::new([("v", &json!("a"))], &[]);
    let condition = condition::Condition::new("rule r", "v | indent(1000000000000000000) == v").unwrap();
    assert_eq!(condition.holds(&words).unwrap_err().rule, "value-limit");
}

#[test]
fn a_template_can_refuse_and_the_context_cannot_be_dumped() {
    let fault = check_fault(&[("t", "{{ fail('params.mirror is needed') }}")], json!({}), ("t", 1, 4, "fail"));
    assert_eq!(fault.message, "params.mirror is needed");
    check_fault(&[("t", "{{ debug() }}")], json!({"secret": "hunter2"}), ("t", 1, 4, "unknown-function"));
}

#[test]
fn kernel_arguments_render_like_templates() {
    let catalog = catalog(&[("a", "{{ host.name }}")]);
    assert_eq!(catalog.render_text("args", "h={% include 'a' %} ---", &json!({"host": {"name": "n1"}})).as_deref(), Ok("h=n1 ---"));
    let fault = catalog.render_text("args", "x {{ nope }}", &json!({})).unwrap_err();
    assert_eq!((fault.template.as_str(), fault.line, fault.column), ("args", 1, 6));
    assert_eq!(catalog.render("zz", &json!({})).unwrap_err().rule, "missing-template");
}

#[test]
fn the_hash_covers_everything_that_is_included() {
    let hash =
        |b: &str, other: &str| catalog(&[("t", "{% include 'a' %}"), ("a", "{% include 'b' %}"), ("b", b), ("other", other)]).hash("t").unwrap();
    assert_eq!(hash("1", "1"), hash("1", "2"));
    assert_ne!(hash("1", "1"), hash("2", "1"));
    assert_eq!(hash("1", "1").len(), 64);
    let any = |other: &str| catalog(&[("t", "{% include params.x %}"), ("other", other)]).hash("t").unwrap();
    assert_ne!(any("1"), any("2"));
    assert_eq!(catalog(&[]).hash("t"), None);
}

#[test]
fn python_methods_work_and_the_engine_can_be_asked_for_names() {
    check("{{ v.upper() }}{{ v.split(',') | length }}", json!({"v": "a,b"}), "A,B2");
    let catalog = catalog(&[("t", "{{ host.name }}{{ params.x }}")]);
    assert!(catalog.has_filter("sh") && !catalog.has_filter("shell") && catalog.has_test("defined") && catalog.has_function("fail"));
    assert_eq!(catalog.undeclared("t").into_iter().collect::<Vec<_>>(), ["host.name", "params.x"]);
}
