//! Documents that were parsed and found harmless, kept for the next request with the same text.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_graphql::parser::types::ExecutableDocument;
use sha2::{Digest, Sha256};

type Key = [u8; 32];

/// Portals send the same few hundred documents all day.
const MAX_ENTRIES: usize = 1_000;
/// Text held at once; a parsed document takes some twenty times its text.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// A cache bounded in documents and in bytes; the one unused for longest leaves first.
#[derive(Debug, Default)]
pub struct Documents(Mutex<Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    entries: HashMap<Key, Entry>,
    bytes: usize,
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    document: Arc<ExecutableDocument>,
    bytes: usize,
    used: u64,
}

impl Documents {
    /// The parsed document of exactly this text.
    pub fn get(&self, text: &str) -> Option<Arc<ExecutableDocument>> {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.clock += 1;
        let now = shelf.clock;
        let entry = shelf.entries.get_mut(&key(text))?;
        entry.used = now;
        Some(Arc::clone(&entry.document))
    }

    /// Keeps a document, making room for it.
    pub fn put(&self, text: &str, document: Arc<ExecutableDocument>) {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while shelf.entries.len() >= MAX_ENTRIES || shelf.bytes + text.len() > MAX_BYTES {
            let Some(oldest) = shelf
                .entries
                .iter()
                .min_by_key(|(_, entry)| entry.used)
                .map(|(key, _)| *key)
            else {
                return;
            };
            let freed = shelf.entries.remove(&oldest).map_or(0, |entry| entry.bytes);
            shelf.bytes -= freed;
        }
        let entry = Entry {
            document,
            bytes: text.len(),
            used: shelf.clock,
        };
        let replaced = shelf
            .entries
            .insert(key(text), entry)
            .map_or(0, |entry| entry.bytes);
        shelf.bytes = shelf.bytes + text.len() - replaced;
    }
}

fn key(text: &str) -> Key {
    Sha256::digest(text).into()
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    #[test]
    fn the_shelf_is_bounded_in_documents_and_keeps_what_is_used() {
        let documents = Documents::default();
        let document = Arc::new(parse_query("{a}").unwrap());
        documents.put("often", Arc::clone(&document));
        for number in 0..2 * MAX_ENTRIES {
            documents.put(&number.to_string(), Arc::clone(&document));
            assert!(documents.get("often").is_some());
        }
        let shelf = documents.0.lock().unwrap();
        assert_eq!(shelf.entries.len(), MAX_ENTRIES);
        assert_eq!(
            shelf.bytes,
            shelf
                .entries
                .values()
                .map(|entry| entry.bytes)
                .sum::<usize>()
        );
    }

    #[test]
    fn the_shelf_is_bounded_in_bytes() {
        let documents = Documents::default();
        let document = Arc::new(parse_query("{a}").unwrap());
        for number in 0..200 {
            documents.put(
                &format!("{number}{}", " ".repeat(60_000)),
                Arc::clone(&document),
            );
        }
        documents.put("twice", Arc::clone(&document));
        documents.put("twice", document);
        let shelf = documents.0.lock().unwrap();
        assert!(shelf.bytes <= MAX_BYTES);
        assert_eq!(
            shelf.bytes,
            shelf
                .entries
                .values()
                .map(|entry| entry.bytes)
                .sum::<usize>()
        );
    }
}
