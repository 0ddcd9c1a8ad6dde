//! What the server's log says that it must not say.

use clerk_tests::Cluster;

/// Reads the log from where it stopped.
pub struct Watch<'c> {
    cluster: &'c Cluster,
    read: u64,
}

/// What must be nowhere: the beginning of every stored password, as an example of memory that is not ours.
const FOREIGN: &str = "SCRAM-SHA-256$";

/// PostgreSQL's own answer to a NOTIFY in a function in SQL that is wrongly marked as parallel safe, whoever made it.
const POSTGRES_OWN: &str = "cannot send notifications from a parallel worker";

impl<'c> Watch<'c> {
    pub fn new(cluster: &'c Cluster) -> Self {
        let read = cluster.log().len() as u64;
        Self { cluster, read }
    }

    /// What was logged since the last call that tells of a crash, an internal error or foreign memory.
    pub fn faults(&mut self) -> Vec<String> {
        let new = self.cluster.log_since(self.read);
        // A line that is being written is left for the next call.
        let whole = new.rfind('\n').map_or(0, |at| at + 1);
        let faults = new[..whole].lines().filter(|line| is_fault(line));
        let faults = faults.map(str::to_owned).collect();
        self.read += whole as u64;
        faults
    }
}

fn is_fault(line: &str) -> bool {
    line.contains("terminated by signal")
        || line.contains("PANIC:")
        || line.contains(FOREIGN)
        || (line.starts_with("XX")
            && !line.contains(POSTGRES_OWN)
            && (line.contains("ERROR:") || line.contains("FATAL:")))
}

/// Whether an error is one that a person may see: no internal error, and printable.
pub fn is_ordinary(sqlstate: &str, message: &str) -> bool {
    let is_printable = |character: char| !character.is_control() || character == '\n' || character == '\t';
    (!sqlstate.starts_with("XX") || message == POSTGRES_OWN)
        && message.chars().all(is_printable)
        && !message.contains('\u{fffd}')
        && !message.contains(FOREIGN)
}
