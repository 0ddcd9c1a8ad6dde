//! The changes that an owner can make, from the catalog of the installed extension.

mod columns;
mod functions;
mod relations;

use postgres::Client;

use crate::scene::Scene;

/// One change, as the statements that make it.
#[derive(Clone, Debug)]
pub struct Change {
    pub name: String,
    pub statements: String,
    /// A function that is changed itself, with as many arguments; it is called as well.
    pub function: Option<(String, usize)>,
}

impl Change {
    fn new(name: String, statements: String) -> Self {
        Self {
            name,
            statements,
            function: None,
        }
    }
}

/// The tables that C code reads without SQL.
const READ_DIRECTLY: [&str; 8] = [
    "clerk.instances",
    "clerk.jwks",
    "clerk.jwks_fetches",
    "clerk.settings",
    "clerk.secrets",
    "clerk.event_handlers",
    "clerk.token_problems",
    "clerk.users",
];

/// Every change, in an order that the seed decides: those of tables that C reads directly come in turns with the others, so that
/// a sample has many of them.
pub fn all(scene: &Scene, seed: u64) -> Vec<Change> {
    let mut owner = scene.template();
    let mut changes = columns::changes(&mut owner);
    changes.extend(relations::changes(&mut owner));
    changes.extend(functions::changes(&mut owner));
    let direct = |change: &Change| {
        READ_DIRECTLY.iter().any(|table| {
            change.name.starts_with(&format!("{table}: ")) || change.name.starts_with(&format!("{table}."))
        })
    };
    let (mut first, mut second): (Vec<_>, Vec<_>) = changes.into_iter().partition(direct);
    shuffle(&mut first, seed);
    shuffle(&mut second, seed.wrapping_add(1));
    let mut mixed = Vec::new();
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        let (one, other) = (first.next(), second.next());
        if one.is_none() && other.is_none() {
            return mixed;
        }
        mixed.extend(one);
        mixed.extend(other);
    }
}

/// Fisher and Yates, by a generator that is the same everywhere (splitmix64).
fn shuffle<T>(items: &mut [T], mut state: u64) {
    for last in (1..items.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut random = state;
        random = (random ^ (random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        random = (random ^ (random >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        random ^= random >> 31;
        items.swap(last, (random % (last as u64 + 1)) as usize);
    }
}

/// Text columns of a query, by row.
fn rows<const N: usize>(client: &mut Client, query: &str) -> Vec<[String; N]> {
    let rows = client.query(query, &[]).expect("the catalog can be read");
    rows.iter()
        .map(|row| std::array::from_fn(|column| row.get::<_, Option<String>>(column).unwrap_or_default()))
        .collect()
}
