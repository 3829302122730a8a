//! The platform's own keychain, reached directly: never through a process-wide default store, which
//! would be a mock where the build forgot a feature. Also tells what a platform's errors mean.

use std::sync::Arc;

use keyring_core::{CredentialStore, Entry, Error};

use super::VaultError;

/// The service all our items belong to.
pub const SERVICE: &str = "headgate";

/// The most bytes one item may hold; `usize::MAX` where the platform names no limit.
/// Windows: `CRED_MAX_CREDENTIAL_BLOB_SIZE`, 5 × 512.
pub const ITEM_LIMIT: usize = if cfg!(windows) { 5 * 512 } else { usize::MAX };

/// Connects to the keychain of this session. May block.
pub fn connect() -> Result<Arc<CredentialStore>, VaultError> {
    #[cfg(target_os = "linux")]
    let store = zbus_secret_service_keyring_store::Store::new();
    #[cfg(target_os = "macos")]
    let store = apple_native_keyring_store::keychain::Store::new();
    #[cfg(windows)]
    let store = windows_native_keyring_store::Store::new();

    #[cfg(any(target_os = "linux", target_os = "macos", windows))]
    return store.map(|store| store as Arc<CredentialStore>).map_err(|error| meaning(&error));
    #[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
    Err(VaultError::Absent)
}

/// Whether the platform shows people a label of ours; the others refuse to be given one.
pub const LABELS: bool = cfg!(target_os = "linux");

/// Our items of every realm, as `user` attributes; `None` where the platform's search cannot say.
pub fn users(store: &CredentialStore) -> Result<Option<Vec<String>>, Error> {
    if cfg!(windows) {
        return Ok(None);
    }
    let entries = store.search(&[("service", SERVICE)].into())?;
    let users = entries.iter().filter_map(Entry::get_specifiers).map(|(_, user)| user);
    Ok(Some(users.collect()))
}

/// What an error of the platform means to us. The text is the platform's and never holds a secret:
/// the variants that carry one are named by hand.
pub fn meaning(error: &Error) -> VaultError {
    match error {
        Error::NoStorageAccess(_) => VaultError::Locked,
        Error::PlatformFailure(failure) => {
            platform(failure.as_ref()).unwrap_or_else(|| broken(&failure.to_string()))
        }
        Error::BadEncoding(_) | Error::BadDataFormat(..) => broken("an item holds something else than text"),
        Error::Ambiguous(entries) => broken(&format!("{} items carry the same name", entries.len())),
        Error::TooLong(what, most) => broken(&format!("{what} is longer than the {most} it allows")),
        other => broken(&other.to_string()),
    }
}

/// An error of the keychain in words. `what` must hold no secret.
pub fn broken(what: &str) -> VaultError {
    VaultError::Broken(format!(
        "the keychain does not work ({what}); look at it with the system's own tool, \
         or, while no key is kept there yet, set HEADGATE_VAULT=file to keep them in a sealed file"
    ))
}

#[cfg(target_os = "linux")]
fn platform(failure: &(dyn std::error::Error + Send + Sync + 'static)) -> Option<VaultError> {
    use secret_service::Error as Refusal;

    match failure.downcast_ref::<Refusal>()? {
        Refusal::Unavailable => Some(VaultError::Absent),
        Refusal::Locked | Refusal::Prompt => Some(VaultError::Locked),
        Refusal::Zbus(failure) if is_absent(failure) => Some(VaultError::Absent),
        Refusal::ZbusFdo(failure) if is_unknown_service(failure) => Some(VaultError::Absent),
        _ => None,
    }
}

/// There is no bus, nobody listens behind its address any more, or nobody on it keeps secrets.
#[cfg(target_os = "linux")]
fn is_absent(failure: &zbus::Error) -> bool {
    use std::io::ErrorKind::{ConnectionRefused, NotFound};

    match failure {
        zbus::Error::Address(_) => true,
        zbus::Error::Connection(failure, _) | zbus::Error::InputOutput(failure) => {
            matches!(failure.kind(), NotFound | ConnectionRefused)
        }
        zbus::Error::FDO(failure) => is_unknown_service(failure),
        zbus::Error::MethodError(name, ..) => matches!(
            name.as_str(),
            "org.freedesktop.DBus.Error.ServiceUnknown" | "org.freedesktop.DBus.Error.NameHasNoOwner"
        ),
        _ => false,
    }
}

#[cfg(target_os = "linux")]
fn is_unknown_service(failure: &zbus::fdo::Error) -> bool {
    matches!(failure, zbus::fdo::Error::ServiceUnknown(_) | zbus::fdo::Error::NameHasNoOwner(_))
}

#[cfg(not(target_os = "linux"))]
fn platform(_: &(dyn std::error::Error + Send + Sync + 'static)) -> Option<VaultError> {
    None
}
