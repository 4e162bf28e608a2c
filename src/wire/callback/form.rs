//! Form bodies (`application/x-www-form-urlencoded`): cloud-init's `phone_home`, hand-written curl lines.
//!
//! Careful with the label: `curl --data-binary @file` puts it on raw logs as well. Only what looks like a form throughout is read
//! as one, everything else stays the text it was.

/// The form as `key: value` lines, or its one text field's value; `None` if this is no form.
pub(super) fn read(body: &str) -> Option<String> {
    let body = body.trim_end_matches(['\r', '\n']);
    if body.is_empty() {
        return Some(String::new());
    }
    let pairs = body.split('&').map(pair).collect::<Option<Vec<_>>>()?;
    match &pairs[..] {
        [(key, value)] if matches!(key.as_str(), "text" | "message" | "log" | "error") => Some(value.clone()),
        all => Some(all.iter().map(|(key, value)| format!("{key}: {value}\n")).collect()),
    }
}

fn pair(text: &str) -> Option<(String, String)> {
    let (key, value) = text.split_once('=')?;
    let named = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'[' | b']'));
    let encoded = value.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'<' | b'>' | b'\\' | b'`' | b'{' | b'}'));
    (named && encoded).then(|| Some((key.to_owned(), decode(value)?)))?
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => {
                let digits = std::str::from_utf8(rest.get(..2)?).ok().filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
                rest = &rest[2..];
                u8::from_str_radix(digits, 16).ok()?
            }
            other => other,
        });
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
