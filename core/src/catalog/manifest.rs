use std::sync::Arc;

use super::{Version, View};
use crate::{error::Span, form::Text, template::syntax::Expr};

/// What a package says of itself: `package.yaml`.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The name: lower-case letters, digits and hyphens.
    pub name: Arc<str>,
    /// The version.
    pub version: Version,
    /// What people call it.
    pub title: Option<Text>,
    /// What it is, in a sentence or two.
    pub description: Option<Text>,
    /// Who makes it.
    pub publisher: Option<Arc<str>>,
    /// The licence, as SPDX calls it.
    pub license: Option<Arc<str>>,
    /// Where more is said.
    pub homepage: Option<Arc<str>>,
    /// What it is found by.
    pub categories: Vec<Arc<str>>,
    /// The file of its picture.
    pub icon: Option<Place>,
    /// The folder of its template.
    pub template: Place,
    /// The file of its form; without one, the form follows from the template.
    pub form: Option<Place>,
    /// The folders of its charts.
    pub charts: Vec<Place>,
    /// The file with its bundle rules.
    pub bundles: Option<Place>,
    /// The file that says what the role of an installation must be allowed to do.
    pub role: Option<Place>,
    /// The plans that it is sold in.
    pub plans: Vec<Offer>,
    /// What can be done with an installation.
    pub actions: Vec<Action>,
    /// What people see of an installation.
    pub views: Vec<Declared>,
    /// The whole document.
    pub span: Span,
}

/// The path of a file or folder in a package, and where it is named.
#[derive(Clone, Debug)]
pub struct Place {
    /// The path, from the package's root, `/` between its parts.
    pub path: Arc<str>,
    /// Where it stands.
    pub span: Span,
}

/// A plan that a package is sold in: a preset of its form.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The preset.
    pub preset: Arc<str>,
    /// What it costs, in words; a quote says what it really costs.
    pub price: Option<Text>,
    /// Where it stands.
    pub span: Span,
}

/// Something that can be done with an installation.
#[derive(Clone, Debug)]
pub struct Action {
    /// The name.
    pub name: Arc<str>,
    /// What people see.
    pub label: Option<Text>,
    /// What it does.
    pub description: Option<Text>,
    /// The file of the form that is filled in for it.
    pub form: Option<Place>,
    /// The file that says what credentials for it may do.
    pub policy: Option<Place>,
    /// Who carries it out.
    pub target: Target,
    /// What people must agree to before.
    pub confirm: Option<Text>,
    /// Where the name stands.
    pub span: Span,
}

/// Who carries an action out.
#[derive(Clone, Debug)]
pub enum Target {
    /// A resource of the template: its address.
    Resource(Place),
    /// Something that the host knows by this name.
    Handler(Arc<str>),
}

/// A view, and where it is declared.
#[derive(Clone, Debug)]
pub struct Declared {
    /// The view.
    pub view: View,
    /// Its text, for [`Shows::Text`](super::Shows::Text).
    pub(super) text: Option<Expr>,
    /// Where the output stands that it shows, or the whole view.
    pub shows: Span,
    /// Where the name stands.
    pub span: Span,
}
