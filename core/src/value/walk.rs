use super::{Kind, Path, Type, Value, elements::common_type};

impl Value {
    /// Calls `enter` for the value and its parts, outermost first; parts are entered where it returns true.
    pub fn walk(&self, mut enter: impl FnMut(&Path, &Self) -> bool) {
        self.walk_from(&mut Path::root(), &mut enter);
    }

    fn walk_from(&self, path: &mut Path, enter: &mut dyn FnMut(&Path, &Self) -> bool) {
        if !enter(path, self) {
            return;
        }
        self.each_part(&mut |step, part| {
            path.push(step());
            part.walk_from(path, enter);
            path.pop();
        });
    }

    /// Rebuilds the value from the innermost parts outwards, each replaced by what `f` returns for it.
    ///
    /// `f` gets parts with their own marks; a container comes with its parts replaced already. The elements of a list,
    /// set or map must stay of one type: where it changes, the container's type follows.
    ///
    /// # Errors
    /// The first that `f` returns.
    pub fn transform<E>(&self, mut f: impl FnMut(&Path, Self) -> Result<Self, E>) -> Result<Self, E> {
        self.transform_from(&mut Path::root(), &mut f)
    }

    fn transform_from<E>(&self, path: &mut Path, f: &mut dyn FnMut(&Path, Self) -> Result<Self, E>) -> Result<Self, E> {
        let mut parts = Vec::with_capacity(self.len());
        let mut failed = None;
        self.each_part(&mut |step, part| {
            if failed.is_none() {
                path.push(step());
                match part.transform_from(path, f) {
                    Ok(part) => parts.push(part),
                    Err(error) => failed = Some(error),
                }
                path.pop();
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let rebuilt = if self.len() == 0 { self.clone() } else { self.with_retyped_parts(parts) };
        f(path, rebuilt)
    }

    fn with_retyped_parts(&self, parts: Vec<Self>) -> Self {
        let element = match self.kind() {
            Kind::List(items) | Kind::Set(items) => items.element_type(),
            Kind::Map(fields) => fields.element_type(),
            _ => return self.with_parts(parts),
        };
        if parts.iter().all(|part| part.has_type(element)) {
            return self.with_parts(parts);
        }
        let element = common_type(&parts).unwrap_or(Type::Any);
        let retyped = match self.kind() {
            Kind::List(_) => Self::list(element, parts),
            Kind::Set(_) => Self::set(element, parts),
            Kind::Map(fields) => Self::map(element, fields.names().cloned().zip(parts)),
            _ => return self.clone(),
        };
        retyped.with_marks(self.marks())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;
    use crate::value::testing::{Shape, any_value, l, n, o, s, secret, set, t};

    #[test]
    fn walks_outermost_first_and_may_stop() {
        let value = o([("a", t([n("1"), t([n("2")])])), ("b", set(Type::String, [s("x")]))]);
        let mut seen = Vec::new();
        value.walk(|path, part| {
            seen.push(path.to_string());
            part.len() != 1 || part.items().is_none_or(|_| path.len() == 1)
        });
        assert_eq!(seen, ["", ".a", ".a[0]", ".a[1]", ".b", ".b[...]"]);
    }

    #[test]
    fn transforms_innermost_first_and_types_follow() {
        let value = secret(o([("a", l(Type::Number, [n("1"), n("2")])), ("b", set(Type::Number, [n("1"), n("2")]))]));
        let mut seen = Vec::new();
        let texts = value.transform(|path, part| {
            seen.push(path.to_string());
            Ok::<_, Infallible>(match part.as_number() {
                Some(_) if path.starts_with(&Path::root().attr("b")) => s("same"),
                Some(number) => s(&number.to_string()),
                None => part,
            })
        });
        let expect = secret(o([("a", l(Type::String, [s("1"), s("2")])), ("b", set(Type::String, [s("same")]))]));
        assert_eq!(texts, Ok(expect));
        assert_eq!(seen, [".a[0]", ".a[1]", ".a", ".b[...]", ".b[...]", ".b", ""]);
        let failed = value.transform(|path, part| if path.len() == 2 { Err(path.clone()) } else { Ok(part) });
        assert_eq!(failed, Err(Path::root().attr("a").index(0)));
    }

    proptest! {
        #[test]
        fn changing_nothing_changes_nothing(value in any_value(Shape::EVERYTHING)) {
            prop_assert_eq!(value.transform(|_, part| Ok::<_, Infallible>(part)), Ok(value.clone()));
            let mut parts = 0;
            value.walk(|path, part| {
                parts += 1;
                assert!(path.is_empty() || value.at_path(path).is_ok_and(|at| at.kind_is(part)));
                true
            });
            prop_assert!(parts > value.len());
        }
    }

    impl Value {
        fn kind_is(&self, other: &Self) -> bool {
            self.clone().with_only_marks(super::super::Marks::NONE)
                == other.clone().with_only_marks(super::super::Marks::NONE)
        }
    }
}
