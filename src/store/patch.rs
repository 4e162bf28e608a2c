//! The patch (RFC 6902) from one JSON text to another, found without parsing what is the same in both.
//!
//! A host is a few kilobytes of which a change touches a few dozen bytes, and every change of every host in a storm asks for its patch: so texts
//! are cut into their pieces and compared as bytes, and only what differs becomes a value. Texts that mean the same may differ in the order of
//! members; then pieces are compared that differ as texts, and nothing comes of it. Pure.

use std::borrow::Cow;

use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation, ReplaceOperation, jsonptr::PointerBuf};
use serde_json::{Error, Value};

/// What makes `after` of `before`. No text is what an absent row folds to, `null`.
pub fn between(before: Option<&str>, after: Option<&str>) -> Result<Patch, Error> {
    let mut found = Found { operations: Vec::new(), at: PointerBuf::new() };
    found.compare(before.unwrap_or("null"), after.unwrap_or("null"))?;
    Ok(Patch(found.operations))
}

struct Found {
    operations: Vec<PatchOperation>,
    at: PointerBuf,
}

impl Found {
    fn compare(&mut self, before: &str, after: &str) -> Result<(), Error> {
        if before == after {
            return Ok(());
        }
        match (before.as_bytes().first(), after.as_bytes().first()) {
            (Some(b'{'), Some(b'{')) => self.compare_members(&members(before), &members(after)),
            (Some(b'['), Some(b'[')) => self.compare_elements(&elements(before), &elements(after)),
            _ => {
                let (old, value): (Value, Value) = (serde_json::from_str(before)?, serde_json::from_str(after)?);
                if old != value {
                    self.operations.push(PatchOperation::Replace(ReplaceOperation { path: self.at.clone(), value }));
                }
                Ok(())
            }
        }
    }

    fn compare_members(&mut self, before: &[Member<'_>], after: &[Member<'_>]) -> Result<(), Error> {
        // Both come from the same program nearly always, so a member is looked for where the one before it was found.
        let mut next = 0;
        let mut kept = vec![false; before.len()];
        for member in after {
            let (earlier, later) = before.split_at(next);
            let found = later.iter().position(|one| one.is_named_as(member)).map(|index| next + index);
            match found.or_else(|| earlier.iter().position(|one| one.is_named_as(member))) {
                Some(index) => {
                    (next, kept[index]) = (index + 1, true);
                    if before[index].value != member.value {
                        self.at.push_back(member.name().as_ref());
                        self.compare(before[index].value, member.value)?;
                        self.at.pop_back();
                    }
                }
                None => {
                    self.at.push_back(member.name().as_ref());
                    self.add(member.value)?;
                    self.at.pop_back();
                }
            }
        }
        for (member, _) in before.iter().zip(kept).filter(|(_, kept)| !kept) {
            self.at.push_back(member.name().as_ref());
            self.remove();
            self.at.pop_back();
        }
        Ok(())
    }

    /// Lists lose at their head and grow at their end (boot sessions, stages), so the head is cut off first where that leaves the rest as it was.
    fn compare_elements(&mut self, before: &[&str], after: &[&str]) -> Result<(), Error> {
        let moved = before.first() != after.first();
        let dropped = (1..before.len()).find(|&dropped| moved && after.starts_with(&before[dropped..])).unwrap_or(0);
        let before = &before[dropped..];
        for _ in 0..dropped {
            self.at.push_back(0);
            self.remove();
            self.at.pop_back();
        }
        for (index, text) in after.iter().enumerate() {
            self.at.push_back(index);
            match before.get(index) {
                Some(old) => self.compare(old, text)?,
                None => self.add(text)?,
            }
            self.at.pop_back();
        }
        for _ in after.len()..before.len() {
            self.at.push_back(after.len());
            self.remove();
            self.at.pop_back();
        }
        Ok(())
    }

    fn add(&mut self, text: &str) -> Result<(), Error> {
        let value = serde_json::from_str(text)?;
        self.operations.push(PatchOperation::Add(AddOperation { path: self.at.clone(), value }));
        Ok(())
    }

    fn remove(&mut self) {
        self.operations.push(PatchOperation::Remove(RemoveOperation { path: self.at.clone() }));
    }
}

/// A member of an object, both halves as they stand.
struct Member<'t> {
    /// In its quotes.
    key: &'t str,
    value: &'t str,
}

impl<'t> Member<'t> {
    fn name(&self) -> Cow<'t, str> {
        let plain = || Cow::Borrowed(self.key.trim_matches('"'));
        if self.key.contains('\\') { serde_json::from_str(self.key).map_or_else(|_| plain(), Cow::Owned) } else { plain() }
    }

    /// The same name may be spelled in two ways, but only with a backslash in one of them.
    fn is_named_as(&self, other: &Self) -> bool {
        self.key == other.key || ((self.key.contains('\\') || other.key.contains('\\')) && self.name() == other.name())
    }
}

/// The members of an object.
fn members(object: &str) -> Vec<Member<'_>> {
    // As many as a host has fields.
    let mut members = Vec::with_capacity(32);
    let mut rest = inside(object);
    while rest.starts_with('"') {
        let (key, after) = rest.split_at(value_end(rest.as_bytes()));
        let after = after.trim_ascii_start();
        let after = after.strip_prefix(':').unwrap_or(after).trim_ascii_start();
        let (value, after) = after.split_at(value_end(after.as_bytes()));
        members.push(Member { key, value });
        rest = next(after);
    }
    members
}

/// The elements of an array.
fn elements(array: &str) -> Vec<&str> {
    let mut elements = Vec::with_capacity(16);
    let mut rest = inside(array);
    while !rest.is_empty() && !rest.starts_with(['}', ']']) {
        let (element, after) = rest.split_at(value_end(rest.as_bytes()));
        if element.is_empty() {
            // Not JSON; what stands there is compared no further.
            break;
        }
        elements.push(element);
        rest = next(after);
    }
    elements
}

/// What stands behind the opening bracket.
fn inside(text: &str) -> &str {
    text.get(1..).unwrap_or_default().trim_ascii_start()
}

/// What stands behind the next comma.
fn next(text: &str) -> &str {
    let text = text.trim_ascii_start();
    text.strip_prefix(',').unwrap_or(text).trim_ascii_start()
}

/// Where the value that a text begins with ends.
fn value_end(text: &[u8]) -> usize {
    let (mut depth, mut index) = (0_usize, 0);
    while let Some(&byte) = text.get(index) {
        index += 1;
        match byte {
            b'"' => index += string_rest(&text[index..]),
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return index - 1,
            b'}' | b']' => depth -= 1,
            b',' | b':' | b' ' | b'\n' | b'\r' | b'\t' if depth == 0 => return index - 1,
            _ => continue,
        }
        if depth == 0 {
            return index;
        }
    }
    text.len()
}

/// How much of a text belongs to the string whose opening quote stands before it, the closing one included.
fn string_rest(text: &[u8]) -> usize {
    let mut index = 0;
    while let Some(&byte) = text.get(index) {
        match byte {
            b'"' => return index + 1,
            b'\\' => index += 2,
            _ => index += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(before: &Value, after: &Value) -> Patch {
        let patch = between(Some(&before.to_string()), Some(&after.to_string())).unwrap();
        let mut folded = before.clone();
        json_patch::patch(&mut folded, &patch).unwrap();
        assert_eq!(folded, *after, "{patch}");
        patch
    }

    fn tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            prop::num::f64::NORMAL.prop_map(Value::from),
            "[a-c\"\\\\/~,:{}\\[\\] é\n]{0,4}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[a-c\"/~]{0,1}", inner, 0..5).prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_patch_makes_the_one_of_the_other(before in tree(), after in tree()) {
            check(&before, &after);
        }

        #[test]
        fn how_a_text_is_spaced_makes_no_difference(before in tree(), after in tree()) {
            let pretty = serde_json::to_string_pretty(&before).unwrap();
            prop_assert_eq!(between(Some(&pretty), Some(&before.to_string())).unwrap(), Patch::default());
            let mut folded = before;
            json_patch::patch(&mut folded, &between(Some(&pretty), Some(&after.to_string())).unwrap()).unwrap();
            prop_assert_eq!(folded, after);
        }
    }

    #[test]
    fn a_name_is_the_same_however_it_is_spelled() {
        let patch = between(Some(r#"{"\u0061":1,"b\"":2}"#), Some(r#"{"a":1,"b\"":3}"#)).unwrap();
        assert_eq!(patch.to_string(), r#"[{"op":"replace","path":"/b\"","value":3}]"#);
    }

    #[test]
    fn the_order_of_members_means_nothing() {
        assert_eq!(between(Some(r#"{"a":1,"b":{"c":2,"d":3}}"#), Some(r#"{"b":{"d":3,"c":2},"a":1}"#)).unwrap(), Patch::default());
    }

    #[test]
    fn what_comes_and_what_goes_as_a_whole_folds_from_and_to_nothing() {
        assert_eq!(between(None, Some("{}")).unwrap().to_string(), r#"[{"op":"replace","path":"","value":{}}]"#);
        assert_eq!(between(Some("{}"), None).unwrap().to_string(), r#"[{"op":"replace","path":"","value":null}]"#);
    }

    #[test]
    fn a_list_that_loses_its_head_and_grows_is_not_written_again() {
        let patch = check(&json!({"sessions": [{"n": 1}, {"n": 2}, {"n": 3}]}), &json!({"sessions": [{"n": 2}, {"n": 3}, {"n": 4}]}));
        assert_eq!(patch.to_string(), r#"[{"op":"remove","path":"/sessions/0"},{"op":"add","path":"/sessions/2","value":{"n":4}}]"#);
    }
}
