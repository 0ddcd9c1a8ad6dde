//! Hands a question to a worker and its answer back, through shared memory.
//!
//! An administrator who configures an instance gets its keys in the same transaction, whose rows no worker can see;
//! so the worker only fetches, and the administrator's own transaction stores.

use std::mem::size_of;
use std::sync::atomic::{AtomicUsize, Ordering};

use pgrx::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Room for either message: a key set is refused above 256 KiB, and as JSON inside JSON at most doubles.
const CAPACITY: usize = 600 * 1024;

/// How the segment begins; the message follows.
#[repr(C)]
struct Head {
    /// Length of the question.
    question: AtomicUsize,
    /// Length of the answer, which overwrites the question; 0 until it is complete.
    answer: AtomicUsize,
}

/// A shared memory segment, mapped in this process.
pub struct Exchange {
    segment: *mut pg_sys::dsm_segment,
}

impl Exchange {
    /// Makes a segment that holds `question`. None if the question does not fit.
    pub fn ask<Q: Serialize>(question: &Q) -> Option<Self> {
        let text = serde_json::to_vec(question)
            .ok()
            .filter(|text| text.len() <= CAPACITY)?;
        // SAFETY: a new segment is ours alone until its handle is passed on.
        let exchange = unsafe {
            Self {
                segment: pg_sys::dsm_create(size_of::<Head>() + CAPACITY, 0),
            }
        };
        exchange.head().answer.store(0, Ordering::Relaxed);
        exchange.write(&text);
        exchange.head().question.store(text.len(), Ordering::Release);
        Some(exchange)
    }

    /// Opens, in a worker, the segment that another process made. None if that process has gone.
    pub fn open(handle: u32) -> Option<Self> {
        // SAFETY: attaching to a handle that no longer exists gives NULL.
        let segment = unsafe { pg_sys::dsm_attach(handle) };
        // Not `then_some`, which makes its value first and then drops it.
        (!segment.is_null()).then(|| Self { segment })
    }

    /// What `open` needs.
    pub fn handle(&self) -> u32 {
        // SAFETY: the segment is mapped.
        unsafe { pg_sys::dsm_segment_handle(self.segment) }
    }

    /// The question, in the worker.
    pub fn question<Q: DeserializeOwned>(&self) -> Option<Q> {
        self.read(self.head().question.load(Ordering::Acquire))
    }

    /// Leaves the answer. False if it does not fit.
    pub fn reply<A: Serialize>(&self, answer: &A) -> bool {
        let Some(text) = serde_json::to_vec(answer)
            .ok()
            .filter(|text| text.len() <= CAPACITY)
        else {
            return false;
        };
        self.write(&text);
        self.head().answer.store(text.len(), Ordering::Release);
        true
    }

    /// The answer; None if the worker ended without one.
    pub fn answer<A: DeserializeOwned>(&self) -> Option<A> {
        match self.head().answer.load(Ordering::Acquire) {
            0 => None,
            length => self.read(length),
        }
    }

    fn head(&self) -> &Head {
        // SAFETY: every segment begins with a Head, aligned by the mapping, and is mapped as long as `self` lives.
        unsafe { &*self.address().cast() }
    }

    fn write(&self, text: &[u8]) {
        // SAFETY: the segment has CAPACITY bytes behind its head, and the two sides take turns: the other reads only
        // after the length was stored.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr(), self.address().add(size_of::<Head>()), text.len())
        }
    }

    fn read<T: DeserializeOwned>(&self, length: usize) -> Option<T> {
        if length > CAPACITY {
            return None;
        }
        // SAFETY: as in `write`; the bytes are copied out by the parser.
        let text = unsafe { std::slice::from_raw_parts(self.address().add(size_of::<Head>()), length) };
        serde_json::from_slice(text).ok()
    }

    fn address(&self) -> *mut u8 {
        // SAFETY: the segment is mapped.
        unsafe { pg_sys::dsm_segment_address(self.segment).cast() }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // SAFETY: mapped by us, and no reference into it outlives `self`.
        unsafe { pg_sys::dsm_detach(self.segment) };
    }
}
