//! The story of a changed template: read the whole set, parse it, and only if all of it is good put it in the place of the old one.
//!
//! A bad set changes nothing: what was served yesterday is served today, and the faults say where to look. Watching the folder is the
//! caller's.

use std::{collections::BTreeSet, sync::Arc};

use arc_swap::ArcSwap;

use super::{Fault, House, house::Pen};
use crate::{
    model::{Actor, Sources, TemplateFault, What},
    rules::render::Catalog,
    store::shelf::templates::{ShelfFault, TemplateShelf},
};

/// The templates in use.
pub struct Templates {
    shelf: TemplateShelf,
    catalog: ArcSwap<Catalog>,
}

/// Which names a reload changed, each list sorted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changed {
    /// New names.
    pub added: Vec<String>,
    /// Names with another text or origin.
    pub altered: Vec<String>,
    /// Names that are gone.
    pub removed: Vec<String>,
}

impl Changed {
    /// Whether nothing changed.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Why a set was not taken.
#[derive(Debug, thiserror::Error)]
pub enum TemplatesFault {
    /// The folder could not be read.
    #[error("{0}")]
    Shelf(#[from] ShelfFault),
    /// These templates are wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Bad(Vec<TemplateFault>),
}

impl Templates {
    /// The first reading; here a bad set is final, because there is no older one.
    pub fn open(shelf: TemplateShelf) -> Result<Self, TemplatesFault> {
        let catalog = parse(&shelf)?;
        Ok(Self { shelf, catalog: ArcSwap::from_pointee(catalog) })
    }

    /// The set in use; hold it for as long as one answer takes.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.catalog.load_full()
    }

    /// The shelf, for its folder to watch.
    pub fn shelf(&self) -> &TemplateShelf {
        &self.shelf
    }

    /// Reads everything again. All or nothing: an error leaves the set in use as it was. Touches files; not for an async task.
    pub fn reload(&self) -> Result<Changed, TemplatesFault> {
        let new = parse(&self.shelf)?;
        let changed = difference(self.catalog.load().sources(), new.sources());
        if !changed.is_nothing() {
            self.catalog.store(Arc::new(new));
        }
        Ok(changed)
    }
}

fn parse(shelf: &TemplateShelf) -> Result<Catalog, TemplatesFault> {
    Catalog::new(shelf.read()?).map_err(TemplatesFault::Bad)
}

fn difference(old: &Sources, new: &Sources) -> Changed {
    let mut changed = Changed::default();
    for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        match (old.get(name), new.get(name)) {
            (None, _) => changed.added.push(name.clone()),
            (_, None) => changed.removed.push(name.clone()),
            (old, new) if old != new => changed.altered.push(name.clone()),
            _ => {}
        }
    }
    changed
}

impl House {
    /// Journals that a changed set was not taken: whoever changed it looks there and not into the log.
    pub async fn templates_not_taken(&self, fault: &TemplatesFault) -> Result<(), Fault> {
        let text = format!("the changed templates are not taken and the set before stays in use: {fault}");
        self.record(vec![Pen::new(Actor::Server, self.now()).write(What::Warning { word: "templates_not_taken".into() }, text)]).await
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_good_change_is_taken_and_a_bad_one_keeps_the_old_set() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("own.cfg");
        let templates = Templates::open(TemplateShelf::new(Some(dir.path().to_owned()))).unwrap();
        let render = || templates.catalog().render("own.cfg", &serde_json::json!({})).ok();
        assert!(templates.reload().unwrap().is_nothing());

        fs::write(&path, "one").unwrap();
        assert_eq!(templates.reload().unwrap().added, ["own.cfg"]);
        assert_eq!(render().as_deref(), Some("one"));

        fs::write(&path, "two\n{% if %}").unwrap();
        let TemplatesFault::Bad(faults) = templates.reload().unwrap_err() else { panic!("not a template's fault") };
        assert_eq!((faults[0].template.as_str(), faults[0].line), ("own.cfg", 2));
        assert_eq!(render().as_deref(), Some("one"));

        fs::write(&path, "three").unwrap();
        assert_eq!(templates.reload().unwrap().altered, ["own.cfg"]);
        fs::remove_file(&path).unwrap();
        assert_eq!(templates.reload().unwrap().removed, ["own.cfg"]);
        assert_eq!(render(), None);
    }

    #[test]
    fn a_folder_that_cannot_be_read_keeps_the_old_set() {
        let dir = tempfile::tempdir().unwrap();
        let templates = Templates::open(TemplateShelf::new(Some(dir.path().to_owned()))).unwrap();
        fs::write(dir.path().join("x"), b"\xff").unwrap();
        assert!(matches!(templates.reload(), Err(TemplatesFault::Shelf(_))));
        assert!(templates.catalog().source("ipxe/hold.ipxe").is_some());
    }
}
