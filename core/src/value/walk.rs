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
