//! Waiting for something that cannot be interrupted, without delaying the server.
//!
//! A request runs on a thread of its own that receives no signal and knows nothing of Postgres, because name look-ups
//! and TLS handshakes cannot be interrupted from outside. The main thread waits in short slices and attends to
//! Postgres in between; if the worker is told to end, it ends, and the thread with it.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use crate::workers::give_way::give_way;

/// Longest time between two looks at what Postgres wants of us.
const SLICE: Duration = Duration::from_millis(50);

/// Runs `work` on a thread while this one serves Postgres' interrupts. None if no thread could be started or it broke off.
pub fn attend_while<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> Option<R> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let job = move || drop(sender.send(work()));
    without_signals(|| std::thread::Builder::new().name("clerk http".into()).spawn(job)).ok()?;
    loop {
        match receiver.recv_timeout(SLICE) {
            Ok(answer) => return Some(answer),
            Err(RecvTimeoutError::Timeout) => {
                // Ends the worker on termination and cancel, and answers barriers.
                pgrx::check_for_interrupts!();
                give_way();
            }
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

/// Blocks every signal around `spawn`, so that the new thread, and any that it starts, inherits a full mask:
/// Postgres' signal handlers must only ever run on the main thread.
fn without_signals<T>(spawn: impl FnOnce() -> T) -> T {
    // SAFETY: the sets are initialised by sigfillset and pthread_sigmask before they are read.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        let result = spawn();
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        result
    }
}
