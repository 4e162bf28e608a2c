//! Tables for people: a heading in capitals, columns two spaces apart, no frames.
//!
//! Without a terminal nothing is wrapped or coloured, so that `grep` and `awk` find every row on one line.

use std::{borrow::Cow, fmt};

use comfy_table::{ContentArrangement, Table as Grid, presets};

/// Rows under a heading.
pub struct Table(Grid);

impl Table {
    /// A table with these columns; `is_terminal` folds it to the terminal's width.
    pub fn new<const N: usize>(heading: [&str; N], is_terminal: bool) -> Self {
        let mut grid = Grid::new();
        grid.load_style(presets::NOTHING).set_header(heading);
        if is_terminal {
            grid.set_content_arrangement(ContentArrangement::Dynamic);
        } else {
            grid.force_no_tty().set_content_arrangement(ContentArrangement::Disabled);
        }
        for column in grid.column_iter_mut() {
            column.set_padding((0, 2));
        }
        Self(grid)
    }

    /// One more row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        // A cell never breaks its row.
        self.0.add_row(cells.map(|cell| printable(&cell.replace(['\n', '\r', '\t'], " ")).into_owned()));
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.lines().try_for_each(|line| writeln!(f, "{}", line.trim_end()))
    }
}

/// A text without what a terminal would obey, and without marks that turn the order of reading: machines write about themselves, and a
/// person compares serial numbers with a wipe plan. Ends of lines and tabulators stay.
pub fn printable(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.contains(obeyed) { Cow::Owned(text.replace(obeyed, "")) } else { Cow::Borrowed(text) }
}

/// What stands in a cell for a thing that is not there.
pub fn or_dash(thing: Option<impl fmt::Display>) -> String {
    thing.map_or_else(|| "-".to_owned(), |thing| thing.to_string())
}

/// Several things in one cell.
pub fn listed<T: fmt::Display>(things: &[T]) -> String {
    if things.is_empty() { "-".to_owned() } else { things.iter().map(T::to_string).collect::<Vec<_>>().join(",") }
}

/// The word that JSON has for a value (`reinstall`, `full`).
pub fn word(value: impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

/// A time for people: UTC, to the second.
pub fn time(at: crate::model::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// Bytes for people: `12.3 MiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut size, mut unit) = (count as f64, 0);
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        (size, unit) = (size / 1024.0, unit + 1);
    }
    if unit == 0 { format!("{count} B") } else { format!("{size:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_stays_on_one_line_and_columns_line_up() {
        let mut table = Table::new(["NAME", "STATE"], false);
        table.row(["a-long-name".into(), "used".into()]);
        table.row(["b".into(), "two\nlines".into()]);
        assert_eq!(table.to_string(), "NAME         STATE\na-long-name  used\nb            two lines\n");
    }

    #[test]
    fn bytes_are_told_in_the_unit_that_fits() {
        assert_eq!([0, 1023, 1024, 1 << 20, 3 << 30].map(bytes), ["0 B", "1023 B", "1.0 KiB", "1.0 MiB", "3.0 GiB"]);
    }
}
