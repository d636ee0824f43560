//! Replays the corpus, and variations of it that are the same every time.
//!
//! `STACKWRIGHT_VARIATIONS` says how many of each file; `make fuzz` looks for new files, guided by coverage.

use std::{fs, path::Path};

use stackwright_fuzz::{TARGETS, Target};

/// `SplitMix64` (Steele et al. 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound.max(1) as u64) as usize
    }
}

fn corpus(target: &Target) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| {
            let path = entry.expect("a file").path();
            (path.display().to_string(), fs::read(path).expect("a file"))
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "`{}` has no corpus", target.name);
    files
}

/// Takes, doubles, moves and mixes pieces of two files.
fn vary(one: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = one.to_vec();
    for _ in 0..=random.below(3) {
        let piece = |from: &[u8], random: &mut Random| {
            let start = random.below(from.len() + 1);
            let len = random.below((from.len() - start).min(24) + 1);
            from[start..start + len].to_vec()
        };
        let at = random.below(bytes.len() + 1);
        match random.below(4) {
            0 => drop(bytes.drain(at..(at + random.below(12)).min(bytes.len()))),
            1 => drop(bytes.splice(at..at, piece(other, random))),
            2 => drop(bytes.splice(at..at, piece(one, random))),
            _ => bytes.insert(at, b"\"${}[]()\\\n:=-,.%~#!&*|><0 \x00\xff"[random.below(28)]),
        }
    }
    bytes
}

fn replay(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    let count = std::env::var("STACKWRIGHT_VARIATIONS").map_or(40, |text| text.parse().expect("a number"));
    let files = corpus(target);
    let mut random = Random(1);
    for (path, bytes) in &files {
        eprintln!("{path}");
        (target.run)(bytes);
        for _ in 0..count.min(40_000 / files.len()) {
            let other = &files[random.below(files.len())].1;
            let varied = vary(bytes, other, &mut random);
            let run = std::panic::catch_unwind(|| (target.run)(&varied));
            assert!(run.is_ok(), "{name} fails on {:?}", String::from_utf8_lossy(&varied));
        }
    }
}

macro_rules! replays {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })*

        #[test]
        fn no_target_is_forgotten() {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

replays!(hcl json yaml values template expression decoders);
