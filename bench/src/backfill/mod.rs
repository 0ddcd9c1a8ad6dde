//! History: a backfill from the Backend API, beside `COPY` and beside the script that people write instead.

mod copying;
mod crowd;
mod run;
mod script;

use crate::page::Page;
use crate::server::Server;

/// Adds the sections to the page.
pub fn measure(server: &Server, page: &mut Page) {
    copying::measure(server, page);
    run::measure(server, page);
}
