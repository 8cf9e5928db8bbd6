//! What the server writes is its own user's alone: databases, mails with reset links and payment files name people and
//! accounts.

use std::{fs, io, path::Path, str::FromStr};

use sqlx::sqlite::SqliteConnectOptions;

/// Files that this process creates from now on are readable and writable by its user only, and folders likewise.
pub fn by_default() {
    #[cfg(unix)]
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
}

/// Takes other users' rights from the data folder with everything in it, and from an SQLite database with the files
/// beside it, wherever it is: an earlier version, or an operator's copy, may have left them open. What belongs to another
/// user stays as it is and is logged.
pub fn keep(data_dir: &Path, database_url: &str) {
    close(data_dir);
    if !database_url.starts_with("sqlite:") {
        return;
    }
    let Ok(options) = SqliteConnectOptions::from_str(database_url) else {
        return;
    };
    let database = options.get_filename();
    for suffix in ["", "-wal", "-shm", ".migration-lock", ".use-lock"] {
        let mut path = database.as_os_str().to_owned();
        path.push(suffix);
        let path = Path::new(&path);
        if path.is_file() {
            close(path);
        }
    }
}

fn close(path: &Path) {
    if let Err(error) = close_all(path) {
        tracing::warn!(path = %path.display(), %error, "other users' access could not be removed");
    }
}

#[cfg(unix)]
fn close_all(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        // Gone meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if metadata.is_symlink() {
        return Ok(());
    }
    let mode = metadata.permissions().mode();
    // A folder that was closed before holds nothing that others reach.
    let was_open = mode & 0o077 != 0;
    if was_open {
        fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o7700))?;
    }
    if metadata.is_dir() && was_open {
        for entry in fs::read_dir(path)? {
            close_all(&entry?.path())?;
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn close_all(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_an_earlier_version_left_open_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        fs::create_dir_all(data.join("mail")).unwrap();
        let (mail, database) = (data.join("mail/a.eml"), folder.path().join("books.db"));
        let log = folder.path().join("books.db-wal");
        for file in [&mail, &database, &log] {
            fs::write(file, "x").unwrap();
            fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
        }
        for open in [&data, &data.join("mail")] {
            fs::set_permissions(open, fs::Permissions::from_mode(0o755)).unwrap();
        }
        keep(&data, &format!("sqlite://{}", database.display()));
        assert_eq!((mode(&data), mode(&data.join("mail"))), (0o700, 0o700));
        assert_eq!(
            (mode(&mail), mode(&database), mode(&log)),
            (0o600, 0o600, 0o600)
        );
    }
}
