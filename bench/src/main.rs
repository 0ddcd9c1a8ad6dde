//! `clerk-bench`: measures clerk_sync beside its peers, prints the page of results and writes it.
//!
//! Wants a server with the extension installed, in `PGHOST` (the directory of its socket) and `PGPORT`, and Node in
//! the path with the packages of `bench/node`. `scripts/bench` brings all of that.
//!
//! Everything that is compared runs in turn, round after round, so that a busy machine is unfair to nobody.

mod first_call;
mod mirror;
mod node;
mod page;
mod rls;
mod rounds;
mod server;
mod signer;
mod verification;

use std::fs;

use page::Page;
use server::Server;

const RESULTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/bench.md");

fn main() {
    let clerk = signer::start();
    let server = Server::prepare(&clerk);
    let mut page = Page::default();

    rls::measure(&server, &clerk, &mut page);
    let node_versions = verification::measure(&server, &clerk, &mut page);
    first_call::measure(&server, &clerk, &mut page);

    let deno_version = mirror::measure(&server, &mut page);

    let text = page.render(&server.versions(), &format!("{node_versions}, {deno_version}"));
    print!("{text}");
    fs::write(RESULTS, text).expect("docs/bench.md can be written");
}
