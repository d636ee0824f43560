//! What every place of a catalog must do, tried on each; and a package that goes through each.

use std::{collections::BTreeMap, sync::Arc};

use stackwright::{
    catalog::{
        Advance, Built, Catalog, Expect, Limits, MemoryObjects, Objects, PackageFiles, Stage, Stored, Version, Viewer,
    },
    error::Result,
};
use stackwright_catalog_objects::{Directory, Http, KeyPair, TrustedKeys};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// An object store of a few lines: what it was sent, in memory, behind HTTP.
async fn serve(objects: Arc<MemoryObjects>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}/shelf", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let objects = Arc::clone(&objects);
            tokio::spawn(async move { answer(stream, &objects).await });
        }
    });
    address
}

async fn answer(mut stream: TcpStream, objects: &MemoryObjects) -> Option<()> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
            break end;
        }
        stream.read_buf(&mut bytes).await.ok().filter(|count| *count > 0)?;
    };
    let text = String::from_utf8(bytes[..head].to_vec()).ok()?;
    let mut lines = text.lines();
    let mut words = lines.next()?.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| Some((line.split_once(": ")?.0.to_lowercase(), line.split_once(": ")?.1.to_owned())))
        .collect();
    let length: usize = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or_default();
    while bytes.len() < head + 4 + length {
        stream.read_buf(&mut bytes).await.ok().filter(|count| *count > 0)?;
    }
    let body = &bytes[head + 4..];
    let key = path.strip_prefix("/shelf/").unwrap_or("nowhere");
    let (status, tag, content) = match (method, headers.get("authorization").map(String::as_str)) {
        (_, Some(token)) if token != "Bearer sesame" => ("403 Forbidden", None, Arc::default()),
        ("GET", _) => match objects.get(key, u64::MAX).await.ok()? {
            Some(Stored { bytes, tag }) => ("200 OK", Some(tag), bytes),
            None => ("404 Not Found", None, Arc::default()),
        },
        ("PUT", _) => {
            let expect = match headers.get("if-match") {
                Some(tag) => Expect::Tag(tag.as_str().into()),
                None => Expect::Absent,
            };
            match objects.put(key, body.into(), expect).await.ok()? {
                true => ("201 Created", None, Arc::default()),
                false => ("412 Precondition Failed", None, Arc::default()),
            }
        }
        _ => ("405 Method Not Allowed", None, Arc::default()),
    };
    let tag = tag.map_or_else(String::new, |tag| format!("ETag: {tag}\r\n"));
    let head = format!("HTTP/1.1 {status}\r\n{tag}Content-Length: {}\r\nConnection: close\r\n\r\n", content.len());
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(&content).await.ok()
}

fn bytes(text: &str) -> Arc<[u8]> {
    text.as_bytes().into()
}

/// What every place must do.
async fn conforms(objects: &dyn Objects, can_list: bool) {
    let key = "packages/app/index.json";
    assert_eq!(objects.get(key, 10).await.expect("answered"), None);
    assert!(!objects.put(key, bytes("x"), Expect::Tag("none".into())).await.expect("answered"), "nothing is there");
    assert!(objects.put(key, bytes("one"), Expect::Absent).await.expect("written"));
    assert!(!objects.put(key, bytes("two"), Expect::Absent).await.expect("answered"), "something is there");
    let one = objects.get(key, 10).await.expect("answered").expect("it is there");
    assert_eq!(&*one.bytes, b"one");
    assert!(!objects.put(key, bytes("two"), Expect::Tag("other".into())).await.expect("answered"));
    assert!(objects.put(key, bytes("two"), Expect::Tag(one.tag.clone())).await.expect("written"));
    assert!(!objects.put(key, bytes("three"), Expect::Tag(one.tag)).await.expect("answered"), "it changed meanwhile");
    assert_eq!(&*objects.get(key, 3).await.expect("answered").expect("it is there").bytes, b"two");
    assert_eq!(objects.get(key, 2).await.expect_err("too large").code(), "catalog.too_large");
    let listed = objects.list("packages/").await;
    match can_list {
        true => assert_eq!(listed.expect("listed"), ["app"]),
        false => assert_eq!(listed.expect_err("not here").code(), "catalog.unsupported"),
    }
}

/// A package that is published, promoted, fetched, and changed by somebody.
async fn carries(objects: Arc<dyn Objects>, spoil: impl AsyncFnOnce()) -> Result<()> {
    let key = KeyPair::generate()?;
    let trust = Arc::new(TrustedKeys::new([key.public_key()])?);
    let catalog = Catalog::new(objects, trust);
    let files: PackageFiles = [(Arc::from("package.yaml"), bytes("name: shop\nversion: 1.0.0\n"))].into();
    let version: Version = "1.0.0".parse().expect("a version");
    let built = Built::new("shop", &version, &files, Limits::default(), &key).await?;
    for _ in 0..2 {
        assert_eq!(catalog.publish(&built, &key).await?.stage, Stage::Development);
    }
    catalog.advance("shop", &version, &Advance::Trial { testers: vec!["t".into()] }, &key).await?;
    let (_, found) = catalog.fetch("shop", None, &Viewer::Tenant("t".into())).await?;
    assert_eq!(found.files(Limits::default())?, files);
    spoil().await;
    let error = catalog.fetch("shop", None, &Viewer::Publisher).await.expect_err("it was changed");
    assert_eq!(error.code(), "catalog.tampered");
    Ok(())
}

#[tokio::test]
async fn memory() {
    conforms(&MemoryObjects::default(), true).await;
}

#[tokio::test]
async fn a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    conforms(&Directory::new(folder.path().join("new")), true).await;
    let spoil = async || {
        let path = folder.path().join("packages/shop/1.0.0.tar");
        let mut bytes = std::fs::read(&path).expect("the archive");
        bytes[600] ^= 1;
        std::fs::write(path, bytes).expect("written");
    };
    carries(Arc::new(Directory::new(folder.path())), spoil).await.expect("carried");
    for key in ["../x", "a/../b", "/a", "a//b", ".lock", "a\\b", ""] {
        let error = Directory::new(folder.path()).get(key, 10).await.expect_err("it leads out");
        assert_eq!(error.code(), "catalog.name", "{key}");
    }
}

#[tokio::test]
async fn writers_of_a_folder_lose_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let objects = Directory::new(folder.path());
    assert!(objects.put("packages/count", bytes("0"), Expect::Absent).await.expect("written"));
    let add = |objects: Directory| async move {
        for _ in 0..20 {
            loop {
                let there = objects.get("packages/count", 10).await.expect("answered").expect("it is there");
                let count: u32 = std::str::from_utf8(&there.bytes).expect("a text").parse().expect("a number");
                let next = bytes(&(count + 1).to_string());
                if objects.put("packages/count", next, Expect::Tag(there.tag)).await.expect("answered") {
                    break;
                }
            }
        }
    };
    let adders: Vec<_> = (0..4).map(|_| tokio::spawn(add(objects.clone()))).collect();
    for adder in adders {
        adder.await.expect("done");
    }
    let there = objects.get("packages/count", 10).await.expect("answered").expect("it is there");
    assert_eq!(&*there.bytes, b"80");
}

#[tokio::test]
async fn behind_http() {
    let memory = Arc::new(MemoryObjects::default());
    let address = serve(Arc::clone(&memory)).await;
    conforms(&Http::new(&address).expect("an address"), false).await;
    let spoil = async || {
        memory.edit(|objects| {
            let archive = objects.get_mut("packages/shop/1.0.0.tar").expect("the archive");
            let mut bytes = archive.to_vec();
            bytes[600] ^= 1;
            *archive = bytes.into();
        });
    };
    let objects = Http::new(&address).expect("an address").with_token("sesame");
    assert!(!format!("{objects:?}").contains("sesame"));
    carries(Arc::new(objects), spoil).await.expect("carried");

    let wrong = Http::new(&address).expect("an address").with_token("wrong");
    let error = wrong.get("packages/app/index.json", 10).await.expect_err("refused");
    assert_eq!((error.code(), error.to_string().contains("403")), ("catalog.unavailable", true));
    for key in ["../x", "a/../b", "//evil.example/x", "http://evil.example/x", ""] {
        let error = wrong.get(key, 10).await.expect_err("it leads out");
        assert_eq!(error.code(), "catalog.name", "{key}");
    }
    for address in ["", "ftp://a/", "file:///etc", "a b"] {
        assert_eq!(Http::new(address).expect_err("no address").code(), "catalog.unavailable", "{address}");
    }
    let nobody = Http::new("http://ann:hunter2@127.0.0.1:1/").expect("an address");
    let error = nobody.get("packages/a/index.json", 10).await.expect_err("nobody is there");
    assert!(!format!("{error:?} {nobody:?}").contains("hunter2"), "{error:?}");
}
