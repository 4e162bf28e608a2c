//! Where a command writes: one writer for results, one for complaints, and what is known of the reader.
//!
//! Nothing else in `cli` touches standard output, so a test reads exactly what a person would.

use std::io::{self, IsTerminal as _, Write};

use super::{
    client::Reply,
    fault::Fault,
    table::{Table, printable},
};

/// The output of one command.
pub struct Console<'a> {
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    /// Whether a person looks at a terminal, where lines may be redrawn and coloured.
    pub is_terminal: bool,
    /// Whether programs read (`--json`).
    pub is_json: bool,
}

impl<'a> Console<'a> {
    /// A console over two writers, without a terminal.
    pub fn plain(out: &'a mut dyn Write, err: &'a mut dyn Write) -> Self {
        Self { out, err, is_terminal: false, is_json: false }
    }

    /// Runs `work` with the console of this process.
    pub fn real<T>(work: impl FnOnce(&mut Console<'_>) -> T) -> T {
        let is_terminal = io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        work(&mut Console { out: &mut io::stdout().lock(), err: &mut io::stderr(), is_terminal, is_json: false })
    }

    /// One line of the result, for people without what a terminal would obey. A line that nobody reads is not kept back: programs follow us
    /// through pipes.
    pub fn line(&mut self, text: impl std::fmt::Display) -> Result<(), Fault> {
        let text = text.to_string();
        writeln!(self.out, "{}", if self.is_json { text.as_str().into() } else { printable(&text) })?;
        Ok(self.out.flush()?)
    }

    /// Text as it is, without a line end of our own.
    pub fn text(&mut self, text: &str) -> Result<(), Fault> {
        self.out.write_all(text.as_bytes())?;
        Ok(self.out.flush()?)
    }

    /// A table; an empty one says `nothing`.
    pub fn table(&mut self, table: &Table, nothing: &str) -> Result<(), Fault> {
        if table.is_empty() { self.line(nothing) } else { self.text(&table.to_string()) }
    }

    /// The API's JSON as it came, if programs read; whether it was written.
    pub fn json(&mut self, reply: &Reply) -> Result<bool, Fault> {
        if self.is_json && !reply.text.is_empty() {
            self.line(reply.text.trim_end())?;
        }
        Ok(self.is_json)
    }

    /// A complaint or a remark that is no result. If nobody takes it there is nobody to tell.
    pub fn remark(&mut self, text: impl std::fmt::Display) {
        let _nobody_listens = writeln!(self.err, "{}", printable(&text.to_string()));
    }

    /// The fault of a command, for people and, with `--json`, for programs.
    pub fn complain(&mut self, fault: &Fault) {
        if fault.is_silent() {
            return;
        }
        if let (true, Fault::Problem(problem)) = (self.is_json, fault) {
            let _the_exit_code_tells = self.line(problem.document.trim_end());
        }
        self.remark(format_args!("bootwright: {fault}"));
    }

    /// Whether colours are wanted (<https://no-color.org>).
    pub fn is_coloured(&self) -> bool {
        self.is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(is_json: bool, text: &str, want: &str) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut console = Console { is_json, ..Console::plain(&mut out, &mut err) };
        console.line(text).unwrap();
        console.remark(text);
        assert_eq!(String::from_utf8(out).unwrap(), format!("{want}\n"));
        assert!(!err.contains(&0x1b));
    }

    #[test]
    fn what_a_machine_wrote_is_not_obeyed_by_a_terminal() {
        check(false, "S\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31mN", "S[2J]0;title31mN");
        check(false, "serial \u{202e}321\u{2066}", "serial 321");
        check(false, "two\nlines\tand é", "two\nlines\tand é");
        check(true, "{\"text\":\"\u{202e}é\"}", "{\"text\":\"\u{202e}é\"}");
        let mut table = Table::new(["SERIAL"], false);
        table.row(["S\u{1b}[31mN".to_owned()]);
        assert_eq!(table.to_string(), "SERIAL\nS[31mN\n");
    }
}
