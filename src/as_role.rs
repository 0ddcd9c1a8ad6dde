//! Doing something as another role.

use pgrx::prelude::*;

use crate::pg::guc_nesting::GucNesting;

/// Until this is dropped the current role is another one, in a security-restricted operation: it cannot change back, leave
/// anything behind in the session, or put off triggers until somebody else is the current role. Settings that were changed
/// meanwhile are set back: with a `search_path` of its making, other people's next statements would run its code.
pub struct AsRole {
    role: pg_sys::Oid,
    context: i32,
    _settings: GucNesting,
}

impl AsRole {
    /// The role stays what it is; what it does is restricted all the same.
    pub fn restricted() -> Self {
        // SAFETY: reads a variable of the backend.
        Self::enter(unsafe { pg_sys::GetUserId() })
    }

    pub fn enter(role: pg_sys::Oid) -> Self {
        let mut former = Self {
            role: pg_sys::InvalidOid,
            context: 0,
            _settings: GucNesting::begin(),
        };
        let restricted = pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION;
        // SAFETY: two functions that read and set variables of the backend.
        unsafe {
            pg_sys::GetUserIdAndSecContext(&mut former.role, &mut former.context);
            pg_sys::SetUserIdAndSecContext(role, former.context | restricted as i32);
        }
        former
    }
}

impl Drop for AsRole {
    fn drop(&mut self) {
        // SAFETY: what was read when it was entered.
        unsafe { pg_sys::SetUserIdAndSecContext(self.role, self.context) };
    }
}
