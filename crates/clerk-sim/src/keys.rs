//! The instance's signing keys, the set that publishes them, and their rotation.

use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value, json};

/// RSA signature algorithms, by their JWA names (RFC 7518 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Algorithm {
    /// What Clerk signs with.
    Rs256,
    /// Accepted by Clerk's SDKs.
    Rs384,
    /// Accepted by Clerk's SDKs.
    Rs512,
    /// RSASSA-PSS, which Clerk's SDKs refuse.
    Ps256,
}

impl Algorithm {
    /// The value of the `alg` header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
        }
    }

    fn encoding(self) -> &'static dyn RsaEncoding {
        match self {
            Self::Rs256 => &RSA_PKCS1_SHA256,
            Self::Rs384 => &RSA_PKCS1_SHA384,
            Self::Rs512 => &RSA_PKCS1_SHA512,
            Self::Ps256 => &RSA_PSS_SHA256,
        }
    }
}

/// The ways in which the signing key can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rotation {
    /// A new key under the old kid, which happens at Clerk because a kid is the instance id.
    Same,
    /// A new key under a new kid; the old key leaves the set.
    New,
    /// A new key under a new kid; the old key stays in the set.
    Overlap,
}

/// The RSA keys of one instance. All of them are published; the newest signs.
#[derive(Clone)]
pub struct SigningKeys {
    /// Oldest first, never empty.
    keys: Vec<SigningKey>,
    /// The key of [`SigningKeys::stranger`], made when first asked for.
    stranger: OnceLock<KeyPair>,
}

#[derive(Clone)]
struct SigningKey {
    kid: String,
    pair: KeyPair,
}

impl SigningKeys {
    /// One new 2048-bit key named `kid`; Clerk's kids are instance ids, `ins_…`.
    pub fn new(kid: &str) -> Self {
        Self {
            keys: vec![SigningKey::generate(kid)],
            stranger: OnceLock::new(),
        }
    }

    /// The kid of the key that signs now.
    pub fn kid(&self) -> &str {
        &self.current().kid
    }

    /// The published set, `{"keys": […]}`, with the members Clerk gives: `use`, `kty`, `kid`, `alg`, `n`, `e`.
    pub fn jwks(&self) -> Value {
        json!({ "keys": self.keys.iter().map(SigningKey::jwk).collect::<Vec<_>>() })
    }

    /// The public half of the current key as PEM (SubjectPublicKeyInfo): Clerk's "JWKS Public Key".
    pub fn public_key_pem(&self) -> String {
        let der: PublicKeyX509Der = self
            .current()
            .pair
            .public_key()
            .as_der()
            .expect("an RSA key has a DER form");
        let body = STANDARD.encode(der.as_ref());
        let lines: Vec<&str> = (0..body.len())
            .step_by(64)
            .map(|i| &body[i..body.len().min(i + 64)])
            .collect();
        format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            lines.join("\n")
        )
    }

    /// Replaces all keys by a new one under the current kid.
    pub fn rotate_same_kid(&mut self) {
        self.keys = vec![SigningKey::generate(self.kid())];
    }

    /// Replaces all keys by a new one under `kid`.
    pub fn rotate_new_kid(&mut self, kid: &str) {
        self.keys = vec![SigningKey::generate(kid)];
    }

    /// Signs with a new key under `kid` from now on and keeps the old ones published.
    ///
    /// # Panics
    /// If `kid` is already published: a set never holds one kid twice.
    pub fn rotate_overlapping(&mut self, kid: &str) {
        assert!(
            self.keys.iter().all(|key| key.kid != kid),
            "kid {kid} is already published"
        );
        self.keys.push(SigningKey::generate(kid));
    }

    /// A key that was never published, under the current kid: whatever it signs is a forgery.
    pub fn stranger(&self) -> Self {
        let pair = self.stranger.get_or_init(generate_pair).clone();
        Self {
            keys: vec![SigningKey {
                kid: self.kid().to_owned(),
                pair,
            }],
            stranger: OnceLock::new(),
        }
    }

    /// The current key's signature of `message`.
    pub fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        let pair = &self.current().pair;
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(
            algorithm.encoding(),
            &SystemRandom::new(),
            message,
            &mut signature,
        )
        .expect("an RSA key signs any message");
        signature
    }

    fn current(&self) -> &SigningKey {
        self.keys.last().expect("there is always a current key")
    }
}

impl SigningKey {
    fn generate(kid: &str) -> Self {
        Self {
            kid: kid.to_owned(),
            pair: generate_pair(),
        }
    }

    fn jwk(&self) -> Value {
        let key = self.pair.public_key();
        json!({
            "use": "sig",
            "kty": "RSA",
            "kid": self.kid,
            "alg": "RS256",
            "n": URL_SAFE_NO_PAD.encode(key.modulus().big_endian_without_leading_zero()),
            "e": URL_SAFE_NO_PAD.encode(key.exponent().big_endian_without_leading_zero()),
        })
    }
}

fn generate_pair() -> KeyPair {
    KeyPair::generate(KeySize::Rsa2048).expect("RSA key generation needs only random bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kids_and_moduli(keys: &SigningKeys) -> Vec<(String, String)> {
        let set = keys.jwks();
        let text = |key: &Value, member: &str| key[member].as_str().unwrap().to_owned();
        set["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| (text(key, "kid"), text(key, "n")))
            .collect()
    }

    #[test]
    fn a_published_key_has_the_members_of_clerks() {
        let set = SigningKeys::new("ins_a").jwks();
        let key = set["keys"][0].as_object().unwrap();
        assert_eq!(
            key.keys().map(String::as_str).collect::<Vec<_>>(),
            ["alg", "e", "kid", "kty", "n", "use"]
        );
        assert_eq!(
            (&key["alg"], &key["kty"], &key["use"]),
            (&json!("RS256"), &json!("RSA"), &json!("sig"))
        );
        assert_eq!(key["e"], "AQAB", "65537");
        assert_eq!(
            URL_SAFE_NO_PAD.decode(key["n"].as_str().unwrap()).unwrap().len(),
            256
        );
    }

    #[test]
    fn each_rotation_publishes_what_it_says() {
        let mut keys = SigningKeys::new("ins_a");
        let first = kids_and_moduli(&keys);

        keys.rotate_same_kid();
        let second = kids_and_moduli(&keys);
        assert_eq!((second.len(), second[0].0.as_str()), (1, "ins_a"));
        assert_ne!(second[0].1, first[0].1);

        keys.rotate_overlapping("ins_b");
        let third = kids_and_moduli(&keys);
        assert_eq!(third[0], second[0]);
        assert_eq!(
            (third.len(), third[1].0.as_str(), keys.kid()),
            (2, "ins_b", "ins_b")
        );

        keys.rotate_new_kid("ins_c");
        let fourth = kids_and_moduli(&keys);
        assert_eq!(
            (fourth.len(), fourth[0].0.as_str(), keys.kid()),
            (1, "ins_c", "ins_c")
        );
    }

    #[test]
    fn a_stranger_uses_the_current_kid_and_one_unpublished_key() {
        let mut keys = SigningKeys::new("ins_a");
        let stranger = kids_and_moduli(&keys.stranger());
        assert_eq!(stranger[0].0, "ins_a");
        assert_ne!(stranger[0].1, kids_and_moduli(&keys)[0].1);

        keys.rotate_new_kid("ins_b");
        assert_eq!(
            kids_and_moduli(&keys.stranger())[0],
            ("ins_b".to_owned(), stranger[0].1.clone())
        );
    }
}
