//! `Range: bytes=…` of one part (RFC 9110 section 14), pure.
//!
//! Only what boot clients use: one range, from–to, from, or the last n bytes. Anything else (several ranges, other units, nonsense) is
//! ignored as the RFC allows, and the whole file is sent.

/// What a `Range` header asks of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// All of it.
    Whole,
    /// Bytes `first..=last`.
    Part {
        /// The first byte.
        first: u64,
        /// The last byte, included.
        last: u64,
    },
    /// Nothing that is there: 416.
    Outside,
}

/// Reads a `Range` header's value for a file of `size` bytes.
pub fn read(header: &str, size: u64) -> Wanted {
    let Some(spec) = header.trim().strip_prefix("bytes=") else { return Wanted::Whole };
    let Some((from, to)) = spec.split_once('-') else { return Wanted::Whole };
    let (from, to) = (from.trim(), to.trim());
    match (number(from), number(to)) {
        (None, Some(count)) if from.is_empty() => match count.min(size) {
            0 => Wanted::Outside,
            count => Wanted::Part { first: size - count, last: size - 1 },
        },
        (Some(first), _) if to.is_empty() && first < size => Wanted::Part { first, last: size - 1 },
        (Some(first), Some(last)) if first <= last && first < size => Wanted::Part { first, last: last.min(size - 1) },
        (Some(first), Some(last)) if first <= last => Wanted::Outside,
        (Some(_), None) if to.is_empty() => Wanted::Outside,
        _ => Wanted::Whole,
    }
}

/// Digits only; a number too large for u64 is larger than any file.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::{Wanted::*, *};

    #[track_caller]
    fn check(header: &str, size: u64, expected: Wanted) {
        assert_eq!(read(header, size), expected, "{header} of {size}");
    }

    #[test]
    fn one_range_is_a_part_and_what_cannot_be_read_is_the_whole() {
        check("bytes=0-0", 10, Part { first: 0, last: 0 });
        check("bytes=2-5", 10, Part { first: 2, last: 5 });
        check("bytes=2-99", 10, Part { first: 2, last: 9 });
        check("bytes=9-", 10, Part { first: 9, last: 9 });
        check("bytes=-3", 10, Part { first: 7, last: 9 });
        check("bytes=-30", 10, Part { first: 0, last: 9 });
        check("bytes=10-", 10, Outside);
        check("bytes=10-12", 10, Outside);
        check("bytes=-0", 10, Outside);
        check("bytes=-5", 0, Outside);
        check("bytes=0-", 0, Outside);
        check("bytes=99999999999999999999-", 10, Outside);
        check("bytes=5-2", 10, Whole);
        check("bytes=0-1,3-4", 10, Whole);
        check("bytes=-", 10, Whole);
        check("bytes=a-b", 10, Whole);
        check("bytes=+1-2", 10, Whole);
        check("lines=1-2", 10, Whole);
        check("", 10, Whole);
    }
}
