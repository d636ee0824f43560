use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

use super::{Setting, make_whole_and_destroy, slow};
use crate::{
    chance::Chance,
    figures::Figures,
    shop::Shop,
    story::{Phase, check_whole, finish},
};

const APPLY: [&str; 3] = ["apply", "-auto-approve", "-json"];

/// A small file system of its own, in memory.
struct Disk {
    path: PathBuf,
}

impl Disk {
    /// Mounts one; says why not where that is not allowed.
    fn mount(path: &Path) -> Result<Self, String> {
        fs::create_dir(path).expect("a folder");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=24m,mode=0700", "none"]).arg(path).output();
        match mounted {
            Ok(output) if output.status.success() => Ok(Self { path: path.to_owned() }),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }

    /// Leaves no room.
    fn fill(&self) {
        let mut filler = File::create(self.filler()).expect("a file");
        let block = [0; 4096];
        while filler.write_all(&block).is_ok() {}
    }

    fn make_room(&self) {
        fs::remove_file(self.filler()).expect("the filler is there");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What cannot be taken away now goes with its namespace.
        let _ = Command::new("umount").arg(&self.path).output();
    }
}

/// Fills the disk while the engine works.
fn fill_amid_apply(
    figures: &mut Figures,
    setting: &Setting,
    rest: impl FnOnce(&mut Figures, &Shop, &Disk, crate::program::Working),
) {
    let mut shop = setting.open(&slow());
    let disk = match Disk::mount(&shop.path().join("disk")) {
        Ok(disk) => disk,
        Err(why) => {
            figures.skipped = Some(format!("no file system can be mounted here: {why}"));
            return;
        }
    };
    shop.program.state = Some(disk.path.join("state.db"));
    let mut working = shop.start(&APPLY);
    shop.cloud.tell("taken", shop.size.total(0) / 3, working.said.clone());
    let has_come = working.wait_until_told();
    disk.fill();
    figures.kills += 1;
    figures.live += u64::from(has_come);
    rest(figures, &shop, &disk, working);
    make_whole_and_destroy(&shop, figures);
}

/// The disk is full for a while: the run waits for room and goes on.
pub(super) fn full_for_a_while(figures: &mut Figures, setting: &Setting) {
    fill_amid_apply(figures, setting, |figures, shop, disk, working| {
        // What was asked for is done; nothing more is asked for, because no intent can be written down.
        shop.cloud.settle();
        disk.make_room();
        let ended = working.end();
        figures.expect(ended.is_success(), || format!("it did not go on: {}", ended.text));
    });
}

/// The disk stays full: the run pauses with a reason, and goes on when there is room.
pub(super) fn full(figures: &mut Figures, setting: &Setting) {
    fill_amid_apply(figures, setting, |figures, _, disk, working| {
        let ended = working.end();
        let codes = ended.codes();
        // What comes first: patience is at its end, or the lease is, which a full disk cannot renew.
        let is_coded = codes.iter().any(|code| ["store.unavailable", "lease.lost"].contains(&code.as_str()));
        figures.expect(is_coded && ended.text.contains("full"), || format!("it said {codes:?}: {}", ended.text));
        figures.note_codes(&codes);
        disk.make_room();
    });
}

/// Changes one byte, or cuts the file off; returns what was done.
fn damage(path: &Path, number: u64, chance: &mut Chance) -> io::Result<String> {
    let mut bytes = fs::read(path)?;
    let at = chance.below(bytes.len() as u64);
    let what = match number % 3 {
        0 => {
            bytes.truncate(at as usize);
            format!("cut off at {at}")
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at as usize) {
                *byte ^= 1 << chance.below(8);
            }
            format!("a bit flipped at {at}")
        }
    };
    fs::write(path, bytes)?;
    Ok(what)
}

/// The state file is cut off or a bit of it is flipped: either that is noticed, with a code and nothing touched, or it makes
/// no difference.
pub(super) fn damaged(figures: &mut Figures, setting: &Setting) {
    let mut shop = setting.open(&slow());
    finish(&shop, Phase::Create, figures);
    let sound = shop.state_path();
    let log = sound.with_file_name("state.db-wal");
    figures.expect(!log.exists(), || "a program that ended left a log beside the state file".to_owned());
    let folder = shop.path().join("damaged");
    fs::create_dir(&folder).expect("a folder");
    let copy = folder.join("state.db");
    fs::copy(sound.with_file_name("key"), folder.join("key")).expect("the key is there");
    let mut chance = Chance::new(setting.seed);
    let mut before = shop.cloud.changes().taken;
    let mut noticed = 0;
    for number in 0..setting.damage_count {
        for companion in ["state.db-wal", "state.db-shm"] {
            // There is none where the last one closed it.
            let _ = fs::remove_file(folder.join(companion));
        }
        fs::copy(&sound, &copy).expect("the state is there");
        let what = damage(&copy, number, &mut chance).expect("it can be written");
        let bytes = fs::read(&copy).expect("it can be read");
        shop.program.state = Some(copy.clone());
        let ended = shop.run(&["apply", "-auto-approve", "-refresh=false", "-json"]);
        figures.kills += 1;
        let codes = ended.codes();
        if ended.is_success() {
            // It lay where nothing is, or in what is not needed to plan.
            figures
                .expect(ended.text.contains("\"outputs\"") || codes.is_empty(), || format!("{what}: {}", ended.text));
        } else {
            noticed += 1;
            figures.expect(!codes.is_empty(), || format!("{what}: no code: {}", ended.text));
            let now = fs::read(&copy).expect("it can be read");
            figures.expect(now == bytes, || format!("{what}: a damaged file was written to ({codes:?})"));
            figures.note_codes(&codes);
        }
        let taken = shop.cloud.changes().taken;
        figures.expect(taken == before, || format!("{what}: the world was changed ({codes:?})"));
        before = taken;
    }
    figures.live = noticed;
    figures.expect(noticed * 4 > setting.damage_count, || format!("only {noticed} damages were noticed"));
    shop.program.state = None;
    check_whole(&shop, Phase::Create, 0, figures);
    make_whole_and_destroy(&shop, figures);
}
