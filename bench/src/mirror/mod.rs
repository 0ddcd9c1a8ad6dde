//! The mirror: webhooks in, rows out.

mod cpu;
mod edge;
mod floor;
mod ledger;
mod raw;
mod receiving;
mod rows;
mod site;
mod stream;

use crate::page::Page;
use crate::server::Server;

/// Adds the sections to the page; gives the version of the peer.
pub fn measure(server: &Server, page: &mut Page) -> String {
    let version = receiving::measure(server, page);
    rows::measure(server, page);
    ledger::measure(server, page);
    version
}
