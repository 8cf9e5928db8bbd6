//! A disk on which writes and syncs of the database's files fail, for the program that a test starts.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::support::program::Installation;

/// No space is left.
pub const FULL: i32 = 28;
/// The device failed.
pub const BROKEN: i32 = 5;

/// The disk under one installation.
pub struct Disk {
    orders: File,
    file: PathBuf,
    library: PathBuf,
}

/// Whether a compiler for the layer under the program is here, and a loader that puts it there.
pub fn available() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let compiler = Command::new("cc").arg("--version").output();
        cfg!(target_os = "linux") && compiler.is_ok_and(|told| told.status.success())
    })
}

impl Disk {
    /// Builds the layer in a folder.
    pub fn new(folder: &Path) -> Self {
        let library = folder.join("disk.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/durability/disk.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&library)
            .args([source, "-ldl"])
            .output()
            .unwrap();
        assert!(built.status.success(), "{built:#?}");
        let file = folder.join("disk.orders");
        std::fs::write(&file, [0; 16]).unwrap();
        let orders = File::options().read(true).write(true).open(&file).unwrap();
        Self {
            orders,
            file,
            library,
        }
    }

    /// The installation on this disk.
    pub fn under(&self, site: Installation) -> Installation {
        site.with("LD_PRELOAD", self.library.display().to_string())
            .with("ENSEMBLE_TEST_DISK", self.file.display().to_string())
    }

    /// The write or sync after so many fails.
    pub fn fail_once(&self, error: i32, after: i32) {
        self.order([error, after, 0, 0]);
    }

    /// Every write and sync fails from now on.
    pub fn fail(&self, error: i32) {
        self.order([error, 0, 1, 0]);
    }

    /// Everything works again.
    pub fn heal(&self) {
        self.order([0; 4]);
    }

    /// How many calls failed since the last order.
    pub fn met(&self) -> i32 {
        let mut number = [0; 4];
        read_at(&self.orders, &mut number, 12);
        i32::from_ne_bytes(number)
    }

    fn order(&self, numbers: [i32; 4]) {
        let bytes = numbers.map(i32::to_ne_bytes).concat();
        // The error itself comes last.
        write_at(&self.orders, &bytes[4..], 4);
        write_at(&self.orders, &bytes[..4], 0);
    }
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], at: u64) {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at).unwrap();
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], at: u64) {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at).unwrap();
}

#[cfg(not(unix))]
fn write_at(_: &File, _: &[u8], _: u64) {}

#[cfg(not(unix))]
fn read_at(_: &File, _: &mut [u8], _: u64) {}
