//! A replica: pages, new entries, and an administrator's way to clear the book.

use std::{path::Path, sync::Arc};

use axum::{
    Form, Router,
    extract::State,
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;

use crate::{
    book::{Book, Entry},
    page, read_config,
};

/// What the configuration file holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) title: String,
    pub(crate) greeting: String,
    data_directory: std::path::PathBuf,
    admin_password: String,
}

struct Shared {
    config: Config,
    book: Book,
    name: String,
}

#[derive(Deserialize)]
struct Clear {
    password: String,
}

pub(crate) fn router(config: &Path, port: u16) -> Result<Router, String> {
    let config: Config = read_config(config)?;
    if !config.data_directory.is_dir() {
        return Err(format!("the data directory {} does not exist", config.data_directory.display()));
    }
    let book = Book::open(&config.data_directory);
    let shared = Arc::new(Shared { config, book, name: format!("replica on port {port}") });
    Ok(Router::new()
        .route("/", get(index))
        .route("/entries", post(add))
        .route("/clear", post(clear))
        .route("/healthz", get(|| async { "ok\n" }))
        .with_state(shared))
}

async fn index(State(shared): State<Arc<Shared>>) -> Html<String> {
    Html(page::render(&shared.config, &shared.book.entries(), &shared.name))
}

async fn add(State(shared): State<Arc<Shared>>, Form(entry): Form<Entry>) -> Response {
    let entry = Entry { name: entry.name.trim().to_owned(), message: entry.message.trim().to_owned() };
    if entry.name.is_empty() || entry.message.is_empty() {
        return (StatusCode::UNPROCESSABLE_ENTITY, "Both a name and a message are needed.\n").into_response();
    }
    if entry.name.chars().count() > 80 || entry.message.chars().count() > 2000 {
        return (StatusCode::UNPROCESSABLE_ENTITY, "At most 80 characters of name and 2000 of message.\n")
            .into_response();
    }
    answer(shared.book.add(&entry))
}

async fn clear(State(shared): State<Arc<Shared>>, Form(form): Form<Clear>) -> Response {
    if !same(form.password.as_bytes(), shared.config.admin_password.as_bytes()) {
        return (StatusCode::FORBIDDEN, "That is not the administrator's password.\n").into_response();
    }
    answer(shared.book.clear())
}

fn answer(result: Result<(), String>) -> Response {
    match result {
        Ok(()) => Redirect::to("/").into_response(),
        Err(message) => {
            eprintln!("guestbook: {message}");
            (StatusCode::INTERNAL_SERVER_ERROR, "The book cannot be written just now.\n").into_response()
        }
    }
}

/// Compares in a time that does not depend on where the first difference is.
fn same(given: &[u8], wanted: &[u8]) -> bool {
    given.len() == wanted.len() && given.iter().zip(wanted).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}
