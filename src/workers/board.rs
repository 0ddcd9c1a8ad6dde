//! What the launcher and the other processes tell each other, in shared memory. There only where the library is preloaded:
//! elsewhere nobody listens.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use pgrx::prelude::*;
use pgrx::{PGRXSharedMemory, PgAtomic, pg_shmem_init};

/// Databases that can ask for a round between two looks of the launcher. More are served at their next turn.
const WAKES: usize = 64;

struct Board {
    /// Address of the launcher's latch, which lies in shared memory too; 0 before it has run.
    latch: AtomicUsize,
    /// What the last look into a database found: see `pack`. 0: nothing yet.
    found: AtomicU64,
    /// Databases that ask for a round, and in how many seconds. 0: free.
    wakes: [AtomicU64; WAKES],
}

impl Default for Board {
    fn default() -> Self {
        Self {
            latch: AtomicUsize::new(0),
            found: AtomicU64::new(0),
            wakes: [const { AtomicU64::new(0) }; WAKES],
        }
    }
}

// SAFETY: nothing but atomics.
unsafe impl PGRXSharedMemory for Board {}

// SAFETY: nobody else uses the name.
static BOARD: PgAtomic<Board> = unsafe { PgAtomic::new(c"clerk_sync launcher") };
static IS_PRELOADED: AtomicBool = AtomicBool::new(false);

/// Asks for the shared memory. In the postmaster, while libraries are preloaded.
// pgrx's macro asks for its own features of older versions.
#[expect(unexpected_cfgs)]
pub fn reserve() {
    pg_shmem_init!(BOARD);
    IS_PRELOADED.store(true, Ordering::Relaxed);
}

fn board() -> Option<&'static Board> {
    IS_PRELOADED.load(Ordering::Relaxed).then(|| BOARD.get())
}

/// A database, which is never 0, and something about it.
fn pack(database: pg_sys::Oid, value: u32) -> u64 {
    u64::from(database.to_u32()) << 32 | u64::from(value)
}

fn unpack(word: u64) -> (pg_sys::Oid, u32) {
    (pg_sys::Oid::from((word >> 32) as u32), word as u32)
}

/// The launcher, which is the running process, listens from now on.
pub fn listen() {
    if let Some(board) = board() {
        // SAFETY: reads a variable of the process.
        board
            .latch
            .store(unsafe { pg_sys::MyLatch } as usize, Ordering::Release);
    }
}

/// Asks the launcher for a round in the database in that many seconds. Neither waits nor raises.
pub fn wake(database: pg_sys::Oid, seconds: u32) {
    let Some(board) = board() else {
        return;
    };
    for place in &board.wakes {
        let noted = place.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
            let (other, sooner) = unpack(word);
            (word == 0 || other == database && sooner > seconds).then(|| pack(database, seconds))
        });
        let is_there = noted.map_or_else(|word| unpack(word).0 == database, |_| true);
        if is_there {
            break;
        }
    }
    let latch = board.latch.load(Ordering::Acquire) as *mut pg_sys::Latch;
    if !latch.is_null() {
        // SAFETY: the latch of a process slot, which stays in place as long as shared memory does. If the launcher has gone,
        // somebody is woken for nothing.
        unsafe { pg_sys::SetLatch(latch) };
    }
}

/// Takes down which databases ask for a round, and in how many seconds.
pub fn take_wakes() -> Vec<(pg_sys::Oid, u32)> {
    let places = board().map_or(&[][..], |board| &board.wakes);
    let words = places.iter().map(|place| place.swap(0, Ordering::AcqRel));
    words.filter(|word| *word != 0).map(unpack).collect()
}

/// Whether a database asks for a round.
pub fn has_wakes() -> bool {
    board().is_some_and(|board| board.wakes.iter().any(|place| place.load(Ordering::Acquire) != 0))
}

/// Leaves what a look into a database found: the owner of the extension, or that it is not there.
pub fn leave_finding(database: pg_sys::Oid, owner: Option<pg_sys::Oid>) {
    if let Some(board) = board() {
        let owner = owner.unwrap_or(pg_sys::InvalidOid).to_u32();
        board.found.store(pack(database, owner), Ordering::Release);
    }
}

/// What a look into the database found. None if it ended without an answer.
pub fn take_finding(database: pg_sys::Oid) -> Option<Option<pg_sys::Oid>> {
    let (of, owner) = unpack(board()?.found.swap(0, Ordering::AcqRel));
    let owner = pg_sys::Oid::from(owner);
    (of == database).then_some(Some(owner).filter(|owner| *owner != pg_sys::InvalidOid))
}
