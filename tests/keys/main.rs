//! Keys, trust and the workers that fetch.

mod bearer;
mod configure;
mod dump;
mod faults;
mod flood;
mod install;
mod key_sets;
mod owners_code;
mod privileges;
mod proxy;
mod refresh;
mod revocation;
mod rotation;
mod slots;
mod stalled;
mod standby;
mod tls;
