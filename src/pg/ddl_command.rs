//! A utility command that is about to run, as an event trigger for `ddl_command_start` sees it.

use std::ffi::{CStr, c_char};

use pgrx::pg_sys;

/// What a command would drop or rename, by the names in it.
pub enum Removal {
    Extensions(Vec<String>),
    Schemas(Vec<String>),
    /// Everything that these roles own in this database.
    OwnedBy(Vec<pg_sys::Oid>),
}

/// What the command would remove that the event trigger was called for; None if that is nothing that [`Removal`] knows.
/// Raises as the command would for a role that does not exist.
///
/// # Safety
/// `event` must be what PostgreSQL passed to a function that runs as an event trigger.
pub unsafe fn removal(event: *mut pg_sys::EventTriggerData) -> Option<Removal> {
    // SAFETY: the parse tree is valid while the trigger runs, and the tag of a node says which struct it is. The grammar puts
    // names of extensions and schemas into the lists as String nodes and roles as RoleSpec nodes.
    unsafe {
        let command = (*event).parsetree;
        match (*command).type_ {
            pg_sys::NodeTag::T_DropStmt => {
                let drop = command.cast::<pg_sys::DropStmt>();
                match (*drop).removeType {
                    pg_sys::ObjectType::OBJECT_EXTENSION => Some(Removal::Extensions(names((*drop).objects))),
                    pg_sys::ObjectType::OBJECT_SCHEMA => Some(Removal::Schemas(names((*drop).objects))),
                    _ => None,
                }
            }
            pg_sys::NodeTag::T_RenameStmt => {
                let rename = command.cast::<pg_sys::RenameStmt>();
                let is_schema = (*rename).renameType == pg_sys::ObjectType::OBJECT_SCHEMA;
                is_schema.then(|| Removal::Schemas(vec![name((*rename).subname)]))
            }
            pg_sys::NodeTag::T_DropOwnedStmt => {
                let roles = (*command.cast::<pg_sys::DropOwnedStmt>()).roles;
                let roles =
                    nodes::<pg_sys::RoleSpec>(roles).map(|role| pg_sys::get_rolespec_oid(role, false));
                Some(Removal::OwnedBy(roles.collect()))
            }
            _ => None,
        }
    }
}

unsafe fn names(list: *mut pg_sys::List) -> Vec<String> {
    // SAFETY: the caller passes a list of String nodes.
    unsafe {
        nodes::<pg_sys::String>(list)
            .map(|node| name((*node).sval))
            .collect()
    }
}

/// The elements of a list of nodes, which the caller knows to be of this struct; an empty list is NULL.
unsafe fn nodes<T>(list: *mut pg_sys::List) -> impl Iterator<Item = *mut T> {
    // SAFETY: the caller passes NULL or a list, of which only existing elements are taken.
    let length = unsafe { list.as_ref() }.map_or(0, |list| list.length);
    (0..length as usize).map(move |place| unsafe { (*(*list).elements.add(place)).ptr_value }.cast())
}

unsafe fn name(text: *const c_char) -> String {
    // SAFETY: the caller passes a NUL-terminated string.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
