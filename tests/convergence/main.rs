//! The mirror against the simulator's truth: whatever the order, the company and the accidents, the tables come out right.

mod concurrency;
mod crash;
mod dumped;
mod erasure;
mod erasure_rules;
mod held_up;
mod ledger;
mod member_histories;
mod members;
mod orders;
mod plans;
mod rules;
mod scene;
mod strange;
