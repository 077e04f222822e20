//! One process a data directory.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::Path,
};

use super::DiskError;

/// What keeps other processes out of a data directory, for as long as this lives.
///
/// The lock on the folder itself holds whatever is done to the files within. Where folders cannot be
/// locked (NFS), the one on the file `lock` holds for as long as nobody removes that file.
#[derive(Debug)]
pub(super) struct Lock {
    #[expect(dead_code, reason = "held, not read")]
    folder: Option<File>,
    #[expect(dead_code, reason = "held, not read")]
    file: File,
}

impl Lock {
    pub(super) fn take(folder: &Path) -> Result<Self, DiskError> {
        let open = File::open(folder).map_err(|e| DiskError::io("open", folder, e))?;
        let is_locked = match open.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => return Err(DiskError::Locked(folder.to_owned())),
            Err(TryLockError::Error(error)) => {
                let path = folder.display();
                tracing::debug!(%path, %error, "this file system locks no folders");
                false
            }
        };
        let path = folder.join("lock");
        let file = lock_file(&path).map_err(|e| DiskError::io("open", &path, e))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { folder: is_locked.then_some(open), file }),
            Err(TryLockError::WouldBlock) => Err(DiskError::Locked(folder.to_owned())),
            Err(TryLockError::Error(e)) => Err(DiskError::io("lock", &path, e)),
        }
    }
}

fn lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).open(path)
}
