//! One line per finding: the text that has it, the rule, the place.
//!
//! And the other way round: the text beside it that has none.

use std::collections::BTreeMap;

use super::*;
use crate::model::{Source, TemplateOrigin};

fn sources(texts: &[(&str, &str)]) -> Sources {
    texts.iter().map(|&(name, text)| (name.to_owned(), Source { text: text.to_owned(), origin: TemplateOrigin::Shipped })).collect::<BTreeMap<_, _>>()
}

#[track_caller]
fn check_set(texts: &[(&str, &str)], want: &[(&str, u32, u32)]) -> Vec<Finding> {
    let findings = set(sources(texts));
    let got: Vec<_> = findings.iter().map(|finding| (finding.fault.rule.as_str(), finding.fault.line, finding.fault.column)).collect();
    assert_eq!(got, want, "{findings:#?}");
    findings
}

#[track_caller]
fn check(name: &str, text: &str, want: &[(&str, u32)]) -> Vec<Finding> {
    let findings = document(name, text);
    let got: Vec<_> = findings.iter().map(|finding| (finding.fault.rule.as_str(), finding.fault.line)).collect();
    assert_eq!(got, want, "{findings:#?}");
    findings
}

#[test]
fn unknown_words_in_tags_are_found_on_branches_not_taken_too() {
    check_set(
        &[("t", "{% if false %}\n {{ 'a' | shh }}{{ x is definde }}{% endif %}{% set x = 1 %}")],
        &[("unknown-filter", 2, 11), ("unknown-test", 2, 25)],
    );
    check_set(&[("t", "{{ 'a'.upperr() }}{{ nope(1) }}")], &[("unknown-method", 1, 8), ("unknown-function", 1, 22), ("unknown-name", 1, 22)]);
    check_set(&[("t", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1) }}{% if (1) and not (2) %}{% endif %}{{ 'a'.upper() | d('') }}")], &[]);
    check_set(
        &[("m", "{% macro f(a) %}{{ a }}{% endmacro %}"), ("t", "{% import 'm' as x %}{% from 'm' import f as g %}{{ x.f(1) }}{{ g(1) }}")],
        &[],
    );
}

#[test]
fn names_are_checked_against_the_documented_context() {
    let findings = check_set(
        &[("t", "{{ host.name }}\n {{ host.nmae }}{{ hots.name }}{{ params.any.thing }}")],
        &[("unknown-name", 2, 5), ("unknown-name", 2, 20)],
    );
    assert_eq!(findings[0].fault.hint, "Did you mean `name`?");
    assert_eq!(findings[1].fault.hint, "Did you mean `host`?");
    check_set(&[("t", "{{ plan }}"), ("t.ipxe", "#!ipxe\necho {{ plan }}\n")], &[("unknown-name", 1, 4)]);
}

#[test]
fn what_an_including_template_gives_is_known_in_the_included_one() {
    check_set(&[("t", "{% set verb = 'x' %}{% for k in [1] %}{% include 'part' %}{% endfor %}"), ("part", "{{ verb }}{{ k }}")], &[]);
    check_set(&[("t", "{% set verb = 'x' %}"), ("part", "{{ verb }}")], &[("unknown-name", 1, 4)]);
}

#[test]
fn a_set_that_does_not_parse_is_nothing_but_its_faults() {
    check_set(&[("a", "{% if %}"), ("b", "{% include 'c' %}")], &[("syntax", 1, 7), ("missing-template", 1, 1)]);
    check_set(&[("a", "x\necho ${#a[@]}\n{# later #}")], &[("bash-length", 2, 7)]);
}

#[test]
fn ipxe_scripts_start_right_and_jump_to_where_something_is() {
    check("ipxe/local.ipxe", "#!ipxe\necho hi ||\nset x ${y}\n:a\ngoto a\n", &[]);
    check("x.ipxe", "# c\n#!ipxe\n", &[("ipxe-first-line", 1)]);
    let findings = check("x.ipxe", "#!ipxe\nkernal x || goto faild\n:failed\n", &[("ipxe-command", 2), ("ipxe-label", 2)]);
    assert_eq!(findings[0].fault.hint, "Did you mean `kernel`?");
    assert_eq!(findings[1].fault.hint, "Did you mean `failed`?");
    check("x.ipxe", "#!ipxe\n:a\n:a\ngoto ${next}\n", &[("ipxe-label", 3)]);
}

#[test]
fn a_holding_screen_never_leads_to_the_disk() {
    check("ipxe/hold.ipxe", "#!ipxe\n:a\nsleep 5 ||\nchain x ||\ngoto a\n", &[]);
    check("ipxe/hold.ipxe", "#!ipxe\n:a\nsleep 5\ngoto a\n", &[("unguarded", 3)]);
    check("ipxe/hold.ipxe", "#!ipxe\necho x\nexit\n", &[("leads-to-disk", 3), ("leads-to-disk", 3)]);
    check("ipxe/wait.ipxe", "#!ipxe\nimgfetch x && imgfree x ||\necho end\n", &[("leads-to-disk", 3)]);
    check("ipxe/local.ipxe", "#!ipxe\nsanboot x\nexit\n", &[]);
}

const TOLD: &str = "%post\ncurl http://s/cb/T/built\ncurl http://s/cb/T/failed\n%end\n";

#[test]
fn kickstart_sections_balance_and_commands_exist() {
    check("a.ks", &format!("text\nrootpw --lock\n%packages\n@core\n%end\n{TOLD}"), &[]);
    let findings = check("a.ks", &format!("txt\nbootlaoder\n{TOLD}"), &[("kickstart-command", 1), ("kickstart-command", 2)]);
    assert_eq!(findings[1].fault.hint, "Did you mean `bootloader`?");
    check("a.ks", &format!("%packages\n@core\n{TOLD}"), &[("section", 3)]);
    check("a.ks", &format!("{TOLD}%end\n%psot\n"), &[("section", 5), ("section", 6)]);
    check("a.ks", &format!("{TOLD}%pre\nx\n"), &[("section", 5)]);
    check("a.ks", "%pre\ncurl http://s/cb/T/built\n%end\n", &[("no-built-callback", 0), ("no-failed-callback", 0)]);
    check("a.ks", "%post\ncurl http://s/cb/T/\"$verdict\"\n%end\n", &[]);
}

#[test]
fn preseed_lines_have_four_words() {
    let late = "d-i preseed/late_command string wget http://s/cb/T/built \\\n || wget http://s/cb/T/failed\n";
    check("preseed/a.cfg", &format!("# c\n\nd-i a/b string\nd-i a/c boolean true\n{late}"), &[]);
    let findings = check(
        "preseed/a.cfg",
        &format!("d-i a/b strng x\nd-i a/b boolean maybe\nd-i a\nd-i b string x\n{late}"),
        &[("preseed-line", 1), ("preseed-line", 2), ("preseed-line", 3), ("preseed-line", 4)],
    );
    assert_eq!(findings[0].fault.hint, "Did you mean `string`?");
    check("preseed/a.cfg", "d-i a/b string x \\", &[("preseed-line", 1), ("no-built-callback", 0), ("no-failed-callback", 0)]);
}

#[test]
fn autoinstall_keys_are_known_at_every_documented_level() {
    let good =
        "#cloud-config\nautoinstall:\n  version: 1\n  late-commands: ['curl http://s/cb/T/built']\n  error-commands: ['curl http://s/cb/T/failed']\n";
    check("autoinstall/user-data", good, &[]);
    check("autoinstall/user-data", "#cloud-config\nruncmd: [x]\n", &[]);
    let misspelt = good.replace("late-commands", "late_commands");
    let findings = check("autoinstall/user-data", &misspelt, &[("unknown-key", 4), ("no-built-callback", 0)]);
    assert_eq!(findings[0].fault.hint, "Did you mean `late-commands`?");
    let findings = check(
        "autoinstall/user-data",
        &format!("{good}  ssh: {{}}\n  storage:\n    layout:\n      name: lvm\n      macth: {{}}\n"),
        &[("unknown-key", 10)],
    );
    assert_eq!(
        (findings[0].fault.message.as_str(), findings[0].fault.hint.as_str()),
        ("`autoinstall.storage.layout` has no key `macth`", "Did you mean `match`?")
    );
    check("autoinstall/user-data", &format!("{good}  updates: some\n"), &[("autoinstall", 6)]);
    check("autoinstall/user-data", &format!(" \n{good}"), &[("cloud-config-header", 1)]);
    check("autoinstall/user-data", "#cloud-config\na: [\n", &[("yaml", 2)]);
    check("autoinstall/user-data", &format!("{good}  interactive-sections: [network]\n  reporting: {{a: {{type: print}}}}\n"), &[("autoinstall", 0)]);
}

#[test]
fn plain_passwords_are_found_and_never_quoted() {
    let told = format!("rootpw hunter2\nuser --name=a --password=hunter2\nuser --name=b --password=$6$x --iscrypted\n{TOLD}");
    let late = "d-i preseed/late_command string wget http://s/cb/T/built http://s/cb/T/failed\n";
    for findings in [
        check("a.ks", &told, &[("plain-password", 1), ("plain-password", 2)]),
        check("preseed/a.cfg", &format!("d-i passwd/root-password password hunter2\n{late}"), &[("plain-password", 1)]),
        check("preseed/a.cfg", &format!("d-i passwd/root-password-crypted password hunter2\n{late}"), &[("plain-password", 1)]),
    ] {
        assert!(!format!("{findings:?}").contains("hunter2"));
    }
    let identity = "#cloud-config\nautoinstall:\n  version: 1\n  identity: {username: a, hostname: b,\n    password: hunter2}\n  late-commands: ['http://s/cb/T/built']\n  error-commands: ['http://s/cb/T/failed']\n";
    check("autoinstall/user-data", identity, &[("plain-password", 5)]);
}

#[test]
fn json_and_yaml_are_read() {
    check("ignition/a.ign", "{\"a\": [1,]}", &[("json", 1)]);
    check("ignition/a.ign", "{\"a\": [1]}", &[]);
    check("a.yaml", "a: b: c\n", &[("yaml", 1)]);
    check("a.yaml", "a: 1\rb: 2\rc: 3\rd: [\n", &[("yaml", 2)]);
    check("whatever.txt", "{{{", &[]);
}

#[test]
fn a_document_that_only_renders_with_parameters_is_not_held_against_the_template() {
    check_set(&[("a.ks", "url --url={{ params.mirror }}\n")], &[]);
    check_set(&[("a.ks", "text\nlang {{ (host.name ~ '\\n') | ks }}\n")], &[("one-line", 2, 30)]);
    check_set(&[("a.ks", "lagn x\n")], &[("no-built-callback", 0, 0), ("no-failed-callback", 0, 0), ("kickstart-command", 1, 0)]);
}
