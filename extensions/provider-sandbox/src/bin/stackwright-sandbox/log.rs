use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions, TryLockError},
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
};

use serde::Serialize;
use serde_json::{Value, json};

use crate::{object::Object, shop::Order};

const FORMAT: &str = "stackwright-sandbox 1";

/// What a memory knows.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) objects: Vec<Object>,
    /// By id.
    pub(crate) orders: BTreeMap<String, Order>,
}

/// The cloud's memory: a file to which every change is added, and flushed, before it is acknowledged.
///
/// The first line names the format; each further one is an object, or an order, as it is from then on. A last line without its line
/// break was never acknowledged and is dropped.
#[derive(Debug)]
pub(crate) struct Log {
    file: File,
    /// Held as long as this lives, so that two servers never write to one memory.
    _lock: File,
    /// Set when a line could not be written whole; nothing may follow it.
    is_broken: bool,
}

impl Log {
    /// Opens a memory, made where there is none, and returns what it knows.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Memory)> {
        let lock = OpenOptions::new().create(true).append(true).open(beside(path, "lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                io::Error::new(io::ErrorKind::WouldBlock, "another server works on this memory")
            }
            TryLockError::Error(error) => error,
        })?;
        let memory = read(path)?;
        let file = rewrite(path, &memory)?;
        Ok((Self { file, _lock: lock, is_broken: false }, memory))
    }

    /// Remembers what an object or an order is from now on. It survives the end of this process once this returns.
    pub(crate) fn put(&mut self, what: &impl Serialize) -> io::Result<()> {
        if self.is_broken {
            return Err(io::Error::other("the memory could not be written before"));
        }
        let line = line(what)?;
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        self.is_broken = written.is_err();
        written
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(ending);
    path.with_file_name(name)
}

fn line(what: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    Ok(line)
}

fn read(path: &Path) -> io::Result<Memory> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Memory::default()),
        Err(error) => return Err(error),
    };
    let corrupt = |number: usize, what: &str| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{}:{number}: {what}", path.display()))
    };
    let Memory { mut objects, mut orders } = Memory::default();
    let mut places = std::collections::HashMap::new();
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        reader.read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            break;
        }
        if number == 1 {
            let head: Value = serde_json::from_slice(&line).unwrap_or_default();
            if head["format"] != json!(FORMAT) {
                return Err(corrupt(1, "this is no memory of a sandbox"));
            }
            continue;
        }
        // Only orders have a time at which they were placed.
        if let Ok(order) = serde_json::from_slice::<Order>(&line) {
            orders.insert(order.id.clone(), order);
            continue;
        }
        let object: Object =
            serde_json::from_slice(&line).map_err(|error| corrupt(number, &format!("not an object: {error}")))?;
        match places.get(&object.id) {
            Some(&at) => objects[at] = object,
            None => {
                places.insert(object.id.clone(), objects.len());
                objects.push(object);
            }
        }
    }
    Ok(Memory { objects, orders })
}

/// Writes a memory anew, one line for each thing, and returns the file to add to.
fn rewrite(path: &Path, memory: &Memory) -> io::Result<File> {
    let fresh = beside(path, "new");
    let mut file = File::create(&fresh)?;
    let mut text = serde_json::to_vec(&json!({ "format": FORMAT }))?;
    text.push(b'\n');
    for object in &memory.objects {
        text.extend(line(object)?);
    }
    for order in memory.orders.values() {
        text.extend(line(order)?);
    }
    file.write_all(&text)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;

    fn object(id: &str, made_at_ms: u64) -> Object {
        Object::new(id.to_owned(), Kind::Bucket, None, serde_json::Map::new(), made_at_ms)
    }

    fn ids(path: &Path) -> Vec<(String, u64)> {
        let (_, memory) = Log::open(path).expect("it opens");
        memory.objects.into_iter().map(|object| (object.id, object.made_at_ms)).collect()
    }

    #[test]
    fn what_was_put_is_there_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("memory");
        let (mut log, memory) = Log::open(&path).expect("it opens");
        assert!(memory.objects.is_empty());
        for (id, at) in [("a", 1), ("b", 2), ("a", 3)] {
            log.put(&object(id, at)).expect("it is written");
        }
        assert!(Log::open(&path).is_err(), "one server at a time");
        drop(log);
        assert_eq!(ids(&path), [("a".to_owned(), 3), ("b".to_owned(), 2)]);
        assert_eq!(std::fs::read_to_string(&path).expect("text").lines().count(), 3, "it was written anew");
    }

    #[test]
    fn a_torn_line_is_dropped_and_a_broken_one_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("memory");
        let (mut log, _) = Log::open(&path).expect("it opens");
        log.put(&object("a", 1)).expect("it is written");
        log.file.write_all(b"{\"id\":\"b\",").expect("it is written");
        drop(log);
        assert_eq!(ids(&path).len(), 1);
        let text = std::fs::read_to_string(&path).expect("text");
        std::fs::write(&path, text + "garbage\n").expect("it is written");
        let error = Log::open(&path).expect_err("it is corrupt");
        assert!(error.to_string().contains(":3: not an object"), "{error}");
        std::fs::write(&path, "something else\n").expect("it is written");
        assert!(Log::open(&path).is_err());
    }
}
