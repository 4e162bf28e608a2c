//! The pass in a URL: a build's token, and the boot session that it was given in.
//!
//! `/t/TOKEN.SESSION/DOCUMENT`, `/cb/TOKEN.SESSION/VERB`; a URL without a session is accepted. Whether the token opens anything is the stories' to say.

use crate::model::{SessionId, Token};

/// `TOKEN` or `TOKEN.SESSION`, as it stands in URLs.
pub fn pass(text: &str) -> Option<(Token, Option<SessionId>)> {
    match text.split_once('.') {
        None => Token::parse(text).map(|token| (token, None)),
        Some((token, session)) => Some((Token::parse(token)?, Some(session.parse().ok()?))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_is_a_token_with_or_without_a_session() {
        let token = "abcdefghijklmnop";
        assert_eq!(pass(token).unwrap().1, None);
        assert_eq!(pass(&format!("{token}.00000000000000ff")).unwrap().1.unwrap().0, 255);
        for text in [
            "",
            "short",
            "abcdefghijklmnop.",
            "abcdefghijklmnop.ff",
            "abcdefghijklmnop/..",
            "abcdefghijklmn%p",
            ".0123456789abcdef",
            "abcdefghijklmnop.+123456789abcde",
        ] {
            assert!(pass(text).is_none(), "{text}");
        }
    }
}
