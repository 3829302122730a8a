//! How bytes are sealed: XChaCha20-Poly1305 under a key of 32 random bytes, or under one that argon2id makes of a
//! passphrase. Knows no files. What the key is made by stands in front and is sealed with the rest, so it can't be
//! exchanged; a head that asks for more than anybody would is refused before it costs anything.
//!
//! | version | in front of the sealed text |
//! | --- | --- |
//! | 1 | version, nonce (24) |
//! | 2 | version, memory in KiB (4, little-endian), passes (4), lanes (4), salt (16), nonce (24) |

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{Passphrase, key_file::Key};

const BY_KEY: u8 = 1;
const BY_PASSPHRASE: u8 = 2;
const NONCE: usize = 24;
const SALT: usize = 16;
const HEAD: usize = 1 + 3 * 4 + SALT;

/// What a guess costs: the second of the choices that RFC 9106 recommends (section 4).
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 4;
/// What a head may ask for at most: a gigabyte, and minutes.
const MOST_MEMORY_KIB: u32 = 1024 * 1024;
const MOST_PASSES: u32 = 64;
const MOST_LANES: u32 = 64;

/// How a passphrase becomes a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    memory: u32,
    passes: u32,
    lanes: u32,
    salt: [u8; SALT],
}

/// What sealed bytes say of the key that they were sealed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedBy {
    /// A random key.
    Key,
    /// A passphrase, by way of this.
    Passphrase(Stretch),
    /// Something that a newer version knows.
    Newer,
    /// Nothing that we wrote.
    Nobody,
}

/// A key with the head that tells how it is made.
pub struct Seal {
    head: Vec<u8>,
    key: Key,
}

impl Stretch {
    /// One with a salt of its own.
    ///
    /// # Errors
    /// If the system gives no random numbers.
    pub fn new() -> Result<Self, getrandom::Error> {
        let mut salt = [0; SALT];
        getrandom::fill(&mut salt)?;
        Ok(Self { memory: MEMORY_KIB, passes: PASSES, lanes: LANES, salt })
    }

    fn read(head: &[u8; HEAD]) -> Option<Self> {
        let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (memory, passes, lanes) = (number(1), number(5), number(9));
        let fits = memory <= MOST_MEMORY_KIB
            && (1..=MOST_PASSES).contains(&passes)
            && (1..=MOST_LANES).contains(&lanes)
            && memory >= 8 * lanes;
        let mut salt = [0; SALT];
        salt.copy_from_slice(&head[13..]);
        fits.then_some(Self { memory, passes, lanes, salt })
    }

    fn head(&self) -> Vec<u8> {
        let numbers = [self.memory, self.passes, self.lanes].map(u32::to_le_bytes);
        [&[BY_PASSPHRASE][..], numbers.as_flattened(), &self.salt].concat()
    }
}

impl SealedBy {
    /// Reads what stands in front.
    pub fn of(sealed: &[u8]) -> Self {
        match sealed.first() {
            Some(&BY_KEY) => Self::Key,
            Some(&BY_PASSPHRASE) => {
                let head = sealed.first_chunk::<HEAD>();
                head.and_then(Stretch::read).map_or(Self::Nobody, Self::Passphrase)
            }
            Some(version) if *version > BY_PASSPHRASE => Self::Newer,
            _ => Self::Nobody,
        }
    }
}

impl Seal {
    /// Seals with a random key.
    pub fn of_key(key: Key) -> Self {
        Self { head: vec![BY_KEY], key }
    }

    /// Makes a key of a passphrase, which takes a fifth of a second and 64 MiB.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn of_passphrase(passphrase: &Passphrase, stretch: Stretch) -> Result<Self, argon2::Error> {
        let params = Params::new(stretch.memory, stretch.passes, stretch.lanes, Some(32))?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(
            passphrase.bytes(),
            &stretch.salt,
            &mut *key,
        )?;
        Ok(Self { head: stretch.head(), key: Key::new(*key) })
    }

    /// How the passphrase was stretched; `None` where a random key is used.
    pub fn stretch(&self) -> Option<Stretch> {
        match SealedBy::of(&self.head) {
            SealedBy::Passphrase(stretch) => Some(stretch),
            _ => None,
        }
    }

    /// Whether both have the same key; how long that takes tells nothing of it.
    pub fn is_same(&self, other: &Self) -> bool {
        self.head == other.head && bool::from(self.key.expose().ct_eq(other.key.expose()))
    }

    /// Seals a text.
    ///
    /// # Errors
    /// Why not, in a few words.
    pub fn close(&self, plain: &[u8]) -> Result<Vec<u8>, String> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|error| error.to_string())?;
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: &self.head })
            .map_err(|_| "it is too large".to_owned())?;
        Ok([&self.head[..], &nonce, &sealed].concat())
    }

    /// Whether this is what the bytes say that they were sealed with, as far as that can be seen from outside.
    pub fn fits(&self, sealed: &[u8]) -> bool {
        sealed.starts_with(&self.head)
    }

    /// The text; `None` if the key is another one, or a byte has changed.
    pub fn open(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = sealed.strip_prefix(&self.head[..])?.split_first_chunk::<NONCE>()?;
        let plain =
            self.cipher().decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: &self.head }).ok()?;
        Some(Zeroizing::new(plain))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.key.expose().into())
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seal").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrase(text: &str) -> Passphrase {
        Passphrase::new(text).unwrap()
    }

    #[test]
    fn a_passphrase_opens_what_it_sealed_and_another_does_not() {
        let stretch = Stretch::new().unwrap();
        let seal = Seal::of_passphrase(&phrase("correct horse"), stretch).unwrap();
        let sealed = seal.close(b"text").unwrap();
        assert_eq!(SealedBy::of(&sealed), SealedBy::Passphrase(stretch), "the file says how");
        let again = Seal::of_passphrase(&phrase("correct horse"), stretch).unwrap();
        assert!(again.is_same(&seal));
        assert_eq!(**again.open(&sealed).unwrap(), *b"text");
        let other = Seal::of_passphrase(&phrase("correct house"), stretch).unwrap();
        assert!(other.fits(&sealed) && !other.is_same(&seal) && other.open(&sealed).is_none());
    }

    #[test]
    fn a_cheaper_way_to_the_key_can_not_be_written_into_the_head() {
        let seal = Seal::of_passphrase(&phrase("correct horse"), Stretch::new().unwrap()).unwrap();
        let mut sealed = seal.close(b"text").unwrap();
        sealed[5] = 1;
        assert!(seal.open(&sealed).is_none());
        let SealedBy::Passphrase(cheaper) = SealedBy::of(&sealed) else { panic!("it can still be read") };
        assert!(Seal::of_passphrase(&phrase("correct horse"), cheaper).unwrap().open(&sealed).is_none());
    }

    #[test]
    fn a_head_that_asks_for_too_much_or_nothing_is_nobodys() {
        let good = Stretch::new().unwrap();
        for bad in [
            Stretch { memory: MOST_MEMORY_KIB + 1, ..good },
            Stretch { passes: MOST_PASSES + 1, ..good },
            Stretch { passes: 0, ..good },
            Stretch { lanes: 0, ..good },
            Stretch { lanes: MOST_LANES + 1, ..good },
            Stretch { memory: 8, ..good },
        ] {
            assert_eq!(SealedBy::of(&bad.head()), SealedBy::Nobody, "{bad:?}");
        }
        assert_eq!(SealedBy::of(&good.head()[..20]), SealedBy::Nobody);
        assert_eq!(SealedBy::of(&[]), SealedBy::Nobody);
        assert_eq!(SealedBy::of(&[3, 0, 0]), SealedBy::Newer);
    }

    #[test]
    fn argon2id_is_the_one_of_the_rfc() {
        // What the reference program answers to `echo -n password | argon2 somesalt1234abcd -id -t 2 -k 64 -p 1`.
        let stretch = Stretch { memory: 64, passes: 2, lanes: 1, salt: *b"somesalt1234abcd" };
        let seal = Seal::of_passphrase(&phrase("password"), stretch).unwrap();
        let expected = 0xc36b_034f_6efe_823d_9f9f_a4b9_0bbc_1e9d_u128.to_be_bytes();
        assert_eq!(seal.key.expose()[..16], expected);
        assert_eq!(seal.key.expose()[16..], 0x2b88_c572_ad98_b0db_97bc_292d_7654_66e5_u128.to_be_bytes());
    }
}
