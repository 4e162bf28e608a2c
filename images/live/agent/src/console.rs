//! The screen of the live image, which is a serial log too: one line per change, each beginning with `bootwright: `.
//!
//! No cursor is moved and nothing is drawn over, so that the same bytes read well on a VGA screen, on a serial port and in a file. What a
//! server says is shown without its control characters. People and the laboratory wait for these lines: keep their words.

use std::{
    collections::{BTreeMap, VecDeque},
    io::Write,
    sync::{Mutex, PoisonError},
};

use crate::contract::{Mode, Progress};

/// Before every line.
const PREFIX: &str = "bootwright: ";

/// How many errors are repeated when the machine begins to wait.
const REMEMBERED: usize = 4;

/// Where the lines go.
pub struct Console {
    inside: Mutex<Inside>,
}

struct Inside {
    out: Box<dyn Write + Send>,
    last: String,
    errors: VecDeque<String>,
}

impl Console {
    /// To this.
    pub fn new(out: Box<dyn Write + Send>) -> Self {
        Self { inside: Mutex::new(Inside { out, last: String::new(), errors: VecDeque::new() }) }
    }

    /// One line; the same line twice in a row is said once.
    pub fn say(&self, text: &str) {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner).say(text);
    }

    /// One line that says what is wrong; the newest ones are repeated by [`Console::remind`].
    pub fn error(&self, text: &str) {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        inside.say(&format!("error: {text}"));
        if inside.errors.back().is_none_or(|last| last != text) {
            inside.errors.push_back(text.to_owned());
        }
        if inside.errors.len() > REMEMBERED {
            inside.errors.pop_front();
        }
    }

    /// The last errors again, for who comes to the screen when the rest has scrolled away.
    pub fn remind(&self) {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        for error in inside.errors.clone() {
            inside.say(&format!("last errors: {error}"));
        }
    }
}

impl Inside {
    fn say(&mut self, text: &str) {
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(1000).collect();
        if text == self.last {
            return;
        }
        // A screen that is gone must not stop a wipe.
        let _gone = writeln!(self.out, "{PREFIX}{text}").and_then(|()| self.out.flush());
        self.last = text;
    }
}

/// What this power-on is for, in words that nobody misreads.
pub fn mode(mode: Mode, disks: Option<usize>, plan: Option<&str>) -> String {
    let plan = plan.map_or("…", |plan| plan.get(..12).unwrap_or(plan));
    match (mode, disks) {
        (Mode::Register, _) => "mode REGISTER: reads the hardware, touches no disk".to_owned(),
        (Mode::Clean, None) => format!("mode CLEAN: will erase disks by plan {plan} if the server says so again"),
        (Mode::Clean, Some(1)) => format!("mode CLEAN: erases 1 disk by plan {plan}"),
        (Mode::Clean, Some(disks)) => format!("mode CLEAN: erases {disks} disks by plan {plan}"),
    }
}

/// Turns progress into lines: a step that changes, every further tenth of a disk.
#[derive(Debug, Default)]
pub struct Teller {
    step: String,
    disks: BTreeMap<String, (String, u32)>,
}

impl Teller {
    /// What is new since the last time.
    pub fn news(&mut self, progress: &Progress) -> Vec<String> {
        let mut lines = Vec::new();
        if self.step != progress.step && !progress.step.is_empty() {
            self.step.clone_from(&progress.step);
            lines.push(format!("now: {}", progress.step));
        }
        for disk in &progress.disks {
            let stage = (disk.step.clone(), disk.percent / 10);
            if self.disks.get(&disk.id.0) == Some(&stage) {
                continue;
            }
            self.disks.insert(disk.id.0.clone(), stage);
            let left = disk.eta_secs.filter(|_| disk.percent < 100).map(|secs| format!(", {} to go", time(secs))).unwrap_or_default();
            let percent = if matches!(disk.step.as_str(), "erasing" | "verifying") { format!(" {} %", disk.percent) } else { String::new() };
            lines.push(format!("disk {}: {}{percent}{left}", disk.id, disk.step));
        }
        lines
    }
}

/// `2 h 5 min`, `40 s`
fn time(secs: u64) -> String {
    match secs {
        0..=119 => format!("{secs} s"),
        120..=7199 => format!("{} min", secs / 60),
        _ => format!("{} h {} min", secs / 3600, secs / 60 % 60),
    }
}

/// `3.8 TB`, in the units that are printed on disks.
pub fn size(bytes: u64) -> String {
    let units = [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")];
    let Some((unit, name)) = units.into_iter().find(|(unit, _)| bytes >= *unit) else { return format!("{bytes} bytes") };
    let tenths = bytes / (unit / 10);
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

#[cfg(test)]
pub mod tests {
    //! Also the screen that other tests read.

    use std::{io, sync::Arc};

    use super::*;
    use crate::contract::{DiskId, DiskProgress};

    /// A console whose lines can be read.
    #[derive(Clone, Default)]
    pub struct Screen(Arc<Mutex<Vec<u8>>>);

    impl Screen {
        /// A console on it.
        pub fn console(&self) -> Console {
            Console::new(Box::new(self.clone()))
        }

        /// Its lines.
        pub fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn each_change_is_one_line_without_control_characters() {
        let screen = Screen::default();
        let console = screen.console();
        console.say("hello");
        console.say("hello");
        console.error("bad\x1b[2J\nnews");
        assert_eq!(screen.text(), "bootwright: hello\nbootwright: error: bad [2J news\n");
    }

    #[test]
    fn the_last_errors_are_repeated() {
        let screen = Screen::default();
        let console = screen.console();
        for at in 0..6 {
            console.error(&format!("number {at}"));
        }
        console.remind();
        let repeated: Vec<String> = screen.text().lines().skip(6).map(str::to_owned).collect();
        assert_eq!(repeated, (2..6).map(|at| format!("bootwright: last errors: number {at}")).collect::<Vec<_>>());
    }

    #[test]
    fn the_mode_is_said_in_big_words() {
        assert_eq!(mode(Mode::Register, None, None), "mode REGISTER: reads the hardware, touches no disk");
        assert_eq!(
            mode(Mode::Clean, None, Some("b9fb3bb9524499d5")),
            "mode CLEAN: will erase disks by plan b9fb3bb95244 if the server says so again"
        );
        assert_eq!(mode(Mode::Clean, Some(3), Some("b9fb3bb9524499d5")), "mode CLEAN: erases 3 disks by plan b9fb3bb95244");
        assert_eq!(mode(Mode::Clean, Some(1), Some("ab")), "mode CLEAN: erases 1 disk by plan ab");
    }

    #[test]
    fn a_disk_is_told_at_every_tenth_and_every_step() {
        let mut teller = Teller::default();
        let mut at = |step: &str, percent, eta_secs| {
            let disk = DiskProgress { id: DiskId("wwn:0x5".to_owned()), step: step.to_owned(), percent, eta_secs };
            teller.news(&Progress { step: "erasing".to_owned(), percent, eta_secs: None, disks: vec![disk] })
        };
        assert_eq!(at("waiting", 0, None), ["now: erasing", "disk wwn:0x5: waiting"]);
        assert_eq!(at("erasing", 0, Some(7500)), ["disk wwn:0x5: erasing 0 %, 2 h 5 min to go"]);
        assert!(at("erasing", 9, Some(600)).is_empty());
        assert_eq!(at("erasing", 10, Some(600)), ["disk wwn:0x5: erasing 10 %, 10 min to go"]);
        assert_eq!(at("verifying", 99, Some(40)), ["disk wwn:0x5: verifying 99 %, 40 s to go"]);
        assert_eq!(at("done", 100, None), ["disk wwn:0x5: done"]);
        assert!(at("done", 100, None).is_empty());
    }

    #[test]
    fn sizes_read_as_on_the_label() {
        for (bytes, text) in [(3_840_755_982_336, "3.8 TB"), (480_103_981_056, "480.1 GB"), (1_474_560, "1.4 MB"), (512, "512 bytes")] {
            assert_eq!(size(bytes), text);
        }
    }
}
