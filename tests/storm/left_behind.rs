//! What cancelled calls must not leave behind: workers, memory, shared memory.

use std::thread;
use std::time::{Duration, Instant};

use clerk_tests::Sql;
use postgres::Client;

/// What a session holds.
#[derive(Debug)]
pub struct Held {
    /// Segments of dynamic shared memory that it maps.
    segments: usize,
    /// Bytes in Postgres' memory contexts.
    in_contexts: i64,
    /// KiB of memory of its own, ours and Postgres'.
    resident: u64,
}

impl Held {
    pub fn by(session: &mut Client, pid: i32) -> Self {
        let read = |file: &str| {
            std::fs::read_to_string(format!("/proc/{pid}/{file}"))
                .expect("the session's process can be looked at")
        };
        let resident = read("status").lines().find_map(|line| {
            line.strip_prefix("RssAnon:")?
                .trim()
                .strip_suffix(" kB")?
                .trim()
                .parse()
                .ok()
        });
        Self {
            segments: read("maps")
                .lines()
                .filter(|line| line.contains("/dev/shm/PostgreSQL."))
                .count(),
            in_contexts: session.value("SELECT sum(total_bytes)::bigint FROM pg_backend_memory_contexts"),
            resident: resident.expect("the kernel says how much memory it has"),
        }
    }

    /// # Panics
    /// If a session holds more after thousands of calls than caches explain.
    pub fn assert_not_more(before: &Self, after: &Self) {
        assert_eq!(before.segments, after.segments, "{before:?} became {after:?}");
        assert!(
            after.in_contexts < before.in_contexts + (4 << 20),
            "{before:?} became {after:?}"
        );
        assert!(
            after.resident < before.resident + (16 << 10),
            "{before:?} became {after:?}"
        );
    }
}

/// # Panics
/// If a worker is still there that nobody waits for.
pub fn wait_until_no_worker_is_left(superuser: &mut Client) {
    let deadline = Instant::now() + Duration::from_secs(120);
    let workers = "SELECT array_agg(application_name) FROM pg_stat_activity
         WHERE backend_type = 'clerk_sync worker' AND application_name NOT IN ('clerk_sync: maintain', 'clerk_sync: look for the extension')";
    while let Some(left) = superuser.value::<Option<Vec<String>>>(workers) {
        assert!(Instant::now() < deadline, "still there: {left:?}");
        thread::sleep(Duration::from_millis(50));
    }
}
