//! `clerk.doctor()`: a healthy database has nothing to complain of, each breakage is named, and each mend mends it.

mod arriving;
mod beside;
mod breakages;
mod claims;
mod conditions;
mod handover;
mod monitoring;
mod online;
mod page;
mod policies;
mod project;
mod restored;
mod supabase;
mod surroundings;
mod table;
mod vault;
mod who;
