//! What a kind of worker is called, and what a worker of it is told.

use std::ffi::CStr;

use pgrx::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A kind of worker.
#[derive(Debug)]
pub struct Task {
    /// The C function of this library that it runs.
    pub function: &'static CStr,
    /// How it is shown in `pg_stat_activity`.
    pub name: &'static CStr,
    /// What it is for, to follow "to": `fetch Clerk's keys`.
    pub purpose: &'static str,
}

/// What a worker is told when it is started: where it works, as whom, and what. As JSON it must have at most 127 bytes.
#[derive(Serialize, Deserialize)]
pub struct Order<T> {
    database: u32,
    owner: u32,
    pub what: T,
}

impl<T: Serialize + DeserializeOwned> Order<T> {
    pub fn new(database: pg_sys::Oid, owner: pg_sys::Oid, what: T) -> Self {
        Self {
            database: database.to_u32(),
            owner: owner.to_u32(),
            what,
        }
    }

    pub fn database(&self) -> pg_sys::Oid {
        self.database.into()
    }

    /// The role that the worker is to be; the bootstrap superuser if it is invalid.
    pub fn owner(&self) -> pg_sys::Oid {
        self.owner.into()
    }
}
