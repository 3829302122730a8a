//! Where the program says what happens to it: on standard error, or, for the window, whose standard error nobody sees,
//! in files of bounded size. Says nothing by itself but that it panicked.

use std::{
    backtrace::Backtrace,
    fs::{self, File, OpenOptions},
    io::{self, IsTerminal as _, Write},
    panic,
    path::{Path, PathBuf},
    sync::Mutex,
};

use tracing_subscriber::EnvFilter;

/// Below the data folder.
const FOLDER: &str = "logs";
/// A file that would grow beyond this is set aside, and a new one begun.
const LARGEST: u64 = 2 << 20;
/// So many are set aside; the oldest makes room.
const ASIDE: u64 = 3;

/// What is told: `HEADGATE_LOG` says how much, as in `HEADGATE_LOG=headgate=debug`.
fn filter() -> EnvFilter {
    let wanted = std::env::var("HEADGATE_LOG").ok().filter(|text| !text.trim().is_empty());
    let read = wanted.as_deref().filter(|text| says_how_much(text));
    let read = read.and_then(|text| EnvFilter::try_new(text).ok());
    if let (Some(text), None) = (&wanted, &read) {
        eprintln!(
            "headgate: HEADGATE_LOG={} says nothing about how much is to be logged; write debug or headgate=debug. \
             The usual amount is logged",
            text.escape_debug()
        );
    }
    read.unwrap_or_else(|| EnvFilter::new("headgate=info,warn"))
}

/// Whether each part names a level. A lone word that is none would be taken for a place in the program, and nothing
/// else be logged at all.
fn says_how_much(text: &str) -> bool {
    let is_level = |word: &str| {
        ["off", "error", "warn", "info", "debug", "trace"]
            .iter()
            .any(|level| word.eq_ignore_ascii_case(level))
    };
    text.split(',').map(str::trim).all(|part| is_level(part.rsplit('=').next().unwrap_or(part)))
}

/// Tells standard error. A second call changes nothing.
pub fn to_stderr() {
    // A second subscriber is refused, and the first one goes on.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter())
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .try_init();
}

/// Tells files in the data folder, panics included.
///
/// # Errors
/// If the file can't be opened; nothing is told anywhere then.
pub fn to_folder(data: &Path) -> io::Result<()> {
    let files = Files::open(&data.join(FOLDER), LARGEST)?;
    // A second subscriber is refused, and the first one goes on.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter())
        .with_ansi(false)
        .with_writer(Mutex::new(files))
        .try_init();
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let what = panic.payload_as_str().unwrap_or("no word of why");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked: {what}\n{}", Backtrace::force_capture());
        before(panic);
    }));
    Ok(())
}

/// The file that is written, and those that were set aside: `headgate.log`, `headgate.1.log` and so on, the oldest last.
struct Files {
    folder: PathBuf,
    largest: u64,
    file: File,
    size: u64,
    /// It is tried again then to begin a new file.
    full_at: u64,
}

impl Files {
    fn open(folder: &Path, largest: u64) -> io::Result<Self> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
        let file = open(&named(folder, 0))?;
        let size = file.metadata()?.len();
        Ok(Self { folder: folder.to_owned(), largest, file, size, full_at: largest })
    }

    /// Begins a new file. If that fails, the one that there is goes on and says so; it is tried again once that has
    /// grown by as much as a file may hold.
    fn begin_anew(&mut self) -> io::Result<()> {
        match self.set_aside() {
            Ok(new) => (self.file, self.size, self.full_at) = (new, 0, self.largest),
            Err(error) => {
                self.full_at = self.most().min(self.size + self.largest);
                let said = format!("no new log could be begun, and this one goes on: {error}\n");
                if self.size + said.len() as u64 <= self.most() {
                    self.file.write_all(said.as_bytes())?;
                    self.size += said.len() as u64;
                }
            }
        }
        Ok(())
    }

    /// As much as all files hold together.
    fn most(&self) -> u64 {
        self.largest * (ASIDE + 1)
    }

    /// The next file, with the others set aside. It is there before any of them is touched.
    fn set_aside(&self) -> io::Result<File> {
        let beside = self.folder.join("headgate.new.log");
        let new = open(&beside)?;
        for older in (1..=ASIDE).rev() {
            match fs::rename(named(&self.folder, older - 1), named(&self.folder, older)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(beside, named(&self.folder, 0))?;
        Ok(new)
    }
}

impl Write for Files {
    /// A line comes whole, so none is torn by a new file. Where none can be begun, the one that there is holds as much as
    /// all of them would, and no more.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let length = line.len() as u64;
        if self.size > 0 && self.size + length > self.full_at {
            self.begin_anew()?;
        }
        if self.size > 0 && self.size + length > self.most() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write_all(line)?;
        self.size += length;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn named(folder: &Path, age: u64) -> PathBuf {
    folder.join(if age == 0 { "headgate.log".to_owned() } else { format!("headgate.{age}.log") })
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_level_that_is_none_is_told_and_not_followed_into_silence() {
        for good in ["debug", "headgate=debug", "headgate=info,warn", "INFO", "headgate::proxy=trace, off"] {
            assert!(says_how_much(good), "{good}");
        }
        for bad in ["nonsense", "headgate", "headgate=loud", "debug,nonsense"] {
            assert!(!says_how_much(bad), "{bad}");
        }
    }

    fn kept(folder: &Path) -> Vec<String> {
        (0..=ASIDE + 1).filter_map(|age| fs::read_to_string(named(folder, age)).ok()).collect()
    }

    #[test]
    fn a_log_goes_on_in_a_new_file_and_the_oldest_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("logs");
        let mut files = Files::open(&folder, 10).unwrap();
        for number in 0..6 {
            files.write_all(format!("line {number}\n").as_bytes()).unwrap();
        }
        assert_eq!(kept(&folder), ["line 5\n", "line 4\n", "line 3\n", "line 2\n"]);
        files.write_all(&[b'x'; 50]).unwrap();
        assert_eq!(kept(&folder)[0].len(), 50, "a long line is told all the same, in a file of its own");
    }

    #[test]
    fn a_log_goes_on_where_the_last_start_ended() {
        let folder = tempfile::tempdir().unwrap();
        Files::open(folder.path(), 12).unwrap().write_all(b"before\n").unwrap();
        let mut files = Files::open(folder.path(), 12).unwrap();
        files.write_all(b"now\n").unwrap();
        files.write_all(b"full\n").unwrap();
        assert_eq!(kept(folder.path()), ["full\n", "before\nnow\n"]);
    }

    #[test]
    fn a_log_that_could_not_be_begun_anew_was_lost_and_the_older_ones_with_it() {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("logs");
        let mut files = Files::open(&folder, 1_000).unwrap();
        fs::write(named(&folder, 1), "older").unwrap();
        // Nobody writes into a folder.
        let beside = folder.join("headgate.new.log");
        fs::create_dir(&beside).unwrap();
        let line = |number: usize| format!("line {number} {}\n", "x".repeat(30));
        for number in 0..30 {
            files.write_all(line(number).as_bytes()).unwrap();
        }
        let said = kept(&folder);
        assert_eq!(said.len(), 2, "nothing is set aside");
        assert!(said[0].contains("line 29") && said[0].contains("this one goes on"), "{said:?}");
        assert_eq!(said[0].matches("this one goes on").count(), 1, "not with each line");
        assert_eq!(said[1], "older");
        let left_out = (30..200).filter(|number| files.write_all(line(*number).as_bytes()).is_err()).count();
        assert!(left_out > 50 && kept(&folder)[0].len() <= 4_000, "it does not grow for ever");

        fs::remove_dir(&beside).unwrap();
        files.write_all(line(200).as_bytes()).unwrap();
        assert_eq!((kept(&folder)[0].as_str(), kept(&folder).len()), (line(200).as_str(), 3));
    }

    #[test]
    fn a_log_whose_folder_was_moved_away_goes_on_there() {
        let above = tempfile::tempdir().unwrap();
        let (folder, moved) = (above.path().join("logs"), above.path().join("moved"));
        let mut files = Files::open(&folder, 10).unwrap();
        files.write_all(b"before\n").unwrap();
        fs::rename(&folder, &moved).unwrap();
        files.write_all(b"behind\n").unwrap();
        let said = kept(&moved);
        assert!(said[0].starts_with("before\n") && said[0].ends_with("behind\n"), "{said:?}");
    }

    #[cfg(unix)]
    #[test]
    fn a_log_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("logs");
        Files::open(&folder, 10).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode(&folder), mode(&named(&folder, 0))], [0o700, 0o600]);
    }
}
