//! Transactions of random calls.

use std::time::Duration;

use clerk_tests::Dice;

use crate::catalog::Catalog;
use crate::frames::framed;
use crate::values::value;
use crate::{owner, settings};

pub struct Scenario {
    /// None: every statement is a transaction of its own.
    pub begin: Option<&'static str>,
    pub steps: Vec<Step>,
    /// Ends the transaction.
    pub end: Vec<String>,
    /// Whether the session then forgets what it has been told.
    pub discard: bool,
}

pub struct Step {
    /// The function or relation; None if the step is only there for those to come.
    pub subject: Option<String>,
    pub statements: Vec<String>,
    pub savepoint: Savepoint,
    /// When another session cancels what is running by then.
    pub cancel_after: Option<Duration>,
    /// Whether the extension is changed.
    pub tampers: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Savepoint {
    None,
    Released,
    RolledBack,
}

const BEGINNINGS: &[Option<&str>] = &[
    None,
    None,
    None,
    Some("BEGIN"),
    Some("BEGIN"),
    Some("BEGIN"),
    Some("BEGIN READ ONLY"),
    Some("BEGIN ISOLATION LEVEL REPEATABLE READ"),
    Some("BEGIN ISOLATION LEVEL SERIALIZABLE"),
    Some("BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE"),
];

impl Scenario {
    /// Whether it is to leave the extension changed.
    pub fn changes(&self) -> bool {
        let is_kept = self.begin.is_none() || self.end.iter().any(|end| end.starts_with("COMMIT"));
        is_kept && self.steps.iter().any(|step| step.tampers)
    }

    /// `hostile` sessions also change the extension itself. `unique` makes names.
    pub fn random(dice: &mut Dice, catalog: &Catalog, hostile: bool, unique: usize) -> Self {
        let begin = BEGINNINGS[dice.below(BEGINNINGS.len())];
        let mut steps = Vec::new();
        for at in 0..=dice.below(6) {
            if hostile && dice.one_in(3) {
                steps.push(Step::tampering(dice, catalog, begin.is_some()));
            }
            if dice.one_in(2) {
                steps.push(Step::setting(dice));
            }
            steps.push(Step::call(dice, catalog, begin.is_some(), unique + at));
        }
        let end = match begin {
            None => vec![],
            Some(_) => match dice.below(8) {
                0..3 => vec!["COMMIT".to_owned()],
                3 => {
                    let fate = dice.pick(&["COMMIT", "ROLLBACK"]);
                    let name = format!("'random{unique}'");
                    vec![
                        format!("PREPARE TRANSACTION {name}"),
                        format!("{fate} PREPARED {name}"),
                    ]
                }
                _ => vec!["ROLLBACK".to_owned()],
            },
        };
        Self {
            begin,
            steps,
            end,
            discard: dice.one_in(5),
        }
    }
}

impl Step {
    fn call(dice: &mut Dice, catalog: &Catalog, in_transaction: bool, unique: usize) -> Self {
        let (subject, mut statements) = if dice.one_in(12) {
            relation(dice, catalog)
        } else {
            let call = catalog.function(dice).call(dice);
            (call.function.name.clone(), framed(dice, &call, unique))
        };
        let mut cancel_after = None;
        match dice.below(12) {
            0 => statements.insert(0, format!("SET statement_timeout = '{}ms'", dice.below(50) + 1)),
            1 => cancel_after = Some(Duration::from_micros(dice.below(20_000) as u64)),
            _ => {}
        }
        Self {
            subject: Some(subject),
            statements,
            savepoint: savepoint(dice, in_transaction),
            cancel_after,
            tampers: false,
        }
    }

    fn setting(dice: &mut Dice) -> Self {
        Self {
            subject: None,
            statements: vec![settings::change(dice)],
            savepoint: Savepoint::None,
            cancel_after: None,
            tampers: false,
        }
    }

    fn tampering(dice: &mut Dice, catalog: &Catalog, in_transaction: bool) -> Self {
        Self {
            subject: None,
            statements: owner::tamper(dice, catalog),
            savepoint: if in_transaction {
                Savepoint::Released
            } else {
                Savepoint::None
            },
            cancel_after: None,
            tampers: true,
        }
    }
}

fn savepoint(dice: &mut Dice, in_transaction: bool) -> Savepoint {
    match dice.below(10) {
        _ if !in_transaction => Savepoint::None,
        0 => Savepoint::None,
        1..6 => Savepoint::Released,
        _ => Savepoint::RolledBack,
    }
}

/// Reads or writes a table or view of ours.
fn relation(dice: &mut Dice, catalog: &Catalog) -> (String, Vec<String>) {
    let relation = catalog.relation(dice);
    let name = &relation.name;
    let (column, data_type) = &relation.columns[dice.below(relation.columns.len())];
    let statement = match dice.below(8) {
        0 => format!("INSERT INTO {name} DEFAULT VALUES"),
        1 => format!(
            "UPDATE {name} SET {column} = {}",
            value(dice, data_type, column, 0)
        ),
        2 => format!("DELETE FROM {name} WHERE ({column}) IS NULL"),
        3 => format!("SELECT {column}, pg_catalog.count(*) FROM {name} GROUP BY 1"),
        _ => format!("SELECT * FROM {name} LIMIT 5"),
    };
    (name.clone(), vec![statement])
}
