//! Access tokens: a signed statement, good for ten minutes, that a user is signed in with a certain session.
//!
//! Tokens are JWTs signed with Ed25519 (RFC 8037). The keys are derived from the master secret, so every replica has the
//! same ones; the previous secret's key still verifies while a rotation lasts. Nothing in a token's header is believed
//! but the name of the key: the algorithm is the key's own.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::crypto::rust_crypto;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::SecretSlice;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::secret::{hex, mac};

/// How long a token is good for.
pub const LIFETIME: TimeDelta = TimeDelta::minutes(10);
/// How far the clocks of two replicas may differ.
const LEEWAY: TimeDelta = TimeDelta::seconds(5);
/// Ours have about 400 bytes; anything much longer is not worth decoding.
const LONGEST: usize = 2048;

/// How many tokens are remembered once their signature was found true.
const REMEMBERED: usize = 10_000;

/// What a verified token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The user.
    pub sub: Uuid,
    /// The session the user is signed in with.
    pub sid: Uuid,
    /// The second (Unix time, UTC) from which the token is no longer good.
    pub exp: i64,
    /// The second at which it was issued.
    pub iat: i64,
    /// The second before which it is not good yet; ours do not carry it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// Who issued it.
    pub iss: String,
    /// Whom it is meant for.
    pub aud: String,
}

/// Why a token is refused. Whoever presented it is told nothing but that it is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// It claims to have been issued, or to become good, in the future.
    #[error("the token is not good yet")]
    NotYetGood,
    /// Signed by a key we do not have (any more).
    #[error("the token's key is not known")]
    UnknownKey,
    /// Not a token of ours: malformed, tampered with, of another algorithm, or lacking a claim.
    #[error("the token is not valid")]
    Invalid,
}

/// The keys could not be made from the master secret.
#[derive(Debug, thiserror::Error)]
#[error("the keys of the access tokens cannot be derived: {0}")]
pub struct KeyFault(String);

/// Signs with the current key and verifies with every live one.
#[derive(Clone, Debug)]
pub struct Keys {
    current: Key,
    previous: Option<Key>,
    issuer: String,
    audience: String,
    seen: Arc<Mutex<Seen>>,
}

/// The claims of tokens with a true signature, by the digest of their text: a token comes with hundreds of requests,
/// and its signature is the dearest part of letting it in. Its times are looked at each time.
type Seen = HashMap<[u8; 32], Claims>;

#[derive(Clone, Debug)]
struct Key {
    id: String,
    algorithm: Algorithm,
    signing: EncodingKey,
    verifying: DecodingKey,
}

impl Keys {
    /// The keys of the current and the previous master secret, for tokens of this issuer and audience.
    pub fn new(
        current: &SecretSlice<u8>,
        previous: Option<&SecretSlice<u8>>,
        issuer: impl Into<String>,
        audience: impl Into<String>,
    ) -> Result<Self, KeyFault> {
        // The library falls over at its first use when it finds no implementation or two; whoever came first has
        // installed this same one.
        let _ = rust_crypto::DEFAULT_PROVIDER.install_default();
        Ok(Self {
            current: Key::derive(current)?,
            previous: previous.map(Key::derive).transpose()?,
            issuer: issuer.into(),
            audience: audience.into(),
            seen: Arc::default(),
        })
    }

    /// A token for a user's session, and the moment it ends.
    pub fn sign(
        &self,
        user: Uuid,
        session: Uuid,
        now: DateTime<Utc>,
    ) -> Result<(String, DateTime<Utc>), KeyFault> {
        let until = now + LIFETIME;
        let claims = Claims {
            sub: user,
            sid: session,
            exp: until.timestamp(),
            iat: now.timestamp(),
            nbf: None,
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
        };
        let token = self.current.encode(&claims)?;
        Ok((token, until))
    }

    /// What a token says, if it is one of ours and good at `now`.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Claims, TokenFault> {
        if token.len() > LONGEST {
            return Err(TokenFault::Invalid);
        }
        let digest: [u8; 32] = Sha256::digest(token).into();
        let known = self.seen().get(&digest).cloned();
        let claims = match known {
            Some(claims) => claims,
            None => {
                let claims = self.signed(token)?;
                self.remember(digest, claims.clone(), now);
                claims
            }
        };
        let now = now.timestamp();
        let leeway = LEEWAY.num_seconds();
        if now >= claims.exp.saturating_add(leeway) {
            return Err(TokenFault::Expired);
        }
        if claims.iat.max(claims.nbf.unwrap_or(i64::MIN)) > now.saturating_add(leeway) {
            return Err(TokenFault::NotYetGood);
        }
        if claims.exp.saturating_sub(claims.iat) > LIFETIME.num_seconds() {
            return Err(TokenFault::Invalid);
        }
        Ok(claims)
    }

    /// The public keys as a JSON Web Key Set (RFC 7517), for services that verify tokens themselves.
    pub fn jwks(&self) -> Result<serde_json::Value, KeyFault> {
        let keys = self
            .live()
            .map(Key::public)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(serde_json::json!({ "keys": keys }))
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes room by forgetting what is past its time, or everything when that is not enough.
    fn remember(&self, digest: [u8; 32], claims: Claims, now: DateTime<Utc>) {
        let mut seen = self.seen();
        if seen.len() >= REMEMBERED {
            seen.retain(|_, claims| claims.exp > now.timestamp());
        }
        if seen.len() >= REMEMBERED {
            seen.clear();
        }
        seen.insert(digest, claims);
    }

    /// The claims of a token with a true signature, before its times are looked at.
    fn signed(&self, token: &str) -> Result<Claims, TokenFault> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenFault::Invalid)?;
        if header.crit.is_some() {
            return Err(TokenFault::Invalid);
        }
        let id = header.kid.ok_or(TokenFault::UnknownKey)?;
        let key = self
            .live()
            .find(|key| key.id == id)
            .ok_or(TokenFault::UnknownKey)?;
        let mut rules = Validation::new(key.algorithm);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        rules.set_issuer(&[&self.issuer]);
        rules.set_audience(&[&self.audience]);
        // The library reads the machine's clock and lets malformed times pass; `verify` and the types of `Claims`
        // do it instead.
        rules.validate_exp = false;
        rules.validate_nbf = false;
        let data =
            jsonwebtoken::decode(token, &key.verifying, &rules).map_err(|_| TokenFault::Invalid)?;
        Ok(data.claims)
    }

    fn live(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.current).chain(&self.previous)
    }
}

impl Key {
    fn derive(secret: &SecretSlice<u8>) -> Result<Self, KeyFault> {
        let pair = SigningKey::from_bytes(&mac(secret, &[b"ensemble access token ed25519 v1"]));
        let public = pair.verifying_key();
        let private = pair
            .to_pkcs8_der()
            .map_err(|fault| KeyFault(fault.to_string()))?;
        let digest = Sha256::digest(public.as_bytes());
        Ok(Self {
            id: hex(&digest[..8]),
            algorithm: Algorithm::EdDSA,
            signing: EncodingKey::from_ed_der(private.as_bytes()),
            verifying: DecodingKey::from_ed_der(public.as_bytes()),
        })
    }

    fn encode(&self, claims: &impl Serialize) -> Result<String, KeyFault> {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.id.clone());
        jsonwebtoken::encode(&header, claims, &self.signing)
            .map_err(|fault| KeyFault(fault.to_string()))
    }

    fn public(&self) -> Result<Jwk, KeyFault> {
        let mut key = Jwk::from_decoding_key(&self.verifying, Some(self.algorithm))
            .map_err(|fault| KeyFault(fault.to_string()))?;
        key.common.key_id = Some(self.id.clone());
        key.common.public_key_use = Some(jsonwebtoken::jwk::PublicKeyUse::Signature);
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const USER: Uuid = Uuid::from_u128(1);
    const SESSION: Uuid = Uuid::from_u128(2);

    fn secret(byte: u8) -> SecretSlice<u8> {
        SecretSlice::from(vec![byte; 32])
    }

    fn keys() -> Keys {
        Keys::new(&secret(1), None, "https://prm.example", "ensemble").unwrap()
    }

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
    }

    fn claims(change: impl FnOnce(&mut serde_json::Map<String, Value>)) -> Value {
        let mut claims = json!({
            "sub": USER, "sid": SESSION, "iat": at(0).timestamp(), "exp": at(600).timestamp(),
            "iss": "https://prm.example", "aud": "ensemble",
        });
        change(claims.as_object_mut().unwrap());
        claims
    }

    fn verdict(token: &str, second: i64) -> Result<Claims, TokenFault> {
        keys().verify(token, at(second))
    }

    #[test]
    fn a_token_is_good_for_ten_minutes_and_a_little_leeway() {
        let (token, until) = keys().sign(USER, SESSION, at(0)).unwrap();
        assert_eq!(until, at(600));
        let claims = verdict(&token, 0).unwrap();
        assert_eq!(
            (claims.sub, claims.sid, claims.exp),
            (USER, SESSION, at(600).timestamp())
        );
        assert!(verdict(&token, 604).is_ok());
        assert_eq!(verdict(&token, 605), Err(TokenFault::Expired));
        assert!(verdict(&token, -5).is_ok());
        assert_eq!(verdict(&token, -6), Err(TokenFault::NotYetGood));
    }

    #[test]
    fn claims_that_are_missing_foreign_or_of_another_type_are_refused() {
        let sign = |change: fn(&mut serde_json::Map<String, Value>)| {
            keys().current.encode(&claims(change)).unwrap()
        };
        assert!(verdict(&sign(|_| ()), 0).is_ok());
        for missing in ["sub", "sid", "iat", "exp", "iss", "aud"] {
            let token = keys()
                .current
                .encode(&claims(|all| drop(all.remove(missing))))
                .unwrap();
            assert_eq!(verdict(&token, 0), Err(TokenFault::Invalid), "{missing}");
        }
        let wrong: [fn(&mut serde_json::Map<String, Value>); 8] = [
            |all| all["exp"] = json!(at(600).timestamp().to_string()),
            |all| all["iat"] = json!(at(0).timestamp().to_string()),
            |all| all["exp"] = json!(1_700_000_600.5),
            |all| drop(all.insert("nbf".into(), json!("soon"))),
            |all| all["iss"] = json!("https://other.example"),
            |all| all["aud"] = json!("another service"),
            |all| all["aud"] = json!(["ensemble", "another service"]),
            |all| all["exp"] = json!(at(601).timestamp()),
        ];
        for change in wrong {
            assert_eq!(verdict(&sign(change), 0), Err(TokenFault::Invalid));
        }
        let early = sign(|all| drop(all.insert("nbf".into(), json!(at(60).timestamp()))));
        assert_eq!(verdict(&early, 0), Err(TokenFault::NotYetGood));
        assert!(verdict(&early, 60).is_ok());
    }

    #[test]
    fn the_header_cannot_choose_the_algorithm() {
        let key = keys().current;
        let public = key.verifying.try_get_as_bytes().unwrap().to_vec();
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(key.id.clone());
        let forged =
            jsonwebtoken::encode(&header, &claims(|_| ()), &EncodingKey::from_secret(&public))
                .unwrap();
        assert_eq!(verdict(&forged, 0), Err(TokenFault::Invalid));

        // {"alg":"none","kid":"…"} and {"alg":"none"}, each without a signature
        let payload = forged.split('.').nth(1).unwrap();
        for header in [
            json!({"alg": "none", "kid": key.id}),
            json!({"alg": "none"}),
        ] {
            let header = encoded(&header);
            assert_eq!(
                verdict(&format!("{header}.{payload}."), 0),
                Err(TokenFault::Invalid)
            );
        }
    }

    /// A JSON object in base64url, borrowed from the middle of a token.
    fn encoded(json: &Value) -> String {
        let token = jsonwebtoken::encode(&Header::default(), json, &EncodingKey::from_secret(b"x"))
            .unwrap();
        token.split('.').nth(1).unwrap().to_owned()
    }

    #[test]
    fn a_changed_payload_or_signature_is_refused() {
        let (token, _) = keys().sign(USER, SESSION, at(0)).unwrap();
        let [header, _, signature] =
            <[&str; 3]>::try_from(token.split('.').collect::<Vec<_>>()).unwrap();
        let other = encoded(&claims(|all| all["sub"] = json!(SESSION)));
        assert_eq!(
            verdict(&format!("{header}.{other}.{signature}"), 0),
            Err(TokenFault::Invalid)
        );
        for text in [
            "",
            "a",
            "a.b",
            "a.b.c",
            "..",
            &format!("{token}.x"),
            &"x".repeat(5000),
        ] {
            assert_eq!(verdict(text, 0), Err(TokenFault::Invalid), "{text}");
        }
    }

    #[test]
    fn both_live_keys_verify_and_a_retired_or_unknown_one_does_not() {
        let (old, _) = keys().sign(USER, SESSION, at(0)).unwrap();
        let rotated = Keys::new(
            &secret(2),
            Some(&secret(1)),
            "https://prm.example",
            "ensemble",
        )
        .unwrap();
        assert!(rotated.verify(&old, at(0)).is_ok());
        let (new, _) = rotated.sign(USER, SESSION, at(0)).unwrap();
        assert!(rotated.verify(&new, at(0)).is_ok());
        assert_eq!(verdict(&new, 0), Err(TokenFault::UnknownKey));
        let retired = Keys::new(&secret(2), None, "https://prm.example", "ensemble").unwrap();
        assert_eq!(retired.verify(&old, at(0)), Err(TokenFault::UnknownKey));

        let mut foreign = Key::derive(&secret(9)).unwrap();
        foreign.id = keys().current.id;
        let forged = foreign.encode(&claims(|_| ())).unwrap();
        assert_eq!(verdict(&forged, 0), Err(TokenFault::Invalid));
    }

    #[test]
    fn the_key_set_shows_public_parts_only() {
        let keys = Keys::new(&secret(2), Some(&secret(1)), "i", "a").unwrap();
        let set = keys.jwks().unwrap();
        let shown = set["keys"].as_array().unwrap();
        assert_eq!(shown.len(), 2);
        let names: Vec<_> = shown[0]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x"]);
        assert_eq!(shown[0]["kid"], json!(keys.current.id));
        assert_eq!(
            (shown[0]["kty"].as_str(), shown[0]["alg"].as_str()),
            (Some("OKP"), Some("EdDSA"))
        );
        assert_eq!(shown[0]["x"].as_str().unwrap().len(), 43);
    }
}
