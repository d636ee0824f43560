//! The front: hands requests to the replicas in turn.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::Deserialize;

use crate::read_config;

/// A request body larger than this is refused.
const LARGEST_BODY_BYTES: usize = 64 * 1024;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Base URLs such as `http://127.0.0.1:8081`.
    replicas: Vec<String>,
}

struct Shared {
    replicas: Vec<String>,
    next: AtomicUsize,
    client: Client<HttpConnector, Body>,
}

pub(crate) fn router(config: &Path) -> Result<Router, String> {
    let config: Config = read_config(config)?;
    if config.replicas.is_empty() {
        return Err("`replicas` is empty: nobody would answer".to_owned());
    }
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(Duration::from_secs(1)));
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let shared = Arc::new(Shared { replicas: config.replicas, next: AtomicUsize::new(0), client });
    Ok(Router::new().fallback(forward).with_state(shared))
}

/// Asks one replica after the other, beginning with the one whose turn it is, until one can be reached.
async fn forward(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LARGEST_BODY_BYTES).await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, "That is too long.\n").into_response();
    };
    let first = shared.next.fetch_add(1, Ordering::Relaxed);
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    for offset in 0..shared.replicas.len() {
        let idx = first.wrapping_add(offset) % shared.replicas.len();
        let Some(replica) = shared.replicas.get(idx) else { continue };
        let mut copy = Request::builder().method(parts.method.clone()).uri(format!("{replica}{path}"));
        if let Some(kind) = parts.headers.get(header::CONTENT_TYPE) {
            copy = copy.header(header::CONTENT_TYPE, kind);
        }
        let Ok(copy) = copy.body(Body::from(Bytes::clone(&body))) else { continue };
        match shared.client.request(copy).await {
            Ok(answer) => return answer.map(Body::new).into_response(),
            // Nothing was sent, so another replica may be asked even to write.
            Err(error) if error.is_connect() => eprintln!("guestbook: {replica} cannot be reached"),
            Err(error) => {
                eprintln!("guestbook: {replica}: {error}");
                break;
            }
        }
    }
    (StatusCode::BAD_GATEWAY, "No replica answers just now.\n").into_response()
}
