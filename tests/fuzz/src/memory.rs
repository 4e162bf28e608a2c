//! How much memory one input takes: an allocator that counts for each thread, and that gives nothing beyond a limit.
//!
//! A program that gets no memory ends, which libFuzzer and the tests both see, with the input at hand. So a parser that would fill the memory
//! of a server is caught at a few mebibytes, long before the machine feels it.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

thread_local! {
    // Without destructors and made without code that runs, so that they may be used while memory is being given.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static LIMIT: Cell<isize> = const { Cell::new(isize::MAX) };
}

struct Counted;

#[global_allocator]
static COUNTED: Counted = Counted;

fn may_hold(more: usize) -> bool {
    let held = HELD.get().saturating_add_unsigned(more);
    // Whoever panics has something to say, and needs memory for it.
    let fits = held <= LIMIT.get() || std::thread::panicking();
    if fits {
        HELD.set(held);
    }
    fits
}

// SAFETY: every call is passed on to the system's allocator as it came; what is counted beside it touches no memory of the caller's.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those of the system's allocator.
        if may_hold(layout.size()) { unsafe { System.alloc(layout) } } else { std::ptr::null_mut() }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.set(HELD.get().saturating_sub_unsigned(layout.size()));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let more = size.saturating_sub(layout.size());
        if !may_hold(more) {
            return std::ptr::null_mut();
        }
        HELD.set(HELD.get().saturating_sub_unsigned(layout.size().saturating_sub(size)));
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Runs this with at most so many bytes more than are held now, in this thread.
pub fn within(bytes: usize, run: impl FnOnce()) {
    LIMIT.set(HELD.get().saturating_add_unsigned(bytes));
    let _lift = Lift;
    run();
}

/// The limit goes also when a panic passes.
struct Lift;

impl Drop for Lift {
    fn drop(&mut self) {
        LIMIT.set(isize::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_beyond_the_limit_is_not_given() {
        within(1 << 20, || {
            assert!(Vec::<u8>::new().try_reserve_exact(1 << 19).is_ok());
            assert!(Vec::<u8>::new().try_reserve_exact(1 << 21).is_err());
            let mut grown = Vec::with_capacity(1 << 19);
            grown.push(0u8);
            assert!(grown.try_reserve_exact(1 << 21).is_err());
        });
        assert!(Vec::<u8>::new().try_reserve_exact(1 << 21).is_ok(), "the limit is lifted");
    }
}
