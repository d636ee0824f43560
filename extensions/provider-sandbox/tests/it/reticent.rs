//! A cloud that says that a name is taken, and for a while not by whom.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread,
};

use serde_json::{Value, json};
use stackwright::state::RunStatus;

use crate::host::Host;

/// What it made before it fell silent: a bucket as it was asked for. A list shows it after `silence` refusals.
struct Reticent {
    made: Option<Value>,
    silence: u32,
}

impl Reticent {
    fn answer(&mut self, request: &str, body: &Value) -> (u16, Value) {
        let refusal = |code: &str| json!({ "error": { "code": code, "message": code } });
        if request.starts_with("POST ") {
            let properties = &body["properties"];
            let mut properties = properties.clone();
            properties["url"] = json!("https://wanted.example");
            self.made = Some(json!({ "id": "b-1", "state": "available", "properties": properties }));
            return (409, refusal("duplicate"));
        }
        if request.starts_with("GET /v1/buckets?") && self.silence > 0 {
            self.silence -= 1;
            return (503, refusal("unavailable"));
        }
        match (request.starts_with("GET /v1/buckets/"), &self.made) {
            (true, Some(made)) => (200, made.clone()),
            (_, made) => (200, json!({ "items": made.iter().collect::<Vec<_>>() })),
        }
    }

    /// Takes one request.
    fn serve(&mut self, stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut request = String::new();
        reader.read_line(&mut request)?;
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            match line.trim_end().to_ascii_lowercase().split_once(": ") {
                Some(("content-length", value)) => length = value.parse().unwrap_or(0),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let (status, answer) = self.answer(&request, &serde_json::from_slice(&body).unwrap_or_default());
        let answer = answer.to_string();
        let length = answer.len();
        write!(
            reader.into_inner(),
            "HTTP/1.1 {status} so\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{answer}"
        )
    }
}

/// Whether the taken name is what an earlier try of this create made could not be found out in time: that it failed is not
/// the same as that nothing was made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_name_that_nobody_can_look_up_counts_as_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    // More refusals than there is patience for while the bucket is made.
    thread::spawn(move || {
        let mut cloud = Reticent { made: None, silence: 8 };
        // A client that went away is none of its business.
        listener.incoming().flatten().for_each(|stream| drop(cloud.serve(stream)));
    });
    let header = format!("provider \"sandbox\" {{\n endpoint = \"http://{address}\"\n}}\n");
    let host = Host::with_attempts(&header, 1);
    let report = host.try_apply("resource \"sandbox_bucket\" \"b\" {\n name = \"wanted\"\n}").await;
    assert_eq!((report.status, &report.problems), (RunStatus::Succeeded, &Vec::new()));
    let rows = host.rows().await;
    assert_eq!(rows.iter().map(|row| row.remote_id.as_deref()).collect::<Vec<_>>(), [Some("b-1")]);
}
