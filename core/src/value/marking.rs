use std::sync::Arc;

use super::{Fields, Kind, Marks, Path, Step, Value};

/// What is left of a path on the way down, and the marks at its end.
type MarkedSteps<'a> = (&'a [Step], Marks);

impl Value {
    /// Returns the value without its own marks, and those marks. Marks of its parts stay.
    pub fn unmark(&self) -> (Self, Marks) {
        (self.clone().with_only_marks(Marks::NONE), self.marks())
    }

    /// Returns the value without any mark at any depth, and all the marks that there were.
    ///
    /// O(1) where there are none, otherwise O(size of the marked branches).
    pub fn unmark_deep(&self) -> (Self, Marks) {
        let marks = self.marks_deep();
        (if marks.is_empty() { self.clone() } else { self.without_marks() }, marks)
    }

    fn without_marks(&self) -> Self {
        let bare = self.clone().with_only_marks(Marks::NONE);
        if bare.marks_deep().is_empty() {
            return bare;
        }
        bare.map_parts(&mut |_, part| if part.marks_deep().is_empty() { part.clone() } else { part.without_marks() })
    }

    /// Returns the value without any mark, and where the marks were: outermost first, in order of the parts.
    pub fn unmark_deep_with_paths(&self) -> (Self, Vec<(Path, Marks)>) {
        let mut found = Vec::new();
        self.collect_marks(&mut Path::root(), &mut found);
        (self.unmark_deep().0, found)
    }

    fn collect_marks(&self, path: &mut Path, found: &mut Vec<(Path, Marks)>) {
        if self.marks_deep().is_empty() {
            return;
        }
        if !self.marks().is_empty() {
            found.push((path.clone(), self.marks()));
        }
        self.each_part(&mut |step, part| {
            if !part.marks_deep().is_empty() {
                path.push(step());
                part.collect_marks(path, found);
                path.pop();
            }
        });
    }

    /// Adds marks at paths. Marks inside a set go to the set, marks inside a value that is not known yet to that value;
    /// a path to a part that is not there marks nothing.
    ///
    /// # Complexity
    /// O(size of the branches that are marked), plus sorting the paths.
    pub fn mark_with_paths(&self, paths: &[(Path, Marks)]) -> Self {
        let mut sorted: Vec<MarkedSteps<'_>> = paths.iter().map(|(path, marks)| (path.steps(), *marks)).collect();
        sorted.sort_unstable();
        self.mark_below(&sorted)
    }

    /// `paths` start at this value and are sorted.
    fn mark_below(&self, paths: &[MarkedSteps<'_>]) -> Self {
        let mut own = Marks::NONE;
        let mut groups: Vec<(&Step, Vec<MarkedSteps<'_>>)> = Vec::new();
        for (steps, marks) in paths {
            match steps.split_first() {
                None => own |= *marks,
                Some((first, rest)) => match groups.last_mut() {
                    Some((step, group)) if *step == first => group.push((rest, *marks)),
                    _ => groups.push((first, vec![(rest, *marks)])),
                },
            }
        }
        let collapses = matches!(self.kind(), Kind::Unknown(_) | Kind::Set(_));
        groups.retain(|(step, group)| {
            let found = self.part(step).is_some();
            if !found && collapses {
                own |= group.iter().map(|(_, marks)| *marks).collect::<Marks>();
            }
            found
        });
        if groups.is_empty() {
            return self.clone().with_marks(own);
        }
        let marked = self.map_parts(&mut |step, part| {
            let step = step();
            match groups.binary_search_by(|(candidate, _)| (*candidate).cmp(&step)) {
                Ok(idx) => groups.get(idx).map_or_else(|| part.clone(), |(_, group)| part.mark_below(group)),
                Err(_) => part.clone(),
            }
        });
        marked.with_marks(own)
    }

    /// Returns the part that one step leads to, as it is.
    pub fn part(&self, step: &Step) -> Option<&Self> {
        match (self.kind(), step) {
            (Kind::Object(fields), Step::Attr(name)) | (Kind::Map(fields), Step::Key(name)) => fields.get(name),
            (Kind::List(items) | Kind::Tuple(items), Step::Index(idx)) | (Kind::Set(items), Step::Element(idx)) => {
                items.get(*idx)
            }
            _ => None,
        }
    }

    /// Calls `f` with each direct part and a way to make the step to it.
    pub(super) fn each_part(&self, f: &mut dyn FnMut(&dyn Fn() -> Step, &Self)) {
        match self.kind() {
            Kind::List(items) | Kind::Tuple(items) => {
                items.iter().enumerate().for_each(|(idx, part)| f(&|| Step::Index(idx), part));
            }
            Kind::Set(items) => items.iter().enumerate().for_each(|(idx, part)| f(&|| Step::Element(idx), part)),
            Kind::Map(fields) => fields.iter().for_each(|(key, part)| f(&|| Step::Key(Arc::clone(key)), part)),
            Kind::Object(fields) => fields.iter().for_each(|(name, part)| f(&|| Step::Attr(Arc::clone(name)), part)),
            _ => {}
        }
    }

    /// Rebuilds the value from its direct parts, keeping its type and own marks. The parts must keep their types.
    pub(super) fn map_parts(&self, f: &mut dyn FnMut(&dyn Fn() -> Step, &Self) -> Self) -> Self {
        let mut parts = Vec::with_capacity(self.len());
        self.each_part(&mut |step, part| parts.push(f(step, part)));
        self.with_parts(parts)
    }

    /// Rebuilds a container with other parts, in the order of the old ones.
    pub(super) fn with_parts(&self, parts: Vec<Self>) -> Self {
        let named = |fields: &Fields, parts: Vec<Self>| fields.names().map(Arc::clone).zip(parts).collect();
        let rebuilt = match self.kind() {
            Kind::List(items) => Self::list(items.element_type().clone(), parts),
            Kind::Set(items) => Self::set(items.element_type().clone(), parts),
            Kind::Tuple(_) => Self::tuple(parts),
            Kind::Map(fields) => {
                Self::from_kind(Kind::Map(Fields::new(fields.element_type().clone(), named(fields, parts))))
            }
            Kind::Object(fields) => {
                Self::from_kind(Kind::Object(Fields::new(fields.element_type().clone(), named(fields, parts))))
            }
            _ => return self.clone(),
        };
        rebuilt.with_marks(self.marks())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::{
        Type,
        testing::{Shape, any_value, n, o, s, secret, set, t, unknown},
    };

    #[test]
    fn marks_come_off_with_their_places_and_go_back() {
        let value = o([("a", t([n("1"), secret(s("x"))])), ("b", secret(o([("c", secret(s("y")))])))]);
        let (plain, paths) = value.unmark_deep_with_paths();
        let places: Vec<String> = paths.iter().map(|(path, _)| path.to_string()).collect();
        assert_eq!(places, [".a[1]", ".b", ".b.c"]);
        assert!(plain.marks_deep().is_empty());
        assert_eq!(plain.mark_with_paths(&paths), value);
        assert_eq!(value.unmark_deep(), (plain, Marks::SENSITIVE));
        assert_eq!(value.unmark(), (value.clone(), Marks::NONE));
    }

    #[test]
    fn marks_inside_sets_and_unknowns_cover_the_whole() {
        let sensitive = |path| [(path, Marks::SENSITIVE)];
        let objects = set(Type::object([("k", Type::String)]), [o([("k", s("x"))])]);
        let marked = objects.mark_with_paths(&sensitive(Path::root().element(0).attr("k")));
        assert_eq!(marked, secret(objects.clone()));
        assert_eq!(objects.mark_with_paths(&sensitive(Path::root().element(9))), secret(objects));
        let later = unknown(Type::Any);
        assert_eq!(later.mark_with_paths(&sensitive(Path::root().attr("k"))), secret(later));
        let short = t([n("1")]);
        assert_eq!(short.mark_with_paths(&sensitive(Path::root().index(1))), short);
    }

    #[test]
    fn a_set_hides_which_element_was_marked() {
        let marked = set(Type::String, [s("a"), secret(s("b"))]);
        assert_eq!(marked, secret(set(Type::String, [s("a"), s("b")])));
    }

    proptest! {
        #[test]
        fn unmarking_and_marking_are_inverse(value in any_value(Shape::EVERYTHING)) {
            let (plain, paths) = value.unmark_deep_with_paths();
            prop_assert_eq!(&plain, &value.unmark_deep().0);
            prop_assert!(plain.marks_deep().is_empty());
            prop_assert_eq!(plain.mark_with_paths(&paths), value.clone());
            let all = paths.iter().map(|(_, marks)| *marks).collect::<Marks>();
            prop_assert_eq!(all, value.marks_deep());
            for (path, marks) in &paths {
                prop_assert!(value.at_path(path).expect("it is there").marks().contains(*marks));
            }
        }
    }
}
