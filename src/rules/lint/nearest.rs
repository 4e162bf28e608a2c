//! "Did you mean …?": the known word that is closest to an unknown one.
//!
//! Edit distance with swapped neighbours; a word further away than a third of its length is no suggestion.

/// The closest of the known words, if one is close; `_` and `-` count as the same.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let same = |text: &str| text.replace('_', "-").to_ascii_lowercase();
    let word = same(word);
    let limit = (word.chars().count() / 3).max(1);
    known.into_iter().map(|known| (distance(&word, &same(known)), known)).filter(|&(distance, _)| distance <= limit).min().map(|(_, known)| known)
}

/// `Did you mean …?`, or nothing.
pub fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map(|known| format!("Did you mean `{known}`?")).unwrap_or_default()
}

/// Optimal string alignment: insertions, deletions, substitutions and swapped neighbours, each of them one.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            table[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let changed = table[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                let swapped = if swapped { table[i - 2][j - 2] + 1 } else { usize::MAX };
                changed.min(swapped).min(table[i - 1][j] + 1).min(table[i][j - 1] + 1)
            };
        }
    }
    table[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_word_is_suggested_and_a_far_one_is_not() {
        let known = ["late-commands", "early-commands", "locale"];
        assert_eq!(nearest("late_commands", known), Some("late-commands"));
        assert_eq!(nearest("loacle", known), Some("locale"));
        assert_eq!(nearest("nmae", ["name", "mac"]), Some("name"));
        assert_eq!(nearest("reboot", known), None);
    }
}
