//! `http_request`, against servers on loopback.

use std::sync::{Arc, Mutex};

use stackwright::{
    ErrorKind,
    error::Retry,
    value::{Type, Value},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::support::{Driven, Looked, attribute, given, map, part, text, texts, with};

/// A server that answers by path and remembers what it was asked.
struct Server {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn new(answer: fn(&str) -> Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, answer, Arc::clone(&seen)));
            }
        });
        Self { address, asked, task }
    }

    fn url(&self, path: &str) -> Value {
        text(format!("http://{}{path}", self.address))
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }
}

/// Reads one request and answers it; what answers nothing keeps the connection open.
async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: fn(&str) -> Vec<u8>,
    seen: Arc<Mutex<Vec<String>>>,
) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let Ok(count @ 1..) = stream.read(&mut buffer).await else { return };
        bytes.extend_from_slice(&buffer[..count]);
        let request = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = request.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() < length.unwrap_or(0) {
            continue;
        }
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        seen.lock().expect("no panic").push(request);
        let answer = answer(&path);
        if answer.is_empty() {
            return std::future::pending().await;
        }
        let _ = stream.write_all(&answer).await;
        let _ = stream.shutdown().await;
        return;
    }
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn hello(path: &str) -> Vec<u8> {
    match path.split('?').next().unwrap_or_default() {
        "/hello" => answer("200 OK", "X-One: 1\r\nx-two: a\r\nX-Two: b\r\n", "grüße".as_bytes()),
        "/bytes" => answer("200 OK", "", &[0xff, 0, b'a']),
        "/elsewhere" => answer("302 Found", "location: /hello\r\n", b""),
        "/circle" => answer("302 Found", "location: /circle\r\n", b""),
        "/large" => answer("200 OK", "", &vec![b'x'; (16 << 20) + 1]),
        "/silent" => Vec::new(),
        "/broken" => b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec(),
        _ => answer("404 Not Found", "", b"no such page"),
    }
}

fn request() -> Looked {
    Looked::new("http_request")
}

#[tokio::test]
async fn the_answer_is_taken_apart() {
    let server = Server::new(hello).await;
    let found = request().read(&given([("url", server.url("/hello"))])).await.expect("an answer");
    assert_eq!(found.attribute("status_code"), Some(&Value::number(200)));
    assert_eq!(part(&found, "response_body"), "grüße");
    assert_eq!(part(&found, "response_body_base64"), "Z3LDvMOfZQ==");
    let headers = found.attribute("response_headers").expect("headers");
    assert_eq!((part(headers, "x-one"), part(headers, "x-two")), ("1", "a, b"));
    assert_eq!(part(&found, "id"), format!("http://{}/hello", server.address));
    let found = request().read(&given([("url", server.url("/bytes"))])).await.expect("an answer");
    assert_eq!((part(&found, "response_body"), part(&found, "response_body_base64")), ("\u{fffd}\0a", "/wBh"));
    let found = request().read(&given([("url", server.url("/nothing"))])).await.expect("any status is an answer");
    assert_eq!(found.attribute("status_code"), Some(&Value::number(404)));
    assert_eq!(part(&found, "response_body"), "no such page");
    let found = request().read(&given([("url", server.url("/elsewhere"))])).await.expect("an answer");
    assert_eq!(part(&found, "response_body"), "grüße", "redirects are followed");
}

#[tokio::test]
async fn the_request_is_as_it_was_written() {
    let server = Server::new(hello).await;
    let config = given([
        ("url", server.url("/hello?q=1")),
        ("method", text("POST")),
        ("request_headers", map([("X-Token", "hunter2"), ("content-type", "text/plain")])),
        ("request_body", text("some body")),
    ]);
    request().read(&config).await.expect("an answer");
    request().read(&given([("url", server.url("/hello")), ("method", text("HEAD"))])).await.expect("an answer");
    let asked = server.asked();
    let [post, head] = asked.as_slice() else { panic!("{asked:?}") };
    assert!(post.starts_with("POST /hello?q=1 HTTP/1.1\r\n") && post.ends_with("\r\n\r\nsome body"), "{post}");
    for header in ["x-token: hunter2", "content-type: text/plain", "user-agent: stackwright/"] {
        assert!(post.contains(&format!("\r\n{header}")), "{header}: {post}");
    }
    assert!(head.starts_with("HEAD /hello HTTP/1.1\r\n"), "{head}");
}

#[tokio::test]
async fn what_cannot_be_asked_says_why_without_secrets() {
    let server = Server::new(hello).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let secret = |place: &str| text(format!("http://user:hunter2@{place}?token=hunter2"));
    let url = |url: Value| given([("url", url)]);
    let header = |name: &str, value: Value| {
        with(&url(server.url("/hello")), [("request_headers", Value::map(Type::String, [(name, value)]))])
    };
    for (config, kind, retry, words) in [
        (url(text("ftp://hunter2")), ErrorKind::InvalidInput, Retry::No, "neither `http://` nor `https://`"),
        (url(text("http://")), ErrorKind::InvalidInput, Retry::No, "cannot be asked like this"),
        (
            url(secret(&closed.to_string())),
            ErrorKind::Unavailable,
            Retry::WithBackoff,
            "no answer from `http://127.0.0.1:",
        ),
        (url(server.url("/circle?hunter2")), ErrorKind::Unavailable, Retry::No, "/circle` leads around in circles"),
        (url(server.url("/large?hunter2").clone()), ErrorKind::InvalidInput, Retry::No, "longer than 16 MiB"),
        (url(server.url("/broken")), ErrorKind::Unavailable, Retry::WithBackoff, "no answer from"),
        (header("a b", text("x")), ErrorKind::InvalidInput, Retry::No, "cannot be the name of a header"),
        (header("a", text("hunter2\n")), ErrorKind::InvalidInput, Retry::No, "holds what no header may"),
        (header("a", Value::null(Type::String)), ErrorKind::InvalidInput, Retry::No, "is null"),
        (
            with(&url(server.url("/silent")), [("timeout_seconds", Value::number(1))]),
            ErrorKind::Unavailable,
            Retry::WithBackoff,
            "did not answer within 1 s",
        ),
        (
            with(&url(server.url("/hello")), [("ca_cert_pem", text("none"))]),
            ErrorKind::InvalidInput,
            Retry::No,
            "holds no certificate",
        ),
    ] {
        let error = request().refused(&config).await;
        assert_eq!(
            (error.code(), error.kind(), error.retry_advice()),
            ("local.http", kind, retry),
            "{}",
            error.report()
        );
        assert!(error.message().contains(words), "{words}: {}", error.report());
        assert!(!error.report().contains("hunter2"), "{}", error.report());
    }
}

#[tokio::test]
async fn is_ended_when_it_is_cancelled() {
    let server = Server::new(hello).await;
    let token = CancellationToken::new();
    let source = request();
    let config = given([("url", server.url("/silent"))]);
    let asked = async {
        while server.asked().is_empty() {
            tokio::task::yield_now().await;
        }
        token.cancel();
    };
    let (answer, ()) = tokio::join!(source.read_until(&config, token.clone()), asked);
    assert_eq!(answer.expect_err("it was cancelled").code(), "run.cancelled");
}

#[tokio::test]
async fn tls_is_refused_clearly_unless_the_certificate_is_trusted() {
    let certificate = given([
        ("common_name", text("localhost")),
        ("dns_names", texts(["localhost"])),
        ("ip_addresses", texts(["127.0.0.1"])),
    ]);
    let object = Driven::new("tls_self_signed_cert").create(&certificate).await;
    let [pem, key] = ["cert_pem", "private_key_pem"].map(|name| attribute(&object, name).to_owned());
    let (address, task) = tls_server(&pem, &key).await;
    let url = given([("url", text(format!("https://{address}/hello")))]);
    let error = request().refused(&url).await;
    assert_eq!((error.code(), error.kind(), error.retry_advice()), ("local.http", ErrorKind::Denied, Retry::No));
    let message = error.message();
    assert!(
        message.starts_with(&format!("`https://{address}/hello` is not trusted: invalid peer certificate")),
        "{message}"
    );
    let trusted = with(&url, [("ca_cert_pem", text(&pem))]);
    let found = request().read(&trusted).await.expect("it is trusted now");
    assert_eq!(part(&found, "response_body"), "grüße");
    // Trusted, but for another name.
    let other = address.replace("127.0.0.1", "127.0.0.2");
    let moved = with(&trusted, [("url", text(format!("https://{other}/hello")))]);
    assert_eq!(request().refused(&moved).await.kind(), ErrorKind::Denied);
    let plain = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = text(format!("https://{}/hello", plain.local_addr().expect("an address")));
    let speaks_plainly = async {
        let (mut stream, _) = plain.accept().await.expect("a guest");
        let _ = stream.write_all(&answer("400 Bad Request", "", b"")).await;
        // Until the guest is gone.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    };
    let asked = given([("url", url)]);
    let guest = request();
    let (error, ()) = tokio::join!(guest.refused(&asked), speaks_plainly);
    assert!(error.message().contains("` does not speak TLS: "), "{}", error.report());
    assert_eq!((error.kind(), error.retry_advice()), (ErrorKind::Unavailable, Retry::No));
    task.abort();
}

/// Serves over TLS on every loopback address.
async fn tls_server(pem: &str, key: &str) -> (String, JoinHandle<()>) {
    use tokio_rustls::rustls::{
        ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    };
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![certificate], key))
        .expect("a configuration");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("0.0.0.0:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(stream, hello, Arc::default()).await;
                }
            });
        }
    });
    (format!("127.0.0.1:{port}"), task)
}
