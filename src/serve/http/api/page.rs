//! Pages of lists: `?limit=&cursor=`, and the cursor of the next page in the answer.
//!
//! A cursor is the key of the last thing that was shown (an id, a name, a journal number), so a list that changes between two pages
//! neither repeats nor skips what was there all the time.

use serde::{Deserialize, Serialize};

use super::problem::Problem;

/// How much of a list is wanted.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// At most so many, 1 to 1000; 100 if left out.
    pub limit: Option<usize>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// The cursor of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Paging {
    /// The checked limit.
    pub fn limit(&self) -> Result<usize, Problem> {
        match self.limit {
            None => Ok(100),
            Some(limit @ 1..=1000) => Ok(limit),
            Some(_) => Err(Problem::invalid("limit", "a page has 1 to 1000 items")),
        }
    }

    /// The page of an ordered list after the cursor.
    pub fn page<T, V>(&self, all: impl IntoIterator<Item = T>, key: impl Fn(&T) -> String, view: impl Fn(T) -> V) -> Result<Page<V>, Problem> {
        let limit = self.limit()?;
        let mut rest = all.into_iter().filter(|item| self.cursor.as_ref().is_none_or(|cursor| key(item) > *cursor)).peekable();
        let (mut items, mut last) = (Vec::new(), None);
        while let Some(item) = rest.next_if(|_| items.len() < limit) {
            last = Some(key(&item));
            items.push(view(item));
        }
        let next = if rest.peek().is_some() { last } else { None };
        Ok(Page { items, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(limit: usize, cursor: Option<&str>, items: &[&str], next: Option<&str>) {
        let paging = Paging { limit: Some(limit), cursor: cursor.map(str::to_owned) };
        let page = paging.page(["a", "b", "c"], |item| (*item).to_owned(), |item| item).unwrap();
        assert_eq!((page.items.as_slice(), page.next.as_deref()), (items, next), "{limit} after {cursor:?}");
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_repeat() {
        check(2, None, &["a", "b"], Some("b"));
        check(2, Some("b"), &["c"], None);
        check(3, None, &["a", "b", "c"], None);
        check(1, Some("aa"), &["b"], Some("b"));
        check(9, Some("z"), &[], None);
    }

    #[test]
    fn a_page_of_none_or_of_too_many_is_refused() {
        for limit in [0, 1001] {
            assert_eq!(Paging { limit: Some(limit), cursor: None }.limit().unwrap_err().code, "invalid");
        }
    }
}
