//! Files that the server keeps beside its database: in a folder, or in a bucket of an S3-compatible service.

mod s3;

use std::path::{Path as FolderPath, PathBuf};
use std::sync::Arc;

use futures_util::TryStreamExt;
use object_store::{
    Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions, local::LocalFileSystem,
    path::Path,
};
use uuid::Uuid;

pub use s3::{Bucket, Keys};

/// The object that holds the identity of a store.
const IDENTITY: &str = "store-id";

/// A store of files. Processes that share a store see each other's files and its one identity.
#[derive(Clone, Debug)]
pub struct Files(Store);

#[derive(Clone, Debug)]
enum Store {
    /// Created when the first file is written.
    Folder(PathBuf),
    Bucket(Arc<dyn ObjectStore>),
}

/// Where files are kept.
#[derive(Clone, Debug)]
pub enum Location {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A bucket of an S3-compatible service.
    Bucket(Bucket),
}

/// Why a file could not be read or written.
pub type Error = StoreError;

impl Files {
    /// The files at a location. Nothing is created or connected to yet.
    ///
    /// # Errors
    /// The bucket's settings do not fit together.
    pub fn at(location: &Location) -> Result<Self, Error> {
        match location {
            Location::Folder(path) => Ok(Self::folder(path.clone())),
            Location::Bucket(bucket) => Ok(Self(Store::Bucket(bucket.connect()?))),
        }
    }

    /// The files in a folder. What is written is on disk when a call returns.
    #[must_use]
    pub const fn folder(path: PathBuf) -> Self {
        Self(Store::Folder(path))
    }

    /// The identity of the store, made when it is first asked for.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub async fn identity(&self) -> Result<Uuid, Error> {
        let path = Path::from(IDENTITY);
        let new = Uuid::from_u128(rand::random());
        let once = PutOptions::from(PutMode::Create);
        let store = self.open()?;
        match store
            .put_opts(&path, new.to_string().into_bytes().into(), once)
            .await
        {
            Ok(_) => return Ok(new),
            Err(StoreError::AlreadyExists { .. }) => {}
            Err(error) => return Err(error),
        }
        let bytes = store.get(&path).await?.bytes().await?;
        let text = std::str::from_utf8(&bytes).map_err(unreadable)?;
        text.trim().parse().map_err(unreadable)
    }

    /// Writes a file that only the server's user and group can read. A file that cannot be written whole is removed.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn write(&self, name: &str, content: Vec<u8>) -> Result<(), Error> {
        let path = Path::from(name);
        if let (Store::Folder(root), Some((folder, _))) = (&self.0, name.rsplit_once('/')) {
            make_private(&root.join(folder))?;
        }
        let store = self.open()?;
        let written = match store.put(&path, content.into()).await {
            Ok(_) => self.restrict(name),
            Err(error) => Err(error),
        };
        if written.is_err() {
            // What is left of it is worth nothing; that it cannot be removed either says no more.
            let _ = store.delete(&path).await;
        }
        written
    }

    /// Gives a file another name.
    ///
    /// # Errors
    /// There is no such file; the store cannot be written.
    pub async fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        let store = self.open()?;
        store.rename(&Path::from(from), &Path::from(to)).await
    }

    /// Whether there is a file of this name.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn exists(&self, name: &str) -> Result<bool, Error> {
        match self.open()?.head(&Path::from(name)).await {
            Ok(_) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What a file holds, if it is there.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        match self.open()?.get(&Path::from(name)).await {
            Ok(found) => Ok(Some(found.bytes().await?.to_vec())),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes a file, if it is there.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn remove(&self, name: &str) -> Result<(), Error> {
        match self.open()?.delete(&Path::from(name)).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The names of the files in a folder of the store; none when there is no such folder.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn list(&self, folder: &str) -> Result<Vec<String>, Error> {
        if matches!(&self.0, Store::Folder(root) if !root.join(folder).is_dir()) {
            return Ok(Vec::new());
        }
        let store = self.open()?;
        let found = store.list(Some(&Path::from(folder)));
        let names = found.map_ok(|file| file.location.as_ref().to_owned());
        names.try_collect().await
    }

    fn open(&self) -> Result<Arc<dyn ObjectStore>, Error> {
        match &self.0 {
            Store::Folder(path) => {
                make_private(path)?;
                let folder = LocalFileSystem::new_with_prefix(path)?.with_fsync(true);
                Ok(Arc::new(folder))
            }
            Store::Bucket(store) => Ok(Arc::clone(store)),
        }
    }

    #[cfg(unix)]
    fn restrict(&self, name: &str) -> Result<(), Error> {
        use std::os::unix::fs::PermissionsExt;
        let Store::Folder(root) = &self.0 else {
            return Ok(());
        };
        let mode = std::fs::Permissions::from_mode(0o640);
        std::fs::set_permissions(root.join(name), mode).map_err(failed)
    }

    #[cfg(not(unix))]
    fn restrict(&self, _: &str) -> Result<(), Error> {
        Ok(())
    }
}

/// Makes a folder that others cannot enter; one that is there stays as it is.
fn make_private(path: &FolderPath) -> Result<(), Error> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o750);
    builder.create(path).map_err(failed)
}

fn failed(source: std::io::Error) -> Error {
    StoreError::Generic {
        store: "folder",
        source: Box::new(source),
    }
}

fn unreadable(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    StoreError::Generic {
        store: "identity",
        source: Box::new(source),
    }
}
