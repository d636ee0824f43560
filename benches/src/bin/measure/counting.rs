#![expect(unsafe_code, reason = "counting allocations takes an allocator, and its trait is unsafe")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

/// The system's allocator, which counts once it is told to. Until then it costs one load.
pub(crate) struct Counting {
    counts: AtomicBool,
    count: AtomicU64,
}

impl Counting {
    pub(crate) const fn new() -> Self {
        Self { counts: AtomicBool::new(false), count: AtomicU64::new(0) }
    }

    /// Counts from now on.
    pub(crate) fn begin(&self) {
        self.counts.store(true, Relaxed);
    }

    /// Returns how often memory was asked for, or asked to grow.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Relaxed)
    }

    fn note(&self) {
        if self.counts.load(Relaxed) {
            self.count.fetch_add(1, Relaxed);
        }
    }
}

// SAFETY: everything is handed on to the system's allocator unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.note();
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.note();
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        self.note();
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.realloc(pointer, layout, new_size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.dealloc(pointer, layout) }
    }
}
