//! Whether a text looks like a secret that somebody typed in the wrong place. A guess, by how keys and tokens begin and
//! how chance looks; what people call things must pass, so a secret that looks like a word is not seen.

/// How keys and tokens begin that nothing else begins like.
const CERTAIN: [&str; 8] =
    ["sk-ant-", "sk-or-", "sk-proj-", "github_pat_", "ya29.", "glpat-", "AIzaSy", "sk_live_"];
/// How keys and tokens begin, and names may: what follows decides.
const LIKELY: [&str; 12] =
    ["sk-", "sk_", "hg_", "hf_", "eyJ", "ghp_", "gho_", "xai-", "gsk_", "pk-", "AKIA", "Bearer"];
/// A shorter stretch of letters and digits behind such a beginning is a word, or a number.
const LEAST_BEHIND: usize = 12;
/// So is a shorter one without.
const LEAST_ALONE: usize = 20;

/// Whether it is, or holds, what looks like a secret.
pub fn looks_secret(text: &str) -> bool {
    let quotes = ['"', '\'', '`', '<', '>', ','];
    text.split_whitespace().map(|word| word.trim_matches(quotes)).any(|word| {
        let begins = |with: &[&str]| with.iter().any(|beginning| word.starts_with(beginning));
        let is_long = |least| stretches(word).any(|stretch| stretch.len() >= least && is_chance(stretch));
        begins(&CERTAIN)
            || is_of_a_known_shape(word)
            || (begins(&LIKELY) && is_long(LEAST_BEHIND))
            || is_long(LEAST_ALONE)
    })
}

/// Whether it has the shape of a token that may lack what chance looks like: of Hugging Face (34 letters), Amazon (16
/// capitals and digits) or Slack.
fn is_of_a_known_shape(word: &str) -> bool {
    let all = |text: &str, is: fn(&u8) -> bool| text.as_bytes().iter().all(is);
    let of_hugging_face =
        word.strip_prefix("hf_").is_some_and(|rest| rest.len() >= 30 && all(rest, u8::is_ascii_alphanumeric));
    let mut of_amazon = ["AKIA", "ASIA"].iter().filter_map(|beginning| word.strip_prefix(beginning));
    let is_capital = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let of_slack =
        word.strip_prefix("xox").and_then(|rest| rest.strip_prefix(|kind| "abceprs".contains(kind)));
    let is_of_slack =
        |rest: &str| rest.len() > LEAST_BEHIND && rest.bytes().any(|byte| byte.is_ascii_digit());
    of_hugging_face
        || of_amazon.any(|rest| rest.len() == 16 && all(rest, is_capital))
        || of_slack.and_then(|rest| rest.strip_prefix('-')).is_some_and(is_of_slack)
}

/// Its stretches of letters and digits.
fn stretches(word: &str) -> impl Iterator<Item = &str> {
    word.split(|c: char| !c.is_ascii_alphanumeric()).filter(|stretch| !stretch.is_empty())
}

/// Whether its letters and digits change about as often as by chance. Where a capital begins a word nothing changes, so
/// that `MyTeamAtAcme2024` is a name; and without two digits nothing is said.
fn is_chance(stretch: &str) -> bool {
    let kinds: Vec<u8> = stretch
        .bytes()
        .map(|byte| match byte {
            b'0'..=b'9' => 0,
            b'A'..=b'Z' => 1,
            _ => 2,
        })
        .collect();
    let digits = stretch.bytes().filter(u8::is_ascii_digit).count();
    let changes = kinds.windows(2).filter(|pair| pair[0] != pair[1] && **pair != [1, 2]).count();
    digits >= 2 && (changes + 1) * 16 >= kinds.len() * 5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_tokens_are_seen_wherever_they_stand() {
        for secret in [
            "sk-ant-api03-x7Qp2LmZ9",
            "sk-ant-oat01-short",
            "sk-or-v1-0f3a9b2c71d84e65",
            "sk-4f9a1c7e2b8d3056",
            "hg_7Yq2Lk9ZpX4vB8nT1cR6wM3sD5fG0hJaKeQuViOxPz2",
            "hf_aB3xK9mQ2zR7tY5wE8uI1oP4sD6fG0hJ",
            "hf_aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH",
            "AKIAIOSFODNNQEXAMPLE",
            "xoxb-123456789012-abcdefghijkl",
            "xoxp-2-abcdefghijklmnop",
            "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiIxIn0",
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "0f3a9b2c71d84e6590ab12cd34ef5678",
            "Zx81KpQ0vT7uJm3RwY5nB2sL",
            "work 0f3a9b2c71d84e6590ab12cd34ef5678",
            "\"sk-ant-api03-x7Qp2LmZ9\"",
        ] {
            assert!(looks_secret(secret), "{secret}");
        }
    }

    #[test]
    fn what_people_call_things_passes() {
        for name in [
            "work",
            "sk-work",
            "sk-team-anthropic-berlin-2",
            "hg_laptop",
            "hf_inference-2024",
            "hf_an-inference-endpoint-with-a-long-name",
            "AKIA-production",
            "xoxo-anna",
            "xoxo-from-anna-in-2024",
            "Team's key (2)",
            "claude-max-20x-personal-2024-account",
            "MyTeamAtAcmeIncAccount1",
            "MyTeamAtAcmeIncAccount2024",
            "averylongcompanynameindeed2024",
            "anna.schmidt+claude@example-company2024.com",
            "2024-11-27 07:54:04 import",
            "550e8400-e29b-41d4-a716-446655440000",
            "Überweisungsträgerschaft-München-2024",
            "20241127075404123456",
            "org 1234567890123456789012345",
            "pk-eu-west-1",
            "Bearer of bad news 2024",
            "a long name with many words in it, and the number 12345",
        ] {
            assert!(!looks_secret(name), "{name}");
        }
    }
}
