//! Whether a verified token is good at this very call.
//!
//! The times are judged at the beginning of the statement or of the transaction, whichever is later; and because one
//! statement may run many queries for as long as it likes (a DO block, a function), the end is compared with the clock as
//! well. After the end only a query goes on that was answered before it: what it reads is as of its beginning anyway.
//! The next query is refused.

use std::rc::Rc;

use clerk_core::{Refusal, Validity};
use pgrx::prelude::*;

use super::stamp;
use crate::call::Call;
use crate::clock;
use crate::pg::executor_run::PerRun;
use crate::token::verified::Credential;

/// What a running query was last answered for before the end.
static ANSWERED: PerRun<Rc<Credential>> = PerRun::new();

/// Whether the credential may answer this call. Claims without times are judged by whoever set them.
pub fn judge(credential: &Rc<Credential>, call: &Call) -> Result<(), Refusal> {
    let Some(times) = &credential.times else {
        return Ok(());
    };
    times.judge(clock::statement_time())?;
    let now = clock::coarse_now();
    if !times.have_ended(now) {
        note(credential, call);
        return Ok(());
    }
    match began_before_the_end(credential, times, call) {
        true => Ok(()),
        false => times.judge(now),
    }
}

/// Notes that the call's query was answered. The stamp in the call says that this was done already.
fn note(credential: &Rc<Credential>, call: &Call) {
    let stamp = stamp::now() as usize;
    if call.mark() != stamp {
        if let Some(run) = call.executor_run() {
            ANSWERED.set(run, credential.clone());
        }
        call.set_mark(stamp);
    }
}

fn began_before_the_end(credential: &Credential, times: &Validity, call: &Call) -> bool {
    // SAFETY: reads a variable of the process.
    if unsafe { pg_sys::ParallelWorkerNumber } >= 0 {
        // A worker takes part in one query only, and was started for it after that began.
        return !times.have_ended(clock::process_start());
    }
    let run = call.executor_run();
    // The same token may have been verified anew meanwhile, because keys have changed.
    run.and_then(|run| ANSWERED.get(run))
        .is_some_and(|answered| answered.payload == credential.payload)
}
