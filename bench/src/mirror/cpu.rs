//! How much processor time a process has used, as Linux counts it: in nanoseconds, on any processor.

use std::fs;
use std::time::Duration;

/// Of all threads of a process that still run.
pub fn used(pid: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the process runs, on Linux");
    let nanoseconds = tasks.flatten().filter_map(|task| {
        // A thread may end meanwhile.
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// Of several processes.
pub fn used_by(pids: &[u32]) -> Duration {
    pids.iter().map(|pid| used(*pid)).sum()
}
