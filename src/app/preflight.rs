//! The facts for the preflight of a build: everything that it would serve is rendered and looked for, before it is opened.
//!
//! The verdict over them is `rules::preflight`. Nothing is changed, and what is rendered here is thrown away.

use std::sync::Arc;

use super::{
    House, Told,
    scene::{Pass, Scene, Secrets},
};
use crate::{
    model::{Arch, ArtifactRef, Host, Method, TemplateFault},
    rules::{
        loaders,
        preflight::{self, Finding},
        render::{Catalog, Context},
    },
};

/// What became of the documents.
#[derive(Default)]
struct Rendered {
    broken: Vec<(String, TemplateFault)>,
    absent: Vec<(String, String)>,
    calls_back: bool,
}

impl House {
    /// Every finding about the build that `host` carries or would carry.
    pub(super) fn preflight(&self, host: &Host) -> Told<Vec<Finding>> {
        let scene = self.scene(Arc::new(host.clone()), None, host.address)?;
        let rendered = self.render_all(&scene);
        let missing = self.missing(&scene);
        let arch = host.session().map(|session| session.arch).filter(|arch| *arch != Arch::Unknown);
        let no_loader = self.no_loader(host, arch);
        let holder = self.address_in_use(host)?;
        Ok(preflight::findings(&preflight::Facts {
            host,
            method: host.build.as_ref().map_or(Method::Pxe, |build| build.method),
            profile: match scene.profile.as_deref() {
                None => Err(None),
                Some(Ok(profile)) => Ok(profile),
                Some(Err(why)) => Err(Some(why)),
            },
            network: scene.network.as_deref(),
            broken: &rendered.broken,
            absent: &rendered.absent,
            missing: &missing,
            arch,
            no_loader: no_loader.as_deref(),
            address_in_use: holder.as_deref(),
            clock_skew: None,
            calls_back: rendered.calls_back,
        }))
    }

    fn render_all(&self, scene: &Scene) -> Rendered {
        let mut all = Rendered::default();
        let Some(profile) = scene.effective() else { return all };
        let catalog = self.templates.catalog();
        let token = scene.host.open_build().map(|build| self.keys.build_token(build.id));
        let context = scene.context(Pass { token: token.as_ref(), session: None }, Secrets::Shown);
        if let Some(args) = &profile.args
            && let Err(fault) = catalog.render_args(&format!("args of profile {}", profile.name), args, &context)
        {
            all.broken.push(("kernel arguments".into(), fault));
        }
        for (document, template) in &profile.documents {
            self.render_one(&catalog, &context, document, template, &mut all);
        }
        all
    }

    fn render_one(&self, catalog: &Catalog, context: &Context, document: &str, template: &str, all: &mut Rendered) {
        if catalog.source(template).is_none() {
            all.absent.push((document.to_owned(), template.to_owned()));
            all.calls_back = true;
            return;
        }
        match catalog.render(template, context) {
            Err(fault) => {
                all.broken.push((document.to_owned(), fault));
                // Whether it calls is not known, and not what is wrong with it.
                all.calls_back = true;
            }
            Ok(text) => {
                let base = context.text("callback");
                all.calls_back |= ["built", "events", "firstboot"].iter().any(|verb| text.contains(&format!("{base}/{verb}")));
                // A script may put the verb into a variable; the base alone shows that it means to call.
                all.calls_back |= !base.is_empty() && text.contains(base) && text.contains("built");
            }
        }
    }

    fn missing(&self, scene: &Scene) -> Vec<ArtifactRef> {
        let Some(profile) = scene.effective() else { return Vec::new() };
        let files = profile.kernel.iter().chain(&profile.initrds).chain(&profile.needs);
        files.filter(|file| self.artifacts.file(file).is_err()).cloned().collect()
    }

    /// Why there is no loader for the architecture that the host last booted with; with none known, for none at all.
    fn no_loader(&self, host: &Host, arch: Option<Arch>) -> Option<String> {
        let asked = host.loader.as_ref().map(AsRef::as_ref);
        let choose = |arch| loaders::choose(arch, asked, &|name: &str| self.loaders.has(name)).map(drop);
        match arch {
            Some(arch) => choose(arch).err().map(|why| why.to_string()),
            None => choose(Arch::Bios).or_else(|_| choose(Arch::X64)).or_else(|_| choose(Arch::Arm64)).err().map(|why| why.to_string()),
        }
    }

    fn address_in_use(&self, host: &Host) -> Told<Option<String>> {
        let Some(address) = host.address else { return Ok(None) };
        let other = self.store.hosts()?.into_iter().find(|other| other.id != host.id && other.address == Some(address));
        let lent = self.book().holder(address).filter(|mac| !host.macs.contains(mac));
        Ok(other.map(|other| other.name.to_string()).or_else(|| lent.map(|mac| mac.to_string())))
    }
}
