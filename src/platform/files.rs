//! Files that the server keeps beside its database, in an object store: by default a folder.

use std::path::Path as FolderPath;
use std::sync::Arc;

use futures_util::TryStreamExt;
use object_store::{
    Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions, local::LocalFileSystem,
    path::Path,
};
use uuid::Uuid;

/// The object that holds the identity of a store.
const IDENTITY: &str = "store-id";

/// A store of files. Processes that share a store see each other's files and its one identity.
#[derive(Clone, Debug)]
pub struct Files {
    store: Arc<dyn ObjectStore>,
    folder: Option<Arc<LocalFileSystem>>,
}

/// Why a file could not be read or written.
pub type Error = StoreError;

impl Files {
    /// A folder with folders in it, which are made when they are not there. What is written is on disk when a call
    /// returns.
    ///
    /// # Errors
    /// A folder cannot be made or opened.
    pub fn folder(path: &FolderPath, within: &[&str]) -> Result<Self, Error> {
        make_private(path)?;
        for folder in within {
            make_private(&path.join(folder))?;
        }
        let folder = Arc::new(LocalFileSystem::new_with_prefix(path)?.with_fsync(true));
        let store: Arc<dyn ObjectStore> = folder.clone();
        Ok(Self {
            store,
            folder: Some(folder),
        })
    }

    /// The identity of the store, made when it is first asked for.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub async fn identity(&self) -> Result<Uuid, Error> {
        let path = Path::from(IDENTITY);
        let new = Uuid::from_u128(rand::random());
        let once = PutOptions::from(PutMode::Create);
        match self
            .store
            .put_opts(&path, new.to_string().into_bytes().into(), once)
            .await
        {
            Ok(_) => return Ok(new),
            Err(StoreError::AlreadyExists { .. }) => {}
            Err(error) => return Err(error),
        }
        let bytes = self.store.get(&path).await?.bytes().await?;
        let text = std::str::from_utf8(&bytes).map_err(unreadable)?;
        text.trim().parse().map_err(unreadable)
    }

    /// Writes a file that only the server's user and group can read. A file that cannot be written whole is removed.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn write(&self, name: &str, content: Vec<u8>) -> Result<(), Error> {
        let path = Path::from(name);
        let written = match self.store.put(&path, content.into()).await {
            Ok(_) => self.restrict(&path),
            Err(error) => Err(error),
        };
        if written.is_err() {
            // What is left of it is worth nothing; that it cannot be removed either says no more.
            let _ = self.store.delete(&path).await;
        }
        written
    }

    /// Gives a file another name.
    ///
    /// # Errors
    /// There is no such file; the store cannot be written.
    pub async fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        self.store.rename(&Path::from(from), &Path::from(to)).await
    }

    /// Whether there is a file of this name.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn exists(&self, name: &str) -> Result<bool, Error> {
        match self.store.head(&Path::from(name)).await {
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
        match self.store.get(&Path::from(name)).await {
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
        match self.store.delete(&Path::from(name)).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The names of the files in a folder of the store.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn list(&self, folder: &str) -> Result<Vec<String>, Error> {
        let found = self.store.list(Some(&Path::from(folder)));
        let names = found.map_ok(|file| file.location.as_ref().to_owned());
        names.try_collect().await
    }

    #[cfg(unix)]
    fn restrict(&self, path: &Path) -> Result<(), Error> {
        use std::os::unix::fs::PermissionsExt;
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let path = folder.path_to_filesystem(path)?;
        let mode = std::fs::Permissions::from_mode(0o640);
        std::fs::set_permissions(path, mode).map_err(failed)
    }

    #[cfg(not(unix))]
    fn restrict(&self, _: &Path) -> Result<(), Error> {
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
