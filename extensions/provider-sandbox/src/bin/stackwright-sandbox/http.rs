use std::{
    convert::Infallible,
    error, fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming},
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    catalogue,
    cloud::{Answer, Cloud},
    kind::Kind,
    problem::Problem,
    progress::{Point, Progress},
};

/// The most that a request may hold.
const LARGEST_BODY_BYTES: usize = 1024 * 1024;

/// What all connections share. No `Debug`: the token is in it.
pub(crate) struct Shared {
    cloud: Mutex<Cloud>,
    progress: Progress,
    /// The token that clients have to bear; empty where everybody may come.
    token: String,
}

/// The reply is lost: the connection is closed instead.
#[derive(Debug)]
struct Lost;

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the reply was lost on purpose")
    }
}

impl error::Error for Lost {}

/// A request, taken apart.
#[derive(Debug)]
struct Call {
    method: Method,
    /// The parts of its path, decoded.
    path: Vec<String>,
    filters: Vec<(String, String)>,
    body: Value,
    is_authorized: bool,
}

/// How a call ends.
enum Ending {
    Answered(Answer),
    Lost,
}

impl Shared {
    pub(crate) fn new(cloud: Cloud, token: String) -> Self {
        Self { cloud: Mutex::new(cloud), progress: Progress::new(), token }
    }

    fn cloud(&self) -> MutexGuard<'_, Cloud> {
        self.cloud.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers connections for ever.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) -> io::Result<Infallible> {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            // A client that gave up, or no file left for it: the next one may have more luck.
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        // Small requests and replies go back and forth; none of them should wait for more.
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&shared), request));
            // A connection that ends in an error was closed by the client, or by a reply that was to be lost.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Lost> {
    let call = match take_apart(&shared, request).await {
        Ok(call) => call,
        Err(problem) => return Ok(response(Err(problem))),
    };
    // As a task of its own: what the cloud was asked to do it does, whether or not somebody waits for it.
    match tokio::spawn(carry_out(shared, call)).await {
        Ok(Ending::Answered(answer)) => Ok(response(answer)),
        Ok(Ending::Lost) => Err(Lost),
        Err(error) => Ok(response(Err(Problem::failed(error.to_string())))),
    }
}

fn response(answer: Answer) -> Response<Full<Bytes>> {
    let (status, body, wait) = match answer {
        Ok((status, body)) => (status, body, None),
        Err(problem) => (problem.status, problem.body(), problem.retry_after_ms),
    };
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(wait) = wait {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.div_ceil(1000)));
    }
    response
}

async fn take_apart(shared: &Shared, request: Request<Incoming>) -> Result<Call, Problem> {
    let (head, body) = request.into_parts();
    let borne = head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let is_authorized =
        shared.token.is_empty() || borne.and_then(|borne| borne.strip_prefix("Bearer ")) == Some(shared.token.as_str());
    let body = Limited::new(body, LARGEST_BODY_BYTES).collect().await;
    let body = body.map_err(|_| Problem::invalid("the request is too long, or ended early"))?.to_bytes();
    let body = match body.is_empty() {
        true => Value::Null,
        false => serde_json::from_slice(&body).map_err(|_| Problem::invalid("the request holds no JSON"))?,
    };
    let path: Option<Vec<_>> = head.uri.path().trim_matches('/').split('/').map(decode).collect();
    let pairs = head.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let filters: Option<Vec<_>> = pairs
        .map(|pair| pair.split_once('=').and_then(|(name, value)| Some((decode(name)?, decode(value)?))))
        .collect();
    match (path, filters) {
        (Some(path), Some(filters)) => Ok(Call { method: head.method, path, filters, body, is_authorized }),
        _ => Err(Problem::invalid("the URL is broken")),
    }
}

/// Decodes `%41` to `A`.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    bytes.extend_from_slice(parts.next()?.as_bytes());
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(part.get(2..)?.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

async fn carry_out(shared: Arc<Shared>, call: Call) -> Ending {
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["admin", "wait"] => Ending::Answered(wait(&shared, &call).await),
        ["admin", rest @ ..] => Ending::Answered(admin(&shared, &call, rest)),
        ["v1", ..] if !call.is_authorized => Ending::Answered(Err(Problem::unauthorized())),
        ["v1", rest @ ..] => carry_out_slowly(&shared, &call, rest).await,
        _ => Ending::Answered(Err(no_such_place())),
    }
}

fn no_such_place() -> Problem {
    Problem::not_found("the API has no such place")
}

/// What a request asks for.
enum Wish<'a> {
    Types,
    Operation(&'a str),
    Create(Kind),
    List(Kind),
    Read(Kind, &'a str),
    Update(Kind, &'a str),
    Delete(Kind, &'a str),
    Prices,
    Place,
    Orders,
    Pay(&'a str),
    Cancel(&'a str),
    Refund(&'a str),
}

impl<'a> Wish<'a> {
    fn new(method: &Method, path: &[&'a str]) -> Option<Self> {
        let kind = path.first().and_then(|path| Kind::from_path(path));
        match (method, path, kind) {
            (&Method::GET, ["instance-types"], _) => Some(Self::Types),
            (&Method::GET, ["operations", id], _) => Some(Self::Operation(id)),
            (&Method::POST, ["prices"], _) => Some(Self::Prices),
            (&Method::POST, ["orders"], _) => Some(Self::Place),
            (&Method::GET, ["orders"], _) => Some(Self::Orders),
            (&Method::POST, ["orders", id, "pay"], _) => Some(Self::Pay(id)),
            (&Method::POST, ["orders", id, "cancel"], _) => Some(Self::Cancel(id)),
            (&Method::POST, ["order-lines", id, "refund"], _) => Some(Self::Refund(id)),
            (&Method::POST, [_], Some(kind)) => Some(Self::Create(kind)),
            (&Method::GET, [_], Some(kind)) => Some(Self::List(kind)),
            (&Method::GET, [_, id], Some(kind)) => Some(Self::Read(kind, id)),
            (&Method::PATCH, [_, id], Some(kind)) => Some(Self::Update(kind, id)),
            (&Method::DELETE, [_, id], Some(kind)) => Some(Self::Delete(kind, id)),
            _ => None,
        }
    }

    /// Returns what it is counted as, and whether it changes something.
    fn name(&self) -> (String, bool) {
        let named = |verb: &str, kind: &Kind| format!("{verb} {}", kind.spec().name);
        match self {
            Self::Types => ("list instance type".to_owned(), false),
            Self::Operation(_) => ("read operation".to_owned(), false),
            Self::List(kind) => (named("list", kind), false),
            Self::Read(kind, _) => (named("read", kind), false),
            Self::Create(kind) => (named("create", kind), true),
            Self::Update(kind, _) => (named("update", kind), true),
            Self::Delete(kind, _) => (named("delete", kind), true),
            Self::Prices => ("list price".to_owned(), false),
            Self::Orders => ("list order".to_owned(), false),
            Self::Place => ("place order".to_owned(), true),
            Self::Pay(_) => ("pay order".to_owned(), true),
            Self::Cancel(_) => ("cancel order".to_owned(), true),
            Self::Refund(_) => ("refund order line".to_owned(), true),
        }
    }
}

async fn carry_out_slowly(shared: &Arc<Shared>, call: &Call, path: &[&str]) -> Ending {
    let Some(wish) = Wish::new(&call.method, path) else { return Ending::Answered(Err(no_such_place())) };
    let (what, is_change) = wish.name();
    let admitted = shared.cloud().admit(&what);
    let takes = match admitted {
        Ok(takes) => takes,
        Err(problem) => return Ending::Answered(Err(problem)),
    };
    let reached = |point| {
        if is_change {
            shared.progress.reached(point, &what);
        }
    };
    reached(Point::Taken);
    pause(takes / 2).await;
    // The lock is held for as long as a flush takes, in a thread that may block.
    let (answer, is_lost) = tokio::task::block_in_place(|| {
        let mut cloud = shared.cloud();
        let answer = fulfil(&mut cloud, &wish, call);
        let about = match &answer {
            Ok((_, body)) => body["id"].as_str().unwrap_or_default().to_owned(),
            Err(_) => String::new(),
        };
        let is_lost = is_change && answer.is_ok() && cloud.loses(&what, &about);
        (answer, is_lost)
    });
    reached(Point::Done);
    pause(takes / 2).await;
    reached(Point::Answered);
    if is_lost { Ending::Lost } else { Ending::Answered(answer) }
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

fn fulfil(cloud: &mut Cloud, wish: &Wish<'_>, call: &Call) -> Answer {
    match *wish {
        Wish::Types => Ok((200, catalogue::view())),
        Wish::Operation(id) => cloud.operation(id),
        Wish::Create(kind) => cloud.create(kind, &call.body),
        Wish::List(kind) => cloud.list(kind, &call.filters),
        Wish::Read(kind, id) => cloud.read(kind, id),
        Wish::Update(kind, id) => cloud.update(kind, id, &call.body),
        Wish::Delete(kind, id) => cloud.delete(kind, id),
        Wish::Prices => cloud.quote(&call.body),
        Wish::Place => cloud.place(&call.body),
        Wish::Orders => cloud.orders(&call.filters),
        Wish::Pay(id) => cloud.conclude(id, true),
        Wish::Cancel(id) => cloud.conclude(id, false),
        Wish::Refund(line) => cloud.refund(line),
    }
}

/// Answers once as many changes got so far as the filters `point` and `count` say.
async fn wait(shared: &Shared, call: &Call) -> Answer {
    let get = |name: &str| call.filters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let point = get("point").and_then(Point::from_name);
    let count = get("count").and_then(|count| count.parse().ok());
    let (Some(point), Some(count)) = (point, count) else {
        return Err(Problem::invalid("say `point` (taken, done or answered) and `count`"));
    };
    shared.progress.wait(point, count).await;
    Ok((200, shared.progress.view()))
}

/// Answers at once, whatever the knobs say.
fn admin(shared: &Shared, call: &Call, path: &[&str]) -> Answer {
    let mut cloud = shared.cloud();
    match (&call.method, path) {
        (&Method::GET, ["history"]) => Ok((200, cloud.history(shared.progress.view()))),
        (&Method::GET, ["knobs"]) => Ok((200, json!(cloud.knobs))),
        (&Method::PATCH, ["knobs"]) => {
            let knobs = cloud.knobs.with(&call.body)?;
            cloud.turn(knobs);
            Ok((200, json!(cloud.knobs)))
        }
        _ => Err(no_such_place()),
    }
}
