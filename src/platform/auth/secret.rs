//! The master secret as the root of every key: each use derives its own key or token with HMAC-SHA256 over a text of its
//! own, so that one secret is configured and no two uses can be confused.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::{Digest, Sha256};

/// SHA-256's block: a shorter key is padded with zeros to it, a longer one is hashed first (RFC 2104, section 2).
const BLOCK: usize = 64;

/// HMAC-SHA256 (RFC 2104) of the concatenated `parts` under the master secret.
pub(super) fn mac(secret: &SecretSlice<u8>, parts: &[&[u8]]) -> [u8; 32] {
    let mut block = [0u8; BLOCK];
    let key = secret.expose_secret();
    match block.get_mut(..key.len()) {
        Some(start) => start.copy_from_slice(key),
        None => block[..32].copy_from_slice(&Sha256::digest(key)),
    }
    // A key of exactly one block cannot have a wrong length, so nothing here can fail.
    let mut mac = Hmac::<Sha256>::new(&block.into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Lower-case hexadecimal text.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mac_is_the_one_of_rfc_4231() {
        let short = SecretSlice::from(b"Jefe".to_vec());
        assert_eq!(
            hex(&mac(&short, &[b"what do ya want ", b"for nothing?"])),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let long = SecretSlice::from(vec![0xaa; 131]);
        assert_eq!(
            hex(&mac(
                &long,
                &[b"Test Using Larger Than Block-Size Key - Hash Key First"]
            )),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }
}
