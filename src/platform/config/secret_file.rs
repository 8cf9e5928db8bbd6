//! The master secret of a developer's machine: made once and kept in a file that only its owner can read, so that nobody
//! has to configure one and sessions survive a restart.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The path of the stored secret.
pub(super) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("secret")
}

/// The kept secret, if there is one.
pub(super) fn find(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(secret) => Ok(Some(secret.trim().to_owned())),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// A new secret of 256 random bits.
pub(super) fn fresh() -> String {
    format!(
        "{:032x}{:032x}",
        rand::random::<u128>(),
        rand::random::<u128>()
    )
}

/// Keeps `secret` and returns the one that is kept: another process may have been faster.
pub(super) fn keep(path: &Path, secret: String) -> io::Result<String> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // Written under another name and then linked, so that nobody ever reads half a secret and the first one stays.
    let draft = path.with_extension(format!("{:016x}", rand::random::<u64>()));
    let mut file = private().open(&draft)?;
    file.write_all(secret.as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(fault) if fault.kind() != io::ErrorKind::AlreadyExists => Err(fault),
        _ => Ok(find(path)?.unwrap_or(secret)),
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_secret_stays_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/secret");
        assert_eq!(find(&path).unwrap(), None);
        let first = fresh();
        assert_eq!(
            (first.len(), keep(&path, first.clone()).unwrap()),
            (64, first.clone())
        );
        assert_eq!(keep(&path, fresh()).unwrap(), first);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
    }
}
