//! Secrets: `hg_` and 43 letters and digits, which hold 256 random bits. Only the SHA-256 is kept; with that
//! many bits nothing slower is needed, and comparing digests tells nothing by the time it takes.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::{secrets::Sensitive, store::Digest};

const MARK: &str = "hg_";
const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62 to the 43rd is a little more than 2 to the 256th.
const LENGTH: usize = 43;
/// How many letters a person sees afterwards: enough to tell keys apart, and 232 bits stay unseen.
const SHOWN: usize = 4;

/// A new secret.
///
/// # Errors
/// If the system has no randomness to give.
pub(super) fn mint() -> Result<Sensitive<String>, getrandom::Error> {
    let mut text = String::with_capacity(MARK.len() + LENGTH);
    text.push_str(MARK);
    while text.len() < MARK.len() + LENGTH {
        let mut bytes = [0u8; 64];
        getrandom::fill(&mut bytes)?;
        // Six bits give 64 values: those beyond the last letter are thrown again, so that all are as likely.
        let letters = bytes.iter().filter_map(|byte| LETTERS.get(usize::from(byte & 63)));
        text.extend(letters.take(MARK.len() + LENGTH - text.len()).map(|letter| char::from(*letter)));
    }
    Ok(Sensitive::new(text))
}

/// What a secret is known by afterwards.
pub(super) fn prefix_of(secret: &Sensitive<String>) -> Arc<str> {
    secret.expose()[..MARK.len() + SHOWN].into()
}

/// Whether a credential claims to be one of our keys.
pub fn looks_like_a_key(credential: &[u8]) -> bool {
    credential.starts_with(MARK.as_bytes())
}

/// Whether a whole secret stands at the beginning of this.
pub fn begins_with_a_key(text: &[u8]) -> bool {
    let letters = text.strip_prefix(MARK.as_bytes()).and_then(|letters| letters.get(..LENGTH));
    letters.is_some_and(|letters| letters.iter().all(u8::is_ascii_alphanumeric))
}

/// The digest of what may be a secret; `None` if it can be none.
pub(super) fn digest_of(credential: &[u8]) -> Option<Digest> {
    let letters = credential.strip_prefix(MARK.as_bytes())?;
    let fits = letters.len() == LENGTH && letters.iter().all(u8::is_ascii_alphanumeric);
    fits.then(|| Sha256::digest(credential).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_its_mark_its_length_and_no_twin() {
        let secrets: std::collections::HashSet<String> =
            (0..500).map(|_| mint().unwrap().expose().clone()).collect();
        assert_eq!(secrets.len(), 500);
        for secret in &secrets {
            assert!(
                looks_like_a_key(secret.as_bytes()) && digest_of(secret.as_bytes()).is_some(),
                "{secret}"
            );
        }
        let seen: std::collections::HashSet<char> = secrets.iter().flat_map(|s| s[3..].chars()).collect();
        assert_eq!(seen.len(), 62, "every letter comes up");
    }

    #[test]
    fn what_can_be_no_secret_is_not_hashed() {
        let secret = mint().unwrap();
        let secret = secret.expose();
        for text in ["", "hg_", &secret[..45], &format!("{secret}x"), &secret.replace("hg_", "hx_")] {
            assert_eq!(digest_of(text.as_bytes()), None, "{text}");
        }
        assert_eq!(prefix_of(&Sensitive::new(secret.clone())).len(), 7);
    }
}
