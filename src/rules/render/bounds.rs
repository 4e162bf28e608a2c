//! Filters and methods of the engine that may make far more than they get: a number with a digit too many would take all the memory there
//! is, or end the program. Each is asked for its size first, and does the engine's own work behind that.
//!
//! The engine counts steps and not bytes, and lets nobody between its operators: what `~` and captured blocks add up to is bounded by the steps
//! alone, a `*` by the engine at 100 MB.

use minijinja::{
    Environment, Error, State, Value, filters,
    value::{Rest, ValueOrKwargs},
};

use super::fault::complain;

/// The largest text that one filter makes, bytes.
pub const VALUE_LIMIT_BYTES: usize = 1 << 20;
/// The longest list that one filter makes.
const MOST_ITEMS: usize = 1 << 16;
/// Digits of a width or a precision in a format.
const MOST_DIGITS: usize = 4;
/// Columns that JSON is indented by, at each level.
const MOST_COLUMNS: usize = 64;

/// Whatever a filter is given, by place and by name.
type Args = Rest<ValueOrKwargs>;

/// Puts them in the places of the engine's.
pub fn add(engine: &mut Environment<'_>) {
    // A name with a blank is none that a template can say.
    engine.add_filter("engine's indent", filters::indent);
    engine.add_filter("engine's slice", filters::slice);
    engine.add_filter("engine's batch", filters::batch);
    engine.add_filter("engine's tojson", filters::tojson);
    engine.add_filter("engine's replace", filters::replace);
    engine.add_filter("engine's join", filters::join);
    engine.add_filter("engine's format", filters::format);
    engine.add_filter("indent", indent);
    engine.add_filter("slice", slice);
    engine.add_filter("batch", batch);
    engine.add_filter("tojson", tojson);
    engine.add_filter("replace", replace);
    engine.add_filter("join", join);
    engine.add_filter("format", format);
    engine.set_unknown_method_callback(method);
}

fn indent(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.into_values();
    let text = spelled(args.first());
    let lines = text.matches('\n').count() + 1;
    within("indent", lines.saturating_mul(number(&args)).saturating_add(text.len()), VALUE_LIMIT_BYTES)?;
    state.apply_filter("engine's indent", &args)
}

fn slice(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.into_values();
    within("slice", number(&args), MOST_ITEMS)?;
    state.apply_filter("engine's slice", &args)
}

fn batch(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.into_values();
    within("batch", number(&args), MOST_ITEMS)?;
    state.apply_filter("engine's batch", &args)
}

fn tojson(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.into_values();
    within("tojson", number(&args), MOST_COLUMNS)?;
    state.apply_filter("engine's tojson", &args)
}

fn replace(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.into_values();
    within("replace", replaced(args.first(), args.get(1), args.get(2)), VALUE_LIMIT_BYTES)?;
    state.apply_filter("engine's replace", &args)
}

fn join(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.into_values();
    within("join", joined(args.first(), args.get(1)), VALUE_LIMIT_BYTES)?;
    state.apply_filter("engine's join", &args)
}

fn format(state: &mut State<'_, '_>, args: Args) -> Result<Value, Error> {
    let args = args.into_values();
    widths("format", args.first())?;
    state.apply_filter("engine's format", &args)
}

/// Python's methods of the same names.
fn method(state: &mut State<'_, '_>, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    match method {
        "replace" => within("replace", replaced(Some(value), args.first(), args.get(1)), VALUE_LIMIT_BYTES)?,
        "join" => within("join", joined(args.first(), Some(value)), VALUE_LIMIT_BYTES)?,
        "format" => widths("format", Some(value))?,
        _ => {}
    }
    minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args)
}

fn within(filter: &str, size: usize, most: usize) -> Result<(), Error> {
    if size <= most {
        return Ok(());
    }
    Err(complain("value-limit", format!("`{filter}` would make something too large, more than {most}"), "Look for a number with too many digits."))
}

/// The largest number among the arguments, by place or by name.
fn number(args: &[Value]) -> usize {
    let named = |value: &Value| -> Vec<Value> {
        let keys = value.try_iter().into_iter().flatten();
        keys.filter_map(|key| value.get_item(&key).ok()).collect()
    };
    let one = |value: &Value| if value.is_kwargs() { named(value) } else { vec![value.clone()] };
    args.iter().skip(1).flat_map(one).filter_map(|value| value.as_usize()).max().unwrap_or(0)
}

fn spelled(value: Option<&Value>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

/// The length of a text with one part in the places of another.
fn replaced(text: Option<&Value>, from: Option<&Value>, to: Option<&Value>) -> usize {
    let (text, from, to) = (spelled(text), spelled(from), spelled(to));
    let times = text.matches(from.as_str()).count();
    times.saturating_mul(to.len()).saturating_add(text.len())
}

/// The length of a list's items with a text between them; looked at only until it is too long.
fn joined(list: Option<&Value>, between: Option<&Value>) -> usize {
    let between = spelled(between).len();
    let Some(items) = list.and_then(|list| list.try_iter().ok()) else { return 0 };
    let mut size = 0_usize;
    for item in items {
        size = size.saturating_add(between).saturating_add(item.as_str().map_or_else(|| item.to_string().len(), str::len));
        if size > VALUE_LIMIT_BYTES {
            break;
        }
    }
    size
}

/// Refuses a format with a width or precision that nobody reads.
fn widths(filter: &str, format: Option<&Value>) -> Result<(), Error> {
    let format = spelled(format);
    let longest = format.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
    if longest > MOST_DIGITS && format.contains(['%', '{']) { within(filter, usize::MAX, VALUE_LIMIT_BYTES) } else { Ok(()) }
}
