//! `clerk-bench`: measures clerk_sync beside its peers, prints the page of results and writes it.
//!
//! Wants a server with the extension installed, in `PGHOST` (the directory of its socket) and `PGPORT`, and Node in
//! the path with the packages of `bench/node`. `scripts/bench` brings all of that. With the names of sections it measures
//! those and writes no page. `CLERK_BENCH_FIGURES` names a file for the figures alone, which `bench/compare.py` reads.
//!
//! Everything that is compared runs in turn, round after round, so that a busy machine is unfair to nobody.

mod backfill;
mod first_call;
mod mirror;
mod node;
mod page;
mod rls;
mod rounds;
mod server;
mod signer;
mod verification;

use std::{env, fs};

use clerk_sim::Simulator;

use page::Page;
use server::Server;

const RESULTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/bench.md");

/// A section of the page.
type Section = fn(&Server, &Simulator, &mut Page);

const SECTIONS: [(&str, Section); 7] = [
    ("rls", rls::measure),
    ("verification", verification::measure),
    ("first-call", first_call::measure),
    ("receiving", |server, _, page| {
        mirror::receiving::measure(server, page)
    }),
    ("bulk", |server, _, page| mirror::rows::measure(server, page)),
    ("ledger", |server, _, page| mirror::ledger::measure(server, page)),
    ("backfill", |server, _, page| backfill::measure(server, page)),
];

fn main() {
    let wanted: Vec<String> = env::args().skip(1).collect();
    let names = SECTIONS.map(|(name, _)| name);
    if let Some(unknown) = wanted.iter().find(|name| !names.contains(&name.as_str())) {
        panic!("there is no section {unknown}; there are {}", names.join(", "));
    }
    let clerk = signer::start();
    let server = Server::prepare(&clerk);
    let mut page = Page::default();
    for (name, measure) in SECTIONS {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            measure(&server, &clerk, &mut page);
        }
    }

    let text = page.render(&server.versions());
    print!("{text}");
    if let Some(file) = env::var_os("CLERK_BENCH_FIGURES") {
        fs::write(file, page.figures()).expect("the file of figures can be written");
    }
    // A part of the page is for whoever works on that part.
    if wanted.is_empty() {
        fs::write(RESULTS, text).expect("docs/bench.md can be written");
    }
}
