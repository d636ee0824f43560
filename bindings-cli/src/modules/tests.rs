use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
    process::Command,
};

use stackwright::template::{FetchLimits, Files, Options, Template};
use tempfile::TempDir;

use super::{
    LocalModules, archive,
    unpacked::{Limits, Unpacked},
};

const MODULE: &str = "output \"o\" {\n  value = 1\n}\n";

fn zip_of(path: &Path, entries: &[(&str, &[u8])]) {
    let mut zip = zip::ZipWriter::new(File::create(path).expect("a file"));
    let options = zip::write::SimpleFileOptions::default();
    for (name, content) in entries {
        match name.strip_prefix("link:") {
            Some(name) => {
                zip.add_symlink(name, String::from_utf8_lossy(content), options).expect("an entry");
            }
            None => {
                zip.start_file(*name, options).expect("an entry");
                zip.write_all(content).expect("content");
            }
        }
    }
    zip.finish().expect("an archive");
}

/// Writes names as they are, which `tar` itself refuses to.
fn tar_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in entries {
        let mut header = tar::Header::new_ustar();
        let (name, kind) = match (name.strip_prefix("link:"), name.strip_prefix("hard:")) {
            (Some(name), _) => (name, tar::EntryType::Symlink),
            (_, Some(name)) => (name, tar::EntryType::Link),
            _ => (*name, tar::EntryType::Regular),
        };
        header.as_ustar_mut().expect("a header").name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o644);
        let is_link = kind != tar::EntryType::Regular;
        if is_link {
            header.set_link_name(String::from_utf8_lossy(content).as_ref()).expect("a target");
        }
        header.set_size(if is_link { 0 } else { content.len() as u64 });
        header.set_cksum();
        tar.append(&header, if is_link { &[][..] } else { content }).expect("an entry");
    }
    tar.into_inner().expect("an archive")
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(bytes).expect("content");
    gz.finish().expect("an archive")
}

fn git(folder: &Path, words: &[&str]) {
    let mut command = Command::new("git");
    command.current_dir(folder).args(["-c", "user.name=ann", "-c", "user.email=ann@example.com"]);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let done = command.args(words).output().expect("git");
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn yard(main: &str) -> TempDir {
    let yard = tempfile::tempdir().expect("a folder");
    fs::write(yard.path().join("main.tf"), main).expect("a file");
    yard
}

fn call(name: &str, source: &str) -> String {
    format!("module \"{name}\" {{\n  source = \"{source}\"\n}}\n")
}

/// Fetches what a template asks for; returns the problems that are left, or why nothing came.
async fn fetch(yard: &TempDir) -> Result<Vec<String>, String> {
    let mut files = Files::from_dir(yard.path()).expect("a template");
    let source = LocalModules { folder: yard.path().to_owned() };
    let fetched = files.fetch_modules(&source, &FetchLimits::default()).await;
    fetched.map_err(|error| error.message().to_owned())?;
    let (_, problems) = Template::parse(&files, &Options::default());
    Ok(problems.into_iter().map(|problem| format!("{} {}", problem.code, problem.message)).collect())
}

#[tokio::test]
async fn archives_are_modules() {
    let outer = "module \"inner\" {\n  source = \"../inner\"\n}\n";
    let entries: [(&str, &[u8]); 3] = [
        ("modules/net/main.tf", outer.as_bytes()),
        ("modules/inner/main.tf", MODULE.as_bytes()),
        ("logo.png", &[0xff, 0xfe, 0]),
    ];
    let main = ["zip", "tar", "tar.gz", "tgz"]
        .map(|end| call(&end.replace('.', "_"), &format!("./vendor/net.{end}//modules/net")));
    let yard = yard(&(main.concat() + &call("deep", "./deep")));
    let vendor = yard.path().join("vendor");
    fs::create_dir(&vendor).expect("a folder");
    zip_of(&vendor.join("net.zip"), &entries);
    let tar = tar_of(&entries);
    fs::write(vendor.join("net.tar"), &tar).expect("a file");
    fs::write(vendor.join("net.tar.gz"), gz(&tar)).expect("a file");
    fs::write(vendor.join("net.tgz"), gz(&tar)).expect("a file");
    // A module beside the template counts from its own folder.
    fs::create_dir(yard.path().join("deep")).expect("a folder");
    fs::write(yard.path().join("deep/main.tf"), call("up", "../vendor/net.zip//modules/inner")).expect("a file");
    assert_eq!(fetch(&yard).await, Ok(vec![]));
}

#[tokio::test]
async fn git_directories_are_modules() {
    let yard = yard("");
    let repository = yard.path().join("net");
    fs::create_dir_all(repository.join("inner")).expect("a folder");
    git(&repository, &["init", "-q", "-b", "main"]);
    fs::write(repository.join("inner/main.tf"), MODULE).expect("a file");
    git(&repository, &["add", "-A"]);
    git(&repository, &["commit", "-q", "-m", "one"]);
    git(&repository, &["tag", "v1"]);
    fs::write(repository.join("inner/main.tf"), "oops\n").expect("a file");
    git(&repository, &["commit", "-qam", "two"]);
    git(yard.path(), &["clone", "-q", "--bare", "net", "bare.git"]);
    let path = yard.path().display();
    let write = |text: String| fs::write(yard.path().join("main.tf"), text).expect("a file");
    write(
        call("a", "git::./net//inner?ref=v1")
            + &call("b", &format!("git::file://{path}/net//inner?ref=v1"))
            + &call("c", "git::./bare.git//inner?ref=v1"),
    );
    assert_eq!(fetch(&yard).await, Ok(vec![]));
    // Without `ref` it is what the branch holds, not the folder beside it.
    fs::write(repository.join("inner/main.tf"), MODULE).expect("a file");
    write(call("a", "git::./net//inner"));
    assert!(fetch(&yard).await.expect("a package").iter().any(|problem| problem.starts_with("syntax.")));
    let refused = async |source: &str, expect: &str| {
        write(call("a", source));
        let what = fetch(&yard).await.expect_err("it cannot be read");
        assert!(what.contains(expect), "{source}: {what}");
    };
    refused("git::./net?ref=v9", "`git` cannot read").await;
    refused("git::./nowhere", "is not there").await;
    refused("git::./net//inner?ref=--output=x", "is no name of a branch").await;
}

#[tokio::test]
async fn nothing_leads_out_of_a_package() {
    let good: (&str, &[u8]) = ("main.tf", MODULE.as_bytes());
    let bad: [(&str, &[u8]); 6] = [
        ("../main.tf", b""),
        ("a/../../main.tf", b""),
        ("/etc/passwd", b""),
        ("a\\..\\..\\main.tf", b""),
        ("link:inside", b"/etc"),
        ("link:also", b"main.tf"),
    ];
    let yard = yard(&call("m", "./m.zip"));
    for entry in bad {
        zip_of(&yard.path().join("m.zip"), &[good, entry]);
        let what = fetch(&yard).await.expect_err("it leads out");
        assert!(what.contains("leads out of it") || what.contains("is a link"), "{entry:?}: {what}");
    }
    fs::write(yard.path().join("main.tf"), call("m", "./m.tgz")).expect("a file");
    for entry in bad.into_iter().chain([("hard:also", &b"/etc/passwd"[..])]) {
        fs::write(yard.path().join("m.tgz"), gz(&tar_of(&[good, entry]))).expect("a file");
        let what = fetch(&yard).await.expect_err("it leads out");
        assert!(what.contains("leads out of it") || what.contains("is a link"), "{entry:?}: {what}");
    }
    // Nor does what a fetched module asks for.
    for source in ["../../../m.tgz", "git::../../../net"] {
        fs::write(yard.path().join("m.tgz"), gz(&tar_of(&[("main.tf", call("up", source).as_bytes())])))
            .expect("a file");
        let problems = fetch(&yard).await.expect("the package itself is sound");
        assert_eq!(problems, [format!("template.source `{source}` leads out of the package")]);
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let limits = Limits { entry_count: 3, bytes: 1000 };
    let tar =
        |entries: &[(&str, &[u8])]| archive::tar(&*tar_of(entries), Unpacked::new(limits)).map(|files| files.len());
    assert_eq!(tar(&[("a", b"x"), ("b", b"y")]), Ok(2));
    assert_eq!(tar(&[("a", &[b'x'; 600]), ("b", &[b'x'; 400])]), Ok(2));
    assert_eq!(
        tar(&[("a", &[b'x'; 600]), ("b", &[b'x'; 401])]),
        Err("its files are larger than 1000 bytes".to_owned())
    );
    let many: Vec<(&str, &[u8])> = vec![("a", b"x"); 4];
    assert_eq!(tar(&many), Err("it holds more than 3 files and folders".to_owned()));
    // Ten megabytes of nothing are a few kilobytes as an archive.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bomb.zip");
    zip_of(&path, &[("bomb.tf", &vec![b' '; 10 << 20])]);
    assert!(fs::metadata(&path).expect("a file").len() < 20_000);
    let file = File::open(&path).expect("a file");
    assert_eq!(archive::zip(file, Unpacked::new(limits)), Err("its files are larger than 1000 bytes".to_owned()));
}

#[tokio::test]
async fn what_is_elsewhere_is_refused_by_name() {
    let yard = yard(&call("m", "acme/net/cloud"));
    let what = fetch(&yard).await.expect_err("nobody has it");
    assert_eq!(
        what,
        "the module source `acme/net/cloud`, which `m` asks for: it is not on this machine, and nothing is downloaded; \
         put it there and write `./vendor/net.zip//folder`"
    );
    fs::write(yard.path().join("main.tf"), call("m", "./m.zip")).expect("a file");
    assert!(fetch(&yard).await.expect_err("it is not there").contains("cannot be read"));
    fs::write(yard.path().join("m.zip"), "no archive").expect("a file");
    assert!(fetch(&yard).await.expect_err("it is none").contains("it cannot be unpacked"));
}
