//! Logs that are cut, damaged, and mixed with what is none of theirs.

use std::{os::unix::fs::symlink, time::Instant};

use proptest::prelude::*;

use super::*;
use crate::{disk::Damage, sync::now};

/// What was found when a log was opened.
struct Opened {
    log: Log,
    cut: Cut,
    damage: Option<Damage>,
    records: Vec<Vec<u8>>,
}

fn opened(folder: &Path) -> Opened {
    let (mut records, damages) = (Vec::new(), Arc::<Damages>::default());
    let visit = |record: Record<'_>| {
        if record.is_whole {
            records.push(record.payload.to_vec());
        }
    };
    let (log, cut) = Log::open(folder.to_owned(), &damages, visit).unwrap();
    Opened { log, cut, damage: damages.all(), records }
}

const NAME: UnixMillis = UnixMillis(7);

/// A folder with one file of these records. Gives the file, and where each record begins.
fn written(records: &[Vec<u8>]) -> (tempfile::TempDir, PathBuf, Vec<usize>) {
    let folder = tempfile::tempdir().unwrap();
    let mut log = opened(folder.path()).log;
    let (mut begins, mut at) = (Vec::new(), 0);
    for record in records {
        log.append(record, NAME).unwrap();
        begins.push(at);
        at += HEADER + record.len();
    }
    log.sync().unwrap();
    let path = folder.path().join(file_name(NAME));
    (folder, path, begins)
}

fn three() -> Vec<Vec<u8>> {
    vec![b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]
}

#[test]
fn what_was_appended_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let Opened { mut log, records, .. } = opened(folder.path());
    assert!(records.is_empty());
    log.append(b"one", UnixMillis(1000)).unwrap();
    assert!(matches!(log.append(b"", UnixMillis(1000)), Err(DiskError::Length { length: 0 })));
    log.sync().unwrap();
    log.begin_file(UnixMillis(1000)).unwrap();
    log.append(b"three", UnixMillis(2000)).unwrap();
    log.sync().unwrap();
    let Opened { log, cut, damage, records } = opened(folder.path());
    assert_eq!(records, [b"one".as_slice(), b"three"]);
    assert_eq!((cut, damage), (Cut::default(), None));
    assert_eq!(log.bytes(), 2 * HEADER as u64 + 3 + 5);
}

#[test]
fn zeros_at_the_end_are_cut_whatever_their_number() {
    for zeros in [1, 3, 4, 7, 8, 15, 16, 17, 32, 4095, 1 << 20, (4 << 20) + 5] {
        let (folder, path, _) = written(&three());
        let size = fs::metadata(&path).unwrap().len();
        OpenOptions::new().write(true).open(&path).unwrap().set_len(size + zeros).unwrap();
        let found = opened(folder.path());
        assert_eq!((found.records, found.damage), (three(), None));
        assert_eq!(found.cut, Cut { files: 1, bytes: zeros });
        let again = opened(folder.path());
        assert_eq!((again.records, again.cut), (three(), Cut::default()));
    }
}

#[test]
fn what_is_no_file_of_the_log_is_left_alone() {
    let (folder, _, _) = written(&three());
    let within = |name: &str| folder.path().join(name);
    fs::create_dir(within("0000000000009.log")).unwrap();
    fs::write(within("0000000000010.log"), b"").unwrap();
    fs::write(within("0000000000011.log"), b"somebody's notes").unwrap();
    for stray in ["999.log", "0000000000012.txt", "-000000000013.log", "9999999999999.log", "x.log"]
    {
        fs::write(within(stray), b"mine").unwrap();
    }
    symlink("/nowhere", within("0000000000014.log")).unwrap();
    // It has a length, and every read fails.
    let failing = Path::new("/sys/class/net/lo/speed");
    if failing.exists() {
        symlink(failing, within("0000000000015.log")).unwrap();
    }
    let mut found = opened(folder.path());
    assert_eq!((found.records, found.cut), (three(), Cut::default()));
    let files = found.damage.map(|damage| damage.files);
    assert_eq!(files, Some(if failing.exists() { 2 } else { 1 }));
    assert_eq!(fs::read(within("999.log")).unwrap(), b"mine");
    assert_eq!(fs::read(within("0000000000011.log")).unwrap(), b"somebody's notes");
    found.log.append(b"four", UnixMillis(16)).unwrap();
    found.log.sync().unwrap();
    assert_eq!(opened(folder.path()).records.len(), 4);
}

#[test]
fn files_named_after_times_to_come_are_dropped_by_when_they_were_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = opened(folder.path()).log;
    let (now, future) = (now(), UnixMillis(now().0 + 40 * 86_400_000));
    log.append(b"x", future).unwrap();
    log.sync().unwrap();
    let mut log = opened(folder.path()).log;
    log.cap_begun(now);
    log.begin_file(now).unwrap();
    log.drop_before(UnixMillis(now.0 - 1000)).unwrap();
    assert_eq!(log.files.len(), 2);
    log.drop_before(UnixMillis(now.0 + 60_000)).unwrap();
    assert_eq!(log.files.len(), 1, "the older one is not from the future");
}

#[test]
fn long_stretches_of_garbage_are_searched_within_seconds() {
    let (folder, path, begins) = written(&three());
    let mut bytes = fs::read(&path).unwrap();
    let (front, back) = (bytes[..begins[1]].to_vec(), bytes.split_off(begins[2]));
    // Everywhere the first byte of a header, and now and then all of its magic.
    let mut garbage = vec![0xF5; 8 << 20];
    for place in (0..garbage.len() - 16).step_by(4096) {
        garbage[place..place + 4].copy_from_slice(&record::MAGIC);
    }
    fs::write(&path, [front, garbage, back].concat()).unwrap();
    let began = Instant::now();
    let found = opened(folder.path());
    assert_eq!(found.records, [b"one".as_slice(), b"three"]);
    assert_eq!(found.damage.unwrap().records, 1);
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
}

#[test]
fn whole_files_leave_when_all_they_hold_is_old() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = opened(folder.path()).log;
    for at in [1000, 2000, 3000] {
        log.begin_file(UnixMillis(at)).unwrap();
        log.append(b"x", UnixMillis(at)).unwrap();
    }
    log.sync().unwrap();
    log.drop_before(UnixMillis(2999)).unwrap();
    assert_eq!(log.files.keys().next(), Some(&UnixMillis(2000)));
    assert!(log.drop_oldest().unwrap());
    assert!(!log.drop_oldest().unwrap(), "the file being written to stays");
}

/// Writes more than files may have, in a process of its own: the limit is the process's.
#[test]
fn nothing_is_written_behind_a_torn_record() {
    const FOLDER: &str = "KEPT_IN";
    if let Ok(folder) = std::env::var(FOLDER) {
        return write_until_refused(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let test = "disk::log::tests::nothing_is_written_behind_a_torn_record";
    let status = std::process::Command::new("sh")
        // Blocks of 512 bytes; the signal that comes with the limit is ignored.
        .args(["-c", "trap '' XFSZ; ulimit -f 2; exec \"$0\" --exact \"$1\""])
        .arg(std::env::current_exe().unwrap())
        .arg(test)
        .env(FOLDER, folder.path())
        .stdout(std::process::Stdio::null())
        .status();
    assert!(status.unwrap().success());
    let Opened { cut, records, .. } = opened(folder.path());
    assert_eq!(cut, Cut::default(), "the torn record was cut off at once");
    assert_eq!(records.iter().map(|r| r[0]).collect::<Vec<_>>(), [1, 3]);
}

fn write_until_refused(folder: &Path) {
    let mut log = opened(folder).log;
    let mut written = |number: u8, length| {
        log.append(&vec![number; length], UnixMillis(7)).unwrap();
        log.sync()
    };
    written(1, 600).unwrap();
    let error = written(2, 600).unwrap_err();
    assert!(matches!(error, DiskError::Io { action: "write", .. }), "{error}");
    written(3, 600).unwrap();
}

fn records() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 1..20)
}

proptest! {
    #[test]
    fn a_torn_end_is_cut_and_all_before_it_stays(
        records in records(),
        at in any::<prop::sample::Index>(),
    ) {
        let (folder, path, begins) = written(&records);
        let mut bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes.truncate(at);
        fs::write(&path, &bytes).unwrap();
        let whole = begins[1..].iter().filter(|&&end| end <= at).count();
        let mut found = opened(folder.path());
        prop_assert_eq!(&found.records, &records[..whole]);
        prop_assert_eq!(found.cut.bytes, (at - begins[whole]) as u64);
        prop_assert_eq!(found.damage, None);
        found.log.append(b"more", UnixMillis(8)).unwrap();
        found.log.sync().unwrap();
        let again = opened(folder.path());
        prop_assert_eq!(again.records.len(), whole + 1);
        prop_assert_eq!(again.cut, Cut::default());
    }

    #[test]
    fn flipped_bits_cost_the_records_they_are_in_and_no_others(
        records in records(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..4),
    ) {
        let (folder, path, begins) = written(&records);
        let mut bytes = fs::read(&path).unwrap();
        let mut hit = vec![0u32; bytes.len() * 8];
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            hit[at * 8 + usize::from(bit)] ^= 1;
        }
        fs::write(&path, &bytes).unwrap();
        let ends = begins[1..].iter().copied().chain([bytes.len()]);
        let is_hit = |begin: usize, end: usize| hit[begin * 8..end * 8].contains(&1);
        let expected: Vec<_> = begins
            .iter()
            .zip(ends)
            .zip(&records)
            .filter(|((begin, end), _)| !is_hit(**begin, *end))
            .map(|(_, record)| record.clone())
            .collect();
        let found = opened(folder.path());
        prop_assert_eq!(found.cut, Cut::default());
        prop_assert_eq!(found.damage.is_some(), expected.len() < records.len());
        prop_assert_eq!(&found.records, &expected);
    }
}
