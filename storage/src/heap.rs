//! How many bytes the thread of a test holds, of everything that is allocated.

#![allow(
    unsafe_code,
    reason = "an allocator is unsafe to be, and this one passes everything on"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

#[global_allocator]
static COUNTING: Counting = Counting;

struct Counting;

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        unsafe { System.realloc(at, layout, size) }
    }
}

fn count(bytes: isize) {
    let held = HELD.get() + bytes;
    HELD.set(held);
    MOST.set(held.max(MOST.get()));
}

/// The most that the thread held more than before, at any moment of the work. On a runtime of this
/// thread alone that is everything, the driver's part included.
pub(crate) async fn most_held(work: impl Future<Output = ()>) -> usize {
    let before = HELD.get();
    MOST.set(before);
    work.await;
    usize::try_from(MOST.get() - before).unwrap_or(0)
}

#[test]
fn what_is_held_and_given_back_is_counted_at_its_most() {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let work = async {
        drop(vec![0u8; 1 << 20]);
        drop(vec![0u8; 1 << 10]);
    };
    let most = runtime.unwrap().block_on(most_held(work));
    assert!((1 << 20..(1 << 20) + (1 << 12)).contains(&most), "{most}");
}
