//! The living population: the same from a seed, shaped as Clerk's objects, and true.

mod delivery;
mod life;
mod markers;
mod model;
mod network;
mod settled;
mod shapes;
mod signature;
mod speed;
