//! What a worker and the process that waits for it tell each other, through shared memory: a question, whether the worker has begun,
//! the error that ended it, an answer.
//!
//! An administrator who configures an instance gets its keys in the same transaction, whose rows no worker can see;
//! so the worker only fetches, and the administrator's own transaction stores.

use std::cell::UnsafeCell;
use std::mem::size_of;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};

use pgrx::PgSqlErrorCode;
use pgrx::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::subtransaction::SqlError;

/// Room for a set of keys: one is refused above 256 KiB, and as JSON inside JSON at most doubles.
pub const KEY_SETS: usize = 600 * 1024;
/// Room for a few numbers or a URL.
pub const SHORT: usize = 4 * 1024;
/// Bytes that are kept of an error's message.
const WORDS: usize = 400;

/// How the segment begins; the question or the answer follows.
#[repr(C)]
struct Head {
    /// Whether the worker has connected and is about to do what it is for.
    has_begun: AtomicBool,
    /// SQLSTATE of the last error that the worker reported; 0 if there is none.
    error: AtomicI32,
    /// Length of that error's message.
    words: AtomicUsize,
    message: UnsafeCell<[u8; WORDS]>,
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
    /// Makes a segment that holds `question` and has `room` bytes for it and for the answer. None if the question does not fit.
    /// Raises if there is no shared memory left (53000, 53200), or if the statement is cancelled.
    pub fn ask<Q: Serialize>(question: &Q, room: usize) -> Option<Self> {
        let text = serde_json::to_vec(question)
            .ok()
            .filter(|text| text.len() <= room)?;
        // SAFETY: raises, or gives a new segment, which is ours alone until its handle is passed on.
        let segment = unsafe { pg_sys::dsm_create(size_of::<Head>() + room, 0) };
        let exchange = Self { segment };
        // SAFETY: all zero is a valid Head, in which nothing has happened.
        unsafe { exchange.address().write_bytes(0, size_of::<Head>()) };
        exchange.write(&text);
        exchange.head().question.store(text.len(), Ordering::Release);
        Some(exchange)
    }

    /// Opens, in a worker, the segment that another process made. None if that process has gone.
    pub fn open(handle: u32) -> Option<Self> {
        // SAFETY: attaching to a handle that no longer exists gives NULL.
        let segment = unsafe { pg_sys::dsm_attach(handle) };
        // Not `then_some`, which would make the value and drop it: that detaches what is not there.
        (!segment.is_null()).then(|| Self { segment })
    }

    /// What `open` needs.
    pub fn handle(&self) -> u32 {
        // SAFETY: the segment is mapped.
        unsafe { pg_sys::dsm_segment_handle(self.segment) }
    }

    /// Keeps the segment mapped until the process ends; `before_that` is called right before it is unmapped then.
    pub fn keep(
        self,
        before_that: unsafe extern "C-unwind" fn(*mut pg_sys::dsm_segment, pg_sys::Datum),
    ) -> &'static Self {
        let kept: &'static Self = Box::leak(Box::new(self));
        // SAFETY: the segment is mapped, whatever transaction it was opened in; the callback is static.
        unsafe { pg_sys::dsm_pin_mapping(kept.segment) };
        // SAFETY: as above.
        unsafe { pg_sys::on_dsm_detach(kept.segment, Some(before_that), pg_sys::Datum::null()) };
        kept
    }

    /// The question, in the worker.
    pub fn question<Q: DeserializeOwned>(&self) -> Option<Q> {
        self.read(self.head().question.load(Ordering::Acquire))
    }

    /// Says, in the worker, that it has begun.
    pub fn begin(&self) {
        self.head().has_begun.store(true, Ordering::Release);
    }

    /// Whether the worker has begun.
    pub fn has_begun(&self) -> bool {
        self.head().has_begun.load(Ordering::Acquire)
    }

    /// Leaves, in the worker, the error that it is about to end with. Neither allocates nor raises.
    pub fn leave_error(&self, sqlstate: i32, message: &[u8]) {
        let head = self.head();
        let length = message.len().min(WORDS);
        // SAFETY: the length was limited, and the other side reads only after the SQLSTATE was stored.
        unsafe { std::ptr::copy_nonoverlapping(message.as_ptr(), head.message.get().cast::<u8>(), length) };
        head.words.store(length, Ordering::Relaxed);
        head.error.store(sqlstate, Ordering::Release);
    }

    /// The error that the worker left.
    pub fn error(&self) -> Option<SqlError> {
        let head = self.head();
        let sqlstate = head.error.load(Ordering::Acquire);
        let length = head.words.load(Ordering::Relaxed).min(WORDS);
        // SAFETY: the message is complete, because the SQLSTATE was stored after it.
        let message = unsafe { std::slice::from_raw_parts(head.message.get().cast::<u8>(), length) };
        (sqlstate != 0).then(|| SqlError {
            sqlstate: PgSqlErrorCode::from(sqlstate),
            message: String::from_utf8_lossy(message).into_owned(),
            detail: None,
            hint: None,
        })
    }

    /// Leaves the answer, in place of an earlier one if there is one. False if it does not fit.
    pub fn reply<A: Serialize>(&self, answer: &A) -> bool {
        let Some(text) = serde_json::to_vec(answer)
            .ok()
            .filter(|text| text.len() <= self.room())
        else {
            return false;
        };
        self.write(&text);
        self.head().answer.store(text.len(), Ordering::Release);
        true
    }

    /// The answer; None if there is none yet.
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

    /// Bytes behind the head.
    fn room(&self) -> usize {
        // SAFETY: the segment is mapped, and was made at least as long as its head.
        unsafe { pg_sys::dsm_segment_map_length(self.segment) }.saturating_sub(size_of::<Head>())
    }

    fn write(&self, text: &[u8]) {
        assert!(text.len() <= self.room(), "a message does not fit its segment");
        // SAFETY: the text fits, and the two sides take turns: the other reads only after the length was stored, and an answer
        // is replaced only where the other reads it after the worker has ended.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr(), self.address().add(size_of::<Head>()), text.len())
        }
    }

    fn read<T: DeserializeOwned>(&self, length: usize) -> Option<T> {
        if length > self.room() {
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
        // SAFETY: mapped by us, never NULL, and no reference into it outlives `self`.
        unsafe { pg_sys::dsm_detach(self.segment) };
    }
}
