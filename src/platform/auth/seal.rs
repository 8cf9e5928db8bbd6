//! Texts that are kept sealed: encrypted and bound to the row they belong to, so that a copy of the database shows none of
//! them, and none can be put into another row.

use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    error::Unspecified,
};
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use super::secret::{hex, mac};

/// Keeps this key apart from every other use of the master secret.
const DOMAIN: &[u8] = b"ensemble seal v1\0";

/// Seals texts under the master secret, and opens those of the previous secret while a rotation lasts.
#[derive(Clone, Debug)]
pub struct Seals {
    current: SecretSlice<u8>,
    previous: Option<SecretSlice<u8>>,
}

/// A text could not be sealed or opened: it was altered, stands in another row, or was sealed under a secret that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sealed text cannot be read with the secrets of this installation")]
pub struct SealError;

impl From<Unspecified> for SealError {
    fn from(_: Unspecified) -> Self {
        Self
    }
}

impl Seals {
    /// Seals under `current`; what was sealed under `previous` stays readable.
    #[must_use]
    pub const fn new(current: SecretSlice<u8>, previous: Option<SecretSlice<u8>>) -> Self {
        Self { current, previous }
    }

    /// Seals a text for the row `of`: ChaCha20-Poly1305 with a nonce drawn at random, in hexadecimal.
    ///
    /// # Errors
    /// The text is too long for the cipher, which takes 256 GiB.
    pub fn seal(&self, of: &[u8], text: &SecretString) -> Result<String, SealError> {
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut sealed = text.expose_secret().as_bytes().to_vec();
        key(&self.current)?.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(of),
            &mut sealed,
        )?;
        Ok(hex(&nonce) + &hex(&sealed))
    }

    /// The same text sealed under the present secret; none where it is already.
    ///
    /// # Errors
    /// See [`SealError`].
    pub fn renew(&self, of: &[u8], sealed: &str) -> Result<Option<String>, SealError> {
        let present = Self::new(self.current.clone(), None);
        if present.open(of, sealed).is_ok() {
            return Ok(None);
        }
        self.seal(of, &self.open(of, sealed)?).map(Some)
    }

    /// Opens what was sealed for the row `of`.
    ///
    /// # Errors
    /// See [`SealError`].
    pub fn open(&self, of: &[u8], sealed: &str) -> Result<SecretString, SealError> {
        let bytes = unhex(sealed).ok_or(SealError)?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN).ok_or(SealError)?;
        let nonce: [u8; NONCE_LEN] = nonce.try_into().map_err(|_| SealError)?;
        for secret in std::iter::once(&self.current).chain(&self.previous) {
            let mut text = sealed.to_vec();
            let nonce = Nonce::assume_unique_for_key(nonce);
            if let Ok(opened) = key(secret)?.open_in_place(nonce, Aad::from(of), &mut text) {
                let opened = String::from_utf8(opened.to_vec()).map_err(|_| SealError)?;
                return Ok(opened.into());
            }
        }
        Err(SealError)
    }
}

fn key(secret: &SecretSlice<u8>) -> Result<LessSafeKey, SealError> {
    let key = UnboundKey::new(&CHACHA20_POLY1305, &mac(secret, &[DOMAIN]))?;
    Ok(LessSafeKey::new(key))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretSlice<u8> {
        SecretSlice::from(text.as_bytes().to_vec())
    }

    #[test]
    fn what_was_sealed_is_opened_for_its_row_only() {
        let seals = Seals::new(secret("one"), None);
        let text = SecretString::from("DE44500105175407324931");
        let sealed = seals.seal(b"row 1", &text).unwrap();
        assert!(!sealed.contains("4931"), "{sealed}");
        assert_ne!(sealed, seals.seal(b"row 1", &text).unwrap());
        let opened = seals.open(b"row 1", &sealed).unwrap();
        assert_eq!(opened.expose_secret(), "DE44500105175407324931");
        assert_eq!(seals.open(b"row 2", &sealed).err(), Some(SealError));
        let end = if sealed.ends_with('0') { "1" } else { "0" };
        let altered = format!("{}{end}", &sealed[..sealed.len() - 1]);
        for bad in [altered.as_str(), "", "zz", "00", "é"] {
            assert_eq!(seals.open(b"row 1", bad).err(), Some(SealError), "{bad}");
        }
    }

    #[test]
    fn a_rotation_keeps_what_was_sealed_before_readable_once() {
        let text = SecretString::from("1234");
        let old = Seals::new(secret("one"), None).seal(b"r", &text).unwrap();
        let rotated = Seals::new(secret("two"), Some(secret("one")));
        assert_eq!(rotated.open(b"r", &old).unwrap().expose_secret(), "1234");
        let renewed = rotated.renew(b"r", &old).unwrap().unwrap();
        assert_eq!(rotated.renew(b"r", &renewed), Ok(None));
        let alone = Seals::new(secret("two"), None);
        assert_eq!(alone.open(b"r", &renewed).unwrap().expose_secret(), "1234");
        let gone = Seals::new(secret("three"), Some(secret("two")));
        assert!(gone.open(b"r", &old).is_err());
    }
}
