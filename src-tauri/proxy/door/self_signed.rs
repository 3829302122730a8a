//! The certificate that Headgate makes itself: in the data folder, its key for the owner's eyes alone, good
//! for a little over a year and made anew in its last month or when it lacks a name.

use std::{fs, io, net::IpAddr, path::Path, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, PKCS_ECDSA_P256_SHA256, SanType};
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};

const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "certificate-key.pem";

const GOOD_FOR: SignedDuration = SignedDuration::from_hours(24 * 397);
const LAST_MONTH: SignedDuration = SignedDuration::from_hours(24 * 30);
/// Clocks differ.
const BEFORE: SignedDuration = SignedDuration::from_hours(24);

/// A certificate and its key.
pub struct Made {
    /// The certificate.
    pub certificate: CertificateDer<'static>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
}

/// The one in the folder if it will do, else a new one, which is written down. The key outlives the
/// certificate.
///
/// # Errors
/// A sentence that names the file.
pub fn take(
    folder: &Path,
    names: &[String],
    passing: &[IpAddr],
    provider: &Arc<CryptoProvider>,
    now: Timestamp,
) -> Result<Made, String> {
    let key = key_pair(&folder.join(KEY))?;
    let der = || {
        PrivateKeyDer::try_from(key.serialize_der())
            .map_err(|error| format!("the key in {} can't be used: {error}", folder.join(KEY).display()))
    };
    let path = folder.join(CERTIFICATE);
    let soon = now.checked_add(LAST_MONTH).unwrap_or(Timestamp::MAX);
    if let Ok(certificate) = CertificateDer::from_pem_file(&path)
        && will_do(&certificate, names, provider, soon)
        && rustls::sign::CertifiedKey::from_der(vec![certificate.clone()], der()?, provider).is_ok()
    {
        return Ok(Made { certificate, key: der()? });
    }
    let made =
        make(&key, names, passing, now).map_err(|error| format!("no certificate could be made: {error}"))?;
    write_private(&path, &made.pem())?;
    Ok(Made { certificate: made.der().clone(), key: der()? })
}

/// Whether it carries these names and will still be good then.
fn will_do(
    certificate: &CertificateDer<'_>,
    names: &[String],
    provider: &Arc<CryptoProvider>,
    then: Timestamp,
) -> bool {
    let mut roots = RootCertStore::empty();
    if roots.add(certificate.clone().into_owned()).is_err() {
        return false;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
    let Ok(verifier) = verifier else { return false };
    let then = Duration::from_secs(then.as_second().max(0).cast_unsigned());
    names.iter().all(|name| {
        ServerName::try_from(name.as_str()).is_ok_and(|name| {
            verifier
                .verify_server_cert(certificate, &[], &name, &[], UnixTime::since_unix_epoch(then))
                .is_ok()
        })
    })
}

fn make(
    key: &KeyPair,
    names: &[String],
    passing: &[IpAddr],
    now: Timestamp,
) -> Result<rcgen::Certificate, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    let passing = passing.iter().filter(|ip| !names.contains(&ip.to_string()));
    params.subject_alt_names.extend(passing.map(|ip| SanType::IpAddress(*ip)));
    let day = |at: Result<Timestamp, jiff::Error>| {
        let date = at.unwrap_or(now).to_zoned_datetime(TimeZone::UTC).date();
        rcgen::date_time_ymd(date.year().into(), date.month().cast_unsigned(), date.day().cast_unsigned())
    };
    params.not_before = day(now.checked_sub(BEFORE));
    params.not_after = day(now.checked_add(GOOD_FOR));
    params.distinguished_name.push(DnType::CommonName, "Headgate");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.self_signed(key)
}

/// The key in the file, or a new one where there is none. One that can't be read is not replaced: whoever
/// put it there should know.
fn key_pair(path: &Path) -> Result<KeyPair, String> {
    match fs::read_to_string(path) {
        Ok(text) => KeyPair::from_pem(&text)
            .map_err(|error| format!("the key in {} can't be read: {error}", path.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
                .map_err(|error| format!("no key could be made: {error}"))?;
            write_private(path, &key.serialize_pem())?;
            Ok(key)
        }
        Err(error) => Err(format!("{} can't be read: {error}", path.display())),
    }
}

/// Writes a file that its owner alone may read, whole or not at all.
fn write_private(path: &Path, text: &str) -> Result<(), String> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // A temporary file is made for its owner alone.
    let written = tempfile::NamedTempFile::new_in(folder).and_then(|mut file| {
        io::Write::write_all(&mut file, text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)
    });
    written.map(drop).map_err(|error| format!("{} can't be written: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(folder: &Path, names: &[&str], now: &str) -> Vec<u8> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        take(folder, &names, &[], &provider, now.parse().unwrap()).unwrap().certificate.to_vec()
    }

    #[test]
    fn it_is_kept_until_its_last_month_or_until_it_lacks_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["localhost", "192.0.2.7", "headgate.lan"];
        let first = taken(folder.path(), &names, "2026-01-10T12:00:00Z");
        assert_eq!(taken(folder.path(), &names, "2026-12-31T12:00:00Z"), first, "it is good for a year");
        assert_eq!(taken(folder.path(), &names[..1], "2026-01-11T12:00:00Z"), first, "fewer names are there");
        let second = taken(folder.path(), &names, "2027-01-20T12:00:00Z");
        assert_ne!(second, first, "in its last month it is made anew");
        let third = taken(folder.path(), &["localhost", "other.lan"], "2027-01-20T12:00:00Z");
        assert_ne!(third, second, "a name was missing");
    }

    #[test]
    fn a_key_that_cannot_be_read_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(KEY), "nonsense").unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let error = take(folder.path(), &["localhost".into()], &[], &provider, Timestamp::UNIX_EPOCH);
        assert!(error.err().unwrap().contains(KEY));
        assert_eq!(fs::read_to_string(folder.path().join(KEY)).unwrap(), "nonsense");
    }

    #[cfg(unix)]
    #[test]
    fn its_key_is_for_the_owners_eyes_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        taken(folder.path(), &["localhost"], "2026-01-10T12:00:00Z");
        let mode = fs::metadata(folder.path().join(KEY)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
