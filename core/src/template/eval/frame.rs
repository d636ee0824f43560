use crate::value::Value;

/// A name that an expression binds, in front of those bound around it.
///
/// Frames live on the stack and point outwards, so that a `for` over many elements copies nothing but a pointer.
#[derive(Clone, Copy)]
pub(super) struct Frame<'f> {
    pub(super) binding: Binding<'f>,
    pub(super) outer: Option<&'f Frame<'f>>,
}

/// What a frame binds.
#[derive(Clone, Copy)]
pub(super) enum Binding<'f> {
    /// A variable of a `for`, of a template or of a `dynamic` block.
    Variable(&'f str, &'f Value),
    /// The element at hand of a splat.
    Item(&'f Value),
    /// Nothing further out can be seen; `0` is the name of the template inside.
    Closed(&'f str),
}

/// What looking up a name gives.
pub(super) enum Found<'f> {
    /// It is bound to that.
    Value(&'f Value),
    /// It is not bound, and the text of that name may refer to nothing else.
    Closed(&'f str),
    /// It is not bound here.
    Outside,
}

impl<'f> Frame<'f> {
    pub(super) fn variable(name: &'f str, value: &'f Value, outer: Option<&'f Frame<'f>>) -> Self {
        Self { binding: Binding::Variable(name, value), outer }
    }

    pub(super) fn item(value: &'f Value, outer: Option<&'f Frame<'f>>) -> Self {
        Self { binding: Binding::Item(value), outer }
    }

    pub(super) fn closed(name: &'f str) -> Self {
        Self { binding: Binding::Closed(name), outer: None }
    }
}

pub(super) fn find<'f>(mut frame: Option<&'f Frame<'f>>, name: &str) -> Found<'f> {
    while let Some(at) = frame {
        match at.binding {
            Binding::Variable(bound, value) if bound == name => return Found::Value(value),
            Binding::Closed(template) => return Found::Closed(template),
            _ => frame = at.outer,
        }
    }
    Found::Outside
}

pub(super) fn find_item<'f>(mut frame: Option<&'f Frame<'f>>) -> Option<&'f Value> {
    while let Some(at) = frame {
        if let Binding::Item(value) = at.binding {
            return Some(value);
        }
        frame = at.outer;
    }
    None
}

/// Returns the names that can be seen, innermost first.
pub(super) fn names<'f>(frame: Option<&'f Frame<'f>>) -> impl Iterator<Item = &'f str> {
    std::iter::successors(frame, |at| at.outer).filter_map(|at| match at.binding {
        Binding::Variable(name, _) => Some(name),
        _ => None,
    })
}
