//! What the scripted authorisation server has given out: codes, tokens, device codes. Every secret is a canary with a
//! number, so that a test finds it wherever it went.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::authority::{Asked, CLIENT, House, Said};

/// A code is good for so long.
const CODE_LIFE: SignedDuration = SignedDuration::from_mins(1);
/// A device code is good for so long.
const DEVICE_LIFE: SignedDuration = SignedDuration::from_mins(15);

#[derive(Debug)]
pub(super) struct Grants {
    pub house: House,
    /// Every secret that was given out or shown.
    pub secrets: Vec<String>,
    codes: BTreeMap<String, Code>,
    devices: BTreeMap<String, Device>,
    signed_in: Vec<SignedIn>,
    number: u64,
}

#[derive(Debug)]
struct Code {
    redirect: String,
    challenge: String,
    until: Timestamp,
}

#[derive(Debug)]
struct Device {
    user_code: String,
    until: Timestamp,
    agrees: Option<bool>,
    /// As RFC 8628 has it: whoever asks before this is told to slow down.
    next: Timestamp,
}

/// What came of one sign-in.
#[derive(Debug, Default)]
struct SignedIn {
    is_over: bool,
    access: BTreeMap<String, Timestamp>,
    refresh: String,
    /// Refresh tokens that were rotated away.
    used: Vec<String>,
}

impl Grants {
    pub fn new(house: House) -> Self {
        Self {
            house,
            secrets: Vec::new(),
            codes: BTreeMap::new(),
            devices: BTreeMap::new(),
            signed_in: Vec::new(),
            number: 0,
        }
    }

    fn canary(&mut self, what: &str) -> String {
        self.number += 1;
        let secret = format!("canary-{what}-{}", self.number);
        self.secrets.push(secret.clone());
        secret
    }

    pub fn authorise(&mut self, fields: &BTreeMap<String, String>, base_url: &str, now: Timestamp) -> Said {
        let get = |name: &str| fields.get(name).map_or("", String::as_str);
        let is_plain = fields.contains_key("callback_url");
        let redirect = if is_plain { get("callback_url") } else { get("redirect_uri") }.to_owned();
        let is_known = is_plain || (get("client_id") == CLIENT && get("response_type") == "code");
        if !is_known || redirect.is_empty() || get("code_challenge_method") != "S256" {
            return Said::refusal("invalid_request", "");
        }
        self.secrets.extend(fields.get("state").cloned());
        let code = self.canary("authorisation-code");
        let challenge = get("code_challenge").to_owned();
        self.codes
            .insert(code.clone(), Code { redirect: redirect.clone(), challenge, until: now + CODE_LIFE });
        let Ok(mut back) = url::Url::parse(&redirect) else { return Said::refusal("invalid_request", "") };
        back.query_pairs_mut().append_pair("code", &code);
        if let Some(state) = fields.get("state") {
            back.query_pairs_mut().append_pair("state", state);
        }
        if self.house.names_itself {
            back.query_pairs_mut().append_pair("iss", base_url);
        }
        Said { status: 302, kind: "text/plain", location: Some(back.into()), text: String::new() }
    }

    /// Takes a code, which is then used up, and checks who shows it.
    fn take_code(&mut self, fields: &BTreeMap<String, String>, now: Timestamp) -> Option<Code> {
        let get = |name: &str| fields.get(name).map_or("", String::as_str);
        self.secrets.extend(fields.get("code_verifier").cloned());
        let code = self.codes.remove(get("code"))?;
        let digest = Sha256::digest(get("code_verifier").as_bytes());
        (code.until > now && code.challenge == base64url(&digest)).then_some(code)
    }

    pub fn code(&mut self, asked: &Asked, now: Timestamp) -> Said {
        let get = |name: &str| asked.fields.get(name).map_or("", String::as_str);
        if get("grant_type") != "authorization_code" {
            return Said::refusal("unsupported_grant_type", "");
        }
        if !self.knows_client(asked) {
            return Said::refusal("invalid_client", "");
        }
        match self.take_code(&asked.fields, now) {
            Some(code) if code.redirect == get("redirect_uri") => self.sign_in(now),
            _ => Said::refusal("invalid_grant", "no such code"),
        }
    }

    pub fn key(&mut self, fields: &BTreeMap<String, String>, now: Timestamp) -> Said {
        if self.take_code(fields, now).is_none() {
            return Said::json(403, &json!({ "error": { "message": "Invalid code or code_verifier" } }));
        }
        let key = self.canary("key");
        Said::json(200, &json!({ "key": key, "user_id": "user-1" }))
    }

    pub fn refresh(&mut self, asked: &Asked, now: Timestamp) -> Said {
        if !self.knows_client(asked) {
            return Said::refusal("invalid_client", "");
        }
        let shown = asked.fields.get("refresh_token").cloned().unwrap_or_default();
        if let Some(robbed) = self.signed_in.iter_mut().find(|one| one.used.contains(&shown)) {
            // RFC 6749, section 10.4: one of two who have it has stolen it.
            robbed.is_over = true;
            return Said::refusal("invalid_grant", "reused");
        }
        let Some(at) = self.signed_in.iter().position(|one| !one.is_over && one.refresh == shown) else {
            return Said::refusal("invalid_grant", "unknown");
        };
        if !self.house.rotates {
            return self.tokens(at, None, now);
        }
        let next = self.canary("refresh");
        let before = std::mem::replace(&mut self.signed_in[at].refresh, next.clone());
        self.signed_in[at].used.push(before);
        self.tokens(at, Some(next), now)
    }

    pub fn device(&mut self, asked: &Asked, base_url: &str, now: Timestamp) -> Said {
        if !self.knows_client(asked) {
            return Said::refusal("invalid_client", "");
        }
        let code = self.canary("device");
        let user_code = format!("WDJB-{:04}", self.number);
        let device =
            Device { user_code: user_code.clone(), until: now + DEVICE_LIFE, agrees: None, next: now };
        self.devices.insert(code.clone(), device);
        Said::json(
            200,
            &json!({
                "device_code": code, "user_code": user_code, "verification_uri": format!("{base_url}/activate"),
                "verification_uri_complete": format!("{base_url}/activate?user_code={user_code}"),
                "expires_in": DEVICE_LIFE.as_secs(), "interval": self.house.interval,
            }),
        )
    }

    /// Whoever comes with a code that it gave out agrees.
    pub fn enter(&mut self, fields: &BTreeMap<String, String>) -> Said {
        let is_known = fields.get("user_code").is_some_and(|code| self.answer_device(code, true));
        let (status, text) = if is_known { (200, "Signed in.") } else { (404, "There is no such code.") };
        Said { status, kind: "text/plain", location: None, text: text.into() }
    }

    pub fn answer_device(&mut self, user_code: &str, agrees: bool) -> bool {
        let asked = self.devices.values_mut().find(|device| device.user_code == user_code);
        asked.map(|device| device.agrees = Some(agrees)).is_some()
    }

    pub fn poll(&mut self, asked: &Asked, now: Timestamp) -> Said {
        if !self.knows_client(asked) {
            return Said::refusal("invalid_client", "");
        }
        let interval = SignedDuration::from_secs(i64::try_from(self.house.interval).unwrap_or(i64::MAX));
        let code = asked.fields.get("device_code").cloned().unwrap_or_default();
        let Some(device) = self.devices.get_mut(&code) else { return Said::refusal("invalid_grant", "") };
        let is_early = now < device.next;
        device.next = now + interval;
        match device.agrees {
            _ if device.until <= now => Said::refusal("expired_token", ""),
            _ if is_early => Said::refusal("slow_down", ""),
            None => Said::refusal("authorization_pending", ""),
            Some(false) => Said::refusal("access_denied", ""),
            Some(true) => {
                self.devices.remove(&code);
                self.sign_in(now)
            }
        }
    }

    /// RFC 7009: a token that it does not know is as good as given back.
    pub fn revoke(&mut self, asked: &Asked) -> Said {
        if !self.knows_client(asked) {
            return Said::refusal("invalid_client", "");
        }
        let shown = asked.fields.get("token").map_or("", String::as_str);
        for one in &mut self.signed_in {
            if one.refresh == shown || one.access.contains_key(shown) {
                one.is_over = true;
            }
        }
        Said::json(200, &json!({}))
    }

    pub fn withdraw_all(&mut self) {
        self.signed_in.iter_mut().for_each(|one| one.is_over = true);
    }

    pub fn accepts(&self, access_token: &str, now: Timestamp) -> bool {
        let live = self.signed_in.iter().filter(|one| !one.is_over);
        live.filter_map(|one| one.access.get(access_token)).any(|until| *until > now)
    }

    pub fn live(&self) -> usize {
        self.signed_in.iter().filter(|one| !one.is_over).count()
    }

    fn sign_in(&mut self, now: Timestamp) -> Said {
        let refresh = self.canary("refresh");
        self.signed_in.push(SignedIn { refresh: refresh.clone(), ..SignedIn::default() });
        self.tokens(self.signed_in.len() - 1, Some(refresh), now)
    }

    fn tokens(&mut self, at: usize, refresh: Option<String>, now: Timestamp) -> Said {
        let access = self.canary("access");
        let life = self.house.token_life;
        let until = life.and_then(|life| now.checked_add(life).ok()).unwrap_or(Timestamp::MAX);
        self.signed_in[at].access.insert(access.clone(), until);
        let mut told = json!({ "access_token": access, "token_type": "Bearer" });
        let says = self.house.says_token_life.or(life.and_then(|life| i64::try_from(life.as_secs()).ok()));
        if let Some(seconds) = says {
            told["expires_in"] = seconds.into();
        }
        if let Some(refresh) = refresh {
            told["refresh_token"] = refresh.into();
        }
        Said::json(200, &told)
    }

    fn knows_client(&self, asked: &Asked) -> bool {
        let (id, secret) = match asked.headers.get("authorization").and_then(|value| value.to_str().ok()) {
            Some(basic) => match basic_credential(basic) {
                Some((id, secret)) => (id, Some(secret)),
                None => return false,
            },
            None => (
                asked.fields.get("client_id").cloned().unwrap_or_default(),
                asked.fields.get("client_secret").cloned(),
            ),
        };
        id == CLIENT && secret == self.house.client_secret
    }
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// RFC 4648, section 5, without padding.
fn base64url(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0_u32, |word, byte| (word << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            text.push(char::from(LETTERS[(word >> (18 - 6 * place)) as usize & 63]));
        }
    }
    text
}

fn basic_credential(header: &str) -> Option<(String, String)> {
    let encoded = header.strip_prefix("Basic ")?.trim_end_matches('=');
    let mut bits = (0_u32, 0);
    let mut bytes = Vec::new();
    for letter in encoded.bytes() {
        let letter = match letter {
            b'+' => b'-',
            b'/' => b'_',
            other => other,
        };
        let value = LETTERS.iter().position(|known| *known == letter)?;
        bits = ((bits.0 << 6) | u32::try_from(value).ok()?, bits.1 + 6);
        if bits.1 >= 8 {
            bits.1 -= 8;
            bytes.push(u8::try_from((bits.0 >> bits.1) & 0xff).ok()?);
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    let (id, secret) = text.split_once(':')?;
    let plain = |text: &str| {
        url::form_urlencoded::parse(format!("v={text}").as_bytes()).next().map(|(_, v)| v.into_owned())
    };
    Some((plain(id)?, plain(secret)?))
}
