//! Rows looked up by index, whatever a table looked like when a statement was planned.

use crate::pg::guc_nesting::GucNesting;

/// While this lives, statements are planned to look rows up by an index. Each is planned once and kept, perhaps while its table is
/// nearly empty: a scan of all of it is cheap then, and ruinous a million rows later.
pub struct ByIndex(#[allow(dead_code)] GucNesting); // kept for its drop

impl ByIndex {
    pub fn enter() -> Self {
        let settings = GucNesting::begin();
        for name in [c"enable_seqscan", c"enable_hashjoin", c"enable_mergejoin"] {
            settings.set(name, c"off");
        }
        Self(settings)
    }
}
