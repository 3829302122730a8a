//! A passphrase, as a person types it or a server hands it over: by a variable, or by a file or descriptor that its
//! owner alone may read. Refuses one that is too short to protect anything, and never comes from an argument.

use std::{ffi::OsString, io::Read, path::Path};

use zeroize::Zeroizing;

use super::{Sensitive, VaultError, key_file};

/// Shorter ones are guessed, whatever a guess costs.
const LEAST: usize = 8;
/// Longer ones are a file that was named by mistake.
const MOST: usize = 1024;

/// The variable that holds a passphrase.
pub const VARIABLE: &str = "HEADGATE_PASSPHRASE";
/// The variable that names a file, or a descriptor as in `/dev/fd/3`, with a passphrase in it.
pub const FILE_VARIABLE: &str = "HEADGATE_PASSPHRASE_FILE";

/// What opens a file that was sealed with a passphrase.
#[derive(Debug, Clone)]
pub struct Passphrase(Sensitive<String>);

/// The text can't be a passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a passphrase has {LEAST} to {MOST} bytes, in one line")]
pub struct BadPassphrase;

impl Passphrase {
    /// A passphrase as typed or piped, without the line break at its end.
    ///
    /// # Errors
    /// If it is too short or too long, or more than a line.
    pub fn new(text: &str) -> Result<Self, BadPassphrase> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        let fits = (LEAST..=MOST).contains(&text.len()) && !text.contains(['\n', '\r', '\0']);
        fits.then(|| Self(Sensitive::new(text.to_owned()))).ok_or(BadPassphrase)
    }

    /// What the two variables say: the passphrase itself, or else the file that holds it.
    ///
    /// # Errors
    /// `Broken` if what they say can't be read or is no passphrase.
    pub fn given(text: Option<OsString>, file: Option<OsString>) -> Result<Option<Self>, VaultError> {
        let is_set = |value: &OsString| !value.is_empty();
        if let Some(text) = text.filter(is_set) {
            let text = text.into_string().map(Zeroizing::new);
            let read = text.ok().and_then(|text| Self::new(&text).ok());
            return read.map(Some).ok_or_else(|| broken(&format!("{VARIABLE} holds no passphrase")));
        }
        file.filter(is_set).map(|file| Self::of_file(Path::new(&file))).transpose()
    }

    /// Reads it from a file, whose first line it is.
    ///
    /// # Errors
    /// `Broken` if the file is not there, may be read by others, or holds no passphrase.
    pub fn of_file(path: &Path) -> Result<Self, VaultError> {
        let named = path.display();
        let missing =
            || broken(&format!("the file {named}, in which the passphrase should be, is not there"));
        let file = key_file::open_private(path)?.ok_or_else(missing)?;
        // Room for all of it: a buffer that grows would leave copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(MOST + 3));
        file.take(MOST as u64 + 2)
            .read_to_end(&mut bytes)
            .map_err(|error| key_file::unreadable(path, &error))?;
        let read = str::from_utf8(&bytes).ok().and_then(|text| Self::new(text).ok());
        read.ok_or_else(|| broken(&format!("the file {named} holds no passphrase")))
    }

    /// As it was typed, for its way to a running core.
    pub fn text(&self) -> &Sensitive<String> {
        &self.0
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.expose().as_bytes()
    }
}

fn broken(what: &str) -> VaultError {
    VaultError::Broken(format!("{what}; {BadPassphrase}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_passphrase_and_what_is_too_short_or_more_is_none() {
        for text in ["correct horse", "correct horse\n", "correct horse\r\n"] {
            assert_eq!(Passphrase::new(text).unwrap().bytes(), b"correct horse");
        }
        for text in ["", "short", "two lines\nof text", &"x".repeat(MOST + 1)] {
            assert_eq!(Passphrase::new(text).unwrap_err(), BadPassphrase);
        }
    }

    #[test]
    fn the_variable_goes_before_the_file_and_neither_is_repeated_in_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("phrase");
        key_file::replace_private(&path, b"from the file\n").unwrap();
        let file = || Some(path.clone().into_os_string());
        let given = |text: Option<&str>, file| Passphrase::given(text.map(OsString::from), file);
        assert_eq!(given(Some("from the variable"), file()).unwrap().unwrap().bytes(), b"from the variable");
        assert_eq!(given(Some(""), file()).unwrap().unwrap().bytes(), b"from the file");
        assert!(given(None, None).unwrap().is_none());
        let refusal = given(Some("canary"), None).unwrap_err().to_string();
        assert!(refusal.contains(VARIABLE) && !refusal.contains("canary"), "{refusal}");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("phrase");
        key_file::replace_private(&path, b"correct horse").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Passphrase::of_file(&path).unwrap_err().to_string().contains("chmod 600"));
        let missing = Passphrase::of_file(&folder.path().join("gone")).unwrap_err().to_string();
        assert!(missing.contains("is not there"), "{missing}");
    }
}
