//! Rendering: a set of template texts in, a catalog out; a name and a context in, a document or a located fault out.
//!
//! The engine is minijinja with limits: undefined and empty values may be asked about but not printed, steps, recursion and output
//! are bounded, nothing is escaped unless a filter says so (one rule for every kind of file). It reads no files and never puts a
//! variable's value into a fault.

mod bounds;
pub mod condition;
mod context;
mod fault;
mod filters;
mod plain;
mod sink;
pub mod tags;

use std::collections::{BTreeMap, BTreeSet};

use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, Template, UndefinedBehavior, Value, syntax::SyntaxConfig};
use sha2::{Digest, Sha256};

use crate::model::{Source, Sources, TemplateFault, TemplateOrigin};

pub use context::Context;
pub use filters::NAMES as FILTERS;
pub use plain::{fault_script, serial_script};

/// The largest document that a template may render to, bytes.
pub const OUTPUT_LIMIT_BYTES: usize = 1 << 20;
/// The largest template text that is accepted, bytes.
pub const TEXT_LIMIT_BYTES: usize = 1 << 20;
/// Steps of the engine for one document; the largest shipped template needs under a hundredth.
const FUEL: u64 = 2_000_000;
/// Includes, macros and blocks inside each other.
const DEPTH: usize = 50;

/// All templates of a set, parsed. Immutable: a changed set is a new catalog.
pub struct Catalog {
    engine: Environment<'static>,
    sources: Sources,
}

impl Catalog {
    /// Parses a whole set; every template that does not parse, or that names another one which is not there, is a fault.
    pub fn new(sources: Sources) -> Result<Self, Vec<TemplateFault>> {
        let mut faults = Vec::new();
        let mut engine = engine();
        for (name, source) in &sources {
            if source.text.len() > TEXT_LIMIT_BYTES {
                faults.push(fault::too_long(name));
            } else if let Err(error) = engine.add_template_owned(name.clone(), source.text.clone()) {
                faults.push(fault::locate(name, &source.text, &error, &sources));
            }
        }
        for (name, source) in &sources {
            faults.extend(missing(name, &source.text, &sources));
        }
        if faults.is_empty() { Ok(Self { engine, sources }) } else { Err(faults) }
    }

    /// Renders the template of that name. Absent and null values cannot be printed.
    pub fn render(&self, name: &str, context: impl Into<Context>) -> Result<String, TemplateFault> {
        let Ok(template) = self.engine.get_template(name) else {
            return Err(fault::unknown(name));
        };
        run(&template, context.into()).map_err(|error| fault::locate(name, template.source(), &error, &self.sources))
    }

    /// Renders a text that is no template of the set (kernel arguments); `label` stands for its name in a fault. It may include
    /// templates of the set.
    pub fn render_text(&self, label: &str, text: &str, context: impl Into<Context>) -> Result<String, TemplateFault> {
        if text.len() > TEXT_LIMIT_BYTES {
            return Err(fault::too_long(label));
        }
        let rendered = self.engine.template_from_named_str(label, text).and_then(|template| run(&template, context.into()));
        rendered.map_err(|error| fault::locate(label, text, &error, &self.sources))
    }

    /// The same for a kernel's arguments on a line of an iPXE script: no value may become a command or be expanded there.
    pub fn render_args(&self, label: &str, text: &str, context: impl Into<Context>) -> Result<String, TemplateFault> {
        let rendered = self.render_text(label, text, context)?;
        match plain::kernel_args(text, &rendered) {
            Ok(()) => Ok(rendered),
            Err(message) => Err(TemplateFault {
                template: label.to_owned(),
                line: 0,
                column: 0,
                rule: "ipxe-args".to_owned(),
                message,
                hint: "Take it out of the parameter.".to_owned(),
            }),
        }
    }

    /// Every name, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str)
    }

    /// The text and origin of a template.
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.sources.get(name)
    }

    /// Where a template came from.
    pub fn origin(&self, name: &str) -> Option<&TemplateOrigin> {
        self.source(name).map(|source| &source.origin)
    }

    /// All texts, for the linter.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// SHA-256, hexadecimal, over a template and everything that it includes, imports or extends, however deep; the whole set
    /// where an include's name is computed. `None` for a name that is not there.
    pub fn hash(&self, name: &str) -> Option<String> {
        self.sources.get(name)?;
        let mut digest = Sha256::new();
        for part in self.closure(name) {
            // Lengths first, so that no two different sets run together into the same bytes.
            let text = &self.sources[part].text;
            digest.update(format!("{}:{part}{}:{text}", part.len(), text.len()));
        }
        Some(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The template itself and everything that it can reach.
    pub fn closure(&self, name: &str) -> BTreeSet<&str> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<&str> = self.sources.get_key_value(name).map(|(name, _)| name.as_str()).into_iter().collect();
        while let Some(name) = open.pop() {
            if !reached.insert(name) {
                continue;
            }
            let links = tags::links(&self.sources[name].text);
            if links.iter().any(|link| link.name.is_none()) {
                return self.names().collect();
            }
            let targets = links.iter().filter_map(|link| link.name.as_deref());
            open.extend(targets.filter_map(|target| self.sources.get_key_value(target)).map(|(name, _)| name.as_str()));
        }
        reached
    }

    /// Names that the template reads from its context, dotted (`host.name`), as the engine's parser sees them; without its includes.
    pub fn undeclared(&self, name: &str) -> BTreeSet<String> {
        let template = self.engine.get_template(name).ok();
        template.map(|template| template.undeclared_variables(true).into_iter().collect()).unwrap_or_default()
    }

    /// Whether the engine has a filter of that name.
    pub fn has_filter(&self, name: &str) -> bool {
        self.knows("filter", name)
    }

    /// Whether the engine has a test of that name (`is defined`).
    pub fn has_test(&self, name: &str) -> bool {
        self.knows("test", name)
    }

    /// Whether the engine has a function of that name.
    pub fn has_function(&self, name: &str) -> bool {
        self.engine.globals().any(|(global, _)| global == name)
    }

    fn knows(&self, kind: &str, name: &str) -> bool {
        let question = format!("name is {kind}");
        let context = BTreeMap::from([("name", name.to_owned())]);
        self.engine.compile_expression_owned(question).and_then(|expression| expression.eval(Value::from(context))).is_ok_and(|yes| yes.is_true())
    }
}

/// Includes, imports and parents that are named plainly, must exist, and do not.
fn missing(name: &str, text: &str, sources: &Sources) -> Vec<TemplateFault> {
    let absent = |link: &&tags::Link| !link.optional && link.name.as_ref().is_some_and(|target| !sources.contains_key(target));
    tags::links(text).iter().filter(absent).map(|link| fault::missing(name, link, sources)).collect()
}

fn run(template: &Template<'_, '_>, context: Context) -> Result<String, Error> {
    let mut sink = sink::Sink::new(OUTPUT_LIMIT_BYTES);
    let done = template.render_captured_to(context.root(), &mut sink).map(drop);
    if sink.is_full() {
        return Err(fault::complain(
            "output-limit",
            format!("the document grows beyond {OUTPUT_LIMIT_BYTES} bytes"),
            "Look for a loop that never shrinks.",
        ));
    }
    done.map(|()| sink.into_text())
}

fn engine() -> Environment<'static> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    engine.set_auto_escape_callback(|_| AutoEscape::None);
    engine.set_fuel(Some(FUEL));
    engine.set_recursion_limit(DEPTH);
    engine.set_formatter(print);
    // Only for the byte range of an error. The values that debug mode gathers are never shown: `fault` builds its own sentences.
    engine.set_debug(true);
    bounds::add(&mut engine);
    // It would print the whole context, secrets included.
    engine.remove_global("debug");
    engine.set_syntax(syntax());
    filters::add(&mut engine);
    engine
}

/// A tag alone on its line leaves no line behind; a file keeps its last newline.
fn syntax() -> SyntaxConfig {
    let built = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    built.expect("the default delimiters do not contradict each other")
}

/// `None` in an answer file is never what the author meant.
fn print(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if value.is_none() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    if value.as_str().is_some_and(|text| text.len() > OUTPUT_LIMIT_BYTES) {
        return Err(fault::complain("value-limit", format!("a value has more than {OUTPUT_LIMIT_BYTES} bytes"), "Look for what makes it so long."));
    }
    minijinja::escape_formatter(out, state, value)
}

#[cfg(test)]
mod tests;
