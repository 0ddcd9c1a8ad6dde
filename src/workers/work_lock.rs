//! One worker at a time.

use pgrx::prelude::*;

/// A lock on one kind of work in this database. Who has it keeps it until the process ends or gives it back.
///
/// An advisory lock would not do: any role can take one. This tag is of the same kind with a class that SQL cannot name.
pub struct WorkLock(pg_sys::LOCKTAG);

impl WorkLock {
    /// `class` tells kinds of work apart; 0 to 2 are SQL's.
    pub fn new(class: u16) -> Self {
        Self::of(class, 0)
    }

    /// For work of which there may be one at a time for each `subject`.
    pub fn of(class: u16, subject: i64) -> Self {
        Self(pg_sys::LOCKTAG {
            // SAFETY: set in every process that is connected to a database.
            locktag_field1: unsafe { pg_sys::MyDatabaseId.to_u32() },
            locktag_field2: (subject >> 32) as u32,
            locktag_field3: subject as u32,
            locktag_field4: class,
            locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
            locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
        })
    }

    /// Takes the lock, unless another process has it. May be called outside a transaction.
    pub fn try_acquire(&self) -> bool {
        self.acquire(true)
    }

    /// As [`WorkLock::try_acquire`], until the running transaction ends.
    pub fn try_acquire_for_transaction(&self) -> bool {
        self.acquire(false)
    }

    fn acquire(&self, for_session: bool) -> bool {
        let mode = pg_sys::ExclusiveLock as i32;
        // SAFETY: the tag is plain data; session locks may be taken outside a transaction.
        let result = unsafe { pg_sys::LockAcquire(&self.0, mode, for_session, true) };
        result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
    }

    /// Gives it back.
    pub fn release(&self) {
        // SAFETY: as in `try_acquire`; the lock is held.
        unsafe { pg_sys::LockRelease(&self.0, pg_sys::ExclusiveLock as i32, true) };
    }

    /// Whether some process has it. Neither waits nor raises.
    pub fn is_taken(&self) -> bool {
        // SAFETY: looks the tag up in the table of locks. Who holds a lock counts as one who asked for it.
        unsafe { pg_sys::LockWaiterCount(&self.0) > 0 }
    }
}
