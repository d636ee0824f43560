use std::{collections::VecDeque, sync::Arc};

use crate::{
    address::Mode,
    error::Span,
    template::syntax::{Expr, ExprKind, Literal, Step, StepKind, Traversal},
};

/// An address as it is written, with keys of one kind: literals, or expressions.
#[derive(Clone, Debug)]
pub(super) struct Written<K> {
    /// The modules that lead to it.
    pub(super) modules: Vec<(Arc<str>, Option<K>)>,
    /// Mode, type and name; nothing where a module is meant.
    pub(super) resource: Option<(Mode, Arc<str>, Arc<str>)>,
    /// The key of the resource.
    pub(super) key: Option<K>,
}

/// Where a mistake is, and what.
pub(super) type Mistake = (Span, String);

/// Words that begin a reference and are no resource type.
const RESERVED: [&str; 9] = ["var", "local", "each", "count", "path", "terraform", "self", "template", "lazy"];

/// One part of an address.
enum Word<K> {
    Name(Arc<str>, Span),
    Key(K, Span),
}

impl Written<Literal> {
    /// Reads a reference whose keys are literals.
    ///
    /// # Errors
    /// Where it is no address, and why.
    pub(super) fn of_traversal(traversal: &Traversal) -> Result<Self, Mistake> {
        let mut words = VecDeque::from([Word::Name(Arc::clone(&traversal.root.name), traversal.root.span)]);
        push_steps(&traversal.steps, &mut words, &|literal, _| literal.clone())?;
        Self::read(words, traversal.span())
    }
}

impl Written<Arc<Expr>> {
    /// Reads a reference whose keys may be expressions.
    ///
    /// # Errors
    /// Where it is no address, and why.
    pub(super) fn of_expr(expr: &Expr) -> Result<Self, Mistake> {
        let mut words = VecDeque::new();
        flatten(expr, &mut words)?;
        Self::read(words, expr.span)
    }
}

fn flatten(expr: &Expr, words: &mut VecDeque<Word<Arc<Expr>>>) -> Result<(), Mistake> {
    let literal = |literal: &Literal, span: Span| Arc::new(Expr::new(ExprKind::Literal(literal.clone()), span));
    match &expr.kind {
        ExprKind::Traversal(traversal) => {
            words.push_back(Word::Name(Arc::clone(&traversal.root.name), traversal.root.span));
            push_steps(&traversal.steps, words, &literal)
        }
        ExprKind::Index(index) => {
            flatten(&index.collection, words)?;
            words.push_back(Word::Key(Arc::new(index.key.clone()), index.key.span));
            Ok(())
        }
        ExprKind::Relative(relative) => {
            flatten(&relative.source, words)?;
            push_steps(&relative.steps, words, &literal)
        }
        _ => Err((expr.span, "this is no address".to_owned())),
    }
}

fn push_steps<K>(
    steps: &[Step],
    words: &mut VecDeque<Word<K>>,
    key: &dyn Fn(&Literal, Span) -> K,
) -> Result<(), Mistake> {
    for step in steps {
        words.push_back(match &step.kind {
            StepKind::Attr(name) => Word::Name(Arc::clone(name), step.span),
            StepKind::Index(literal) => Word::Key(key(literal, step.span), step.span),
            StepKind::LegacyIndex(_) => return Err((step.span, "a key stands in brackets".to_owned())),
        });
    }
    Ok(())
}

impl<K> Written<K> {
    fn read(mut words: VecDeque<Word<K>>, span: Span) -> Result<Self, Mistake> {
        let mut modules = Vec::new();
        while is(&words, "module") {
            words.pop_front();
            let missing = || (span, "`module` is followed by the name of a call".to_owned());
            let (name, _) = name(&mut words).ok_or_else(missing)?;
            modules.push((name, key(&mut words)));
        }
        if is(&words, "resource") && words.len() > 2 {
            words.pop_front();
        }
        let mut mode = Mode::Managed;
        for (word, meant) in [("data", Mode::Data), ("ephemeral", Mode::Ephemeral)] {
            if mode == Mode::Managed && is(&words, word) {
                words.pop_front();
                mode = meant;
            }
        }
        let word = words.front().and_then(|word| match word {
            Word::Name(name, place) if RESERVED.contains(&&**name) => Some((Arc::clone(name), *place)),
            _ => None,
        });
        if let Some((word, place)) = word {
            return Err((place, format!("`{word}` is no resource type")));
        }
        let Some((type_name, place)) = name(&mut words) else {
            return match words.front() {
                None if mode == Mode::Managed && !modules.is_empty() => Ok(Self { modules, resource: None, key: None }),
                _ => Err((span, "a type and a name are missing here".to_owned())),
            };
        };
        let Some((name, _)) = name(&mut words) else {
            return Err((place, format!("`{type_name}` is followed by the name of a resource")));
        };
        let key = key(&mut words);
        match words.front() {
            None => Ok(Self { modules, resource: Some((mode, type_name, name)), key }),
            Some(Word::Name(_, span) | Word::Key(_, span)) => {
                Err((*span, "nothing follows the name of a resource but a key in brackets".to_owned()))
            }
        }
    }
}

fn is<K>(words: &VecDeque<Word<K>>, wanted: &str) -> bool {
    matches!(words.front(), Some(Word::Name(name, _)) if **name == *wanted)
}

fn name<K>(words: &mut VecDeque<Word<K>>) -> Option<(Arc<str>, Span)> {
    match words.pop_front()? {
        Word::Name(name, span) => Some((name, span)),
        word @ Word::Key(..) => {
            words.push_front(word);
            None
        }
    }
}

fn key<K>(words: &mut VecDeque<Word<K>>) -> Option<K> {
    match words.pop_front()? {
        Word::Key(key, _) => Some(key),
        word @ Word::Name(..) => {
            words.push_front(word);
            None
        }
    }
}
