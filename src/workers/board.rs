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
    /// Databases that ask for a round: see `pack`. 0: free.
    wakes: [AtomicU64; WAKES],
}

impl Default for Board {
    fn default() -> Self {
        Self {
            latch: AtomicUsize::new(0),
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

/// What a database asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wake {
    /// In how many seconds a round is wanted.
    pub seconds: u32,
    /// Whether something was changed for which earlier rounds may have failed.
    pub is_changed: bool,
}

impl Wake {
    const CHANGED: u32 = 1 << 31;

    /// Both.
    fn and(self, other: Self) -> Self {
        Self {
            seconds: self.seconds.min(other.seconds),
            is_changed: self.is_changed || other.is_changed,
        }
    }
}

/// A database, which is never 0, and what it asks for.
fn pack(database: pg_sys::Oid, wake: Wake) -> u64 {
    let flag = if wake.is_changed { Wake::CHANGED } else { 0 };
    u64::from(database.to_u32()) << 32 | u64::from(wake.seconds.min(Wake::CHANGED - 1) | flag)
}

fn unpack(word: u64) -> (pg_sys::Oid, Wake) {
    let wake = Wake {
        seconds: word as u32 & !Wake::CHANGED,
        is_changed: word as u32 & Wake::CHANGED != 0,
    };
    (pg_sys::Oid::from((word >> 32) as u32), wake)
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

/// Asks the launcher for a round in the database. Neither waits nor raises.
pub fn wake(database: pg_sys::Oid, wake: Wake) {
    let Some(board) = board() else {
        return;
    };
    for place in &board.wakes {
        let noted = place.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| match unpack(word) {
            _ if word == 0 => Some(pack(database, wake)),
            (other, earlier) if other == database => Some(pack(database, earlier.and(wake))),
            _ => None,
        });
        if noted.is_ok() {
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

/// Takes down which databases ask for a round.
pub fn take_wakes() -> Vec<(pg_sys::Oid, Wake)> {
    let places = board().map_or(&[][..], |board| &board.wakes);
    let words = places.iter().map(|place| place.swap(0, Ordering::AcqRel));
    words.filter(|word| *word != 0).map(unpack).collect()
}

/// Whether a database asks for a round.
pub fn has_wakes() -> bool {
    board().is_some_and(|board| board.wakes.iter().any(|place| place.load(Ordering::Acquire) != 0))
}
