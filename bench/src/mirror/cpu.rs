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

/// Of all threads of a process that ever ran, to a hundredth of a second.
pub fn used_in_all(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs, on Linux");
    // The name may hold anything, so fields are counted from its closing parenthesis. Linux gives hundredths to everybody.
    let (_, fields) = stat.rsplit_once(") ").expect("the name is in parentheses");
    let hundredths: u64 = fields
        .split(' ')
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().expect("times are numbers"))
        .sum();
    Duration::from_millis(10 * hundredths)
}

/// Of several processes.
pub fn used_by(pids: &[u32]) -> Duration {
    pids.iter().map(|pid| used(*pid)).sum()
}
