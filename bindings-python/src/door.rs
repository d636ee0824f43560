use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use pyo3::{Python, pyfunction};

/// The way from threads of ours into Python, which is shut before the interpreter ends.
///
/// A thread that waits for the interpreter while it ends is torn down by CPython in the middle of our frames, which
/// aborts the whole process. So whoever goes in is counted, and [`shut`] waits until all are out.
static DOOR: Door = Door { state: Mutex::new(State { is_shut: false, inside_count: 0 }), left: Condvar::new() };

struct Door {
    state: Mutex<State>,
    left: Condvar,
}

struct State {
    is_shut: bool,
    inside_count: usize,
}

struct Inside;

impl Door {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self) -> Option<Inside> {
        let mut state = self.state();
        (!state.is_shut).then(|| {
            state.inside_count += 1;
            Inside
        })
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        DOOR.state().inside_count -= 1;
        DOOR.left.notify_all();
    }
}

/// Runs code in Python from a thread of ours; `None` where the interpreter is about to end.
pub(crate) fn attach<T>(code: impl FnOnce(Python<'_>) -> T) -> Option<T> {
    let _inside = DOOR.enter()?;
    Some(Python::attach(code))
}

/// Lets nobody in any more, and waits until everybody is out. Registered with `atexit`.
#[pyfunction]
pub(crate) fn shut(py: Python<'_>) {
    py.detach(|| {
        let mut state = DOOR.state();
        state.is_shut = true;
        while state.inside_count > 0 {
            state = DOOR.left.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    });
}
