//! Arguments that must not be NULL, and lists whose elements must not be.

use pgrx::prelude::*;

use crate::call::Call;
use crate::error::Fault;

/// The elements of a list. Raises 22004 if one is NULL: leaving it out could open what it was meant to close.
pub fn elements(name: &str, list: Vec<Option<String>>) -> Vec<String> {
    let all: Option<Vec<String>> = list.into_iter().collect();
    all.unwrap_or_else(|| {
        Fault::null(
            format!("{name} must not contain NULL"),
            format!("Take the NULL out of {name}, or leave {name} out."),
        )
        .raise()
    })
}

/// An option of a call that is yes or no. Raises 22004 if it is NULL.
pub fn yes_or_no(name: &str, value: Option<bool>) -> bool {
    value.unwrap_or_else(|| {
        Fault::null(
            format!("{name} must not be NULL"),
            format!("Pass true or false, or leave {name} out."),
        )
        .raise()
    })
}

impl Call {
    /// The `index`th argument, which is declared as boolean and not NULL by [`yes_or_no`].
    pub fn yes_or_no(&self, index: usize, name: &str) -> bool {
        // SAFETY: the argument is declared as boolean.
        let value = self
            .argument(index)
            .and_then(|datum| unsafe { bool::from_datum(datum, false) });
        yes_or_no(name, value)
    }

    /// The `index`th argument, which is declared as text[], by [`elements`]; None if it is NULL.
    pub fn texts(&self, index: usize, name: &str) -> Option<Vec<String>> {
        // SAFETY: the argument is declared as text[].
        let list = unsafe { Vec::<Option<String>>::from_datum(self.argument(index)?, false) };
        list.map(|list| elements(name, list))
    }
}
