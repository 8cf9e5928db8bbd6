//! Opaque tokens: refresh tokens, invitations, password resets and API keys, which mean nothing to whoever carries them.
//!
//! A token is computed from the master secret and the id of its row, never drawn at random and kept. So a mail job can
//! write an invitation link knowing only the row's id, and the successor of a refresh token can be handed out a second
//! time, while no secret ever stands in a queue, an audit row or a log. The row keeps a hash, which makes a token valid
//! only as long as its row says so.

use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::{
    seal::Seals,
    secret::{hex, mac},
};

/// Keeps these tokens apart from every other use of the master secret.
const DOMAIN: &[u8] = b"ensemble opaque token v1\0";

/// A kind of token. Its prefix, such as `ens_rt_`, stands at the front of the token, so that people and secret scanners
/// recognise it, and goes into the derivation, so that one kind of token is never accepted as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purpose(&'static str);

impl Purpose {
    /// The kind of token with this prefix; prefixes are unique within the program.
    pub const fn new(prefix: &'static str) -> Self {
        Self(prefix)
    }

    /// The text every token of this kind starts with.
    pub const fn prefix(self) -> &'static str {
        self.0
    }
}

/// Makes and recognises opaque tokens under the master secret, and recognises those of the previous secret while a
/// rotation lasts.
#[derive(Clone, Debug)]
pub struct OpaqueTokens {
    current: SecretSlice<u8>,
    previous: Option<SecretSlice<u8>>,
}

impl OpaqueTokens {
    /// Tokens under `current`; those made under `previous` stay recognised.
    pub fn new(current: SecretSlice<u8>, previous: Option<SecretSlice<u8>>) -> Self {
        Self { current, previous }
    }

    /// Seals under the same secrets.
    #[must_use]
    pub fn seals(&self) -> Seals {
        Seals::new(self.current.clone(), self.previous.clone())
    }

    /// The token of the row `id`: prefix, id (32 hexadecimal digits), 256 bits of HMAC-SHA256 (64 digits). The same
    /// arguments always give the same token.
    pub fn derive(&self, purpose: Purpose, id: Uuid) -> SecretString {
        derive(&self.current, purpose, id)
    }

    /// The token of the row `id` whose hash the row keeps: the one made before a rotation of the secret is found again.
    /// `None` when neither live secret gives it.
    pub fn recover(&self, purpose: Purpose, id: Uuid, stored_hash: &str) -> Option<SecretString> {
        self.candidates(purpose, id)
            .find(|token| same(&hash(token.expose_secret()), stored_hash))
    }

    /// The row a presented token belongs to, or `None` if we never made it. The caller then compares [`hash`] with the
    /// row, because only the row knows whether the token is still good.
    pub fn open(&self, purpose: Purpose, token: &str) -> Option<Uuid> {
        let id = Uuid::try_parse(token.strip_prefix(purpose.0)?.get(..32)?).ok()?;
        // The whole token is derived again and compared, so there is exactly one accepted spelling of it.
        self.candidates(purpose, id)
            .any(|genuine| same(genuine.expose_secret(), token))
            .then_some(id)
    }

    fn candidates(&self, purpose: Purpose, id: Uuid) -> impl Iterator<Item = SecretString> + '_ {
        let secrets = std::iter::once(&self.current).chain(self.previous.as_ref());
        secrets.map(move |secret| derive(secret, purpose, id))
    }
}

/// What a row keeps of a token: SHA-256 in hexadecimal. Plain hashing suffices for 256 unguessable bits.
pub fn hash(token: &str) -> String {
    hex(&Sha256::digest(token))
}

/// Whether two tokens or hashes are equal, in a time that does not tell where they differ.
pub fn same(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}

fn derive(secret: &SecretSlice<u8>, purpose: Purpose, id: Uuid) -> SecretString {
    // The id comes last and has a fixed length, so no two pairs of purpose and id give the same message.
    let mac = mac(secret, &[DOMAIN, purpose.0.as_bytes(), id.as_bytes()]);
    format!("{}{}{}", purpose.0, id.simple(), hex(&mac)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFRESH: Purpose = Purpose::new("ens_rt_");
    const INVITATION: Purpose = Purpose::new("ens_in_");
    const ID: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);

    fn secret(byte: u8) -> SecretSlice<u8> {
        SecretSlice::from(vec![byte; 32])
    }

    #[test]
    fn a_token_leads_back_to_its_row_and_is_the_same_each_time() {
        let tokens = OpaqueTokens::new(secret(1), None);
        let token = tokens.derive(REFRESH, ID);
        assert_eq!(token.expose_secret().len(), "ens_rt_".len() + 32 + 64);
        assert!(
            token
                .expose_secret()
                .starts_with("ens_rt_01900000000070008000000000000001")
        );
        assert_eq!(
            tokens.derive(REFRESH, ID).expose_secret(),
            token.expose_secret()
        );
        assert_eq!(tokens.open(REFRESH, token.expose_secret()), Some(ID));
    }

    #[test]
    fn no_other_spelling_purpose_or_secret_is_accepted() {
        let tokens = OpaqueTokens::new(secret(1), None);
        let good = tokens.derive(REFRESH, ID).expose_secret().to_owned();
        let other_id = good.replacen("0190", "0191", 1);
        let other_purpose = good.replacen("ens_rt_", "ens_in_", 1);
        let short = good[..good.len() - 1].to_owned();
        for bad in [
            "",
            "ens_rt_",
            "ens_rt_é",
            &other_id,
            &short,
            &good.to_uppercase(),
            &format!("{good}0"),
        ] {
            assert_eq!(tokens.open(REFRESH, bad), None, "{bad}");
        }
        assert_eq!(tokens.open(INVITATION, &other_purpose), None);
        assert_eq!(
            OpaqueTokens::new(secret(2), None).open(REFRESH, &good),
            None
        );
    }

    #[test]
    fn a_rotated_secret_keeps_older_tokens_alive_until_it_is_retired() {
        let old = OpaqueTokens::new(secret(1), None);
        let rotated = OpaqueTokens::new(secret(2), Some(secret(1)));
        let retired = OpaqueTokens::new(secret(3), Some(secret(2)));
        let token = old.derive(INVITATION, ID).expose_secret().to_owned();
        assert_eq!(rotated.open(INVITATION, &token), Some(ID));
        assert_eq!(
            rotated
                .recover(INVITATION, ID, &hash(&token))
                .unwrap()
                .expose_secret(),
            token
        );
        assert_eq!(retired.open(INVITATION, &token), None);
        assert!(retired.recover(INVITATION, ID, &hash(&token)).is_none());
    }

    #[test]
    fn nothing_of_a_token_is_printed() {
        let tokens = OpaqueTokens::new(secret(b'x'), None);
        let printed = format!("{tokens:?} {:?}", tokens.derive(REFRESH, ID));
        assert!(
            !printed.contains("ens_rt_") && !printed.contains("120"),
            "{printed}"
        );
    }
}
