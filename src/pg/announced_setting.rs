//! A text setting whose changes are announced by a hook, and which may have a value before the library defines it.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use pgrx::pg_sys;

/// A setting that everybody may change and that is not shown by SHOW ALL.
///
/// A name that somebody has set is a placeholder. `DefineCustomStringVariable` would exchange it and set its values anew: in
/// parallel mode they are lost, and so is a RESET in a transaction that is under way, after which the former value of the session
/// counts again. So a placeholder becomes the setting as it is, with its values and what is put aside of them.
pub struct AnnouncedSetting {
    name: &'static CStr,
    description: &'static CStr,
    /// Called at every change, also while a transaction aborts.
    changed: unsafe extern "C-unwind" fn(value: *const c_char, extra: *mut c_void),
    /// Where the value is if there was no placeholder.
    own: AtomicPtr<c_char>,
    /// Where the value is; NULL until the setting is defined.
    value_at: AtomicPtr<*mut c_char>,
    /// Whether another extension has defined the name, which stays so.
    is_anothers: AtomicBool,
}

impl AnnouncedSetting {
    pub const fn new(
        name: &'static CStr,
        description: &'static CStr,
        changed: unsafe extern "C-unwind" fn(value: *const c_char, extra: *mut c_void),
    ) -> Self {
        Self {
            name,
            description,
            changed,
            own: AtomicPtr::new(std::ptr::null_mut()),
            value_at: AtomicPtr::new(std::ptr::null_mut()),
            is_anothers: AtomicBool::new(false),
        }
    }

    /// Whether the hook tells of every change.
    #[inline(always)]
    pub fn is_announced(&self) -> bool {
        !self.value_at.load(Ordering::Relaxed).is_null()
    }

    /// Defines the setting, unless that was done before, here or by another extension. The value stays. Where there was no
    /// placeholder, `current_setting` gives '' from now on where it gave NULL.
    pub fn define(&'static self) {
        if self.is_announced() || self.is_anothers.load(Ordering::Relaxed) {
            return;
        }
        // SAFETY: name, description, variable and hook live as long as the process. What Postgres keeps under a name lives as long
        // as well, except for a placeholder that is exchanged; this one is no placeholder any more.
        unsafe {
            let Some(found) = find(self.name) else {
                self.define_anew();
                return;
            };
            let flags = &mut (*found.as_ptr()).flags;
            let placeholder = pg_sys::GUC_CUSTOM_PLACEHOLDER as c_int;
            if *flags & placeholder == 0 {
                self.is_anothers.store(true, Ordering::Relaxed);
                return;
            }
            *flags &= !placeholder;
            // A placeholder is a string.
            let found = found.cast::<pg_sys::config_string>().as_ptr();
            (*found).gen_.short_desc = self.description.as_ptr();
            (*found).assign_hook = Some(self.changed);
            self.value_at.store((*found).variable, Ordering::Relaxed);
            (self.changed)(*(*found).variable, std::ptr::null_mut());
        }
    }

    /// # Safety
    /// The name is not known to Postgres.
    unsafe fn define_anew(&'static self) {
        let flags = pg_sys::GUC_NO_SHOW_ALL | pg_sys::GUC_NOT_IN_SAMPLE;
        // SAFETY: name, description, variable and hook live as long as the process; the boot value is static.
        unsafe {
            pg_sys::DefineCustomStringVariable(
                self.name.as_ptr(),
                self.description.as_ptr(),
                std::ptr::null(),
                self.own.as_ptr(),
                c"".as_ptr(),
                pg_sys::GucContext::PGC_USERSET,
                flags as c_int,
                None,
                Some(self.changed),
                None,
            );
        }
        self.value_at.store(self.own.as_ptr(), Ordering::Relaxed);
    }

    /// The value; empty when there is none.
    ///
    /// # Safety
    /// Every change of the setting frees the value, so nothing that may run SQL or end a transaction comes before its last use.
    pub unsafe fn value<'a>(&self) -> &'a CStr {
        let value_at = self.value_at.load(Ordering::Relaxed);
        // SAFETY: Postgres keeps NULL or a NUL-terminated string in the variable, and gives one for a name; a missing name is
        // allowed and gives NULL.
        unsafe {
            let value = match value_at.is_null() {
                false => *value_at,
                true => pg_sys::GetConfigOption(self.name.as_ptr(), true, false),
            };
            if value.is_null() {
                c""
            } else {
                CStr::from_ptr(value)
            }
        }
    }
}

/// What Postgres keeps under a name, a placeholder included.
///
/// # Safety
/// The result is used before anything else can define or remove a setting.
#[cfg(feature = "pg15")]
unsafe fn find(name: &CStr) -> Option<NonNull<pg_sys::config_generic>> {
    // SAFETY: the array has that many valid entries, each with a name.
    unsafe {
        let count = usize::try_from(pg_sys::GetNumConfigOptions()).ok()?;
        let settings = std::slice::from_raw_parts(pg_sys::get_guc_variables(), count);
        let found = settings.iter().find(|setting| {
            CStr::from_ptr((***setting).name)
                .to_bytes()
                .eq_ignore_ascii_case(name.to_bytes())
        });
        found.and_then(|setting| NonNull::new(*setting))
    }
}

/// What Postgres keeps under a name, a placeholder included.
///
/// # Safety
/// The result is used before anything else can define or remove a setting.
#[cfg(not(feature = "pg15"))]
unsafe fn find(name: &CStr) -> Option<NonNull<pg_sys::config_generic>> {
    // SAFETY: a NUL-terminated name; nothing is created, and a missing name gives NULL.
    NonNull::new(unsafe { pg_sys::find_option(name.as_ptr(), false, true, 0) })
}
