//! What an installer reads: which documents its kernel arguments name, and which callbacks those documents speak of.
//!
//! Not what the documents mean: a template that names a callback gets it called, one that forgets it is caught. The callbacks come in the
//! order in which an installation reaches them (started, progress as written, events, built); `failed` and `firstboot` are never due.

/// The documents of a kernel command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Documents {
    /// In the order in which they are fetched.
    pub urls: Vec<String>,
    /// The vendor class of this installer's DHCP (option 60).
    pub class: Option<&'static str>,
    /// What it calls itself over HTTP.
    pub agent: &'static str,
}

impl Documents {
    /// Reads a command line: anaconda's `inst.ks=` or `ks=`, a NoCloud seed, debian-installer's `url=`.
    pub fn named(arguments: &str) -> Option<Self> {
        let value = |name: &str| arguments.split_ascii_whitespace().rev().find_map(|word| word.strip_prefix(name));
        if let Some(url) = value("inst.ks=").or_else(|| value("ks=")) {
            return Some(Self { urls: vec![url.to_owned()], class: Some("anaconda-Linux 5.14.0 x86_64"), agent: "anaconda" });
        }
        if let Some(seed) = arguments.split_ascii_whitespace().rev().find_map(seed) {
            let urls = ["network-config", "meta-data", "user-data", "vendor-data"].map(|name| format!("{seed}{name}")).to_vec();
            return Some(Self { urls, class: None, agent: "Cloud-Init/24.1" });
        }
        value("url=").map(|url| Self { urls: vec![url.to_owned()], class: Some("d-i"), agent: "debian-installer" })
    }
}

/// The folder of `ds=nocloud;s=…`, with its slash.
fn seed(word: &str) -> Option<&str> {
    let rest = word.trim_matches('"').strip_prefix("ds=nocloud")?;
    rest.split(';').find_map(|part| part.strip_prefix("s="))
}

/// One callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its URL.
    pub url: String,
    /// Its last words: `started`, `progress/installing` ….
    pub report: String,
    /// Whether it is posted.
    pub is_post: bool,
}

impl Call {
    /// Whether it takes an installer's events as JSON.
    pub fn is_event(&self) -> bool {
        self.report == "events"
    }

    /// Whether the installation is over with it.
    pub fn is_last(&self) -> bool {
        self.report == "built"
    }

    fn rank(&self) -> Option<u8> {
        match self.report.as_str() {
            "started" => Some(0),
            "events" => Some(2),
            "built" => Some(3),
            report if report.starts_with("progress/") => Some(1),
            _ => None,
        }
    }
}

/// The callbacks of a text, in the order in which they are due.
pub fn calls(text: &str) -> Vec<Call> {
    let mut found: Vec<Call> = Vec::new();
    for line in text.lines() {
        let mut from = 0;
        while let Some(at) = line[from..].find("http://").map(|at| from + at) {
            let end = line[at..].find(is_end_of_url).map_or(line.len(), |end| at + end);
            let before = &line[from..at];
            from = end.max(at + 7);
            let url = &line[at..end];
            let Some((_, report)) = url.split_once("/cb/").and_then(|(_, rest)| rest.split_once('/')) else { continue };
            // Subiquity posts its events; elsewhere the command before the URL says it.
            let is_post = report == "events" || ["-X POST", "--data", "--post"].iter().any(|word| before.contains(word));
            let call = Call { url: url.to_owned(), report: report.to_owned(), is_post };
            if call.rank().is_some() && !found.iter().any(|one| one.url == call.url) {
                found.push(call);
            }
        }
    }
    found.sort_by_key(Call::rank);
    found
}

fn is_end_of_url(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '\\' | '<' | '>' | ';' | '|' | '&' | ')')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn named(arguments: &str, urls: &[&str], class: Option<&str>) {
        let documents = Documents::named(arguments).unwrap();
        assert_eq!((documents.urls.as_slice(), documents.class), (urls.iter().map(ToString::to_string).collect::<Vec<_>>().as_slice(), class));
    }

    #[test]
    fn kernel_arguments_name_documents() {
        named("ip=dhcp inst.stage2=http://a/x inst.ks=http://a/ks.cfg quiet", &["http://a/ks.cfg"], Some("anaconda-Linux 5.14.0 x86_64"));
        named("auto=true url=http://a/preseed.cfg", &["http://a/preseed.cfg"], Some("d-i"));
        let seed = ["http://a/t/network-config", "http://a/t/meta-data", "http://a/t/user-data", "http://a/t/vendor-data"];
        named("url=http://a/x.iso autoinstall ds=nocloud;s=http://a/t/ ---", &seed, None);
        named("\"ds=nocloud-net;i=1;s=http://a/t/\"", &seed, None);
        assert_eq!(Documents::named("quiet console=ttyS0"), None);
    }

    #[track_caller]
    fn speaks_of(file: &str, reports: &[(&str, bool)]) {
        let path = format!("{}/tests/golden/templates/plain/{file}", env!("CARGO_MANIFEST_DIR"));
        let found = calls(&std::fs::read_to_string(path).unwrap());
        assert!(found.iter().all(|call| call.url == format!("http://10.77.0.1/cb/TOKEN.00c0ffee00c0ffee/{}", call.report)), "{found:?}");
        assert_eq!(found.iter().map(|call| (call.report.as_str(), call.is_post)).collect::<Vec<_>>(), reports);
    }

    #[test]
    fn the_shipped_documents_speak_of_their_callbacks() {
        let kickstart = [("started", true), ("progress/installing", true), ("progress/post_running", true), ("built", true)];
        speaks_of("kickstart/rhel.ks", &kickstart);
        speaks_of("autoinstall/user-data", &[("started", true), ("progress/post_running", true), ("events", true), ("built", true)]);
        let preseed = [("started", false), ("progress/installing", false), ("progress/post_running", true), ("built", false)];
        speaks_of("preseed/debian.cfg", &preseed);
    }

    #[test]
    fn what_is_no_callback_is_none() {
        assert_eq!(calls("url --url=http://a/rocky9\nhttp://\ncurl http://a/cb/T/failed http://a/cb/T/firstboot http://a/cb/T"), []);
    }
}
