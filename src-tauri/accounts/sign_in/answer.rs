//! Reads what came back from a provider: the address that a browser was sent to, or what a person copied from it.
//! Asks nobody and compares nothing; refuses what says one thing twice, says too much or breaks off.

use std::fmt;

use url::{Url, form_urlencoded};

use crate::secrets::Sensitive;

/// A longer text is no answer of a provider.
pub const LONGEST: usize = 8 * 1024;
const LONGEST_CODE: usize = 4 * 1024;
const LONGEST_STATE: usize = 512;
/// A shorter text is no code. RFC 6749 (section 10.10) wants one that is guessed once in 2^128 times at most; the shortest
/// that a provider is known to give has 20 characters.
const LEAST_CODE: usize = 16;

/// What a provider answered.
pub struct Answer {
    /// What the sign-in was begun with, said again.
    pub state: Option<Sensitive<String>>,
    /// The code, or the provider's code for why there is none.
    pub outcome: Result<Sensitive<String>, String>,
    /// Who says so (RFC 9207).
    pub issuer: Option<String>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("is_code", &self.outcome.is_ok()).finish_non_exhaustive()
    }
}

/// Why a text is no answer. Each is a sentence, and none repeats what was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    #[error("that is too long for the answer of a sign-in; copy only the code, or the one address")]
    TooLong,
    #[error("that is no answer of a sign-in: there is no code in it")]
    NoCode,
    #[error("that says one thing twice, as no provider's answer does; sign in again")]
    Twice,
    #[error("a part of the answer is missing; copy all of it, to its end")]
    Truncated,
    #[error("that is the address to open, not the one that you came back to")]
    WayThere,
    #[error("the answer holds characters that no code has; copy it again")]
    Characters,
    #[error("that is no code: codes are longer, and no words; copy all of it, or the whole address")]
    NotACode,
}

/// What a redirect said: its query, whole.
///
/// # Errors
/// [`BadAnswer`]; a redirect always carries its state.
pub fn read_redirect(address: &str) -> Result<Answer, BadAnswer> {
    if address.len() > LONGEST {
        return Err(BadAnswer::TooLong);
    }
    let url = Url::parse(address).map_err(|_| BadAnswer::NoCode)?;
    let answer = read_pairs(url.query().unwrap_or_default())?;
    if answer.state.is_none() { Err(BadAnswer::Truncated) } else { Ok(answer) }
}

/// What a person copied: a code, `code#state`, a query, or a whole address, with whatever blanks a terminal or a mail
/// put between.
///
/// # Errors
/// [`BadAnswer`]; an address carries its state, a bare code need not.
pub fn read_paste(text: &str) -> Result<Answer, BadAnswer> {
    if text.len() > LONGEST {
        return Err(BadAnswer::TooLong);
    }
    // A line that a terminal broke has two parts, or a long one.
    let is_prose =
        text.split_whitespace().count() > 2 && text.split_whitespace().all(|part| part.len() < LEAST_CODE);
    let text: String = text.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    let text = text.trim_matches(['"', '\'', '<', '>', '`']);
    if is_named(text) {
        let query = text.split_once("://").and_then(|(_, rest)| rest.split_once(['?', '#']));
        let answer = read_pairs(query.map_or(text, |(_, query)| query))?;
        return if answer.state.is_none() { Err(BadAnswer::Truncated) } else { Ok(answer) };
    }
    if text.contains("://") {
        return Err(BadAnswer::NoCode);
    }
    let mut parts = text.split(['#', '?', '&']).filter(|part| !part.is_empty());
    let code = parts.next().ok_or(BadAnswer::NoCode)?;
    let state = parts.next();
    if parts.next().is_some() {
        return Err(BadAnswer::Twice);
    }
    if state.is_none() && is_prose {
        return Err(BadAnswer::NotACode);
    }
    Ok(Answer { state: state.map(read_state).transpose()?, outcome: Ok(read_code(code)?), issuer: None })
}

/// Whether a code that came without its state can be the one of a sign-in that was begun so.
///
/// # Errors
/// [`BadAnswer`]: what is too short for a code, or is only a part of what was to be copied.
pub fn check_bare(code: &str, state: &str, redirect: &Url) -> Result<(), BadAnswer> {
    let (way_back, path) = (redirect.as_str(), redirect.path());
    if code.len() < LEAST_CODE {
        Err(BadAnswer::NotACode)
    } else if way_back.contains(code) || (path.len() > 1 && code.contains(path)) {
        Err(BadAnswer::NoCode)
    } else if state.contains(code) {
        // The second line of an address that broke within its state.
        Err(BadAnswer::Truncated)
    } else {
        Ok(())
    }
}

/// Whether its parts have names.
fn is_named(text: &str) -> bool {
    let names = ["code=", "error=", "state=", "iss=", "code_challenge="];
    text.split(['?', '#', '&']).any(|part| names.iter().any(|name| part.starts_with(name)))
}

/// Reads `name=value` pairs, whichever signs stand between them. Names that are not ours are passed over.
fn read_pairs(query: &str) -> Result<Answer, BadAnswer> {
    let (mut code, mut state, mut error, mut issuer) = (None, None, None, None);
    let mut is_way_there = false;
    for part in query.split(['?', '#', '&']).filter(|part| !part.is_empty()) {
        let Some((name, value)) = form_urlencoded::parse(part.as_bytes()).next() else { continue };
        let place = match &*name {
            "code" => &mut code,
            "state" => &mut state,
            "error" => &mut error,
            "iss" => &mut issuer,
            "code_challenge" => {
                is_way_there = true;
                continue;
            }
            // `code=…#state`, as a page may show it.
            _ if !part.contains('=') && code.is_some() && state.is_none() => {
                state = Some(name.into_owned());
                continue;
            }
            _ => continue,
        };
        if place.replace(value.into_owned()).is_some() {
            return Err(BadAnswer::Twice);
        }
    }
    let outcome = match (code, error) {
        (Some(_), Some(_)) => return Err(BadAnswer::Twice),
        (Some(code), None) if code.is_empty() => return Err(BadAnswer::Truncated),
        (Some(code), None) => Ok(read_code(&code)?),
        (None, Some(error)) => Err(super::failure::code(&error)),
        (None, None) if is_way_there => return Err(BadAnswer::WayThere),
        (None, None) => return Err(BadAnswer::NoCode),
    };
    let state = state.filter(|state| !state.is_empty()).map(|state| read_state(&state)).transpose()?;
    Ok(Answer { state, outcome, issuer })
}

fn read_code(text: &str) -> Result<Sensitive<String>, BadAnswer> {
    read(text, LONGEST_CODE)
}

fn read_state(text: &str) -> Result<Sensitive<String>, BadAnswer> {
    read(text, LONGEST_STATE)
}

fn read(text: &str, longest: usize) -> Result<Sensitive<String>, BadAnswer> {
    if text.len() > longest {
        return Err(BadAnswer::TooLong);
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(BadAnswer::Characters);
    }
    Ok(Sensitive::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(answer: Answer) -> (Option<String>, Result<String, String>) {
        let plain = |secret: Sensitive<String>| secret.expose().clone();
        (answer.state.map(plain), answer.outcome.map(plain))
    }

    fn pasted(text: &str) -> Result<(Option<String>, Result<String, String>), BadAnswer> {
        read_paste(text).map(told)
    }

    #[expect(clippy::unnecessary_wraps, reason = "it stands beside what a reader says")]
    fn good(code: &str, state: Option<&str>) -> Result<(Option<String>, Result<String, String>), BadAnswer> {
        Ok((state.map(str::to_owned), Ok(code.to_owned())))
    }

    #[test]
    fn a_code_is_taken_however_it_was_copied() {
        assert_eq!(pasted("abc"), good("abc", None));
        assert_eq!(pasted(" ab\n c \t"), good("abc", None), "a terminal broke the line");
        for text in [
            "abc#st",
            "abc #\nst",
            "abc?st",
            "#abc##st#",
            "code=abc#st",
            "code=abc&state=st",
            "?code=abc#state=st",
        ] {
            assert_eq!(pasted(text), good("abc", Some("st")), "{text}");
        }
        assert_eq!(pasted("abc#"), good("abc", None), "an empty state is none");
        for address in [
            "http://127.0.0.1:5/oauth/callback?code=abc&state=st",
            "<http://127.0.0.1:5/oauth/callback?state=st&code=abc&scope=a%20b>",
            "http://localhost:5/oauth/callback?state=st?code=abc",
            "headgate://oauth/callback?code=abc&state=st#",
            "http://127.0.0.1:5/oauth/callback#code=abc&state=st",
        ] {
            assert_eq!(pasted(address), good("abc", Some("st")), "{address}");
        }
        assert_eq!(
            pasted("?code=a%2Bb%2F&state=st"),
            good("a+b/", Some("st")),
            "as it was before it was escaped"
        );
    }

    #[test]
    fn what_is_no_answer_says_what_is_wrong_with_it() {
        assert_eq!(pasted(""), Err(BadAnswer::NoCode));
        assert_eq!(pasted("# ? \n"), Err(BadAnswer::NoCode));
        assert_eq!(pasted("https://example.com/"), Err(BadAnswer::NoCode));
        assert_eq!(pasted("a#b#c"), Err(BadAnswer::Twice));
        assert_eq!(pasted("?code=a&code=b&state=s"), Err(BadAnswer::Twice));
        assert_eq!(pasted("?code=a&state=s&state=s"), Err(BadAnswer::Twice));
        assert_eq!(pasted("?code=a&error=b&state=s"), Err(BadAnswer::Twice));
        assert_eq!(pasted("http://127.0.0.1/cb?code=abc"), Err(BadAnswer::Truncated), "its end is missing");
        assert_eq!(pasted("http://127.0.0.1/cb?code=&state=s"), Err(BadAnswer::Truncated));
        assert_eq!(pasted("https://id.example/authorize?state=s&code_challenge=x"), Err(BadAnswer::WayThere));
        assert_eq!(pasted("cödé"), Err(BadAnswer::Characters));
        assert_eq!(pasted(&"a".repeat(LONGEST + 1)), Err(BadAnswer::TooLong));
        assert_eq!(pasted(&"a".repeat(LONGEST_CODE + 1)), Err(BadAnswer::TooLong));
    }

    #[test]
    fn words_and_pieces_of_an_address_were_taken_for_codes() {
        for prose in ["I do not know it", "what do I paste here"] {
            assert_eq!(pasted(prose), Err(BadAnswer::NotACode), "{prose}");
        }
        assert_eq!(pasted("%3A%2F%2Fid.example.com&iss=x"), Err(BadAnswer::NoCode));
        let back = Url::parse("http://127.0.0.1:9/oauth/callback").unwrap();
        let state = "q4Zf0fS8c1hFh3kW9uXvB2nM5pL7rT6yE0aDgJiKoCw";
        let bare = |code: &str| check_bare(code, state, &back);
        for word in ["yes", "password", "15-characters-x"] {
            assert_eq!(bare(word), Err(BadAnswer::NotACode), "{word}");
        }
        for piece in ["127.0.0.1:9/oauth/callback", "7.0.0.1:9/oauth/call"] {
            assert_eq!(bare(piece), Err(BadAnswer::NoCode), "{piece}");
        }
        assert_eq!(bare(&state[9..]), Err(BadAnswer::Truncated), "the second line of an address");
    }

    #[test]
    fn no_real_code_is_refused() {
        let back = Url::parse("http://127.0.0.1:9/oauth/callback").unwrap();
        for code in [
            // As Okta, RFC 6749, Google, Keycloak, Entra, GitLab and Hugging Face write theirs.
            "P5I7mdxxdv13_JfXrCSq",
            "SplxlOBeZQQYbYS6WxSbIA",
            "4/0AX4XfWgZ1k2Rj9mQpLs7uVbNcT5yXaDwEoHi",
            "0f3a9b2c-71d8-4e65-90ab-12cd34ef5678.1b2c3d4e.5f6a7b8c-9d0e",
            "OAQABAAIAAADCoMpjJXrxTq9VG9te-7FXvl_1Zq~0.AS8A",
            "0f3a9b2c71d84e6590ab12cd34ef5678",
            "IPAqNfTqZmMkLhRw",
        ] {
            let Ok(answer) = read_paste(code) else { panic!("{code}") };
            assert!(answer.state.is_none() && answer.outcome.is_ok(), "{code}");
            assert_eq!(check_bare(code, "another-state-of-256-bits-altogether", &back), Ok(()), "{code}");
        }
        assert!(read_paste("P5I7mdxxdv\n13_JfXrCSq").is_ok(), "however its line was broken");
        let wrapped = "OAQABAAIAAADCoMpjJXrx Tq9VG9te-7FXvl_1Zq~0A S8A";
        assert!(read_paste(wrapped).is_ok(), "in however many");
    }

    #[test]
    fn a_redirect_that_says_no_is_read_by_its_code_alone() {
        let denied = "http://127.0.0.1/cb?error=access_denied&error_description=CANARY&state=s";
        let answer = read_redirect(denied).unwrap();
        assert!(!format!("{answer:?}").contains("CANARY"));
        assert_eq!(told(answer), (Some("s".into()), Err("access_denied".into())));
        let odd = read_redirect("http://127.0.0.1/cb?error=<script>CANARY&state=s").unwrap();
        assert_eq!(told(odd).1, Err("an unknown error".into()));
    }

    #[test]
    fn a_redirect_without_a_state_is_refused() {
        let read = |address| read_redirect(address).err();
        assert_eq!(read("headgate://oauth/callback?code=abc"), Some(BadAnswer::Truncated));
        assert_eq!(read("headgate://oauth/callback"), Some(BadAnswer::NoCode));
        assert_eq!(read("not an address"), Some(BadAnswer::NoCode));
        let long = format!("headgate://oauth/callback?state=s&code={}", "a".repeat(LONGEST));
        assert_eq!(read_redirect(&long).err(), Some(BadAnswer::TooLong));
    }

    proptest! {
        #[test]
        fn nothing_that_is_pasted_breaks_the_reader(text in ".{0,300}") {
            let _ = (read_paste(&text), read_redirect(&text));
        }

        #[test]
        fn any_code_and_state_come_through_whichever_signs_and_blanks_stand_between(
            code in "[A-Za-z0-9_.~-]{1,60}", state in "[A-Za-z0-9_-]{1,60}",
            before in "[ \t\n]{0,3}", between in "[ \n]{0,2}[#?][ \n]{0,2}", after in "[ \n#?]{0,3}",
        ) {
            let text = format!("{before}{code}{between}{state}{after}");
            prop_assert_eq!(pasted(&text), good(&code, Some(&state)));
        }

        #[test]
        fn any_code_and_state_come_through_an_address(code in "[!-~]{1,60}", state in "[A-Za-z0-9_-]{1,60}", first in any::<bool>()) {
            let mut url = Url::parse("http://127.0.0.1:5/oauth/callback").unwrap();
            let pairs = [("code", &code), ("state", &state)];
            let pairs = if first { pairs } else { [pairs[1], pairs[0]] };
            url.query_pairs_mut().extend_pairs(pairs);
            prop_assert_eq!(pasted(url.as_str()), good(&code, Some(&state)));
            prop_assert_eq!(read_redirect(url.as_str()).map(told), good(&code, Some(&state)));
        }
    }
}
