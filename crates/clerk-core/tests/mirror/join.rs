//! `reduce` against a model of the join: the state of a row is made of independent maxima, as the design says.

use std::collections::BTreeMap;

use clerk_core::mirror::{LOWEST, Live, Observation, Resource, SideValue, Value, reduce};
use proptest::prelude::*;

type Version = (i64, i64);
type Key = (Resource, String);

/// A row of a table. Where a column has a version, the greatest (version, content) wins, content in the order of its text.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    instance_id: Option<String>,
    live: (Version, String, Option<Vec<Value>>),
    sides: Vec<(Version, Option<String>)>,
    created_at: Option<i64>,
    last_seen_at: i64,
    deleted_at: Option<i64>,
    missing_at: Option<i64>,
}

impl Row {
    fn new(resource: Resource) -> Self {
        let lowest = (LOWEST, LOWEST);
        Self {
            instance_id: None,
            live: (lowest, "{}".to_owned(), None),
            sides: vec![(lowest, None); resource.side_fields().len()],
            created_at: None,
            last_seen_at: LOWEST,
            deleted_at: None,
            missing_at: None,
        }
    }

    fn join(&mut self, told: &Observation) {
        self.instance_id = self.instance_id.take().max(told.instance_id.clone());
        if let Some(live) = &told.live {
            let version = (live.updated_at, live.observed_at);
            if (version, &live.data) > (self.live.0, &self.live.1) {
                self.live = (version, live.data.clone(), Some(live.values.clone()));
            }
            self.created_at = self.created_at.max(live.created_at);
        }
        for (own, told) in self.sides.iter_mut().zip(&told.sides) {
            if let Some(side) = told {
                let side = ((side.updated_at, side.observed_at), side.json.clone());
                *own = own.clone().max(side);
            }
        }
        self.last_seen_at = self.last_seen_at.max(told.last_seen_at);
        self.deleted_at = self.deleted_at.max(told.deleted_at);
        self.missing_at = self.missing_at.max(told.missing_at);
    }
}

fn write<'o>(tables: &mut BTreeMap<Key, Row>, observations: impl IntoIterator<Item = &'o Observation>) {
    for told in observations {
        let key = (told.resource, told.id.clone());
        tables
            .entry(key)
            .or_insert_with(|| Row::new(told.resource))
            .join(told);
    }
}

fn one_by_one(observations: &[Observation]) -> BTreeMap<Key, Row> {
    let mut tables = BTreeMap::new();
    write(&mut tables, observations);
    tables
}

fn reduced(batches: &[&[Observation]]) -> BTreeMap<Key, Row> {
    let mut tables = BTreeMap::new();
    for batch in batches {
        for round in reduce(batch.iter().cloned()) {
            write(&mut tables, &round);
        }
    }
    tables
}

/// Few rows and few times, so that there are ties of every kind.
fn observation() -> impl Strategy<Value = Observation> {
    let resource = prop::sample::select(vec![Resource::Users, Resource::Organizations, Resource::Roles]);
    let live = (0_i64..4, 0_i64..3, 0_u8..3, prop::option::of(0_i64..3));
    let side = (0_u8..3, any::<bool>());
    let times = (prop::option::of(0_i64..4), prop::option::of(0_i64..4));
    let instance = prop::option::of(prop::sample::select(vec!["ins_1", "ins_2"]));
    (
        resource,
        0..3,
        prop::option::weighted(0.8, live),
        side,
        times,
        instance,
    )
        .prop_map(
            |(resource, id, live, (side, has_side), (deleted_at, missing_at), instance_id)| {
                let instance_id = instance_id.map(str::to_owned);
                let mut told = Observation::placeholder(resource, format!("id_{id}"), instance_id);
                told.deleted_at = deleted_at;
                told.missing_at = missing_at;
                if let Some((updated_at, observed_at, content, created_at)) = live {
                    told.last_seen_at = observed_at;
                    told.live = Some(Live {
                        updated_at,
                        observed_at,
                        created_at,
                        data: format!("{{\"content\":{content}}}"),
                        values: vec![Value::Integer(Some(i64::from(content))); resource.columns().len()],
                    });
                    if has_side && let Some(first) = told.sides.first_mut() {
                        *first = Some(SideValue {
                            json: (side > 0).then(|| format!("{side}")),
                            updated_at,
                            observed_at,
                        });
                    }
                }
                told
            },
        )
}

fn histories() -> impl Strategy<Value = Vec<Observation>> {
    prop::collection::vec(observation(), 0..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_reduced_history_has_the_same_outcome(history in histories(), cut in any::<prop::sample::Index>()) {
        let expected = one_by_one(&history);
        prop_assert_eq!(&reduced(&[&history]), &expected);
        let (first, second) = history.split_at(cut.index(history.len() + 1));
        prop_assert_eq!(&reduced(&[first, second]), &expected);
        prop_assert_eq!(&reduced(&[second, first]), &expected);
    }

    #[test]
    fn order_does_not_matter((history, shuffled) in histories().prop_flat_map(|history| (Just(history.clone()), Just(history).prop_shuffle()))) {
        prop_assert_eq!(one_by_one(&shuffled), one_by_one(&history));
        prop_assert_eq!(reduced(&[&shuffled]), one_by_one(&history));
    }

    #[test]
    fn once_more_is_no_more(history in histories()) {
        let twice: Vec<Observation> = history.iter().chain(&history).cloned().collect();
        prop_assert_eq!(reduced(&[&twice]), one_by_one(&history));
    }

    #[test]
    fn in_each_round_a_row_comes_once_and_in_order(history in histories()) {
        for round in reduce(history) {
            prop_assert!(!round.is_empty());
            let keys: Vec<Key> = round.iter().map(|told| (told.resource, told.id.clone())).collect();
            prop_assert!(keys.is_sorted() && keys.windows(2).all(|pair| pair[0] != pair[1]), "{:?}", keys);
        }
    }
}

#[test]
fn what_does_not_tie_is_written_in_one_round() {
    let versions = |updated_at| {
        let mut told = Observation::placeholder(Resource::Users, "user_1".to_owned(), None);
        told.live = Some(Live {
            updated_at,
            observed_at: 0,
            created_at: None,
            data: format!("{{\"at\":{updated_at}}}"),
            values: Vec::new(),
        });
        told
    };
    let rounds = reduce((0..100).chain(0..100).map(versions));
    assert_eq!(rounds.len(), 1);
    assert_eq!(rounds[0].len(), 1);
    assert_eq!(rounds[0][0].live.as_ref().unwrap().updated_at, 99);
    assert_eq!(reduce([]), Vec::<Vec<Observation>>::new());
}

#[test]
fn tables_are_written_parents_first() {
    let orders: Vec<&str> = Resource::ALL.iter().map(|resource| resource.table()).collect();
    assert_eq!(
        orders[..3],
        ["users", "organizations", "organization_memberships"]
    );
    assert!(Resource::ALL.is_sorted());
    for resource in Resource::ALL {
        assert_eq!(Resource::from_table(resource.table()), Some(*resource));
    }
}
