//! `clerk.current_user_id()` and its siblings.

use pgrx::prelude::*;

use super::answers::{self, Answer};
use crate::call::Call;

/// Exports a helper: the answer at hand without a guard, because nothing on that way can raise; else the long way.
macro_rules! helper {
    ($symbol:ident, $answer:expr) => {
        $crate::c_function_record!($symbol);

        /// # Safety
        /// Called by Postgres only.
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $symbol(info: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
            if let Some(value) = answers::at_hand($answer) {
                // SAFETY: `info` comes from Postgres.
                return unsafe { Call::new(info) }.answer(value);
            }
            // SAFETY: as above.
            unsafe { long_way(info, $answer) }
        }
    };
}

helper!(clerk_current_user_id, Answer::UserId);
helper!(clerk_current_session_id, Answer::SessionId);
helper!(clerk_current_org_id, Answer::OrgId);
helper!(clerk_current_org_slug, Answer::OrgSlug);
helper!(clerk_current_org_role, Answer::OrgRole);
helper!(clerk_current_org_permissions, Answer::OrgPermissions);
helper!(clerk_current_actor_id, Answer::ActorId);
helper!(clerk_current_actor_type, Answer::ActorType);

#[pg_guard]
unsafe extern "C-unwind" fn long_way(info: pg_sys::FunctionCallInfo, answer: Answer) -> pg_sys::Datum {
    // SAFETY: the caller passes what Postgres gave it.
    let call = unsafe { Call::new(info) };
    let value = answers::get(answer, &call);
    call.answer(value)
}
