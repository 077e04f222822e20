//! What is known of pods, kept in a file: after a restart, those that ended before it, or while
//! nobody was watching, still have their names and count where they counted.
//!
//! One JSON object a line; of a pod that has several, the last one holds. What a crash left half
//! written is left out when the file is read.

mod line;

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use kubemonitor_model::EntityId;

use self::line::Line;
use crate::PodMeta;

/// The file is written anew when it is larger than this and twice what it was then.
const REWRITE_FROM_BYTES: u64 = 4 << 20;

/// Why the file does not serve.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}", path.display())]
pub struct NameBookError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// The file, open for more.
#[derive(Debug)]
pub struct NameBook {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// What it had when it was last written anew.
    rewritten_bytes: u64,
    /// Something could not be written: its end cannot be trusted.
    torn: bool,
}

impl NameBook {
    /// Opens the file, made if need be, and reads what it says of each pod last.
    pub fn open(path: &Path) -> Result<(Self, Vec<PodMeta>), NameBookError> {
        let failed = |action| move |source| failure(action, path, source);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed("make the folder of"))?;
        }
        if path.is_dir() {
            let aside = path.with_extension("folder");
            tracing::warn!(file = %path.display(), aside = %aside.display(), "a folder is in the file's place, and put aside");
            fs::rename(path, &aside).map_err(failed("put aside"))?;
        }
        let mut file =
            OpenOptions::new().create(true).append(true).open(path).map_err(failed("open"))?;
        let text = fs::read(path).map_err(failed("read"))?;
        // The whole of a large cluster takes seconds: two threads understand half of it each.
        let middle = text.len() / 2;
        let end_of_line = text[middle..].iter().position(|&byte| byte == b'\n');
        let (front, back) = text.split_at(end_of_line.map_or(text.len(), |end| middle + end));
        let (front, back) = thread::scope(|scope| {
            let front = scope.spawn(|| understood(front));
            let back = understood(back);
            (front.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), back)
        });
        let (mut pods, unreadable) = (front.0, front.1 + back.1);
        // What is said later holds.
        pods.extend(back.0);
        if unreadable > 0 {
            tracing::warn!(file = %path.display(), lines = unreadable, "unreadable lines left out");
        }
        if text.last().is_some_and(|&last| last != b'\n') {
            file.write_all(b"\n").map_err(failed("write"))?;
        }
        let bytes = text.len() as u64;
        let book =
            Self { path: path.to_owned(), file, bytes, rewritten_bytes: bytes / 2, torn: false };
        Ok((book, pods.into_values().collect()))
    }

    /// Adds what is known of these pods now; it is on the disk when this returns. Where the file has
    /// grown too long, or its end could not be written before, it is written anew with `all`.
    pub fn note(
        &mut self,
        pods: &[Arc<PodMeta>],
        all: impl FnOnce() -> Vec<Arc<PodMeta>>,
    ) -> Result<(), NameBookError> {
        let too_long = self.bytes > REWRITE_FROM_BYTES.max(2 * self.rewritten_bytes);
        if self.torn || too_long {
            return self.rewrite(&all());
        }
        let lines = lines(pods);
        self.torn = true;
        self.file.write_all(&lines).map_err(|error| failure("write", &self.path, error))?;
        self.file.sync_data().map_err(|error| failure("write", &self.path, error))?;
        self.torn = false;
        self.bytes += lines.len() as u64;
        Ok(())
    }

    /// How long the file is.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Writes the file anew: these pods and no others.
    pub fn rewrite(&mut self, pods: &[Arc<PodMeta>]) -> Result<(), NameBookError> {
        let fresh = &self.path.with_extension("new");
        let failed = |action| move |source| failure(action, fresh, source);
        let lines = lines(pods);
        let mut file = File::create(fresh).map_err(failed("create"))?;
        file.write_all(&lines).map_err(failed("write"))?;
        file.sync_data().map_err(failed("write"))?;
        fs::rename(fresh, &self.path).map_err(failed("rename"))?;
        self.file = file;
        self.bytes = lines.len() as u64;
        self.rewritten_bytes = self.bytes;
        self.torn = false;
        Ok(())
    }
}

/// What lines say of each pod last, and how many say nothing.
fn understood(lines: &[u8]) -> (HashMap<EntityId, PodMeta>, usize) {
    let mut pods = HashMap::new();
    let mut unreadable = 0;
    for line in lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice::<Line>(line) {
            Ok(line) => {
                let pod = PodMeta::from(line);
                pods.insert(pod.api_uid.clone(), pod);
            }
            Err(_) => unreadable += 1,
        }
    }
    (pods, unreadable)
}

fn failure(action: &'static str, path: &Path, source: io::Error) -> NameBookError {
    NameBookError { action, path: path.to_owned(), source }
}

fn lines(pods: &[Arc<PodMeta>]) -> Vec<u8> {
    let mut lines = Vec::new();
    for pod in pods {
        // Texts and numbers in a vector: there is nothing that could fail.
        if serde_json::to_writer(&mut lines, &Line::from(&**pod)).is_ok() {
            lines.push(b'\n');
        }
    }
    lines
}

#[cfg(test)]
mod tests;
