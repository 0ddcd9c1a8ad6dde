//! Which names move, and where to.

use std::collections::HashSet;

/// What can be moved out of schema `clerk`, and the schema it moves to.
#[derive(Debug, Clone)]
pub struct Names {
    functions: HashSet<String>,
    relations: HashSet<String>,
    target: String,
}

impl Names {
    /// Functions and relations by their bare names, and the schema they move to, in quotes where SQL needs them.
    pub fn new(
        functions: impl IntoIterator<Item = String>,
        relations: impl IntoIterator<Item = String>,
        target: &str,
    ) -> Self {
        Self {
            functions: functions.into_iter().collect(),
            relations: relations.into_iter().collect(),
            target: target.to_owned(),
        }
    }

    /// The schema that names move to, as SQL writes it.
    pub(super) fn target(&self) -> &str {
        &self.target
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.functions.contains(name) || self.relations.contains(name)
    }

    pub(super) fn has_function(&self, name: &str) -> bool {
        self.functions.contains(name)
    }

    pub(super) fn has_relation(&self, name: &str) -> bool {
        self.relations.contains(name)
    }
}
