//! SCSI: SANITIZE by `sg_sanitize`, watched by `sg_turs`.
//!
//! The command is started and returns at once (`--early`), so that progress, deadline and abort are ours and not the tool's. The disk answers
//! "not ready" with its progress until it has finished; a failed sanitize leaves it answering with a medium error.

use super::{Halt, Job};
use crate::{contract::Attempt, wipe::site::note};

/// Looks in a row that may end in a unit attention or a "not ready" without progress.
const UNSETTLED: u32 = 150;

/// SANITIZE, to its end.
pub fn sanitize(job: &Job<'_>, attempt: &mut Attempt, kind: &[&str]) -> Result<String, Halt> {
    let node = job.found.node();
    let words: Vec<&str> = kind.iter().copied().chain(["--quick", "--early", &node]).collect();
    job.attempt(attempt, "sg_sanitize", &words)?;
    let mut unsettled = 0;
    loop {
        let said = job.pause().and_then(|()| job.run("sg_turs", &["--progress", &node])).inspect_err(|_| {
            note(attempt, "a sanitize cannot be stopped: the drive may go on with it by itself");
        })?;
        match (percent(&said.stdout), said.code()) {
            (Some(percent), _) => {
                unsettled = 0;
                job.gauge.percent(percent);
            }
            (None, Some(0)) => return Ok("ready again after SANITIZE".to_owned()),
            // 2: not ready, 6: unit attention.
            (None, Some(2 | 6)) if unsettled < UNSETTLED => unsettled += 1,
            _ => {
                note(attempt, &format!("{}{}", said.stdout, said.stderr));
                return Err(Halt::Failed(format!("sg_turs: {}", said.why())));
            }
        }
    }
}

/// `Progress indication: 23.45% done`
fn percent(text: &str) -> Option<u32> {
    let done = text.lines().find_map(|line| line.trim().strip_prefix("Progress indication:"))?;
    done.trim().split(['.', '%']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn progress_is_read() {
        assert_eq!(super::percent("Progress indication: 23.45% done\n"), Some(23));
        assert_eq!(super::percent("device not ready\n"), None);
    }
}
