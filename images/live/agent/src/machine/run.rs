//! Runs one program with a time-out and an abort, and keeps what it says.
//!
//! The program gets a process group of its own, so that its children die with it. One `poll` waits for its output and its end together
//! (pidfd, Linux 5.3). A program that does not die of SIGKILL hangs in the kernel on broken hardware; it is left behind after
//! [`GRACE`], because nothing can be done about it and the rest of the work goes on.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, OwnedFd},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, Command, Stdio},
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open},
};

use super::{Ask, End, NoRun, Said};

/// The most that is kept of one stream.
const MOST: usize = 4 << 20;

/// How often an abort is looked for.
const SLICE: Duration = Duration::from_millis(200);

/// How long a killed program has to go.
const GRACE: Duration = Duration::from_secs(5);

/// Runs it to its end.
pub fn run(ask: &Ask<'_>) -> Result<Said, NoRun> {
    let fault = |what: &str, error: io::Error| NoRun::Fault(format!("{}: {what}: {error}", ask.program));
    let mut command = Command::new(ask.program);
    command.args(&ask.words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).env("LC_ALL", "C");
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => NoRun::NotThere(ask.program.to_owned()),
        _ => fault("it cannot be started", error),
    })?;
    let pid = Pid::from_child(&child);
    let watched = pidfd_open(pid, PidfdFlags::empty()).map_err(io::Error::from).and_then(|pidfd| Run::new(&mut child, pidfd));
    let said = watched.and_then(|mut run| {
        let end = run.follow(ask, pid)?;
        Ok((end, run.out.text(), run.err.text()))
    });
    match said {
        Ok((Some(end), stdout, stderr)) => {
            // It may still hang in the kernel: reaped if it is gone, left behind if not.
            let _gone = child.try_wait();
            Ok(Said { end, stdout, stderr })
        }
        Ok((None, stdout, stderr)) => {
            let status = child.wait().map_err(|error| fault("it cannot be waited for", error))?;
            let end = status.code().map_or_else(|| End::Signal(status.signal().unwrap_or(0)), End::Exit);
            Ok(Said { end, stdout, stderr })
        }
        Err(error) => {
            let _gone = kill_process_group(pid, Signal::KILL);
            Err(fault("it cannot be watched", error))
        }
    }
}

/// One stream of the program; `None` once it is closed.
struct Stream {
    file: Option<File>,
    kept: Vec<u8>,
}

impl Stream {
    fn new(fd: Option<OwnedFd>) -> Self {
        Self { file: fd.map(File::from), kept: Vec::new() }
    }

    /// Takes what is there; more than [`MOST`] is read and dropped, so that the program does not wait for a full pipe.
    fn take(&mut self) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut block = [0; 16 << 10];
        let read = file.read(&mut block)?;
        if read == 0 {
            self.file = None;
        }
        let room = MOST - self.kept.len();
        self.kept.extend_from_slice(&block[..read.min(room)]);
        Ok(())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.kept).into_owned()
    }
}

struct Run {
    pidfd: OwnedFd,
    out: Stream,
    err: Stream,
}

/// What one look found ready.
struct Ready {
    out: bool,
    err: bool,
    ended: bool,
}

impl Run {
    fn new(child: &mut Child, pidfd: OwnedFd) -> io::Result<Self> {
        Ok(Self { pidfd, out: Stream::new(child.stdout.take().map(OwnedFd::from)), err: Stream::new(child.stderr.take().map(OwnedFd::from)) })
    }

    /// Takes what it says until it ends. `None`: it ended by itself and can be reaped.
    fn follow(&mut self, ask: &Ask<'_>, pid: Pid) -> io::Result<Option<End>> {
        let mut until = Instant::now().checked_add(ask.limit);
        let mut killed = None;
        loop {
            let left = until.map_or(SLICE, |until| until.saturating_duration_since(Instant::now()));
            let ready = self.look(left.min(SLICE))?;
            self.take(&ready)?;
            if ready.ended && !ready.out && !ready.err {
                return Ok(killed);
            }
            let late = until.is_some_and(|until| Instant::now() >= until);
            let stopped = ask.stop.is_some_and(|stop| stop.load(Ordering::Relaxed));
            match killed {
                Some(end) if late => return Ok(Some(end)),
                None if late || stopped => {
                    killed = Some(if stopped { End::Stopped } else { End::TimedOut });
                    until = Some(Instant::now() + GRACE);
                    let _gone = kill_process_group(pid, Signal::KILL);
                }
                _ => {}
            }
        }
    }

    fn take(&mut self, ready: &Ready) -> io::Result<()> {
        if ready.out {
            self.out.take()?;
        }
        if ready.err {
            self.err.take()?;
        }
        Ok(())
    }

    fn look(&self, at_most: Duration) -> io::Result<Ready> {
        let mut fds = vec![PollFd::new(&self.pidfd, PollFlags::IN)];
        let streams: Vec<_> = [&self.out, &self.err].into_iter().map(|stream| stream.file.as_ref()).collect();
        for file in streams.iter().flatten() {
            fds.push(PollFd::from_borrowed_fd(file.as_fd(), PollFlags::IN));
        }
        let at_most = Timespec { tv_sec: at_most.as_secs().cast_signed(), tv_nsec: at_most.subsec_nanos().into() };
        match poll(&mut fds, Some(&at_most)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
        let ended = ready.next().unwrap_or(false);
        let mut of = |stream: &Option<&File>| stream.is_some() && ready.next().unwrap_or(false);
        Ok(Ready { out: of(&streams[0]), err: of(&streams[1]), ended })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn sh(script: &str, limit: Duration) -> Said {
        run(&Ask::new("sh", &["-c", script], limit)).unwrap()
    }

    #[test]
    fn both_streams_and_the_exit_code_are_kept() {
        let said = sh("echo to out; echo to err >&2; exit 3", LONG);
        assert_eq!(said, Said { end: End::Exit(3), stdout: "to out\n".to_owned(), stderr: "to err\n".to_owned() });
        assert_eq!(said.why(), "exit code 3: to err");
        assert!(!said.ok());
    }

    #[test]
    fn much_output_neither_blocks_nor_is_kept_without_bound() {
        let said = sh("yes 0123456789abcdef | head -c 9000000; echo end >&2", LONG);
        assert_eq!((said.end, said.stdout.len(), said.stderr.as_str()), (End::Exit(0), MOST, "end\n"));
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_its_children() {
        // The child of the shell holds the pipes: were it left alive, the end of the output would never come.
        let said = sh("echo begun; cat /dev/zero > /dev/null & wait", Duration::from_millis(300));
        assert_eq!((said.end, said.stdout.as_str()), (End::TimedOut, "begun\n"));
        assert_eq!(said.code(), None);
    }

    #[test]
    fn an_abort_ends_the_program() {
        let stop = AtomicBool::new(true);
        let said = run(&Ask::new("cat", &["/dev/zero"], LONG).until(&stop)).unwrap();
        assert_eq!(said.end, End::Stopped);
        assert_eq!(Said { stdout: String::new(), ..said }.why(), "was ended because the work was stopped");
    }

    #[test]
    fn a_signal_is_told_from_an_exit() {
        assert_eq!(sh("kill -9 $$", LONG).end, End::Signal(9));
    }

    #[test]
    fn a_program_that_is_not_there_is_no_failure_of_it() {
        assert_eq!(run(&Ask::new("no-such-program", &[], LONG)), Err(NoRun::NotThere("no-such-program".to_owned())));
        let folder = run(&Ask::new("/", &[], LONG)).unwrap_err();
        assert!(matches!(folder, NoRun::Fault(_)), "{folder}");
    }
}
