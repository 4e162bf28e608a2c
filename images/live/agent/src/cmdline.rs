//! What the kernel was told: the `bw.` arguments that the server wrote into the machine's boot script.
//!
//! Everything else on the line is the kernel's, the init's or the operator's and is not looked at. A `bw.` argument that stands twice is
//! refused: which of two modes or plans was meant must not be guessed. Whether a wipe may run is not decided here (`gate`).

use std::{fmt, net::IpAddr, net::SocketAddr};

use crate::contract::{Mac, Mode};

/// The secret of this run. `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The secret itself, for the `Authorization` header.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cmdline {
    /// Where the server's boot listener is, `http://10.0.0.1:8080` without a slash at the end.
    pub server: String,
    /// The host's name, for people.
    pub host: String,
    /// The boot session, 16 hexadecimal digits.
    pub session: String,
    /// What this machine was started for.
    pub mode: Mode,
    /// Who may speak for it.
    pub token: Token,
    /// The hash of the plan, for [`Mode::Clean`].
    pub plan: Option<String>,
    /// The card that it booted from.
    pub mac: Option<Mac>,
}

/// Why the line cannot be worked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadCmdline {
    /// An argument is not there.
    Missing(&'static str),
    /// It stands twice.
    Twice(&'static str),
    /// It has another shape.
    Shape {
        /// Which.
        argument: &'static str,
        /// What stands there.
        found: String,
        /// What should.
        wanted: &'static str,
    },
}

impl fmt::Display for BadCmdline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(argument) => write!(
                f,
                "the kernel's command line has no {argument}=; boot this machine from the network with the server's own script, or add it to your copy of templates/ipxe/live.ipxe"
            ),
            Self::Twice(argument) => write!(f, "the kernel's command line has {argument}= twice; take it out of the host's parameter live_args"),
            Self::Shape { argument, found, wanted } => {
                write!(
                    f,
                    "the kernel's command line has {argument}={found}, wanted is {wanted}; boot this machine again with the server's own script"
                )
            }
        }
    }
}

/// Reads `/proc/cmdline`.
///
/// # Errors
/// The first argument that is missing, doubled or misshapen.
pub fn parse(line: &str) -> Result<Cmdline, BadCmdline> {
    let line = Line(line);
    Ok(Cmdline {
        server: line.shaped("bw.server", "http://ADDRESS or http://ADDRESS:PORT", server)?,
        host: line.shaped("bw.host", "a host's name", |text| (!text.is_empty()).then(|| text.to_owned()))?,
        session: line.shaped("bw.session", "16 hexadecimal digits", |text| hex(text, 16))?,
        mode: line.shaped("bw.mode", "register or clean", |text| match text {
            "register" => Some(Mode::Register),
            "clean" => Some(Mode::Clean),
            _ => None,
        })?,
        token: line.shaped("bw.token", "16 to 64 letters and digits", token)?,
        plan: line.maybe("bw.plan", "64 hexadecimal digits", |text| hex(text, 64))?,
        mac: line.maybe("bw.mac", "an address like 52:54:00:ab:cd:ef", |text| text.parse().ok())?,
    })
}

struct Line<'a>(&'a str);

impl Line<'_> {
    fn shaped<T>(&self, argument: &'static str, wanted: &'static str, read: impl Fn(&str) -> Option<T>) -> Result<T, BadCmdline> {
        self.maybe(argument, wanted, read)?.ok_or(BadCmdline::Missing(argument))
    }

    fn maybe<T>(&self, argument: &'static str, wanted: &'static str, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, BadCmdline> {
        let mut found = self.0.split_ascii_whitespace().filter_map(|word| word.strip_prefix(argument)?.strip_prefix('='));
        let Some(text) = found.next() else { return Ok(None) };
        if found.next().is_some() {
            return Err(BadCmdline::Twice(argument));
        }
        // A token in full on the screen would be a secret for whoever walks by.
        let shown = if argument == "bw.token" { "…".to_owned() } else { text.chars().take(80).collect() };
        read(text).map(Some).ok_or(BadCmdline::Shape { argument, found: shown, wanted })
    }
}

/// Plain HTTP to an address: the live image has no resolver and no certificates, and a name would need both.
fn server(text: &str) -> Option<String> {
    let bare = text.strip_suffix('/').unwrap_or(text);
    let address = bare.strip_prefix("http://")?;
    (address.parse::<IpAddr>().is_ok_and(|address| address.is_ipv4()) || address.parse::<SocketAddr>().is_ok()).then(|| bare.to_owned())
}

fn hex(text: &str, digits: usize) -> Option<String> {
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit())).then(|| text.to_ascii_lowercase())
}

fn token(text: &str) -> Option<Token> {
    let ok = (16..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    ok.then(|| Token(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "initrd=initrd.magic rdinit=/init bw.server=http://10.12.0.1 bw.host=r12-u07 bw.session=00C0ffee5eed1234 bw.mode=clean \
        bw.token=abcdefghijklmnop234567abcd bw.plan=b9fb3bb9524499d5a4313e9d5fb5c164e77fa8bdf44feec307136e3a5e23af80 bw.mac=B4:45:06:e1:0a:10 \
        console=ttyS0,115200 quiet\n";

    /// One argument replaced by another text (or by nothing) comes to this sentence.
    #[track_caller]
    fn check(argument: &str, instead: &str, says: &[&str]) {
        let changed: Vec<&str> =
            GOOD.split_ascii_whitespace().map(|word| if word.starts_with(&format!("{argument}=")) { instead } else { word }).collect();
        let why = parse(&changed.join(" ")).unwrap_err().to_string();
        for part in says {
            assert!(why.contains(part), "{why} lacks {part}");
        }
    }

    #[test]
    fn the_servers_line_is_read() {
        let read = parse(GOOD).unwrap();
        assert_eq!((read.server.as_str(), read.host.as_str(), read.mode), ("http://10.12.0.1", "r12-u07", Mode::Clean));
        assert_eq!((read.session.as_str(), read.token.reveal()), ("00c0ffee5eed1234", "abcdefghijklmnop234567abcd"));
        assert_eq!(read.plan.as_deref().map(str::len), Some(64));
        assert_eq!(read.mac.unwrap().to_string(), "b4:45:06:e1:0a:10");
        assert!(!format!("{read:?}").contains("abcdefghijklmnop"), "the token is not for logs");
    }

    #[test]
    fn plan_and_card_may_be_missing() {
        let read =
            parse("bw.server=http://10.0.0.1:8080/ bw.host=a bw.session=0123456789abcdef bw.mode=register bw.token=aaaaaaaaaaaaaaaaaaaaaaaaaa")
                .unwrap();
        assert_eq!((read.server.as_str(), read.plan, read.mac), ("http://10.0.0.1:8080", None, None));
    }

    #[test]
    fn every_mistake_names_the_argument_and_what_to_do() {
        check("bw.server", "", &["no bw.server=", "boot this machine from the network"]);
        check("bw.server", "bw.server=https://10.0.0.1", &["bw.server=https://10.0.0.1", "http://ADDRESS", "boot this machine again"]);
        check("bw.server", "bw.server=http://boot.example.net", &["bw.server=http://boot", "http://ADDRESS"]);
        check("bw.server", "bw.server=http://10.0.0.1/x", &["http://ADDRESS"]);
        check("bw.host", "bw.host=", &["bw.host=,", "a host's name"]);
        check("bw.session", "bw.session=12", &["bw.session=12", "16 hexadecimal"]);
        check("bw.session", "", &["no bw.session="]);
        check("bw.mode", "bw.mode=wipe", &["bw.mode=wipe", "register or clean"]);
        check("bw.mode", "bw.mode=clean bw.mode=register", &["bw.mode= twice", "live_args"]);
        check("bw.token", "bw.token=short", &["bw.token=…", "16 to 64"]);
        check("bw.token", "", &["no bw.token="]);
        check("bw.plan", "bw.plan=1234", &["bw.plan=1234", "64 hexadecimal"]);
        check("bw.mac", "bw.mac=ff:ff:ff:ff:ff:ff", &["bw.mac=ff:ff", "52:54:00"]);
    }
}
