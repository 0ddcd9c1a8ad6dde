//! Leaving: `clerk.eject` and `clerk.uninstall`, by a project's owner who is no superuser.

mod claims;
mod scene;

mod answers;
mod connected;
mod dry_run;
mod helpers;
mod meanwhile;
mod outside;
mod privileges;
mod protection;
mod refused;
mod repointed;
mod strangers;
