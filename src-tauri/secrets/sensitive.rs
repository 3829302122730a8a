//! A value that can be neither printed nor serialised and that is wiped from memory when it is dropped.
//! Refuses Display, Serialize and a telling Debug, so that it cannot end in a log, an export or an error.

use std::fmt;

use zeroize::Zeroize;

/// A secret in memory.
///
/// It has no `Display` and no `Serialize`:
/// ```compile_fail
/// let secret = headgate::secrets::Sensitive::new(String::from("sk-ant-1"));
/// serde_json::to_string(&secret);
/// ```
/// ```compile_fail
/// let secret = headgate::secrets::Sensitive::new(String::from("sk-ant-1"));
/// format!("{secret}");
/// ```
/// What it has is this:
/// ```
/// let secret = headgate::secrets::Sensitive::new(String::from("sk-ant-1"));
/// assert_eq!(format!("{secret:?}"), "Sensitive(…)");
/// assert_eq!(secret.expose(), "sk-ant-1");
/// ```
#[derive(Clone)]
pub struct Sensitive<T: Zeroize>(T);

impl<T: Zeroize> Sensitive<T> {
    /// Takes a secret in. Copies made before are the caller's to wipe.
    pub fn new(secret: T) -> Self {
        Self(secret)
    }

    /// The secret itself, for the one place that needs it.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl From<String> for Sensitive<String> {
    fn from(secret: String) -> Self {
        Self(secret)
    }
}

/// A secret may come in by a request; out it goes only by name, through [`Sensitive::expose`].
impl<'de> serde::Deserialize<'de> for Sensitive<String> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

impl<T: Zeroize> fmt::Debug for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sensitive(…)")
    }
}

impl<T: Zeroize> Drop for Sensitive<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use super::*;

    struct Witness(Arc<AtomicBool>);

    impl Zeroize for Witness {
        fn zeroize(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_secret_is_wiped_when_it_is_dropped() {
        let wiped = Arc::new(AtomicBool::default());
        drop(Sensitive::new(Witness(Arc::clone(&wiped))));
        assert!(wiped.load(Ordering::Relaxed));
    }

    #[test]
    fn a_secret_within_a_debugged_value_stays_hidden() {
        let held = Some(Sensitive::new(String::from("sk-ant-1")));
        assert_eq!(format!("{held:?}"), "Some(Sensitive(…))");
    }
}
